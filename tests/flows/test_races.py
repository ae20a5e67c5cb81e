"""
Two things at once, through real threads and real HTTP: one outcome, and whoever was too late has their money back and somebody is told.

`PAYWRIGHT_TEST_RACES=20` runs each of them twenty times, unkind in another way each time.
"""

import os
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from paywright.client.model import CheckoutSession
from tests.flows.catalog import PRO_USD
from tests.flows.shop import CANCEL_URL, SUCCESS_URL, Shop
from tests.harness.together import at_once

ROUNDS = range(int(os.environ.get("PAYWRIGHT_TEST_RACES", "1")))
DEBIT = "pm_usBankAccount_success"
TEAM_USD, LIFETIME_USD = 4900, 14900


def code(answer: httpx.Response) -> str | None:
    return answer.json().get("error", {}).get("code") if answer.status_code >= 400 else None


def incidents(shop: Shop) -> list[str]:
    return [event.data["kind"] for event in shop.client.list_events(type="incident.opened", limit=100)]


def money(shop: Shop) -> list[tuple[str, int, int]]:
    """Status, amount and what went back, by status."""
    found = [
        (each.status, each.amount.amount, each.amount_refunded.amount) for each in shop.client.list_payments(limit=100)
    ]
    return sorted(found)


def live_at_stripe(shop: Shop) -> list[str]:
    return [each["id"] for each in shop.account.every("/v1/subscriptions") if each["status"] in ("active", "trialing")]


def by_debit(shop: Shop, product_id: str) -> tuple[CheckoutSession, Callable[[], Any]]:
    """A checkout that is completed while its money is still under way, and the instant in which it arrives."""
    session = shop.checkout("u_1", product_id)
    shop.pay(session, payment_method=DEBIT)
    shop.settle()
    (intent,) = (each for each in shop.account.every("/v1/payment_intents") if each["status"] == "processing")
    return session, lambda: shop.account.post(f"/_sandbox/payments/{intent['id']}/settle", {"outcome": "succeed"})


def refunds_arrive(shop: Shop) -> None:
    """A bank takes its time to give money back."""
    shop.settle()
    for refund in shop.account.every("/v1/refunds"):
        if refund["status"] == "pending":
            shop.account.post(f"/_sandbox/refunds/{refund['id']}/settle", {"outcome": "succeed"})
    shop.settle()


@pytest.mark.parametrize("_", ROUNDS)
def test_two_checkouts_of_one_product_finish_together(shop: Shop, _: int) -> None:
    slow, arrive = by_debit(shop, "lifetime")
    fast = shop.checkout("u_1", "lifetime")
    assert fast.id != slow.id
    at_once(
        [
            arrive,
            lambda: shop.pay(fast),
            lambda: shop.client.sync_checkout_session(fast.id),
            lambda: shop.client.sync_checkout_session(slow.id),
        ]
    )
    refunds_arrive(shop)
    assert (shop.owned("u_1"), shop.credits("u_1", "seats")) == ({"lifetime": 1}, 1)
    assert money(shop) == [("paid", LIFETIME_USD, 0), ("refunded", LIFETIME_USD, LIFETIME_USD)]
    assert incidents(shop) == ["duplicate_purchase"]


@pytest.mark.parametrize("_", ROUNDS)
def test_two_subscriptions_of_one_line_finish_together(shop: Shop, _: int) -> None:
    _slow, arrive = by_debit(shop, "pro")
    fast = shop.checkout("u_1", "team")
    at_once([arrive, lambda: shop.pay(fast), lambda: shop.client.sync_checkout_session(fast.id)])
    refunds_arrive(shop)
    owned = shop.owned("u_1")
    assert owned in ({"pro": 1}, {"team": 1})
    won, lost = (PRO_USD, TEAM_USD) if owned == {"pro": 1} else (TEAM_USD, PRO_USD)
    assert money(shop) == [("paid", won, 0), ("refunded", lost, lost)]
    assert shop.credits("u_1") == (50 if owned == {"pro": 1} else 500)
    assert (incidents(shop), len(live_at_stripe(shop))) == (["duplicate_purchase"], 1)


@pytest.mark.parametrize("_", ROUNDS)
def test_a_checkout_that_finishes_while_the_product_is_granted(shop: Shop, _: int) -> None:
    session = shop.checkout("u_1", "pro")
    _paid, granted = at_once(
        [
            lambda: shop.pay(session),
            lambda: shop.http.post("/v1/customers/user/u_1/products", json={"product_id": "pro"}),
        ]
    )
    shop.settle()
    assert (shop.owned("u_1"), shop.credits("u_1")) == ({"pro": 1}, 50)
    (pro,) = shop.client.user("u_1").list_products()
    if granted.status_code == 201:
        assert pro.source == "grant"
        assert money(shop) == [("refunded", PRO_USD, PRO_USD)]
        assert (incidents(shop), live_at_stripe(shop)) == (["duplicate_purchase"], [])
    else:
        assert (code(granted), pro.source) == ("already_owned", "checkout")
        assert money(shop) == [("paid", PRO_USD, 0)]
        assert (incidents(shop), len(live_at_stripe(shop))) == ([], 1)


