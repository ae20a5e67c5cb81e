"""Comparing with Stripe: what is the same tells nothing, what differs is told by field, and mended when asked to."""

from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from paywright.checkout import actions as checkout
from paywright.checkout import in_app
from paywright.healing.model import Difference
from paywright.invoices.tables import invoices
from paywright.ownership.tables import owned_products
from paywright.payments.tables import fraud_warnings, payments, payouts
from paywright.subscriptions.tables import subscriptions
from tests.healing.till import HealingShop
from tests.subscriptions.terms import USER


def fields(lines: list[Difference]) -> set[tuple[str, str]]:
    return {(line.noun, line.field) for line in lines}


def test_what_agrees_tells_nothing_and_changes_nothing(till: HealingShop) -> None:
    till.buy("pro")
    before = till.events(USER)
    for wish in ({}, {"fix": True}, {"depth": "light"}, {"events": True}):
        over, lines = till.reconcile(**wish)
        assert (lines, over.lines, over.fixed) == ([], 0, 0), wish
    assert till.events(USER) == before


def test_purchases_renewals_and_refunds_of_an_hour_without_deliveries_are_made_good(till: HealingShop) -> None:
    subscription_id = till.buy("pro")
    till.listen()
    till.advance("30d")
    till.advance("23h")
    session = till.open_checkout("pack")
    till.pay(session)
    till.advance("3h")
    intent = next(
        each for each in till.app.gateway(till.environment).pages("/v1/payment_intents") if each["amount"] == 1000
    )
    till.post("/v1/refunds", {"payment_intent": intent["id"], "amount": 400})
    assert till.row(subscriptions, subscriptions.c.id == subscription_id)["current_period_end"] < till.app.now("test")

    over, lines = till.reconcile()
    assert over.counts["events"] > 0
    assert lines == []
    assert till.row(payments, payments.c.stripe_payment_intent_id == intent["id"])["amount_refunded"] == 400
    assert till.row(subscriptions, subscriptions.c.id == subscription_id)["current_period_end"] > till.app.now("test")
    assert sorted(each[0] or "" for each in till.owned_now()) == ["pack", "pro"]
    again, _ = till.reconcile()
    assert again.counts.get("events", 0) == 0


def test_what_no_event_told_is_found_and_without_fix_only_told(till: HealingShop) -> None:
    """No endpoint at Stripe at all: its log names nothing as undelivered."""
    session = till.open_checkout("pack")
    till.pay(session)
    _, lines = till.reconcile()
    assert {("checkout_session", "status"), ("payment", "row"), ("owned_product", "row")} <= fields(lines)
    assert not any(line.fixed for line in lines)
    assert till.owned_now() == []
    over, mended = till.reconcile(fix=True)
    assert fields(mended) == fields(lines)
    assert over.fixed == over.lines == len(lines)
    assert [each[0] for each in till.owned_now()] == ["pack"]
    assert till.reconcile()[1] == []


@pytest.mark.parametrize("depth", ["light", "full"])
def test_a_fraud_warning_that_no_event_told_of_is_told_once(till: HealingShop, depth: str) -> None:
    """There is no endpoint. It is told even where nothing is mended: only a person can act on it, and not for long."""
    session = till.open_checkout("pack")
    till.pay(session, "4000000000005423")
    checkout.sync(till.app, till.environment, session.id)
    till.advance("1m")
    before = till.owned_now()
    _, [line] = till.reconcile(depth=depth)
    assert (line.noun, line.field, line.ours, line.fixed) == ("fraud_warning", "row", None, True)
    assert till.reconcile(depth=depth)[1] == till.reconcile(fix=True)[1] == []
    [incident] = till.incidents()
    assert (incident["kind"], incident["facts"]["refundable"]) == ("early_fraud_warning", 1000)
    payment = till.row(payments, payments.c.checkout_session_id == session.id)
    assert (payment["fraud_warning"], payment["status"]) == (incident["facts"]["fraud_type"], "paid")
    assert till.owned_now() == before
    till.post("/v1/refunds", {"payment_intent": payment["stripe_payment_intent_id"]})
    till.reconcile(fix=True)
    warning = till.row(fraud_warnings, fraud_warnings.c.payment_id == payment["id"])
    assert warning["actionable"] == 0
    assert len(till.incidents()) == 1


