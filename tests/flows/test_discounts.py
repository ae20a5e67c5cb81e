"""Promotion codes: what was paid is what counts, and nothing to pay is paid (rules.md 6, zero)."""

import pytest

from tests.flows.catalog import PACK_USD, PRO_USD
from tests.flows.shop import Shop


def code(shop: Shop, percent: int, **coupon: str) -> str:
    made = shop.account.post("/v1/coupons", form={"percent_off": percent, "duration": "once", **coupon})
    wanted = {"promotion[type]": "coupon", "promotion[coupon]": made["id"], "code": f"LESS{percent}"}
    return str(shop.account.post("/v1/promotion_codes", form=wanted)["code"])


def test_a_code_makes_it_cheaper_and_gives_the_same(shop: Shop) -> None:
    session = shop.checkout("u_1", "pack", promotion_codes=True)
    shop.pay(session, promotion_code=code(shop, 25))
    shop.settle()
    (payment,) = shop.client.list_payments().data
    assert (payment.status, payment.amount.amount, shop.credits("u_1")) == ("paid", PACK_USD * 3 // 4, 100)


@pytest.mark.parametrize(("product_id", "credits"), [("pack", 100), ("pro", 50)])
def test_nothing_to_pay_is_paid(shop: Shop, product_id: str, credits: int) -> None:
    session = shop.checkout("u_1", product_id, promotion_codes=True)
    shop.pay(session, promotion_code=code(shop, 100))
    shop.settle()
    done = shop.client.get_checkout_session(session.id)
    assert (done.status, done.payment_status) == ("completed", "no_payment_required")
    assert (shop.owned("u_1"), shop.credits("u_1")) == ({product_id: 1}, credits)
    assert [(each.status, each.amount.amount) for each in shop.client.list_payments()] == [("paid", 0)]
    if product_id == "pro":  # Once: the next month costs what it costs.
        shop.advance("32d")
        assert [each.amount.amount for each in shop.client.list_payments() if each.amount.amount] == [PRO_USD]


def test_codes_are_asked_for_only_where_the_app_wants_it(shop: Shop) -> None:
    session = shop.checkout("u_1", "pack")
    refused = shop.pay(session, promotion_code=code(shop, 25))
    assert "error" in refused
    shop.settle()
    assert (shop.credits("u_1"), shop.client.get_checkout_session(session.id).status) == (0, "open")
