"""Webhooks: endpoints, signatures, retries, chaos, events."""

import json
import time
from typing import Any

import pytest
import stripe

from paywright_sandbox.signing import signature_header, verifies
from tests.contract.shop import Listener, Shop

BODY = b'{\n  "id": "evt_1",\n  "object": "event"\n}'


def endpoint(v1: Any, listener: Listener, *events: str, **more: Any) -> Any:
    return v1.webhook_endpoints.create({"url": listener.url, "enabled_events": list(events) or ["*"], **more})


def settle(shop: Shop, **wish: Any) -> None:
    shop.control("POST", "deliveries/settle", wish)


def test_our_signature_is_accepted_by_the_sdk_and_theirs_by_us() -> None:
    now = int(time.time())
    ours = signature_header(BODY, ["whsec_old", "whsec_new"], now)
    for secret in ("whsec_old", "whsec_new"):
        assert stripe.Webhook.construct_event(BODY, ours, secret).id == "evt_1"
    signature = stripe.WebhookSignature._compute_signature(f"{now}.{BODY.decode()}", "whsec_new")
    theirs = f"t={now},v1={signature},v0=ignored"
    assert verifies(BODY, theirs, "whsec_new", now)
    assert not verifies(BODY, theirs, "whsec_other", now)
    assert not verifies(BODY + b" ", theirs, "whsec_new", now)
    assert not verifies(BODY, theirs, "whsec_new", now + 301)
    assert not verifies(BODY, theirs, "whsec_new", now - 301)


@pytest.mark.parametrize("header", ["", "t=1", "t=x,v1=y", "v1=y", "t=1,t=2,v1=y", "t=1,v1=é"])
def test_a_broken_signature_header_verifies_nothing(header: str) -> None:
    assert not verifies(BODY, header, "whsec_x", 1)


def test_an_endpoint_is_made_changed_listed_and_deleted(v1: Any) -> None:
    made = v1.webhook_endpoints.create({"url": "https://example.com/hook", "enabled_events": ["charge.refunded"]})
    assert made.secret.startswith("whsec_")
    shown = v1.webhook_endpoints.retrieve(made.id)
    assert not hasattr(shown, "secret")
    assert v1.webhook_endpoints.update(made.id, {"disabled": True}).status == "disabled"
    assert [found.id for found in v1.webhook_endpoints.list().data] == [made.id]
    assert v1.webhook_endpoints.delete(made.id).deleted is True
    assert v1.webhook_endpoints.list().data == []


@pytest.mark.parametrize(
    ("wish", "param"),
    [
        ({"url": "javascript:alert(1)", "enabled_events": ["*"]}, "url"),
        ({"url": "http://example.com:99999/x", "enabled_events": ["*"]}, "url"),
        ({"url": "http://exämple.com/x", "enabled_events": ["*"]}, "url"),
        ({"url": "http://example.com/a b", "enabled_events": ["*"]}, "url"),
        ({"url": "http://[::1/x", "enabled_events": ["*"]}, "url"),
        ({"url": "http:///x", "enabled_events": ["*"]}, "url"),
        ({"url": "https://example.com", "enabled_events": ["customer.exploded"]}, "enabled_events[0]"),
    ],
)
def test_what_an_endpoint_refuses(v1: Any, wish: dict[str, Any], param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.webhook_endpoints.create(wish)
    assert refusal.value.param == param


def test_at_most_sixteen_endpoints(v1: Any) -> None:
    wish = {"url": "https://example.com/hook", "enabled_events": ["product.created"]}
    for _ in range(16):
        v1.webhook_endpoints.create(wish)
    with pytest.raises(stripe.InvalidRequestError, match="16"):
        v1.webhook_endpoints.create(wish)


def test_events_arrive_signed_in_order_and_are_booked(v1: Any, shop: Shop) -> None:
    with Listener() as listener:
        secret = endpoint(v1, listener).secret
        v1.payment_intents.create({"amount": 500, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True})
        settle(shop)
        assert listener.types() == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]
        for headers, body in listener.received:
            event = stripe.Webhook.construct_event(body, headers["Stripe-Signature"], secret)
            assert event.livemode is False
            assert body == json.dumps(json.loads(body), indent=2, ensure_ascii=False).encode()
            assert int(headers["Sandbox-Time"]) >= event.created
        assert {event.pending_webhooks for event in v1.events.list().data} == {0}


