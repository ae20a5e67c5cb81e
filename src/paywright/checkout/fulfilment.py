"""
Fulfilling a checkout: one function for the webhook, the success page's `sync` and reconcile, any number of times and at once.

It acts when the session is complete and `paid` or `no_payment_required`; `completed` and `unpaid` (a bank debit under way) waits. A one-time purchase
is granted here, from the lines as our row pinned them; a subscription's products follow the subscription.
"""

from typing import Any

from paywright.catalog import queries as catalog_queries
from paywright.checkout import queries
from paywright.checkout.mirror import checkout_facts
from paywright.checkout.model import CheckoutFacts, CheckoutSession
from paywright.checkout.record import change, tell_activated
from paywright.customers.actions import owner, remember
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.environments.queries import environment_of
from paywright.invoices import actions as invoices
from paywright.kernel.model import normal_address
from paywright.kernel.refusals import Refusal
from paywright.outbox.actions import command, lock_customers, open_incident
from paywright.ownership import actions as ownership
from paywright.ownership.model import ResolvedLine
from paywright.ownership.rules import conflict_with_owned
from paywright.payments import actions as payments
from paywright.payments.returns import settle_purchase
from paywright.storage.work import Work
from paywright.stripe import metadata
from paywright.stripe.fetches import lock, may_apply
from paywright.stripe.gateway import StripeRefused
from paywright.stripe.model import GONE, NOT_OURS, PROCESSED, STALE, WRONG_MODE, Fetched, Outcome
from paywright.subscriptions import actions as subscriptions
from paywright.subscriptions.actions import REFUND_PAYMENT

EXPAND = ["line_items"]


def root_of(stripe_checkout_session_id: str) -> str:
    return f"checkout_session {stripe_checkout_session_id}"


def fetch(app: App, environment: Environment, stripe_checkout_session_id: str) -> Fetched:
    """The session as it is now, with its payment, subscription and first invoice fetched beside it under their own roots."""
    root = root_of(stripe_checkout_session_id)
    number = app.next_fetch(environment.id, root)
    try:
        found = app.gateway(environment).get(f"/v1/checkout/sessions/{stripe_checkout_session_id}", {"expand": EXPAND})
    except StripeRefused as refused:
        if not refused.is_missing:
            raise
        return Fetched(root, number, None)
    facts = checkout_facts(found)
    related: list[Fetched] = []
    if facts.payment_intent_id is not None:
        related.append(payments.fetch(app, environment, facts.payment_intent_id))
    if facts.subscription_id is not None:
        related.append(subscriptions.fetch(app, environment, facts.subscription_id))
        if facts.invoice_id is not None:  # Its payment, should no delivery ever tell of it.
            related.append(invoices.fetch(app, environment, facts.invoice_id, then=("payment_intent",)))
    return Fetched(root, number, found, related=tuple(related))


def apply(work: Work, fetched: Fetched) -> Outcome:
    """Everything the session means, in this work: our row, the payment, what is owned, units, events."""
    lock(work, [fetched])
    if not may_apply(work, fetched.root, fetched.number):
        return STALE
    if fetched.found is None:
        return GONE
    environment = environment_of(work)
    facts = checkout_facts(fetched.found)
    if facts.livemode != environment.livemode:
        return WRONG_MODE
    session = _ours(work, facts)
    if isinstance(session, Outcome):
        return session
    lock_customers(work, [session.customer])
    if facts.stripe_customer_id is not None and session.customer.type != "guest":
        remember(work, session.customer, facts.stripe_customer_id)
    session = _mirror(work, session, facts)
    _apply_related(work, session, facts, fetched)
    if facts.is_paid_for and session.mode == "payment" and not session.is_fulfilled:
        fulfil(work, environment, session, facts, fetched)
    return PROCESSED


def _ours(work: Work, facts: CheckoutFacts) -> CheckoutSession | Outcome:
    """By our metadata or reference; a session without either never grants anything."""
    named = owner(work, facts.metadata, None)
    if isinstance(named, Outcome) and named.status == "ignored" and named != NOT_OURS:
        return named
    session_id = facts.metadata.get(metadata.CHECKOUT_SESSION) or facts.client_reference_id
    found = queries.session_at_stripe(work.connection, work.environment_id, facts.id)
    if found is None and session_id is not None:
        found = queries.session(work.connection, work.environment_id, session_id)
        if found is not None and found.stripe_checkout_session_id not in (None, facts.id):
            found = None
    if found is not None:
        return found
    if facts.metadata.get(metadata.ENVIRONMENT) == work.environment_id:
        return Outcome("unresolved", "unresolved", facts.stripe_customer_id)
    return NOT_OURS


