"""
Our endpoint at Stripe: made, replaced, and its secret kept.

The new one is made before the old ones are deleted, so that Stripe always has somewhere to deliver to. Stripe shows an endpoint's secret only in the
answer that makes it. That answer can be had again under the same key for a day; after that the endpoint is useless, and is replaced. Other
environments' endpoints, and other people's, are never touched.
"""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.engine.app import App
from paywright.environments.actions import add_webhook_secret
from paywright.environments.model import Environment
from paywright.kernel.ids import new_id
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work
from paywright.stripe import metadata
from paywright.stripe.gateway import KEYS_KEPT_MS, StripeRefused, StripeUnknown, stripe_key
from paywright.stripe.metadata import metadata_of
from paywright.webhooks.rules import ASKED_EVENTS
from paywright.webhooks.tables import stripe_endpoints

KEYS_PER_CALL_MAX = 3


class Endpoint(msgspec.Struct, frozen=True):
    """The endpoint in use. `deleted` are the ids at Stripe of those it replaced in this call."""

    id: str
    url: str
    api_version: str | None
    deleted: list[str]


Attempt = Any
"""A row of `stripe_endpoints`."""


def set_up(app: App, environment: Environment, *, public_url: str | None = None) -> Endpoint | Refusal:
    """
    Makes an endpoint at Stripe for this environment, keeps its secret, and deletes the older ones of this environment.

    The secrets of those stay valid for three days. Safe to repeat after a crash; of two calls at once, both get the same one. Refuses without
    an address (`invalid_request`) and what Stripe refuses (`stripe_refused`). Raises what the gateway raises. Stripe no longer tries what a deleted
    endpoint still owed us: reconcile the events afterwards.
    """
    address = public_url or app.settings.public_url
    if not address:
        return invalid_request("public_url", "Stripe needs an address it can reach: set PAYWRIGHT_PUBLIC_URL.")
    wanted = _wanted(environment, address)
    for _ in range(KEYS_PER_CALL_MAX):
        attempt = _attempt(app, environment, wanted)
        try:
            made = _made(app, environment, attempt)
        except StripeRefused as refused:
            if refused.is_key_dead:
                raise
            _give_up(app, environment, attempt)
            return Refusal("stripe_refused", {"stripe_message": refused.message, "stripe_code": refused.code})
        if made is not None:
            _keep(app, environment, attempt, made)
            return Endpoint(made["id"], made["url"], made.get("api_version"), _delete_older(app, environment))
        _give_up(app, environment, attempt)
    raise StripeUnknown(f"no answer under {KEYS_PER_CALL_MAX} keys")


def _wanted(environment: Environment, address: str) -> dict[str, Any]:
    import stripe

    wanted: dict[str, Any] = {
        "url": f"{address.rstrip('/')}/webhooks/stripe/{environment.id}",
        "enabled_events": list(ASKED_EVENTS),
        "api_version": stripe.api_version,
        "description": f"Paywright, environment {environment.id}",
        "metadata": {metadata.ENVIRONMENT: environment.id},
    }
    return {**wanted, "connect": True} if environment.stripe_account else wanted


def _attempt(app: App, environment: Environment, wanted: dict[str, Any]) -> Attempt:
    """The row of the call that is without an answer, if it asked for the same; else a new one in its place."""
    parameters = msgspec.json.encode(wanted).decode()
    row = {"url": wanted["url"], "parameters": parameters, "status": "requested", "created_at": app.wall()}
    with app.work(environment.id) as work:
        requested = (stripe_endpoints.c.environment_id == environment.id) & (stripe_endpoints.c.status == "requested")
        work.execute(sa.delete(stripe_endpoints).where(requested, stripe_endpoints.c.parameters != parameters))
        insert_if_absent(work, stripe_endpoints, {"environment_id": environment.id, "id": new_id("whe"), **row})
        columns = (stripe_endpoints.c.id, stripe_endpoints.c.parameters, stripe_endpoints.c.created_at)
        return work.execute(sa.select(*columns).where(requested)).one()