def test_only_what_was_asked_for_arrives(v1: Any, shop: Shop) -> None:
    with Listener() as listener:
        endpoint(v1, listener, "customer.updated")
        made = v1.customers.create()
        v1.customers.update(made.id, {"name": "Ann"})
        settle(shop)
        assert listener.types() == ["customer.updated"]


def test_an_event_names_the_request_that_caused_it(v1: Any, shop: Shop) -> None:
    made = v1.customers.create(options={"idempotency_key": "k"})
    (event,) = v1.events.list({"type": "customer.created"}).data
    assert event.request.id == made.last_response.headers["Request-Id"]
    assert (event.request.idempotency_key, event.api_version) == ("k", stripe.api_version)
    assert v1.events.retrieve(event.id).data.object.id == made.id


def test_an_event_keeps_the_object_as_it_was(v1: Any) -> None:
    made = v1.customers.create({"name": "Ann"})
    v1.customers.update(made.id, {"name": "Bo"})
    updated, created = v1.events.list().data
    assert (created.data.object.name, updated.data.object.name) == ("Ann", "Bo")
    assert updated.data.previous_attributes.to_dict() == {"name": "Ann"}


def test_the_list_of_events_filters(v1: Any, shop: Shop) -> None:
    made = v1.customers.create()
    v1.customers.update(made.id, {"name": "Bo"})
    v1.products.create({"name": "P"})
    assert [e.type for e in v1.events.list({"type": "customer.*"}).data] == ["customer.updated", "customer.created"]
    types = ["product.created", "customer.created"]
    assert [e.type for e in v1.events.list({"types": types}).data] == types
    assert v1.events.list({"delivery_success": False}).data == []
    with pytest.raises(stripe.InvalidRequestError):
        v1.events.list({"type": "product.created", "types": types})
    shop.advance("31d")
    assert v1.events.list().data == []


def test_a_failing_endpoint_is_tried_again_and_found(v1: Any, shop: Shop) -> None:
    with Listener([500, 302, 200]) as listener:
        endpoint(v1, listener)
        v1.customers.create()
        settle(shop, retries=False)
        (pending,) = v1.events.list({"delivery_success": False}).data
        assert pending.pending_webhooks == 1
        settle(shop)
        (delivery,) = shop.control("GET", "deliveries")["data"]
        assert [attempt["status"] for attempt in delivery["attempts"]] == [500, 302, 200]
        assert v1.events.list({"delivery_success": False}).data == []


def test_an_endpoint_that_never_answers_is_given_up_after_three_retries(v1: Any, shop: Shop) -> None:
    v1.webhook_endpoints.create({"url": "http://127.0.0.1:1/hook", "enabled_events": ["*"]})
    v1.customers.create()
    settle(shop)
    (delivery,) = shop.control("GET", "deliveries?state=failed")["data"]
    assert len(delivery["attempts"]) == 4
    assert all(attempt["status"] is None for attempt in delivery["attempts"])


def test_a_clock_that_moves_tries_at_once(v1: Any, shop: Shop) -> None:
    with Listener([500]) as listener:
        endpoint(v1, listener)
        v1.customers.create()
        settle(shop, retries=False)
        shop.advance("1h")
        assert listener.types() == ["customer.created", "customer.created"]


def test_live_retries_follow_the_account_clock(v1: Any, shop: Shop) -> None:
    with Listener([500]) as listener:
        shop.control("PATCH", "settings", {"live_retries": True})
        shop.control("POST", "clock/freeze")
        endpoint(v1, listener)
        v1.customers.create()
        settle(shop)
        shop.advance("30s")
        assert len(listener.received) == 1
        shop.advance("30s")
        assert len(listener.received) == 2


def test_a_reset_while_a_webhook_is_under_way_harms_nobody(v1: Any, shop: Shop) -> None:
    with Listener() as listener:
        endpoint(v1, listener)
        shop.control("PUT", "webhook-chaos", {"delay_ms": [30, 30]})
        v1.customers.create()
        shop.control("POST", "reset")
        endpoint(v1, listener)
        v1.products.create({"name": "P"})
        settle(shop)
        assert listener.types()[-1] == "product.created"


def test_an_event_can_be_sent_again(v1: Any, shop: Shop) -> None:
    with Listener() as listener:
        endpoint(v1, listener)
        v1.customers.create()
        settle(shop)
        event = v1.events.list().data[0]
        shop.control("POST", f"events/{event.id}/resend")
        settle(shop)
        assert [json.loads(body)["id"] for _, body in listener.received] == [event.id, event.id]


