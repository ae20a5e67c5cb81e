"""
What must be so when a story is over, whatever happened in it.

Paywright's money is Stripe's money, every balance follows from its entries, every event from Stripe was dealt with, and nothing that was paid
for is missing or there twice.
"""

import json
from collections import Counter
from typing import Any

import sqlalchemy as sa

from paywright.checkout.tables import checkout_sessions
from paywright.ledger.verify import verify
from paywright.outbox.tables import events
from paywright.ownership.tables import owned_products
from paywright.payments.tables import payments
from paywright.webhooks.tables import stripe_events
from tests.flows.shop import Shop


def audit(shop: Shop) -> None:
    app, here = shop.premises.app, shop.environment_id
    assert list(verify(app, here)) == []
    with app.database.read() as connection:
        unfinished = connection.execute(
            sa.select(
                stripe_events.c.id,
                stripe_events.c.type,
                stripe_events.c.status,
                stripe_events.c.reason,
            )
            .where(stripe_events.c.environment_id == here, stripe_events.c.status.not_in(("processed", "ignored")))
            .order_by(stripe_events.c.id)
            .limit(20)
        ).all()
        assert unfinished == []
        assert ours(connection, here) == stripes(shop)
        assert_each_paid_line_is_owned_once(connection, here)
        assert_subscriptions_are_owned_while_they_live(shop, connection, here)


def ours(connection: sa.Connection, here: str) -> Counter[tuple[str, int, str, int]]:
    """Every payment that came in: its intent, amount, currency and what went back."""
    rows = connection.execute(
        sa.select(
            payments.c.stripe_payment_intent_id, payments.c.amount, payments.c.currency, payments.c.amount_refunded
        )
        .where(payments.c.environment_id == here, payments.c.status.in_(("paid", "refunded")), payments.c.amount > 0)
        .order_by(payments.c.id)
        .limit(1000)
    )
    return Counter((row[0], row[1], row[2], row[3]) for row in rows)


def stripes(shop: Shop) -> Counter[tuple[str, int, str, int]]:
    """The same, as Stripe has it; what is not ours left out."""
    intents = {intent["id"]: intent for intent in shop.account.every("/v1/payment_intents")}
    charges = [charge for charge in shop.account.every("/v1/charges") if charge["status"] == "succeeded"]
    return Counter(
        (charge["payment_intent"], charge["amount_captured"], charge["currency"], charge["amount_refunded"])
        for charge in charges
        if is_ours(charge, intents)
    )


def is_ours(charge: dict[str, Any], intents: dict[str, dict[str, Any]]) -> bool:
    return bool(intents[charge["payment_intent"]]["metadata"].get("foreign") != "yes")


def assert_each_paid_line_is_owned_once(connection: sa.Connection, here: str) -> None:
    """Of one-time checkouts: every one that is paid for was fulfilled, and none grants twice or unpaid."""
    sessions = connection.execute(
        sa.select(
            checkout_sessions.c.id,
            checkout_sessions.c.status,
            checkout_sessions.c.payment_status,
            checkout_sessions.c.fulfilled,
        )
        .where(checkout_sessions.c.environment_id == here, checkout_sessions.c.mode == "payment")
        .order_by(checkout_sessions.c.id)
        .limit(1000)
    ).all()
    granted = Counter(
        (row.checkout_session_id, row.line_index)
        for row in connection.execute(
            sa.select(owned_products.c.checkout_session_id, owned_products.c.line_index)
            .where(owned_products.c.environment_id == here, owned_products.c.checkout_session_id.is_not(None))
            .order_by(owned_products.c.id)
            .limit(1000)
        )
    )
    assert [place for place, times in granted.items() if times > 1] == []
    by_session = {session for session, _ in granted}
    by_session |= came_too_late(connection, here)
    for session in sessions:
        is_paid = session.status == "completed" and session.payment_status in ("paid", "no_payment_required")
        assert bool(session.fulfilled) == is_paid, session
        assert (session.id in by_session) == is_paid, session


def came_too_late(connection: sa.Connection, here: str) -> set[str]:
    """Losers of races: paid, refunded, and told to somebody."""
    rows = connection.execute(
        sa.select(events.c.data)
        .where(events.c.environment_id == here, events.c.type == "incident.opened")
        .order_by(events.c.id)
        .limit(100)
    )
    told = [json.loads(row.data) for row in rows]
    return {each["facts"].get("checkout_session_id", "") for each in told if each["kind"] == "duplicate_purchase"}


def assert_subscriptions_are_owned_while_they_live(shop: Shop, connection: sa.Connection, here: str) -> None:
    """One owned product per live subscription that was ever paid for, its trial included; none for one that is over, or whose first debit failed."""
    owned = Counter(
        connection.execute(
            sa.select(owned_products.c.subscription_id)
            .where(
                owned_products.c.environment_id == here,
                owned_products.c.stripe_backed == 1,
                owned_products.c.ended_at.is_(None),
            )
            .order_by(owned_products.c.id)
            .limit(1000)
        ).scalars()
    )
    live = [each["id"] for each in shop.account.every("/v1/subscriptions") if each["metadata"].get("foreign") != "yes"]
    assert owned == Counter(set(live) & paid_for(shop))


def paid_for(shop: Shop) -> set[str]:
    invoices = [each for each in shop.account.every("/v1/invoices") if each["status"] == "paid"]
    parents = [each["parent"] or {} for each in invoices]
    return {each["subscription_details"]["subscription"] for each in parents if each.get("subscription_details")}