def _made(app: App, environment: Environment, attempt: Attempt) -> dict[str, Any] | None:
    """With its secret. None: this key can say no more, and what was made under it, without its secret, is deleted with the older ones."""
    if app.wall() - attempt.created_at >= KEYS_KEPT_MS:
        return None
    key = stripe_key(environment.id, attempt.id, "endpoint")
    try:
        gateway = app.gateway(
            environment, as_platform=True
        )  # It is the platform's, also where it hears of connected accounts.
        return gateway.post("/v1/webhook_endpoints", msgspec.json.decode(attempt.parameters), idempotency_key=key)
    except StripeUnknown as unknown:
        if not unknown.is_kept:
            raise
        return None


def _give_up(app: App, environment: Environment, attempt: Attempt) -> None:
    with app.work(environment.id) as work:
        work.execute(sa.delete(stripe_endpoints).where(_is(work, attempt.id)))


def _keep(app: App, environment: Environment, attempt: Attempt, made: dict[str, Any]) -> None:
    """The secret and the row that says whose it is, together; once, however many calls got this answer."""
    with app.work(environment.id) as work:
        in_use = stripe_endpoints.update().where(_is(work, attempt.id), stripe_endpoints.c.status == "requested")
        if work.execute(in_use.values(status="in_use", stripe_endpoint_id=made["id"])).rowcount != 1:
            return
        others = (stripe_endpoints.c.environment_id == work.environment_id) & (stripe_endpoints.c.id != attempt.id)
        replaced = stripe_endpoints.update().where(others, stripe_endpoints.c.status == "in_use")
        work.execute(replaced.values(status="replaced"))
        add_webhook_secret(work, app.settings, made["secret"], stripe_endpoint_id=made["id"])


def _delete_older(app: App, environment: Environment) -> list[str]:
    """
    Those with our metadata for this environment, lost ones too; nobody else's.

    Listed before our rows are read: what another call has just made is in use by then, or under way, and then the deleting is left to that call.
    """
    gateway = app.gateway(environment, as_platform=True)
    listed = [
        each["id"]
        for each in gateway.pages("/v1/webhook_endpoints")
        if metadata_of(each).get(metadata.ENVIRONMENT) == environment.id
    ]
    with app.database.read() as connection:
        rows = _rows(connection, environment.id, ("requested", "in_use"))
    if any(row.status == "requested" for row in rows):
        return []
    older = [each for each in listed if each not in {row.stripe_endpoint_id for row in rows}]
    for endpoint_id in older:
        try:
            gateway.delete(f"/v1/webhook_endpoints/{endpoint_id}")
        except StripeRefused as refused:
            if not refused.is_missing:  # Somebody else deleted it meanwhile.
                raise
    with app.work(environment.id) as work:
        here = stripe_endpoints.c.environment_id == work.environment_id
        gone = stripe_endpoints.update().where(here, stripe_endpoints.c.status == "replaced")
        work.execute(gone.values(status="deleted"))
    return older


def in_use(connection: Connection, environment_id: str) -> Any | None:
    """The row of the endpoint we made last: `stripe_endpoint_id`, `url`, `created_at`; None: none was made here."""
    return next(iter(_rows(connection, environment_id, ("in_use",))), None)


def _rows(connection: Connection, environment_id: str, statuses: tuple[str, ...]) -> list[Any]:
    columns = (
        stripe_endpoints.c.stripe_endpoint_id,
        stripe_endpoints.c.url,
        stripe_endpoints.c.status,
        stripe_endpoints.c.created_at,
    )
    found = sa.select(*columns).where(
        stripe_endpoints.c.environment_id == environment_id, stripe_endpoints.c.status.in_(statuses)
    )
    return list(
        connection.execute(found.order_by(stripe_endpoints.c.created_at.desc(), stripe_endpoints.c.id).limit(10))
    )


def _is(work: Work, row_id: str) -> sa.ColumnElement[bool]:
    return (stripe_endpoints.c.environment_id == work.environment_id) & (stripe_endpoints.c.id == row_id)
