"""Refunds and the balance, by the official SDK."""

from typing import Any

import pytest
import stripe

from tests.contract.shop import Shop


def paid(v1: Any, token: str = "visa", amount: int = 1000) -> Any:
    return v1.payment_intents.create(
        {"amount": amount, "currency": "usd", "payment_method": f"pm_card_{token}", "confirm": True}
    )


def balance_sum(v1: Any) -> int:
    found = v1.balance.retrieve()
    return sum(part.amount for part in [*found.available, *found.pending])


def test_a_part_and_then_the_rest(v1: Any, shop: Shop) -> None:
    intent = paid(v1)
    before = shop.last_event()
    part = v1.refunds.create({"payment_intent": intent.id, "amount": 300, "reason": "requested_by_customer"})
    assert (part.status, part.amount, part.charge) == ("succeeded", 300, intent.latest_charge)
    charge = v1.charges.retrieve(intent.latest_charge, {"expand": ["refunds"]})
    assert (charge.amount_refunded, charge.refunded, charge.refunds.data[0].id) == (300, False, part.id)
    rest = v1.refunds.create({"charge": charge.id})
    assert rest.amount == 700
    assert v1.charges.retrieve(charge.id).refunded is True
    assert shop.events(since=before) == ["refund.created", "charge.refunded", "refund.created", "charge.refunded"]
    assert [found.id for found in v1.refunds.list({"charge": charge.id}).data] == [rest.id, part.id]


def test_too_much_and_once_too_often(v1: Any) -> None:
    intent = paid(v1)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        v1.refunds.create({"payment_intent": intent.id, "amount": 1001})
    v1.refunds.create({"payment_intent": intent.id})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.refunds.create({"payment_intent": intent.id})
    assert refusal.value.code == "charge_already_refunded"


def test_an_unpaid_intent_cannot_be_refunded(v1: Any) -> None:
    made = v1.payment_intents.create({"amount": 500, "currency": "usd"})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.refunds.create({"payment_intent": made.id})
    assert refusal.value.code == "charge_not_refundable"


def test_a_pending_refund_counts_and_succeeds_later(v1: Any, shop: Shop) -> None:
    intent = paid(v1, "pendingRefund")
    made = v1.refunds.create({"payment_intent": intent.id, "amount": 600})
    assert made.status == "pending"
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        v1.refunds.create({"payment_intent": intent.id, "amount": 500})
    shop.advance("1d")
    assert v1.refunds.retrieve(made.id).status == "succeeded"
    assert shop.events()[-2:] == ["refund.updated", "charge.refund.updated"]


def test_a_refund_that_succeeded_can_fail_later_and_the_money_returns(v1: Any, shop: Shop) -> None:
    intent = paid(v1, "refundFail")
    made = v1.refunds.create({"payment_intent": intent.id})
    assert (made.status, v1.charges.retrieve(made.charge).refunded) == ("succeeded", True)
    shop.advance("1d")
    failed = v1.refunds.retrieve(made.id)
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    charge = v1.charges.retrieve(made.charge)
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    assert shop.events()[-1] == "refund.failed"
    assert balance_sum(v1) == 941


def test_the_balance_is_the_sum_of_its_transactions(v1: Any, shop: Shop) -> None:
    v1.refunds.create({"payment_intent": paid(v1).id, "amount": 250})
    paid(v1, amount=5000)
    transactions = v1.balance_transactions.list().data
    assert balance_sum(v1) == sum(found.net for found in transactions) == 941 - 250 + 4825
    assert {found.type for found in transactions} == {"charge", "refund"}
    shop.advance("2d")
    assert v1.balance.retrieve().available[0].amount == 941 - 250 + 4825


def test_funds_can_be_available_at_once(v1: Any) -> None:
    paid(v1, "bypassPending")
    assert v1.balance.retrieve().available[0].amount == 941


def test_metadata_of_a_refund_and_no_cancelling_of_a_done_one(v1: Any, shop: Shop) -> None:
    made = v1.refunds.create({"payment_intent": paid(v1).id})
    assert v1.refunds.update(made.id, {"metadata": {"why": "late"}}).metadata["why"] == "late"
    assert shop.events()[-2:] == ["refund.updated", "charge.refund.updated"]
    with pytest.raises(stripe.InvalidRequestError, match="requires_action"):
        v1.refunds.cancel(made.id)


def test_a_charge_takes_text_and_tells_it(v1: Any, shop: Shop) -> None:
    charge = paid(v1).latest_charge
    assert v1.charges.update(charge, {"description": "wallpaper"}).description == "wallpaper"
    assert shop.events()[-1] == "charge.updated"
    assert [found.id for found in v1.charges.list().data] == [charge]


def test_the_account_names_itself(v1: Any, shop: Shop) -> None:
    assert v1.accounts.retrieve_current().id == shop.account_id
