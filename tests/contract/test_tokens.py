"""Tokens of cards, and confirmation tokens, each used once."""

from typing import Any

import httpx
import pytest
import stripe

from tests.contract.billing import Desk

CARD = {"number": "4242424242424242", "exp_month": "12", "exp_year": "2034", "cvc": "123", "name": "Ann"}


def test_a_card_token_becomes_a_payment_method_once(desk: Desk) -> None:
    made = desk.v1.tokens.create({"card": CARD})
    assert (made.type, made.used, made.card.last4, made.card.brand, made.card.name) == (
        "card",
        False,
        "4242",
        "Visa",
        "Ann",
    )
    method = desk.v1.payment_methods.create({"type": "card", "card": {"token": made.id}})
    assert method.card.last4 == "4242"
    assert desk.v1.tokens.retrieve(made.id).used is True
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        desk.v1.payment_methods.create({"type": "card", "card": {"token": made.id}})
    assert refusal.value.code == "token_already_used"


def test_no_number_is_kept(desk: Desk) -> None:
    desk.v1.tokens.create({"card": CARD})
    assert CARD["number"] not in str(desk.shop.control("GET", "state"))


@pytest.mark.parametrize(
    ("wish", "param"),
    [
        ({"pii": {"id_number": "1"}}, "pii"),
        ({"card": {**CARD, "exp_month": "x"}}, "card[exp_month]"),
        ({}, "card"),
    ],
)
def test_bad_tokens(desk: Desk, wish: dict[str, Any], param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        desk.v1.tokens.create(wish)
    assert refusal.value.param == param


def confirmation(desk: Desk, **wish: Any) -> Any:
    return desk.v1.test_helpers.confirmation_tokens.create({"payment_method": "pm_card_visa", **wish})


def test_a_confirmation_token_pays_once(desk: Desk) -> None:
    customer = desk.customer(None)
    shipping = {"name": "Ann", "address": {"line1": "Street 1", "country": "US"}}
    made = confirmation(desk, setup_future_usage="off_session", shipping=shipping)
    assert (made.payment_method_preview.type, made.payment_method_preview.card.last4) == ("card", "4242")
    wish = {"amount": 1000, "currency": "usd", "customer": customer, "confirm": True, "confirmation_token": made.id}
    paid = desk.v1.payment_intents.create(wish)
    assert (paid.status, paid.setup_future_usage, paid.shipping.name) == ("succeeded", "off_session", "Ann")
    assert desk.v1.confirmation_tokens.retrieve(made.id).payment_intent == paid.id
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        desk.v1.payment_intents.create(wish)
    assert (refusal.value.code, refusal.value.param) == ("token_already_used", "confirmation_token")


def test_a_confirmation_token_saves_a_card(desk: Desk) -> None:
    customer = desk.customer(None)
    intent = desk.v1.setup_intents.create({"customer": customer})
    saved = desk.v1.setup_intents.confirm(intent.id, {"confirmation_token": confirmation(desk).id})
    assert saved.status == "succeeded"
    assert desk.v1.payment_methods.list({"customer": customer}).data[0].id == saved.payment_method


def test_a_confirmation_token_expires_and_stands_alone(desk: Desk) -> None:
    made = confirmation(desk)
    intent = desk.v1.payment_intents.create({"amount": 500, "currency": "usd"})
    with pytest.raises(stripe.InvalidRequestError) as both:
        desk.v1.payment_intents.confirm(intent.id, {"confirmation_token": made.id, "payment_method": "pm_card_visa"})
    assert both.value.code == "parameters_exclusive"
    desk.shop.advance("13h")
    with pytest.raises(stripe.InvalidRequestError, match="expired"):
        desk.v1.payment_intents.confirm(intent.id, {"confirmation_token": made.id})
    with pytest.raises(stripe.InvalidRequestError) as missing:
        desk.v1.test_helpers.confirmation_tokens.create({})
    assert missing.value.param == "payment_method_data"


def test_a_browser_makes_one_with_the_publishable_key(desk: Desk) -> None:
    form = {
        "payment_method_data[type]": "card",
        "payment_method_data[card][number]": CARD["number"],
        "payment_method_data[card][exp_month]": "12",
        "payment_method_data[card][exp_year]": "2034",
    }
    headers = {"Authorization": f"Bearer {desk.shop.publishable_key}"}
    answer = httpx.post(f"{desk.shop.url}/v1/confirmation_tokens", data=form, headers=headers)
    assert answer.status_code == 200, answer.text
    intent = desk.v1.payment_intents.create({"amount": 500, "currency": "usd"})
    paid = desk.v1.payment_intents.confirm(
        intent.id, {"confirmation_token": answer.json()["id"], "return_url": "https://example.com"}
    )
    assert paid.status == "succeeded"