@pytest.mark.parametrize("_", ROUNDS)
def test_a_checkout_that_finishes_after_the_product_was_granted(shop: Shop, _: int) -> None:
    session = shop.checkout("u_1", "pro")
    shop.client.user("u_1").grant_product("pro")
    at_once([lambda: shop.pay(session), *[lambda: shop.client.sync_checkout_session(session.id)] * 3])
    shop.settle()
    (pro,) = shop.client.user("u_1").list_products()
    assert (pro.product_id, pro.source, shop.credits("u_1")) == ("pro", "grant", 50)
    assert money(shop) == [("refunded", PRO_USD, PRO_USD)]
    assert (incidents(shop), live_at_stripe(shop)) == (["duplicate_purchase"], [])


@pytest.mark.parametrize("_", ROUNDS)
def test_a_switch_racing_a_cancel(shop: Shop, _: int) -> None:
    shop.buy("u_1", "pro")
    shop.advance("10d")
    quote = shop.client.user("u_1").quote_switch("pro", "team")
    base = "/v1/customers/user/u_1"
    switched, canceled = at_once(
        [
            lambda: shop.http.post(f"{base}/switches", json={"quote_id": quote.id}),
            lambda: shop.http.post(f"{base}/products/pro/cancel", json={"at": "now"}),
        ]
    )
    shop.settle()
    owned, live = shop.owned("u_1"), live_at_stripe(shop)
    charged = [amount for status, amount, _ in money(shop) if status == "paid"]
    assert len(live) == len(owned) <= 1
    if owned:  # The cancel found pro gone.
        assert owned == {"team": 1}
        assert (switched.status_code, code(canceled), shop.credits("u_1")) == (200, "not_owned", 500)
    else:
        assert canceled.status_code == 200
        assert (code(switched) in (None, "quote_expired", "not_owned"), shop.credits("u_1")) == (True, 0)
    # The switch was charged exactly if it was made, and then as quoted.
    assert sorted(charged) == sorted([PRO_USD] + ([quote.due_now.amount] if switched.status_code == 200 else []))
    assert incidents(shop) == []


@pytest.mark.parametrize("_", ROUNDS)
def test_a_switch_racing_a_cancel_at_period_end(shop: Shop, _: int) -> None:
    shop.buy("u_1", "pro")
    shop.advance("10d")
    quote = shop.client.user("u_1").quote_switch("pro", "team")
    base = "/v1/customers/user/u_1"
    switched, canceled = at_once(
        [
            lambda: shop.http.post(f"{base}/switches", json={"quote_id": quote.id}),
            lambda: shop.http.post(f"{base}/products/pro/cancel", json={}),
        ]
    )
    shop.settle()
    assert switched.status_code == 200 or code(switched) == "quote_expired"
    assert canceled.status_code == 200 or code(canceled) == "not_owned"
    (product,) = shop.client.user("u_1").list_products()
    (stripes,) = (each for each in shop.account.every("/v1/subscriptions"))
    assert product.subscription is not None
    assert product.product_id == ("team" if switched.status_code == 200 else "pro")
    assert product.subscription.cancel_at_period_end == stripes["cancel_at_period_end"]
    shop.advance("40d")
    assert bool(shop.owned("u_1")) != stripes["cancel_at_period_end"]


@pytest.mark.parametrize("_", ROUNDS)
@pytest.mark.parametrize("product_id", ["pack", "pro"])
def test_webhooks_racing_the_success_page(shop: Shop, product_id: str, _: int) -> None:
    session = shop.checkout("u_1", product_id)
    shop.account.chaos(hold=True)
    shop.pay(session)
    at_once(
        [
            lambda: shop.account.chaos(duplicate=1.0, shuffle_window=6),
            *[lambda: shop.client.sync_checkout_session(session.id)] * 5,
        ]
    )
    shop.settle()
    assert (shop.owned("u_1"), shop.credits("u_1")) == ({product_id: 1}, {"pack": 100, "pro": 50}[product_id])
    told = shop.event_types()
    assert [told.count(kind) for kind in ("product.granted", "payment.paid", "checkout.completed")] == [1, 1, 1]
    assert (len(money(shop)), incidents(shop)) == (1, [])


@pytest.mark.parametrize("_", ROUNDS)
def test_a_second_first_purchase_makes_no_second_stripe_customer(shop: Shop, _: int) -> None:
    def first(product_id: str) -> httpx.Response:
        wish = {
            "customer": {"type": "user", "id": "u_1"},
            "line_items": [{"product_id": product_id}],
            "success_url": SUCCESS_URL,
            "cancel_url": CANCEL_URL,
        }
        return shop.http.post("/v1/checkout-sessions", json=wish)

    intent = {"customer": {"type": "user", "id": "u_1"}, "line_items": [{"product_id": "pack", "quantity": 2}]}
    answers = at_once(
        [
            lambda: first("pro"),
            lambda: first("lifetime"),
            lambda: shop.http.post("/v1/payment-intents", json=intent),
            lambda: shop.http.post("/v1/customers/user/u_1/setup-intents"),
            lambda: first("pro"),
        ]
    )
    assert {answer.status_code for answer in answers} == {201}
    (customer,) = shop.account.every("/v1/customers")
    assert {each["customer"] for each in shop.account.every("/v1/checkout/sessions")} == {customer["id"]}
    assert answers[0].json()["id"] == answers[4].json()["id"]
