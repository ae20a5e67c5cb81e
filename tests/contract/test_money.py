"""Amounts and the calendar, by table."""

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paywright_sandbox.errors import ApiError
from paywright_sandbox.machine.invoice_totals import due_and_balance
from paywright_sandbox.money import (
    check_amount,
    currency_of,
    fee_of,
    half_even,
    half_up,
    price_amount,
    shared,
    shown,
    tiered,
)
from paywright_sandbox.periods import added, configured_anchor, period_at

MONTHLY = {"interval": "month", "interval_count": 1}


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def day(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@pytest.mark.parametrize(
    ("value", "up", "even"),
    [("5/2", 3, 2), ("-5/2", -3, -2), ("7/2", 4, 4), ("1/3", 0, 0), ("-2/3", -1, -1), ("2", 2, 2), ("5001/2000", 3, 3)],
)
def test_halves_go_away_from_zero_or_to_the_even_neighbour(value: str, up: int, even: int) -> None:
    assert (half_up(Fraction(value)), half_even(Fraction(value))) == (up, even)


@given(st.integers(-(10**9), 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=12))
def test_shares_sum_to_the_whole(total: int, weights: list[int]) -> None:
    parts = shared(total, weights)
    assert sum(parts) == (total if sum(weights) else 0)
    assert all(
        abs(part - Fraction(total * weight, sum(weights) or 1)) < 1 for part, weight in zip(parts, weights, strict=True)
    )


TIERS: list[dict[str, Any]] = [
    {"up_to": 5, "unit_amount": 500, "flat_amount": 1000},
    {"up_to": 10, "unit_amount": 400, "flat_amount": None},
    {"up_to": None, "unit_amount": 300, "flat_amount": None},
]


@pytest.mark.parametrize(
    ("mode", "quantity", "amount"),
    [
        ("graduated", 1, 1500),
        ("graduated", 5, 3500),
        ("graduated", 6, 3900),
        ("graduated", 12, 6100),
        ("volume", 5, 3500),
        ("volume", 6, 2400),
        ("volume", 12, 3600),
        ("volume", 0, 0),
    ],
)
def test_tiers(mode: str, quantity: int, amount: int) -> None:
    assert tiered(TIERS, mode, quantity) == amount


@pytest.mark.parametrize(
    ("price", "quantity", "amount"),
    [
        ({"unit_amount": 1000}, 3, 3000),
        ({"unit_amount": None, "unit_amount_decimal": "0.5"}, 3, Fraction(3, 2)),
        ({"unit_amount": 1000, "transform_quantity": {"divide_by": 5, "round": "up"}}, 6, 2000),
        ({"unit_amount": 1000, "transform_quantity": {"divide_by": 5, "round": "down"}}, 9, 1000),
    ],
)
def test_a_line_is_unit_amount_times_quantity(price: dict[str, Any], quantity: int, amount: Fraction) -> None:
    assert price_amount({"currency": "usd", **price}, quantity) == amount


def test_a_price_in_another_currency_uses_its_option() -> None:
    price = {"currency": "usd", "unit_amount": 1000, "currency_options": {"eur": {"unit_amount": 900}}}
    assert [price_amount(price, 2, currency) for currency in ("eur", "usd")] == [Fraction(1800), Fraction(2000)]


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        (49, "usd", "amount_too_small"),
        (29, "gbp", "amount_too_small"),
        (49, "jpy", "amount_too_small"),
        (100_000_000, "usd", "amount_too_large"),
        (1005, "kwd", None),
    ],
)
def test_amounts_that_cannot_be_charged(amount: int, currency: str, code: str | None) -> None:
    with pytest.raises(ApiError) as refusal:
        check_amount(amount, currency)
    assert (refusal.value.status, refusal.value.code, refusal.value.param) == (400, code, "amount")


def test_amounts_that_can_be_charged() -> None:
    for amount, currency in [(50, "usd"), (30, "gbp"), (50, "jpy"), (99_999_999, "usd"), (1000, "kwd")]:
        check_amount(amount, currency)


