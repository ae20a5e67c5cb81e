"""Rows that wait without anybody coming: told, and mended as far as no person has to decide."""

from typing import Any

import pytest
import sqlalchemy as sa

from paywright.checkout.tables import checkout_sessions
from paywright.healing.model import Difference
from paywright.kernel.ids import wall_ms
from paywright.payments import refunding
from paywright.payments.model import AskedRefund
from paywright.payments.tables import payments, refunds
from paywright.stripe.gateway import StripeUnknown
from paywright.subscriptions.tables import subscription_changes, subscriptions
from paywright.webhooks import nouns
from paywright.webhooks.model import Root
from paywright.webhooks.tables import stripe_events
from tests.healing.till import HealingShop


def told(lines: list[Difference], *nouns: str) -> dict[tuple[str, str], bool]:
    """Which rows, by what is the matter with them: and whether that was mended."""
    return {(line.id, line.field): line.fixed for line in lines if line.noun in nouns}


def put(till: HealingShop, table: sa.Table, **values: Any) -> None:
    with till.app.work("test") as work:
        work.execute(table.insert().values(environment_id="test", **values))


def test_a_session_past_its_end_is_told_and_ended(till: HealingShop) -> None:
    session = till.open_checkout("pack")
    till.instant += 25 * 3_600_000
    till.corrupt(checkout_sessions, sa.true(), expires_at=1)
    assert told(till.reconcile()[1], "checkout_session") == {(session.id, "overdue"): False}
    till.advance("25h")
    till.reconcile(fix=True)
    assert till.row(checkout_sessions, sa.true())["status"] == "expired"
    assert till.reconcile()[1] == []


def test_an_attempt_without_an_answer_is_told_and_taken_up(till: HealingShop) -> None:
    session = till.open_checkout("pack")
    till.corrupt(checkout_sessions, sa.true(), status="initialized", stripe_checkout_session_id=None, attempted_at=1)
    till.corrupt(checkout_sessions, sa.true(), requested_at=wall_ms())
    assert told(till.reconcile()[1], "checkout_session") == {(session.id, "unanswered"): False}
    assert told(till.reconcile(fix=True)[1], "checkout_session")[session.id, "unanswered"]
    assert till.row(checkout_sessions, sa.true())["stripe_checkout_session_id"] == session.stripe_checkout_session_id


def test_a_change_without_an_answer_is_told(till: HealingShop) -> None:
    asked = {"kind": "cancel", "parameters": "{}", "follow_ups": "{}", "status": "requested", "created_at": 1}
    put(till, subscription_changes, id="chg_1", subscription_id="sub_1", **asked)
    assert told(till.reconcile()[1], "subscription_change") == {("chg_1", "unanswered"): False}


def test_a_refund_without_an_answer_is_told_and_asked_for_again(till: HealingShop) -> None:
    session = till.open_checkout("pack")
    till.pay(session)
    till.reconcile(fix=True)
    payment = till.row(payments, sa.true())
    till.fail_next("POST", "/v1/refunds", "refuse", times=9)
    with pytest.raises(StripeUnknown):
        refunding.refund(till.app, till.environment, AskedRefund(payment["id"], amount=400))
    till.control("fail-next", {"clear": True})
    till.corrupt(refunds, sa.true(), attempted_at=1)
    refund_id = till.row(refunds, sa.true())["id"]
    assert told(till.reconcile()[1], "refund")[refund_id, "unanswered"] is False
    assert told(till.reconcile(fix=True)[1], "refund")[refund_id, "unanswered"]
    assert till.row(payments, sa.true())["amount_refunded"] == 400
    assert till.reconcile()[1] == []


def test_a_payment_pending_for_over_a_week_is_told(till: HealingShop) -> None:
    made = till.post(
        "/v1/payment_intents", {"amount": 500, "currency": "usd", "metadata": {"paywright_customer": "user:u_1"}}
    )
    root = Root("payment_intent", made["id"])
    fetched = nouns.fetch(till.app, till.environment, root, frozenset())
    with till.app.work("test") as work:
        nouns.apply(work, root, fetched)
    assert till.row(payments, sa.true())["status"] == "pending"
    till.advance("8d")
    assert told(till.reconcile()[1], "payment") == {(made["id"], "pending"): False}


def test_dead_letters_are_played_again_and_unresolved_ones_wait_for_a_person(till: HealingShop) -> None:
    subscription_id = till.buy("pro")
    dead = {"type": "customer.subscription.updated", "livemode": 0, "received_at": 1, "status": "failed"}
    put(till, stripe_events, id="evt_1", root=f"subscription {subscription_id}", reason="dead_letter", **dead)
    put(till, stripe_events, id="evt_2", root="subscription sub_x", reason="unresolved", **dead)
    expected = {("evt_1", "dead_letter"): False, ("evt_2", "unresolved"): False}
    assert told(till.reconcile()[1], "stripe_event") == expected
    assert told(till.reconcile(fix=True)[1], "stripe_event") == {**expected, ("evt_1", "dead_letter"): True}
    assert till.row(stripe_events, stripe_events.c.id == "evt_1")["status"] == "processed"


def test_two_live_subscriptions_in_a_line_are_told(till: HealingShop) -> None:
    first = till.buy("pro")
    till.advance("1h")
    found = till.get(f"/v1/subscriptions/{first}")
    item = {"price": found["items"]["data"][0]["price"]["id"]}
    method = found["default_payment_method"]
    wish = {"customer": found["customer"], "items": [item], "default_payment_method": method}
    second = till.post("/v1/subscriptions", wish)["id"]
    till.sync(second)
    lines = [line for line in till.reconcile(fix=True)[1] if line.field == "second_in_line"]
    assert [(line.noun, line.id, line.ours, line.stripe) for line in lines] == [
        ("subscription", second, "user:u_1 plan", first)
    ]
    assert till.row(subscriptions, subscriptions.c.id == second)["status"] == "active"
