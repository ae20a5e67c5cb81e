"""Payouts: every day by themselves, by hand, and the ways they end."""

from typing import Any

import pytest
import stripe

from tests.contract.billing import Desk

DAY_S = 86_400


@pytest.fixture
def rich(desk: Desk) -> Desk:
    """With 10 000 less the fee available, and payouts by hand only."""
    wish: dict[str, Any] = {
        "amount": 10_000,
        "currency": "usd",
        "payment_method": "pm_card_bypassPending",
        "confirm": True,
    }
    desk.v1.payment_intents.create(wish)
    return desk


@pytest.fixture
def daily(desk: Desk) -> Desk:
    """As an account is without being told."""
    desk.settings(payouts="daily")
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
    assert log.types() == ["payout.created", "payout.updated", "payout.paid"]
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


def test_16_money_leaves_at_midnight_and_arrives_a_day_later(daily: Desk) -> None:
    """Charged on the 1st at noon, available on the 3rd at noon, on its way on the 4th, paid on the 5th."""
    daily.shop.advance("12h")
    daily.v1.payment_intents.create(
        {"amount": 1000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    )
    log = daily.during()
    daily.shop.advance("2d")
    assert (log.types(), available(daily)) == ([], 941)
    daily.shop.advance("12h")
    assert (log.types(), available(daily)) == (["payout.created"], 0)
    (made,) = daily.v1.payouts.list({"status": "in_transit"}).data
    assert (made.amount, made.automatic, made.arrival_date - made.created) == (941, True, DAY_S)
    assert made.created % DAY_S == 0
    types = {found.type for found in daily.v1.balance_transactions.list({"payout": made.id}).data}
    assert types == {"charge", "payout"}
    daily.shop.advance("1d")
    assert log.types() == ["payout.created", "payout.paid", "balance.available"]
    assert daily.v1.payouts.retrieve(made.id).status == "paid"
    daily.shop.advance("10d")
    assert log.types() == ["payout.created", "payout.paid", "balance.available"]


def test_16_every_currency_leaves_on_its_own_and_once(daily: Desk) -> None:
    wish = {"payment_method": "pm_card_bypassPending", "confirm": True}
    for amount, currency in ((1000, "usd"), (2000, "usd"), (3000, "eur")):
        daily.v1.payment_intents.create({**wish, "amount": amount, "currency": currency})
    daily.shop.advance("3d")
    assert sorted((made.currency, made.amount) for made in daily.v1.payouts.list().data) == [
        ("eur", 2883),
        ("usd", 2853),
    ]


def test_16_a_debt_is_not_paid_out(daily: Desk) -> None:
    """A dispute takes more than there is; what comes in later fills the hole first."""
    wish = {"amount": 1000, "currency": "usd", "payment_method": "pm_card_bypassPending", "confirm": True}
    daily.shop.control("POST", "disputes", {"payment_intent": daily.v1.payment_intents.create(wish).id})
    daily.shop.advance("2d")
    assert (available(daily), daily.v1.payouts.list().data) == (941 - 1000 - 1500, [])
    daily.v1.payment_intents.create({**wish, "amount": 10_000})
    daily.shop.advance("2d")
    assert [made.amount for made in daily.v1.payouts.list().data] == [941 - 1000 - 1500 + 9680]


@pytest.mark.parametrize("wait", ["0h", "13h", "3d"])
def test_a_payout_fails_on_its_way_or_after_it_was_paid(rich: Desk, wait: str) -> None:
    had = available(rich)
    made = rich.v1.payouts.create({"amount": 4000, "currency": "usd"})
    rich.shop.advance(wait)
    log = rich.during()
    failed = rich.shop.control("POST", f"payouts/{made.id}/fail", {})
    assert (failed["status"], failed["failure_code"]) == ("failed", "account_closed")
    assert available(rich) == had
    rich.shop.advance("3d")
    assert log.types() == ["payout.failed"]
    assert rich.shop.control("POST", f"payouts/{made.id}/fail", {}, status=400)["error"]["param"] == "payout"


def test_a_payout_with_the_bank_cannot_be_cancelled(rich: Desk) -> None:
    made = rich.v1.payouts.create({"amount": 4000, "currency": "usd"})
    rich.shop.advance("12h")
    assert rich.v1.payouts.retrieve(made.id).status == "in_transit"
    with pytest.raises(stripe.InvalidRequestError):
        rich.v1.payouts.cancel(made.id)
