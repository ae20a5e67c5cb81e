"""
Whose key is it? An environment knows one Stripe account; a key of another one is refused until somebody says that the old one is over.

To detach closes what belonged to the account: mappings, mirrors and what was under way there become history. What customers own stays theirs, and
so do their balances.
"""

import threading

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.catalog.push import forget_at_stripe
from paywright.checkout import queries as checkout_queries
from paywright.checkout.record import change
from paywright.checkout.tables import checkout_sessions
from paywright.customers.tables import stripe_customers
from paywright.engine.app import App
from paywright.environments import queries as environment_queries
from paywright.environments.actions import StripeCredentials, connect_stripe, wrong_key
from paywright.environments.model import Environment
from paywright.environments.tables import environments, webhook_secrets
from paywright.healing.tables import reconcile_cursors, reconciliations
from paywright.kernel.ids import wall_ms
from paywright.kernel.refusals import Refusal
from paywright.outbox.actions import open_incident
from paywright.outbox.audit import note
from paywright.outbox.tables import commands
from paywright.storage.work import Work
from paywright.stripe.gateway import Gateway, StripeRefused
from paywright.subscriptions.tables import subscription_changes, subscriptions
from paywright.webhooks.tables import stripe_endpoints

DETACHED = "the Stripe account it belonged to was detached"
PAGE_SIZE = 500


def account_of_key(app: App, environment: Environment) -> str | None:
    """The id of the account the key is of; None: a restricted key that may not read it. Raises what the gateway raises."""
    return _account_at(app.gateway(environment))


def _account_at(gateway: Gateway) -> str | None:
    try:
        return str(gateway.get("/v1/account")["id"])
    except StripeRefused as refused:
        if refused.status == 403:
            return None
        raise


def verify(app: App, environment: Environment) -> Refusal | None:
    """`stripe_account_changed` when the key is of another account than the environment knows. An account that is not known yet is remembered."""
    found = account_of_key(app, environment)
    with app.database.read() as connection:
        known = _known_account(connection, environment)
    if found is None or found == known:
        return None
    if known is not None:
        return Refusal("stripe_account_changed", {"new": found, "old": known})
    with app.work(environment.id) as work:
        _remember_account(work, found)
    return None


def connect(
    app: App, environment: Environment, credentials: StripeCredentials, *, detach_old: bool | str = False
) -> Environment | Refusal:
    """
    Stores a Stripe key, if Stripe takes it. The environment as it is then; its account stays unknown if the key may not read it.

    Refusals: `wrong_key_mode`; `stripe_refused` for a key Stripe does not know; `stripe_account_changed` `{old, new}` for one of another account,
    unless `detach_old` says that the old account is over, or names it. Raises `StripeBusy`, `StripeUnknown`: nothing was stored.
    """
    refusal = wrong_key(credentials.secret_key, environment)
    if refusal is not None:
        return refusal
    try:
        found = _account_at(Gateway(credentials, limiter=threading.Semaphore(1)))
    except StripeRefused as refused:
        said = refused.message.replace(credentials.secret_key, credentials.masked)
        return Refusal("stripe_refused", {"stripe_message": said})
    with app.work(environment.id) as work:
        known = _known_account(work.connection, environment)
        if found is not None and known is not None and found != known:
            if detach_old not in (True, known):
                return Refusal("stripe_account_changed", {"new": found, "old": known})
            detach(work)
            open_incident(work, "account_detached", {"old": known, "new": found})
        assert connect_stripe(work, app.settings, credentials) is None
        if found is not None:
            _remember_account(work, found)
        facts = {"key": credentials.masked, "account": found, "detached": known if found != known else None}
        note(work, "environment.connected", environment.id, **facts)
        after = environment_queries.environment(work.connection, environment.id)
    assert after is not None
    return after


def detach(work: Work) -> None:
    """The account is over. In one work with whatever follows it."""
    here = work.environment_id
    now = work.now
    work.execute(
        stripe_customers.update()
        .where(stripe_customers.c.environment_id == here, stripe_customers.c.stripe_customer_id.is_not(None))
        .values(
            stripe_customer_id=None,
            generation=stripe_customers.c.generation + 1,
            requested_at=wall_ms(),
            created_at=now,
            default_payment_method_id=None,
            card=None,
        )
    )
    live = (subscriptions.c.environment_id == here) & subscriptions.c.ended_at.is_(None)
    work.execute(subscriptions.update().where(live).values(ended_at=now))
    asked = (subscription_changes.c.environment_id == here) & subscription_changes.c.status.in_(
        ("requested", "due", "waiting")
    )
    work.execute(subscription_changes.update().where(asked).values(status="refused", last_error=DETACHED))
    due = (commands.c.environment_id == here) & (commands.c.status == "pending")
    work.execute(commands.update().where(due).values(status="failed", last_error=DETACHED))
    valid = (webhook_secrets.c.environment_id == here) & webhook_secrets.c.expires_at.is_(None)
    work.execute(webhook_secrets.update().where(valid).values(expires_at=wall_ms()))
    endpoints = stripe_endpoints.c.environment_id == here
    work.execute(sa.delete(stripe_endpoints).where(endpoints, stripe_endpoints.c.stripe_endpoint_id.is_(None)))
    work.execute(stripe_endpoints.update().where(endpoints).values(status="deleted"))
    _close_checkouts(work)
    forget_at_stripe(work)
    work.execute(sa.delete(reconcile_cursors).where(reconcile_cursors.c.environment_id == here))
    open_ones = (reconciliations.c.environment_id == here) & reconciliations.c.status.in_(("requested", "running"))
    work.execute(reconciliations.update().where(open_ones).values(status="failed", last_error=DETACHED, claim=None))
    work.execute(environments.update().where(environments.c.environment_id == here).values(stripe_account_id=None))


def _close_checkouts(work: Work) -> None:
    """Nobody can pay them any more: they expire, and free the places they held."""
    open_ones = sa.select(checkout_sessions.c.id).where(
        checkout_sessions.c.environment_id == work.environment_id,
        checkout_sessions.c.status.in_(("initialized", "open")),
    )
    while ids := list(work.execute(open_ones.order_by(checkout_sessions.c.id).limit(PAGE_SIZE)).scalars()):
        for session_id in ids:
            found = checkout_queries.session(work.connection, work.environment_id, session_id)
            assert found is not None
            change(work, found, status="expired", url=None)


def _known_account(connection: Connection, environment: Environment) -> str | None:
    found = sa.select(environments.c.stripe_account_id).where(environments.c.environment_id == environment.id)
    return connection.execute(found).scalar_one_or_none()


def _remember_account(work: Work, account: str) -> None:
    here = environments.c.environment_id == work.environment_id
    work.execute(environments.update().where(here).values(stripe_account_id=account))
