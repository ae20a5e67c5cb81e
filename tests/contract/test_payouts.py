"""Payouts made by hand."""

from typing import Any

import pytest
import stripe

from tests.contract.billing import Desk


@pytest.fixture
def rich(desk: Desk) -> Desk:
    """With 10 000 less the fee available."""
    wish: dict[str, Any] = {
        "amount": 10_000,
        "currency": "usd",
        "payment_method": "pm_card_bypassPending",
        "confirm": True,
    }
    desk.v1.payment_intents.create(wish)
    return desk


def available(desk: Desk) -> int:
    return int(desk.v1.balance.retrieve().available[0].amount)


def test_a_payout_arrives_after_a_day(rich: Desk) -> None:
    had = available(rich)
    log = rich.during()
    made = rich.v1.payouts.create({"amount": 4000, "currency": "usd", "description": "Rent", "metadata": {"a": "1"}})
    assert (made.status, made.automatic, made.description) == ("pending", False, "Rent")
    assert available(rich) == had - 4000
    rich.shop.advance("1d")
    assert rich.v1.payouts.retrieve(made.id).status == "paid"
    assert log.types() == ["payout.created", "payout.paid"]
    assert rich.v1.payouts.update(made.id, {"metadata": {"a": "2"}}).metadata.a == "2"
    back = rich.v1.payouts.reverse(made.id)
    assert (back.amount, back.original_payout) == (-4000, made.id)
    assert rich.v1.payouts.retrieve(made.id).reversed_by == back.id
    assert available(rich) == had
    with pytest.raises(stripe.InvalidRequestError):
        rich.v1.payouts.reverse(made.id)


def test_a_pending_payout_is_cancelled(rich: Desk) -> None:
    had = available(rich)
    made = rich.v1.payouts.create({"amount": 4000, "currency": "usd"})
    log = rich.during()
    assert rich.v1.payouts.cancel(made.id).status == "canceled"
    assert available(rich) == had
    rich.shop.advance("2d")
    assert log.types() == ["payout.canceled"]
    with pytest.raises(stripe.InvalidRequestError):
        rich.v1.payouts.cancel(made.id)


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"amount": 10_000, "currency": "usd"}, "balance_insufficient"),
        ({"amount": 1, "currency": "eur"}, "balance_insufficient"),
        ({"amount": 0, "currency": "usd"}, "parameter_invalid_integer"),
        ({"amount": 5, "currency": "usd", "destination": "ba_1"}, "sandbox_not_implemented"),
    ],
)
def test_payouts_that_cannot_be_made(rich: Desk, wish: dict[str, Any], code: str) -> None:
    had = available(rich)
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        rich.v1.payouts.create(wish)
    assert refusal.value.code == code
    assert available(rich) == had
