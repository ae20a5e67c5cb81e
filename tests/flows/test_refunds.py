"""Money goes back: asked for by the app, or made by somebody in Stripe's dashboard, with deliveries twice and out of order."""

from typing import Any

import pytest
import stripe

from paywright.client import Client
from paywright.client.errors import PermissionDenied, RuleBroken
from paywright.client.model import Payment
from tests.flows.catalog import PACK_USD, PRO_USD
from tests.flows.shop import CANCEL_URL, SUCCESS_URL, Shop
from tests.flows.test_guest import in_the_browser

PENDS, FAILS = "4000000000007726", "4000000000005126"


def dashboard(shop: Shop) -> stripe.StripeClient:
    """Somebody at Stripe's own dashboard: the same API, without us."""
    everywhere: Any = dict.fromkeys(("api", "connect", "files", "meter_events"), shop.account.url)
    return stripe.StripeClient(shop.account.secret_key, base_addresses=everywhere)


def paid(shop: Shop) -> Payment:
    (payment,) = [each for each in shop.client.list_payments().data if each.status in ("paid", "refunded")]
    return shop.client.get_payment(payment.id)


def intent_of(shop: Shop) -> str:
    (intent,) = shop.account.every("/v1/payment_intents")
    return str(intent["id"])


def test_P1_a_payment_is_refunded_in_parts_over_http(shop: Shop) -> None:
    shop.buy("u_1", "pack")
    path = f"/v1/payments/{paid(shop).id}/refunds"
    first = shop.http.post(path, json={"amount": 400}, headers={"Idempotency-Key": "part"})
    again = shop.http.post(path, json={"amount": 400}, headers={"Idempotency-Key": "part"})
    assert (first.status_code, first.json()["status"]) == (201, "succeeded")
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (first.json(), "true")
    other = shop.http.post(path, json={"amount": 500}, headers={"Idempotency-Key": "part"})
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_key_reused")
    with pytest.raises(RuleBroken) as refused:
        shop.client.refund_payment(paid(shop).id, amount=601)
    assert (refused.value.code, refused.value.facts) == ("refund_too_large", {"refundable": 600})
    assert (shop.owned("u_1"), shop.credits("u_1")) == ({"pack": 1}, 100)

    last = shop.client.refund_payment(paid(shop).id)
    assert (last.amount.amount, last.end, last.take_back) == (600, "now", "unspent")
    assert last.payment is not None
    assert last.payment.status == "refunded"
    shop.settle()
    assert (shop.owned("u_1"), shop.credits("u_1")) == ({}, 0)
    payment = paid(shop)
    assert (payment.status, payment.amount_refunded.amount) == ("refunded", PACK_USD)
    assert [refund.amount.amount for refund in payment.refunds] == [400, 600]
    assert shop.event_types().count("payment.refunded") == 2


WRONG: list[tuple[dict[str, object], int, str]] = [
    ({"amount": 1.5}, 400, "invalid_request"),
    ({"amount": "5"}, 400, "invalid_request"),
    ({"end": "later"}, 400, "invalid_request"),
    ({"amount": 0}, 422, "refund_too_large"),
    ({"amount": PACK_USD + 1}, 422, "refund_too_large"),
    ({"end": "period_end"}, 422, "no_period"),
]


def test_what_is_no_refund_changes_nothing(shop: Shop) -> None:
    shop.buy("u_1", "pack")
    path = f"/v1/payments/{paid(shop).id}/refunds"
    for body, status, code in WRONG:
        answer = shop.http.post(path, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), body
    missing = shop.http.post("/v1/payments/pay_none/refunds", json={})
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "payment_not_found")
    assert (paid(shop).refunds, shop.owned("u_1")) == ([], {"pack": 1})


def test_a_key_without_the_scope_refunds_nothing(shop: Shop) -> None:
    shop.buy("u_1", "pack")
    created = shop.client.create_key(scopes=["read", "customers"])
    assert created.key is not None
    with Client(shop.server.url, created.key) as limited, pytest.raises(PermissionDenied) as refused:
        limited.refund_payment(paid(shop).id)
    assert refused.value.code == "missing_scope"
    assert paid(shop).amount_refunded.amount == 0


def test_a_refund_in_the_dashboard_is_heard(shop: Shop) -> None:
    shop.buy("u_1", "pack", quantity=2)
    shop.client.user("u_1").get_item("credits").decrease_quantity(60)
    at_stripe = dashboard(shop)
    at_stripe.v1.refunds.create({"payment_intent": intent_of(shop), "amount": 500})
    shop.settle()
    assert (paid(shop).status, paid(shop).amount_refunded.amount, shop.credits("u_1")) == ("paid", 500, 140)
    at_stripe.v1.refunds.create({"payment_intent": intent_of(shop)})
    shop.settle()
    assert (paid(shop).status, shop.owned("u_1"), shop.credits("u_1")) == ("refunded", {}, 0)


def test_a_refund_that_fails_after_all(shop: Shop) -> None:
    shop.buy("u_1", "pack", FAILS)
    made = shop.client.refund_payment(paid(shop).id)
    shop.settle()
    assert (made.status, shop.owned("u_1"), shop.credits("u_1")) == ("succeeded", {}, 0)
    shop.advance("2d")
    payment = paid(shop)
    assert (payment.status, payment.amount_refunded.amount) == ("paid", 0)
    assert payment.refundable is not None
    assert payment.refundable.amount == PACK_USD
    assert ([each.status for each in payment.refunds], shop.owned("u_1")) == (["failed"], {"pack": 1})
    assert shop.credits("u_1") == 100
    assert shop.event_types().count("payment.refund_failed") == 1


def test_a_refund_that_takes_its_time(shop: Shop) -> None:
    shop.buy("u_1", "pack", PENDS)
    made = shop.client.refund_payment(paid(shop).id)
    shop.settle()
    assert (made.status, paid(shop).status, shop.owned("u_1")) == ("pending", "paid", {"pack": 1})
    shop.advance("2d")
    assert (paid(shop).status, shop.owned("u_1"), shop.credits("u_1")) == ("refunded", {}, 0)


def test_a_refunded_subscription_ends_and_does_not_come_back(shop: Shop) -> None:
    shop.buy("u_1", "pro")
    shop.client.refund_payment(paid(shop).id)
    shop.settle()
    assert (shop.owned("u_1"), shop.credits("u_1")) == ({}, 0)
    (subscription,) = shop.account.every("/v1/subscriptions", status="all")
    assert subscription["status"] == "canceled"
    shop.advance("32d")
    assert (paid(shop).amount_refunded.amount, shop.owned("u_1")) == (PRO_USD, {})


def test_G3_a_guest_is_shut_out_by_a_full_refund(shop: Shop) -> None:
    with in_the_browser(shop) as browser:
        session = browser.create_guest_checkout_session(
            [{"product_id": "pack"}], success_url=SUCCESS_URL, cancel_url=CANCEL_URL
        )
        assert session.claim_token is not None
        shop.pay(session, email="buyer@example.com")
        shop.settle()
        assert (browser.get_claim(session.claim_token).state, len(browser.get_claim(session.claim_token).products)) == (
            "active",
            1,
        )
        shop.client.refund_payment(paid(shop).id)
        shop.settle()
        claim = browser.get_claim(session.claim_token)
        assert (claim.state, claim.products) == ("refunded", [])
        assert {item["quantity"] for item in claim.items} == {0}