def test_a_connected_accounts_events_go_to_connect_endpoints_and_name_it(v1: Any, shop: Shop) -> None:
    other = shop.control("POST", "accounts", {"connected": True})
    with Listener() as ours, Listener() as connect:
        endpoint(v1, ours)
        endpoint(v1, connect, "*", connect=True)
        v1.customers.create({}, {"stripe_account": other["id"]})
        shop.http.post("/_sandbox/deliveries/settle", headers={"Stripe-Account": other["id"]})
        assert ours.types() == []
        assert [json.loads(body)["account"] for _, body in connect.received] == [other["id"]]


# Chaos


def play(v1: Any, shop: Shop, listener: Listener, chaos: dict[str, Any], *, events: int = 8) -> list[str]:
    """Ids in the order they arrived, of customers made under this chaos."""
    endpoint(v1, listener)
    shop.control("PUT", "webhook-chaos", chaos)
    for _ in range(events):
        v1.customers.create()
    settle(shop)
    return [json.loads(body)["id"] for _, body in listener.received]


def logged(shop: Shop) -> list[str]:
    return [event["id"] for event in shop.event_objects()]


def test_chaos_duplicates(v1: Any, shop: Shop) -> None:
    with Listener() as listener:
        arrived = play(v1, shop, listener, {"duplicate": 1.0})
        assert arrived == [id for id in logged(shop) for _ in range(2)]


def test_chaos_shuffles_and_loses_nothing(v1: Any, shop: Shop) -> None:
    with Listener() as listener:
        endpoint(v1, listener)
        shop.control("PUT", "webhook-chaos", {"shuffle_window": 6, "seed": 3})
        v1.payment_intents.create({"amount": 500, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True})
        settle(shop)
        arrived = [json.loads(body)["id"] for _, body in listener.received]
        assert sorted(arrived) == sorted(logged(shop))
        assert arrived != logged(shop)


def test_chaos_delays(v1: Any, shop: Shop) -> None:
    with Listener() as listener:
        assert sorted(play(v1, shop, listener, {"delay_ms": [1, 40]})) == sorted(logged(shop))


def test_chaos_drops_the_first_attempts(v1: Any, shop: Shop) -> None:
    with Listener() as listener:
        assert sorted(play(v1, shop, listener, {"drop_first": 2}, events=2)) == sorted(logged(shop))
        attempts = shop.control("GET", "deliveries")["data"][0]["attempts"]
        assert [attempt["ok"] for attempt in attempts] == [False, False, True]


def test_chaos_drops_for_good_and_reconcile_can_find_it(v1: Any, shop: Shop) -> None:
    with Listener() as listener:
        assert play(v1, shop, listener, {"drop": 1.0}, events=2) == []
        assert len(v1.events.list({"delivery_success": False}).data) == 2


@pytest.mark.parametrize(
    ("chaos", "shift"), [({"stale_stamp": 1.0}, -3600), ({"future_stamp": 1.0}, 3600), ({"wrong_secret": 1.0}, None)]
)
def test_chaos_of_signatures(v1: Any, shop: Shop, chaos: dict[str, Any], shift: int | None) -> None:
    with Listener() as listener:
        secret = endpoint(v1, listener).secret
        shop.control("PUT", "webhook-chaos", chaos)
        v1.customers.create()
        settle(shop)
        headers, body = listener.received[0]
        now = int(time.time())
        assert not verifies(body, headers["Stripe-Signature"], secret, now)
        if shift is not None:
            assert verifies(body, headers["Stripe-Signature"], secret, now + shift)


def test_the_same_seed_gives_the_same_chaos(v1: Any, shop: Shop) -> None:
    chaos = {"duplicate": 0.5, "seed": 7}
    with Listener() as listener:
        first = play(v1, shop, listener, chaos)
        pattern = [first.count(id) for id in logged(shop)]
    with Shop(shop.url, shop.secret_key) as other, Listener() as listener:
        second = play(other.client.v1, other, listener, chaos)
        assert [second.count(id) for id in logged(other)] == pattern
    assert set(pattern) == {1, 2}


@pytest.mark.parametrize("chaos", [{"duplicate": 2}, {"delay_ms": [5]}, {"drop_first": -1}, {"storm": 1}])
def test_chaos_that_means_nothing_is_refused(shop: Shop, chaos: dict[str, Any]) -> None:
    assert shop.control("PUT", "webhook-chaos", chaos, status=400)["error"]["param"] == next(iter(chaos))
