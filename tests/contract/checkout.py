"""Opening sessions and paying them, in the words of the checkout tests."""

from typing import Any

import pytest
import stripe

from tests.contract.shop import Shop

SUCCESS = "https://shop.example/thanks?session={CHECKOUT_SESSION_ID}"
CARD = "4242424242424242"


def inline(amount: int = 1500, name: str = "Credits", **more: Any) -> dict[str, Any]:
    return {
        "price_data": {"currency": "usd", "unit_amount": amount, "product_data": {"name": name}},
        "quantity": 1,
        **more,
    }


def opened(v1: Any, **more: Any) -> Any:
    wish = {"mode": "payment", "success_url": SUCCESS, "line_items": [inline()], **more}
    return v1.checkout.sessions.create(wish)


def paid(shop: Shop, session: Any, **wish: Any) -> Any:
    return shop.control("POST", f"checkout/{session.id}/pay", {"card": CARD, **wish})


def refusal_of(act: Any, *arguments: Any) -> tuple[int, str | None, str | None]:
    with pytest.raises(stripe.StripeError) as refusal:
        act(*arguments)
    assert isinstance(refusal.value, stripe.StripeError)
    return refusal.value.http_status or 0, refusal.value.code, getattr(refusal.value, "param", None)