def test_a_currency_is_three_letters() -> None:
    assert currency_of("USD") == "usd"
    with pytest.raises(ApiError):
        currency_of("dollars")


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(1000, "usd", "$10.00"), (500, "jpy", "¥500"), (1234, "kwd", "1.234 KWD"), (5, "chf", "0.05 CHF")],
)
def test_amounts_as_text(amount: int, currency: str, text: str) -> None:
    assert shown(amount, currency) == text


def test_the_fee_is_a_share_and_a_fixed_part() -> None:
    assert fee_of(1000, {"fee_percent": "2.9", "fee_fixed": 30}) == 59


@pytest.mark.parametrize(
    ("total", "balance", "due", "after"),
    [
        (1000, 0, 1000, 0),
        (1000, -300, 700, 0),
        (1000, -1500, 0, -500),
        (1000, 200, 1200, 0),
        (-500, 0, 0, -500),
        (-500, -100, 0, -600),
        (30, 0, 0, 30),
        (1000, -970, 0, 30),
        (0, 0, 0, 0),
    ],
)
def test_what_is_due_and_what_stays_on_the_balance(total: int, balance: int, due: int, after: int) -> None:
    assert due_and_balance(total, balance, "usd") == (due, after)


@pytest.mark.parametrize(
    ("anchor", "interval", "count", "expected"),
    [
        ("2027-01-31T12:30:15", "month", 1, "2027-02-28T12:30:15"),
        ("2027-01-31T12:30:15", "month", 2, "2027-03-31T12:30:15"),
        ("2027-01-31T12:30:15", "month", 3, "2027-04-30T12:30:15"),
        ("2028-01-31T00:00:00", "month", 1, "2028-02-29T00:00:00"),
        ("2028-02-29T00:00:00", "year", 1, "2029-02-28T00:00:00"),
        ("2028-02-29T00:00:00", "year", 4, "2032-02-29T00:00:00"),
        ("2027-03-31T00:00:00", "month", -1, "2027-02-28T00:00:00"),
        ("2027-12-15T00:00:00", "month", 1, "2028-01-15T00:00:00"),
        ("2027-03-27T01:00:00", "week", 2, "2027-04-10T01:00:00"),
        ("2027-03-27T01:00:00", "day", 1, "2027-03-28T01:00:00"),
    ],
)
def test_intervals_keep_the_anchor_day_clamped(anchor: str, interval: str, count: int, expected: str) -> None:
    assert day(added(at(anchor), interval, count)) == expected


def test_the_31st_comes_back_after_a_short_month() -> None:
    anchor = at("2027-01-31T00:00:00")
    found, when = [], anchor
    for _ in range(4):
        found.append(day(when)[:10])
        when = period_at(anchor, MONTHLY, when).end
    assert found == ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30"]


@given(
    st.integers(1_600_000_000, 2_200_000_000),
    st.integers(-100_000_000, 400_000_000),
    st.sampled_from(["day", "week", "month", "year"]),
    st.integers(1, 12),
)
def test_every_instant_lies_in_exactly_one_period(anchor: int, offset: int, interval: str, count: int) -> None:
    recurring = {"interval": interval, "interval_count": count}
    found = period_at(anchor, recurring, anchor + offset)
    assert found.start <= anchor + offset < found.end
    assert period_at(anchor, recurring, found.end).start == found.end


@pytest.mark.parametrize(
    ("config", "start", "expected"),
    [
        ({"day_of_month": 1}, "2027-04-10T09:00:00", "2027-05-01T09:00:00"),
        ({"day_of_month": 31}, "2027-04-10T09:00:00", "2027-04-30T09:00:00"),
        ({"day_of_month": 10, "hour": 0}, "2027-04-10T09:00:00", "2027-05-10T00:00:00"),
        ({"day_of_month": 10, "hour": 23}, "2027-04-10T09:00:00", "2027-04-10T23:00:00"),
    ],
)
def test_a_configured_anchor_is_the_next_day_that_fits(config: dict[str, int], start: str, expected: str) -> None:
    assert day(configured_anchor(config, at(start), MONTHLY)) == expected