def _mirror(work: Work, session: CheckoutSession, facts: CheckoutFacts) -> CheckoutSession:
    status = {"open": "open", "complete": "completed", "expired": "expired"}.get(facts.status, session.status)
    if session.status == "completed":
        status = "completed"  # Nothing regresses.
    values: dict[str, Any] = {
        "status": status,
        "payment_status": facts.payment_status,
        "url": facts.url if status == "open" else None,
        "stripe_checkout_session_id": facts.id,
        "stripe_payment_intent_id": facts.payment_intent_id or session.stripe_payment_intent_id,
        "stripe_subscription_id": facts.subscription_id or session.stripe_subscription_id,
        "stripe_customer_id": facts.stripe_customer_id or session.stripe_customer_id,
        "buyer_email": session.buyer_email if facts.email is None else normal_address(facts.email),
    }
    if all(getattr(session, name) == value for name, value in values.items()):
        return session
    return change(work, session, **values)


def _apply_related(work: Work, session: CheckoutSession, facts: CheckoutFacts, fetched: Fetched) -> None:
    for related in fetched.related:
        if related.root == payments.root_of(facts.payment_intent_id or ""):
            payments.apply(work, related, customer=session.customer)
        elif related.root == invoices.root_of(facts.invoice_id or ""):
            invoices.apply(work, related)
        else:
            subscriptions.apply(work, related)
    if facts.payment_status == "no_payment_required" and facts.status == "complete" and facts.payment_intent_id is None:
        payments.record_nothing_to_pay(
            work,
            session.customer,
            stripe_checkout_session_id=facts.id,
            checkout_session_id=session.id,
            currency=facts.currency or session.currency,
        )


def fulfil(
    work: Work, environment: Environment, session: CheckoutSession, facts: CheckoutFacts, fetched: Fetched
) -> None:
    """One-time lines, all of them or none: what came in must be what the session asked for, and nothing may stand in the way."""
    received = payments.received(fetched.related[0]) if fetched.related else None
    if received is not None and (received.amount, received.currency) != (facts.amount_total, facts.currency):
        told = {"checkout_session_id": session.id, "asked": facts.amount_total, "received": received.amount}
        open_incident(work, "unresolved_event", told, customer=session.customer)
        return
    paid_at = payments.paid_at(fetched.related[0]) if fetched.related else None
    ownership.settle(work, environment, session.customer)
    lines = pinned_lines(work, session)
    held = ownership.bought(work, session.customer)
    catalog = catalog_queries.current(work.connection, work.environment_id)
    refusal = conflict_with_owned(held, lines, catalog, session.customer)
    if refusal is not None:
        _undo_duplicate(work, session, facts, refusal)
        return
    for index, line in enumerate(lines):
        owned = ownership.own(
            work,
            environment,
            session.customer,
            line,
            source="checkout",
            granted_at=paid_at,
            checkout_session_id=session.id,
            line_index=index,
        )
        assert not isinstance(owned, Refusal), owned
    tell_activated(work, session)
    settle_purchase(work, checkout_session_id=session.id)
    change(work, session, fulfilled=1)


def pinned_lines(work: Work, session: CheckoutSession) -> list[ResolvedLine]:
    """What is granted: the product versions our row pinned when the session was made."""
    wanted = sorted({line.version_id for line in session.lines})
    versions = catalog_queries.product_versions_of(work.connection, work.environment_id, wanted)
    return [
        ResolvedLine(
            line.product_id,
            line.version_id,
            versions[line.version_id].product,
            line.price_id,
            versions[line.version_id].product.prices[line.price_id],
            line.quantity,
        )
        for line in session.lines
    ]


def _undo_duplicate(work: Work, session: CheckoutSession, facts: CheckoutFacts, refusal: Refusal) -> None:
    """The loser of a race is refunded in full and grants nothing; somebody is told."""
    if facts.payment_intent_id is not None:
        command(work, REFUND_PAYMENT, facts.payment_intent_id, {"payment_intent_id": facts.payment_intent_id})
    told = {"checkout_session_id": session.id, "payment_intent_id": facts.payment_intent_id, "refused": refusal.code}
    open_incident(work, "duplicate_purchase", told, customer=session.customer)
    change(work, session, fulfilled=1)