CORRUPTED: tuple[dict[str, tuple[sa.Table, dict[str, Any]]], ...] = (
    {
        "a subscription's status and period": (subscriptions, {"status": "past_due", "current_period_end": 5}),
        "a payment's amount and refunds": (payments, {"amount": 7, "amount_refunded": 3}),
        "an invoice's status and amounts": (invoices, {"status": "open", "amount_paid": 1, "total": 2}),
        "an owned product's period": (owned_products, {"current_period_end": 9}),
    },
    {
        "a subscription that ended only here": (subscriptions, {"status": "canceled", "ended_at": 1}),
        "a payment's status and currency": (payments, {"status": "cancelled", "currency": "jpy"}),
        "an invoice's customer": (invoices, {"billing_reason": "manual", "customer": "user:u_2"}),
    },
)


@pytest.mark.parametrize("corrupted", CORRUPTED, ids=["fields", "ends"])
def test_rows_changed_by_hand_are_told_by_field_and_mended(
    till: HealingShop, corrupted: dict[str, tuple[sa.Table, dict[str, Any]]]
) -> None:
    till.buy("pro")
    rights = {}
    for name, (table, values) in corrupted.items():
        only = table.c.source == "checkout" if table is owned_products else sa.true()
        rights[name] = till.row(table, only)
        till.corrupt(table, table.c.id == rights[name]["id"], **values)
    _, lines = till.reconcile()
    told = {(line.noun, line.field): (line.ours, line.stripe, line.fixed) for line in lines}
    for name, (table, values) in corrupted.items():
        noun = table.name.removesuffix("s")
        expected = {(noun, field): (value, rights[name][field], False) for field, value in values.items()}
        assert {key: told[key] for key in expected} == expected, name
    over, _ = till.reconcile(fix=True)
    assert over.fixed == over.lines >= sum(len(values) for _, values in corrupted.values())
    for name, (table, _values) in corrupted.items():
        now = till.row(table, table.c.id == rights[name]["id"])
        assert {**now, "seen_at": 0} == {**rights[name], "seen_at": 0}, name
    assert till.reconcile()[1] == []


def test_payouts_that_nobody_told_of_are_found(till: HealingShop) -> None:
    till.buy("pro")
    till.advance("5d")
    _, lines = till.reconcile()
    assert ("payout", "row") in fields(lines)
    till.reconcile(fix=True)
    before = till.row(payouts, sa.true())
    till.corrupt(payouts, sa.true(), amount=1)
    over, _ = till.reconcile(fix=True, depth="light")
    assert over.fixed == 1
    assert {**till.row(payouts, sa.true()), "seen_at": 0} == {**before, "seen_at": 0}


def test_a_subscription_that_is_not_at_stripe_is_told(till: HealingShop) -> None:
    subscription_id = till.buy("pro")
    ghost = {**till.row(subscriptions, subscriptions.c.id == subscription_id), "id": "sub_ghost"}
    with till.app.work("test") as work:
        work.execute(subscriptions.insert().values(**ghost))
    _, lines = till.reconcile()
    assert Difference("subscription", "sub_ghost", "exists", True, False) in lines


def test_fields_are_shown_as_json(till: HealingShop) -> None:
    till.buy("pro")
    till.corrupt(payments, sa.true(), amount=7)
    _, lines = till.reconcile()
    assert msgspec.json.encode(lines)


def test_an_intent_that_waits_for_its_buyer_is_not_missed_and_one_that_was_paid_is(till: HealingShop) -> None:
    made = in_app.create_bare(
        till.app,
        till.environment,
        USER,
        amount=750,
        currency="usd",
        receipt_email=None,
        description=None,
        app_metadata={},
    )
    assert isinstance(made, in_app.BareIntent)
    assert till.reconcile()[1] == []
    paid = {"payment_method": "pm_card_visa", "return_url": "https://app.test/done"}
    till.post(f"/v1/payment_intents/{made.id}/confirm", paid)
    assert [(each.noun, each.id, each.field) for each in till.reconcile()[1]] == [("payment", made.id, "row")]
