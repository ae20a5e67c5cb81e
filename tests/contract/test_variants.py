"""The uncertain points of payments, each in its other form."""

from typing import Any

import httpx
import pytest
import stripe

from tests.contract.shop import Shop

PAID = {"amount": 1000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}


@pytest.fixture
def thrown(shop: Shop) -> Any:
    """Throws switches: `thrown("U3", "U8")`."""

    def throw(*points: str) -> None:
        shop.control("PATCH", "settings", {"variant": dict.fromkeys(points, "b")})

    return throw


def test_U3_a_dispute_says_nothing_of_the_charge(v1: Any, shop: Shop, thrown: Any) -> None:
    thrown("U3")
    shop.control("POST", "disputes", {"payment_intent": v1.payment_intents.create(PAID).id})
    assert shop.events()[-2:] == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]


def test_U8_a_disputed_charge_can_be_refunded(v1: Any, shop: Shop, thrown: Any) -> None:
    thrown("U8")
    intent = v1.payment_intents.create(PAID).id
    assert shop.control("POST", "disputes", {"payment_intent": intent})["is_charge_refundable"] is True
    assert v1.refunds.create({"payment_intent": intent}).status == "succeeded"


def test_U11_a_bare_intent_follows_the_test_clock(v1: Any, shop: Shop, thrown: Any) -> None:
    clock = v1.test_helpers.test_clocks.create({"frozen_time": 1_900_000_000}).id
    customer = v1.customers.create({"test_clock": clock}).id
    wish = {"amount": 500, "currency": "usd", "customer": customer}
    assert v1.payment_intents.create(wish).created != 1_900_000_000
    thrown("U11")
    assert v1.payment_intents.create(wish).created == 1_900_000_000


def test_U11_a_session_follows_the_test_clock(v1: Any, shop: Shop, thrown: Any) -> None:
    clock = v1.test_helpers.test_clocks.create({"frozen_time": 1_900_000_000}).id
    line = {"price_data": {"currency": "usd", "unit_amount": 500, "product_data": {"name": "Pro"}}, "quantity": 1}
    wish = {
        "mode": "payment",
        "success_url": "https://shop.test",
        "line_items": [line],
        "customer": v1.customers.create({"test_clock": clock}).id,
    }
    assert v1.checkout.sessions.create(wish).created != 1_900_000_000
    thrown("U11")
    made = v1.checkout.sessions.create(wish)
    assert (made.created, made.expires_at) == (1_900_000_000, 1_900_086_400)
    shop.advance("2d")
    assert v1.checkout.sessions.retrieve(made.id).status == "open"
    v1.test_helpers.test_clocks.advance(clock, {"frozen_time": 1_900_086_400})
    assert v1.checkout.sessions.retrieve(made.id).status == "expired"


def test_U12_a_pending_refund_counts_when_it_succeeds(v1: Any, shop: Shop, thrown: Any) -> None:
    thrown("U12")
    intent = v1.payment_intents.create({**PAID, "payment_method": "pm_card_pendingRefund"})
    v1.refunds.create({"payment_intent": intent.id, "amount": 600})
    assert v1.charges.retrieve(intent.latest_charge).amount_refunded == 0
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        v1.refunds.create({"payment_intent": intent.id, "amount": 500})
    shop.advance("1d")
    assert v1.charges.retrieve(intent.latest_charge).amount_refunded == 600
    assert shop.events()[-3:] == ["charge.refunded", "refund.updated", "charge.refund.updated"]


def test_U12_a_pending_refund_that_fails_never_counted(v1: Any, shop: Shop, thrown: Any) -> None:
    thrown("U12")
    intent = v1.payment_intents.create({**PAID, "payment_method": "pm_card_pendingRefund"})
    made = v1.refunds.create({"payment_intent": intent.id})
    shop.control("POST", f"refunds/{made.id}/settle", {"outcome": "fail"})
    assert v1.refunds.retrieve(made.id).status == "failed"
    assert v1.charges.retrieve(intent.latest_charge).amount_refunded == 0


def test_U13_a_publishable_key_on_a_server_route_is_403(shop: Shop, thrown: Any) -> None:
    thrown("U13")
    answer = httpx.get(f"{shop.url}/v1/customers", headers={"Authorization": f"Bearer {shop.publishable_key}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "secret_key_required")


def test_U16_a_browser_sees_more(v1: Any, shop: Shop, thrown: Any) -> None:
    thrown("U16")
    intent = v1.payment_intents.create({"amount": 500, "currency": "usd", "metadata": {"a": "b"}})
    headers = {"Authorization": f"Bearer {shop.publishable_key}"}
    address = f"{shop.url}/v1/payment_intents/{intent.id}?client_secret={intent.client_secret}"
    seen = httpx.get(address, headers=headers).json()
    assert "customer" in seen
    assert "metadata" not in seen


def test_U17_an_intent_never_captured_expires(v1: Any, shop: Shop, thrown: Any) -> None:
    thrown("U17")
    held = v1.payment_intents.create({**PAID, "capture_method": "manual"})
    shop.advance("7d")
    assert v1.payment_intents.retrieve(held.id).cancellation_reason == "expired"
