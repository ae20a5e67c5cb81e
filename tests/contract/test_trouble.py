"""Trouble on order that lasts: shares of requests that fail by seed, webhooks held back and let go in any order."""

import json
from typing import Any

import httpx
import pytest
import stripe

from tests.contract.shop import Listener, Shop


def outcomes(shop: Shop, requests: int = 40) -> list[int]:
    """The status of each of so many requests; 0 where the connection was cut."""
    found = []
    for _ in range(requests):
        try:
            found.append(shop.http.post("/v1/customers").status_code)
        except httpx.TransportError:
            found.append(0)
    return found


def test_a_share_of_the_requests_fails_by_seed(shop: Shop) -> None:
    order = {"as": [429, 500, "drop_response"], "share": 0.3, "match": {"path": "/v1/*"}}
    shop.control("POST", "fail-next", {**order, "seed": 7})
    first = outcomes(shop)
    assert set(first) == {200, 429, 500, 0}
    assert 4 <= sum(status != 200 for status in first) <= 20
    assert shop.control("POST", "fail-next", {"clear": True}) == {"waiting": 0}
    assert outcomes(shop, 10) == [200] * 10
    shop.control("POST", "fail-next", {**order, "seed": 7})
    assert outcomes(shop) == first
    shop.control("POST", "fail-next", {"clear": True})
    shop.control("POST", "fail-next", {**order, "seed": 8})
    assert outcomes(shop) != first


def test_a_share_may_end_by_itself(shop: Shop) -> None:
    shop.control("POST", "fail-next", {"as": 503, "share": 1, "times": 2})
    assert outcomes(shop, 4) == [503, 503, 200, 200]


def test_the_answer_that_never_comes_has_done_the_work(shop: Shop) -> None:
    shop.control("POST", "fail-next", {"as": "timeout_response"})
    with pytest.raises(httpx.ReadTimeout):
        shop.http.post("/v1/customers", headers={"Idempotency-Key": "k"}, timeout=0.2)
    again = shop.http.post("/v1/customers", headers={"Idempotency-Key": "k"})
    assert again.headers["Idempotent-Replayed"] == "true"
    assert shop.events() == ["customer.created"]


@pytest.mark.parametrize(
    ("order", "param"),
    [
        ({"as": 500, "share": 2}, "share"),
        ({"as": 500, "share": "half"}, "share"),
        ({"as": 500, "share": True}, "share"),
        ({"as": 500, "seed": 1.5}, "seed"),
        ({"as": 500, "times": True}, "times"),
        ({"as": []}, "as"),
        ({"as": [500, "explode"]}, "as"),
        ({"as": {"slow_ms": -1}}, "as"),
        ({"as": 500, "match": "/v1/customers"}, "match"),
        ({"as": 500, "match": {"path": 3}}, "match"),
        ({"as": 500, "every": 3}, "every"),
    ],
)
def test_an_order_that_means_nothing_is_refused(shop: Shop, order: dict[str, Any], param: str) -> None:
    assert shop.control("POST", "fail-next", order, status=400)["error"]["param"] == param


def bought(v1: Any) -> None:
    v1.payment_intents.create({"amount": 500, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True})


def arrived(listener: Listener) -> list[str]:
    return [json.loads(body)["id"] for _, body in listener.received]


def settle(shop: Shop) -> None:
    shop.control("POST", "deliveries/settle", {})


