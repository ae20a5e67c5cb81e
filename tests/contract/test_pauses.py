"""Subscriptions paused on request and resumed."""

from typing import Any

import pytest
import stripe

from tests.contract.billing import APRIL_1, DUNNING_CARD, Desk, amounts, first_item

DAY = 86_400


def paused_after(desk: Desk, days: int = 15, **wish: Any) -> Any:
    made = desk.subscribe(desk.price(1000))
    desk.shop.advance(f"{days}d")
    return desk.v1.subscriptions.pause(made.id, {"type": "subscription", **wish})


@pytest.mark.parametrize(("switch", "others"), [("a", 1), ("b", 0)])
def test_sequence_18_paused_and_resumed(desk: Desk, switch: str, others: int) -> None:
    desk.settings(variant={"U7": switch})
    made = desk.subscribe(desk.price(1000))
    desk.shop.advance("15d")
    log = desk.during()
    paused = desk.v1.subscriptions.pause(made.id, {"type": "subscription"})
    beside = ["customer.subscription.updated"] * others
    assert log.types() == ["customer.subscription.paused", *beside, "invoiceitem.created"]
    assert (paused.status, paused.status_details.paused.subscription.type) == ("paused", "pause_requested")
    assert [item.amount for item in desk.v1.invoice_items.list().data] == [-500]
    log = desk.during()
    desk.shop.advance("40d")
    assert log.types() == []
    resumed = desk.v1.subscriptions.resume(made.id, {"expand": ["latest_invoice"]})
    assert log.types()[: 1 + others] == ["customer.subscription.resumed", *beside]
    assert (resumed.status, resumed.status_details, resumed.billing_cycle_anchor) == (
        "active",
        None,
        APRIL_1 + 55 * DAY,
    )
    assert (amounts(resumed.latest_invoice), resumed.latest_invoice.status) == ([-500, 1000], "paid")


@pytest.mark.parametrize(("since", "items"), [("now", [-500]), ("item_current_period_start", [-1000]), ("none", [])])
def test_what_a_pause_gives_back(desk: Desk, since: str, items: list[int]) -> None:
    paused_after(desk, bill_for={"unused_time_from": {"type": since}})
    assert [item.amount for item in desk.v1.invoice_items.list().data] == items


def test_a_pause_invoiced_at_once_becomes_credit(desk: Desk) -> None:
    paused = paused_after(desk, invoicing_behavior="invoice")
    assert desk.v1.customers.retrieve(paused.customer).balance == -500


def test_resumed_with_the_anchor_unchanged(desk: Desk) -> None:
    made = paused_after(desk, 10)
    desk.shop.advance("10d")
    resumed = desk.v1.subscriptions.resume(
        made.id,
        {
            "billing_cycle_anchor": {"type": "unchanged"},
            "proration_behavior": "always_invoice",
            "expand": ["latest_invoice"],
        },
    )
    assert first_item(resumed).current_period_end == APRIL_1 + 30 * DAY
    assert amounts(resumed.latest_invoice) == [333]


@pytest.mark.parametrize(
    ("behavior", "status"), [("resume_on_payment_attempt", "past_due"), ("resume_on_payment_success", "paused")]
)
def test_a_resumption_whose_payment_fails(desk: Desk, behavior: str, status: str) -> None:
    made = paused_after(desk)
    desk.change_card(made.customer, DUNNING_CARD)
    failed = desk.v1.subscriptions.resume(made.id, {"payment_behavior": behavior})
    assert failed.status == status
    card = desk.change_card(made.customer)
    log = desk.during()
    desk.v1.invoices.pay(failed.latest_invoice, {"payment_method": card})
    after = desk.again(made)
    assert (after.status, first_item(after).current_period_start) == ("active", APRIL_1 + 15 * DAY)
    assert ("customer.subscription.resumed" in log.types()) == (status == "paused")


def test_what_cannot_be_paused(desk: Desk) -> None:
    classic = desk.subscribe(billing_mode={"type": "classic"})
    sent = desk.subscribe(card=None, collection_method="send_invoice", days_until_due=3)
    paused = paused_after(desk)
    for made, text in [(classic, "flexible"), (sent, "charge_automatically"), (paused, "paused")]:
        with pytest.raises(stripe.InvalidRequestError, match=text):
            desk.v1.subscriptions.pause(made.id, {"type": "subscription"})
    with pytest.raises(stripe.InvalidRequestError, match="Only a paused"):
        desk.v1.subscriptions.resume(classic.id)


def test_a_trial_paused_without_a_card_is_resumed_with_one(desk: Desk) -> None:
    made = desk.subscribe(
        card=None, trial_period_days=7, trial_settings={"end_behavior": {"missing_payment_method": "pause"}}
    )
    desk.shop.advance("8d")
    desk.change_card(made.customer)
    resumed = desk.v1.subscriptions.resume(made.id, {"expand": ["latest_invoice"]})
    assert (resumed.status, resumed.latest_invoice.status, resumed.latest_invoice.total) == ("active", "paid", 1000)
