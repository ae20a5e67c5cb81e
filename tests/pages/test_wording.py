"""What buyers read."""

import pytest

from paywright.catalog.model import Price
from paywright.kernel.refusals import REFUSALS, Refusal
from paywright.pages import wording


def test_every_sentence_for_buyers_is_of_a_refusal_there_is() -> None:
    assert set(wording.SENTENCES) <= set(REFUSALS)


def test_a_refusal_without_a_sentence_of_its_own_says_what_it_says() -> None:
    assert wording.said(Refusal("claim_taken")) == Refusal("claim_taken").message
    assert "instead of paying for two" in wording.said(Refusal("switch_required", {"from_product_id": "basic"}))


@pytest.mark.parametrize(
    ("price", "currency", "quantity", "text"),
    [
        (Price({"usd": 1999}, "1 month"), "usd", 1, "$19.99 per month"),
        (Price({"usd": 1999}, "3 month"), "usd", 1, "$19.99 per 3 months"),
        (Price({"jpy": 3000}), "jpy", 2, "¥6,000"),
        (Price({"eur": 0}, "1 year"), "eur", 1, "€0.00 per year"),
    ],
)
def test_a_price_is_said_with_its_period(price: Price, currency: str, quantity: int, text: str) -> None:
    assert wording.priced(price, currency, quantity) == text


def test_a_date_is_the_day_in_utc() -> None:
    assert wording.date(1_767_225_599_999) == "31 December 2025"
    assert wording.date(1_767_225_600_000) == "1 January 2026"
