"""Thin events by webhook and by fetch, and the roll of a webhook secret, through the official SDK."""

import json
from typing import Any

import pytest
import stripe

from tests.contract.shop import Listener, Shop


def signature(headers: dict[str, str]) -> str:
    return headers["Stripe-Signature"]


def settle(shop: Shop) -> None:
    shop.control("POST", "deliveries/settle", {})


def test_a_thin_event_names_what_to_fetch(v1: Any, shop: Shop) -> None:
    with Listener() as listener:
        made = v1.webhook_endpoints.create(
            {"url": listener.url, "enabled_events": ["customer.created"], "metadata": {"sandbox_thin": "1"}}
        )
        customer = v1.customers.create({"name": "Ann"}, {"idempotency_key": "k"})
        settle(shop)
        ((headers, body),) = listener.received
    told: Any = shop.client.parse_event_notification(body, signature(headers), made.secret)
    assert (told.type, told.object) == ("v1.customer.created", "v2.core.event")
    assert (told.related_object.id, told.related_object.url) == (customer.id, f"/v1/customers/{customer.id}")
    assert told.reason.request.idempotency_key == "k"
    assert told.created.endswith("Z")
    assert told.fetch_related_object().name == "Ann"
    fetched = told.fetch_event()
    (snapshot,) = v1.events.list({"type": "customer.created"}).data
    assert (fetched.id, fetched.snapshot_event) == (told.id, snapshot.id)
    assert told.id != snapshot.id
    assert "data" not in json.loads(body)


def test_thin_and_whole_events_go_side_by_side(v1: Any, shop: Shop) -> None:
    with Listener() as listener:
        v1.webhook_endpoints.create({"url": listener.url, "enabled_events": ["*"]})
        v1.webhook_endpoints.create({"url": listener.url, "enabled_events": ["*"], "metadata": {"sandbox_thin": "1"}})
        v1.customers.create()
        settle(shop)
        assert sorted(listener.types()) == ["customer.created", "v1.customer.created"]


def test_what_has_no_id_has_nothing_to_fetch(desk: Any) -> None:
    desk.settings(payouts="daily")
    with Listener() as listener:
        desk.v1.webhook_endpoints.create(
            {
                "url": listener.url,
                "enabled_events": ["invoice.upcoming", "balance.available"],
                "metadata": {"sandbox_thin": "1"},
            }
        )
        desk.subscribe()
        desk.shop.advance("25d")
        related = {json.loads(body)["type"]: json.loads(body)["related_object"] for _, body in listener.received}
    assert related == {
        "v1.invoice.upcoming": None,
        "v1.balance.available": {"type": "balance", "url": "/v1/balance"},
    }


def test_every_kind_of_related_object_can_be_fetched(desk: Any) -> None:
    """Addresses are made from the object's name: each must lead to a route."""
    shop = desk.shop
    subscription = desk.subscribe()
    invoice = subscription.latest_invoice
    v1 = desk.v1
    charge = v1.charges.list().data[0]
    v1.refunds.create({"charge": charge.id, "amount": 100})
    coupon = v1.coupons.create({"percent_off": 10, "duration": "once"})
    v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}})
    v1.tax_rates.create({"display_name": "VAT", "percentage": 20, "inclusive": False})
    v1.invoice_items.create({"customer": subscription.customer, "amount": 5, "currency": "usd"})
    v1.subscription_schedules.create({"from_subscription": subscription.id})
    v1.credit_notes.create({"invoice": invoice.id, "amount": 50, "credit_amount": 50})
    shop.control("POST", "disputes", {"payment_intent": charge.payment_intent, "amount": 100})
    v1.setup_intents.create({"customer": subscription.customer})
    shop.advance("3d")
    shop.control("POST", "payouts/run", {})
    fetched = set()
    for event in shop.event_objects():
        related = shop.http.get(f"/v2/core/events/evt_test_{event['id'][4:]}").json()["related_object"]
        if related and related["type"] not in fetched:
            found = shop.http.get(related["url"]).json()
            assert found.get("object") == related["type"], found
            fetched.add(related["type"])
    assert len(fetched) >= 17


@pytest.mark.parametrize("id", ["evt_test_nowhere", "evt_nowhere", "x"])
def test_an_unknown_thin_event_is_missing(shop: Shop, id: str) -> None:
    answer = shop.http.get(f"/v2/core/events/{id}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "resource_missing")


def test_a_rolled_secret_leaves_the_old_one_valid_for_a_day(v1: Any, shop: Shop) -> None:
    with Listener() as listener:
        made = v1.webhook_endpoints.create({"url": listener.url, "enabled_events": ["customer.created"]})
        rolled = shop.control("POST", f"webhook_endpoints/{made.id}/roll", {})["secret"]
        assert rolled != made.secret
        v1.customers.create()
        settle(shop)
        shop.advance("1d")
        v1.customers.create()
        settle(shop)
        (during, first), (after, second) = listener.received
    assert signature(during).count("v1=") == 2
    for secret in (made.secret, rolled):
        assert stripe.Webhook.construct_event(first, signature(during), secret).type == "customer.created"
    assert signature(after).count("v1=") == 1
    assert stripe.Webhook.construct_event(second, signature(after), rolled).type == "customer.created"
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(second, signature(after), made.secret)


def test_a_secret_rolled_at_once_ends_the_old_one(v1: Any, shop: Shop) -> None:
    with Listener() as listener:
        made = v1.webhook_endpoints.create({"url": listener.url, "enabled_events": ["customer.created"]})
        rolled = shop.control("POST", f"webhook_endpoints/{made.id}/roll", {"expires_in_s": 0})["secret"]
        v1.customers.create()
        settle(shop)
        ((headers, body),) = listener.received
    assert signature(headers).count("v1=") == 1
    assert stripe.Webhook.construct_event(body, signature(headers), rolled)


def test_a_roll_that_makes_no_sense_is_refused(v1: Any, shop: Shop) -> None:
    made = v1.webhook_endpoints.create({"url": "http://localhost:1/", "enabled_events": ["*"]})
    for wish in (-1, "1d", True, 7 * 86_400 + 1):
        said = shop.control("POST", f"webhook_endpoints/{made.id}/roll", {"expires_in_s": wish}, status=400)
        assert said["error"]["param"] == "expires_in_s"
    shop.control("POST", "webhook_endpoints/we_x/roll", {}, status=404)
