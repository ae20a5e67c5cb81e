"""Buy credits, spend them, run out."""

import pytest

from paywright.client.errors import InsufficientQuantity
from tests.flows.catalog import PACK_USD
from tests.flows.shop import Shop


def test_a_credit_pack_is_bought_and_spent(shop: Shop) -> None:
    session = shop.buy("u_1", "pack")
    assert (session.status, session.payment_status, session.url) == ("completed", "paid", None)
    assert shop.owned("u_1") == {"pack": 1}
    credits = shop.client.user("u_1").get_item("credits")
    assert credits.quantity == 100

    assert credits.try_decrease_quantity(40, idempotency_key="haiku-1")
    assert credits.try_decrease_quantity(40, idempotency_key="haiku-1")
    assert shop.credits("u_1") == 60
    with pytest.raises(InsufficientQuantity) as refused:
        credits.decrease_quantity(61)
    assert (refused.value.requested, refused.value.available) == (61, 60)
    assert credits.decrease_quantity(60) == 0
    assert not credits.try_decrease_quantity(1)
    assert [entry.delta for entry in credits.list_entries().data] == [-60, -40, 100]


def test_I4_several_packs_at_once_and_once_more_add_up(shop: Shop) -> None:
    shop.buy("u_1", "pack", quantity=3)
    shop.buy("u_1", "pack")
    assert shop.owned("u_1") == {"pack": 4}
    assert shop.credits("u_1") == 400
    paid = [payment.amount.amount for payment in shop.client.list_payments().data if payment.status == "paid"]
    assert sorted(paid) == [PACK_USD, 3 * PACK_USD]


def test_a_pack_in_yen_costs_whole_yen(shop: Shop) -> None:
    shop.buy("u_1", "pack", quantity=2, currency="jpy")
    (payment,) = shop.client.list_payments().data
    assert (payment.amount.amount, payment.amount.currency, payment.status) == (3000, "jpy", "paid")


def test_spending_over_http_needs_nothing_but_a_key(shop: Shop) -> None:
    shop.buy("u_1", "pack")
    path, headers = "/v1/customers/user/u_1/items/credits/decrease", {"Idempotency-Key": "call-1"}
    first = shop.http.post(path, json={"quantity": 1}, headers=headers)
    again = shop.http.post(path, json={"quantity": 1}, headers=headers)
    assert (first.status_code, first.json()["quantity"]) == (200, 99)
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (first.json(), "true")
    short = shop.http.post(path, json={"quantity": 100})
    assert (short.status_code, short.json()["error"]["code"]) == (402, "insufficient_quantity")
    assert short.json()["error"]["facts"] == {"requested": 100, "available": 99}


def test_a_licence_is_bought_once_and_only_once(shop: Shop) -> None:
    shop.buy("u_1", "lifetime")
    refused = shop.http.post(
        "/v1/checkout-sessions",
        json={
            "customer": {"type": "user", "id": "u_1"},
            "line_items": [{"product_id": "lifetime"}],
            "success_url": "https://app.example/a",
            "cancel_url": "https://app.example/b",
        },
    )
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "already_owned")
    assert shop.owned("u_1") == {"lifetime": 1}
    assert shop.credits("u_1", "seats") == 1