def test_held_webhooks_go_in_the_order_that_is_asked_for(v1: Any, shop: Shop) -> None:
    with Listener() as listener:
        v1.webhook_endpoints.create({"url": listener.url, "enabled_events": ["*"]})
        shop.control("PUT", "webhook-chaos", {"hold": True})
        bought(v1)
        settle(shop)
        shop.advance("1h")
        logged = [event["id"] for event in shop.event_objects()]
        assert listener.received == []
        assert {sent["state"] for sent in shop.control("GET", "deliveries?state=held")["data"]} == {"held"}
        assert len(v1.events.list({"delivery_success": False}).data) == len(logged)
        wish = [logged[2], logged[0]]
        assert shop.control("POST", "deliveries/release", {"events": wish}) == {"released": wish}
        settle(shop)
        assert arrived(listener) == wish
        shop.control("POST", "deliveries/release", {})
        settle(shop)
        assert arrived(listener) == [*wish, *(id for id in logged if id not in wish)]
        assert v1.events.list({"delivery_success": False}).data == []


def test_some_types_are_held_and_some_lost(v1: Any, shop: Shop) -> None:
    with Listener() as listener:
        v1.webhook_endpoints.create({"url": listener.url, "enabled_events": ["*"]})
        shop.control("PUT", "webhook-chaos", {"hold": ["payment_intent.*"], "drop_types": ["charge.succeeded"]})
        bought(v1)
        v1.customers.create()
        settle(shop)
        assert listener.types() == ["customer.created"]
        shop.control("PUT", "webhook-chaos", {})
        settle(shop)
        assert listener.types() == ["customer.created", "payment_intent.created", "payment_intent.succeeded"]
        lost = v1.events.list({"delivery_success": False}).data
        assert [event.type for event in lost] == ["charge.succeeded"]
        shop.control("POST", f"events/{lost[0].id}/resend", {})
        settle(shop)
        assert listener.types()[-1] == "charge.succeeded"


def test_what_cannot_be_released_is_refused(shop: Shop) -> None:
    assert shop.control("POST", "deliveries/release", {"events": "all"}, status=400)["error"]["param"] == "events"
    assert shop.control("POST", "deliveries/release", {"events": ["evt_1"]}, status=404)["error"]["param"] == "events"
    assert shop.control("PUT", "webhook-chaos", {"hold": "all"}, status=400)["error"]["param"] == "hold"


def test_the_sdk_retries_a_429_only_when_told(shop: Shop) -> None:
    """Stripe's `rate_limit` says `Stripe-Should-Retry: false`: the application decides."""
    shop.control("POST", "fail-next", {"as": 429})
    stubborn = shop.client_with(shop.secret_key, max_network_retries=2)
    with pytest.raises(stripe.RateLimitError):
        stubborn.v1.customers.create()


def test_a_disabled_endpoint_is_left_in_peace_and_an_enabled_one_is_not(v1: Any, shop: Shop) -> None:
    with Listener() as listener:
        made = v1.webhook_endpoints.create({"url": listener.url, "enabled_events": ["*"]})
        v1.webhook_endpoints.update(made.id, {"disabled": True})
        v1.customers.create()
        shop.control("PUT", "webhook-chaos", {"hold": True})
        v1.webhook_endpoints.update(made.id, {"disabled": False})
        v1.products.create({"name": "held when it was disabled again"})
        v1.webhook_endpoints.update(made.id, {"disabled": True})
        shop.control("PUT", "webhook-chaos", {})
        settle(shop)
        assert listener.received == []
        v1.webhook_endpoints.update(made.id, {"disabled": False})
        v1.coupons.create({"percent_off": 5, "duration": "once"})
        settle(shop)
        assert listener.types() == ["coupon.created"]


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 410, 500])
def test_whatever_is_not_2xx_is_a_failure_and_is_kept(v1: Any, shop: Shop, status: int) -> None:
    with Listener([status]) as listener:
        v1.webhook_endpoints.create({"url": listener.url, "enabled_events": ["*"]})
        v1.customers.create()
        settle(shop)
        (sent,) = shop.control("GET", "deliveries")["data"]
        assert [(attempt["status"], attempt["ok"]) for attempt in sent["attempts"]] == [(status, False), (200, True)]
        assert sent["state"] == "delivered"
        assert all(attempt["duration_ms"] >= 0 for attempt in sent["attempts"])
