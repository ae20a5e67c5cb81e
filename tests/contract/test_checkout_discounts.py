"""Coupons and promotion codes in Checkout Sessions."""

from typing import Any

import httpx
import pytest

from tests.contract.checkout import CARD, inline, opened, paid, refusal_of
from tests.contract.hosted_pages import token_in
from tests.contract.shop import Shop


def monthly(amount: int = 1000) -> dict[str, Any]:
    item = inline(amount, "Pro")
    item["price_data"]["recurring"] = {"interval": "month"}
    return item


def coded(v1: Any, code: str = "SAVE20", **more: Any) -> Any:
    """A promotion code for 20 % off, once."""
    coupon = v1.coupons.create({"percent_off": 20, "duration": "once"})
    return v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}, "code": code, **more})


def test_a_coupon_is_shared_over_the_lines_and_counted_when_paid(v1: Any, shop: Shop) -> None:
    coupon = v1.coupons.create({"amount_off": 1000, "currency": "usd", "duration": "once"})
    items = [inline(1000, "A"), inline(2001, "B")]
    session = opened(v1, line_items=items, discounts=[{"coupon": coupon.id}])
    assert (session.amount_subtotal, session.amount_total, session.total_details.amount_discount) == (3001, 2001, 1000)
    assert (session.discounts[0].coupon, session.discounts[0].promotion_code) == (coupon.id, None)
    shown = v1.checkout.sessions.line_items.list(session.id).data
    assert [(item.amount_subtotal, item.amount_discount, item.amount_total) for item in shown] == [
        (1000, 333, 667),
        (2001, 667, 1334),
    ]
    assert v1.coupons.retrieve(coupon.id).times_redeemed == 0
    after = paid(shop, session)["session"]
    assert v1.payment_intents.retrieve(after["payment_intent"]).amount_received == 2001
    assert v1.coupons.retrieve(coupon.id).times_redeemed == 1


def test_a_hundred_percent_off_is_a_free_order(v1: Any, shop: Shop) -> None:
    coupon = v1.coupons.create({"percent_off": 100, "duration": "once"})
    session = opened(v1, discounts=[{"coupon": coupon.id}])
    assert session.amount_total == 0
    after = paid(shop, session)["session"]
    assert (after["payment_status"], after["payment_intent"]) == ("no_payment_required", None)
    assert shop.events()[-1] == "checkout.session.completed"


def test_a_coupon_once_takes_off_the_first_invoice_only(v1: Any, shop: Shop) -> None:
    coupon = v1.coupons.create({"percent_off": 25, "duration": "once"})
    wish = {"mode": "subscription", "line_items": [monthly()], "discounts": [{"coupon": coupon.id}]}
    session = opened(v1, **wish)
    assert (session.amount_subtotal, session.amount_total) == (1000, 750)
    after = paid(shop, session)["session"]
    shop.advance("32d")
    invoices = v1.invoices.list({"subscription": after["subscription"]}).data
    assert [found.amount_paid for found in invoices] == [1000, 750]
    assert v1.coupons.retrieve(coupon.id).times_redeemed == 1


def test_an_invoice_after_a_discounted_payment_says_the_same(v1: Any, shop: Shop) -> None:
    coupon = v1.coupons.create({"percent_off": 10, "duration": "once"})
    wish = {"invoice_creation": {"enabled": True}, "discounts": [{"coupon": coupon.id}]}
    after = paid(shop, opened(v1, **wish))["session"]
    found = v1.invoices.retrieve(after["invoice"])
    assert (found.subtotal, found.total, found.amount_paid, found.status) == (1500, 1350, 1350, "paid")
    assert v1.coupons.retrieve(coupon.id).times_redeemed == 1


def test_the_buyer_may_type_a_code(v1: Any, shop: Shop) -> None:
    code = coded(v1)
    session = opened(v1, allow_promotion_codes=True)
    after = paid(shop, session, promotion_code="save20")["session"]
    assert (after["amount_total"], after["discounts"]) == (1200, [{"coupon": None, "promotion_code": code.id}])
    assert v1.promotion_codes.retrieve(code.id).times_redeemed == 1


def test_the_page_takes_a_code_and_gives_it_back(v1: Any, browser: httpx.Client) -> None:
    coded(v1)
    session = opened(v1, allow_promotion_codes=True)
    path = f"/c/pay/{session.id}"
    token = token_in(browser.get(path))
    wrong = browser.post(f"{path}/code", data={"token": token, "code": "NOPE", "name": "Ann"})
    assert (wrong.status_code, "This code is invalid." in wrong.text, 'value="Ann"' in wrong.text) == (400, True, True)
    taken = browser.post(f"{path}/code", data={"token": token, "code": " save20 "})
    assert "−$3.00" in taken.text
    assert "Pay $12.00" in taken.text
    assert v1.checkout.sessions.retrieve(session.id).amount_total == 1200
    dropped = browser.post(f"{path}/code", data={"token": token, "drop": "yes"})
    assert "Pay $15.00" in dropped.text
    assert browser.post(f"{path}/code", data={"code": "SAVE20"}).status_code == 403
    assert v1.checkout.sessions.retrieve(session.id).discounts == []


@pytest.mark.parametrize(
    "limits",
    [
        {"active": False},
        {"restrictions": {"minimum_amount": 5000, "minimum_amount_currency": "usd"}},
        {"customer": "another"},
    ],
    ids=["inactive", "below its minimum", "for another customer"],
)
def test_a_code_that_does_not_fit_is_refused(v1: Any, shop: Shop, limits: dict[str, Any]) -> None:
    if "customer" in limits:
        limits = {"customer": v1.customers.create({}).id}
    coded(v1, **limits)
    session = opened(v1, allow_promotion_codes=True)
    body = {"card": CARD, "promotion_code": "SAVE20"}
    shop.control("POST", f"checkout/{session.id}/pay", body, status=400)
    assert v1.checkout.sessions.retrieve(session.id).status == "open"


def test_a_code_is_refused_where_the_shop_takes_none(v1: Any, shop: Shop) -> None:
    coded(v1)
    session = opened(v1)
    body = {"card": CARD, "promotion_code": "SAVE20"}
    refused = shop.control("POST", f"checkout/{session.id}/pay", body, status=400)
    assert refused["error"]["param"] == "promotion_code"


REFUSED: list[tuple[str, dict[str, Any], int, str | None, str]] = [
    ("both", {"discounts": [{"coupon": "a"}], "allow_promotion_codes": True}, 400, "parameters_exclusive", ""),
    ("two", {"discounts": [{"coupon": "a"}, {"coupon": "b"}]}, 400, None, "discounts"),
    ("coupon and code", {"discounts": [{"coupon": "a", "promotion_code": "b"}]}, 400, None, "discounts[0]"),
    ("unknown coupon", {"discounts": [{"coupon": "nothing"}]}, 404, "resource_missing", ""),
]


@pytest.mark.parametrize(
    ("wish", "status", "code", "param"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_discounts_are_refused(v1: Any, wish: dict[str, Any], status: int, code: str | None, param: str) -> None:
    found = refusal_of(lambda: opened(v1, **wish))
    assert found[:2] == (status, code)
    assert param in ("", found[2])


def test_a_coupon_used_up_meanwhile_is_refused_when_paying(v1: Any, shop: Shop) -> None:
    coupon = v1.coupons.create({"percent_off": 10, "duration": "once", "max_redemptions": 1})
    first, second = (opened(v1, discounts=[{"coupon": coupon.id}]) for _ in range(2))
    paid(shop, first)
    shop.control("POST", f"checkout/{second.id}/pay", {"card": CARD}, status=400)
    assert v1.checkout.sessions.retrieve(second.id).status == "open"


def test_a_declined_order_made_free_by_a_code_lets_its_intent_go(v1: Any, shop: Shop) -> None:
    coupon = v1.coupons.create({"percent_off": 100, "duration": "once"})
    v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "FREE"})
    session = opened(v1, allow_promotion_codes=True)
    shop.control("POST", f"checkout/{session.id}/pay", {"card": "4000000000000002"}, status=402)
    after = shop.control("POST", f"checkout/{session.id}/pay", {"promotion_code": "FREE"})["session"]
    assert (after["payment_status"], after["payment_intent"]) == ("no_payment_required", None)
    assert shop.events()[-2:] == ["payment_intent.canceled", "checkout.session.completed"]


def test_a_subscription_paid_from_the_balance_saves_the_card(v1: Any, shop: Shop) -> None:
    customer = v1.customers.create({"email": "ann@example.com"})
    session = opened(v1, mode="subscription", line_items=[monthly()], customer=customer.id)
    shop.control("POST", f"checkout/{session.id}/pay", {"card": "4000000000000002"}, status=402)
    v1.customers.update(customer.id, {"balance": -1500})
    after = paid(shop, session)["session"]
    assert (after["payment_status"], after["amount_total"]) == ("no_payment_required", 1000)
    assert v1.customers.retrieve(customer.id).balance == -500
    assert v1.subscriptions.retrieve(after["subscription"]).status == "active"
    assert "setup_intent.succeeded" in shop.events()
    assert [found.status for found in v1.payment_intents.list().data] == ["canceled"]
