"""Events that are not about us, not known to us, or not from Stripe."""

import hashlib
import hmac
import json
import time
from typing import Any

import httpx
import pytest

from tests.flows.sandbox import PAYS
from tests.flows.shop import Shop


def event(**changes: Any) -> bytes:
    found = {
        "id": "evt_strange",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(time.time()),
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": "comet.sighted",
        "data": {"object": {"id": "comet_1", "object": "comet"}},
        **changes,
    }
    return json.dumps(found).encode()


def deliver(
    shop: Shop, body: bytes, *, secret: str | None = None, shifted_s: int = 0, to: str | None = None
) -> httpx.Response:
    stamp = int(time.time()) + shifted_s
    mac = hmac.new((secret or shop.webhook_secret).encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return httpx.post(
        f"{shop.server.url}/webhooks/stripe/{to or shop.environment_id}",
        content=body,
        headers={"Stripe-Signature": f"t={stamp},v1={mac}"},
    )


def test_an_unknown_type_is_kept_and_ignored(shop: Shop) -> None:
    answer = deliver(shop, event())
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    shop.settle()
    kept = shop.client.get_stripe_event("evt_strange")
    assert (kept.status, kept.reason) == ("ignored", "unknown_type")


def test_a_live_event_in_a_test_environment_is_ignored(shop: Shop) -> None:
    deliver(
        shop,
        event(
            type="checkout.session.completed",
            livemode=True,
            data={"object": {"id": "cs_live_1", "object": "checkout.session"}},
        ),
    )
    shop.settle()
    kept = shop.client.get_stripe_event("evt_strange")
    assert (kept.status, kept.reason) == ("ignored", "wrong_mode")


def test_an_event_about_nothing_that_still_exists_is_ignored(shop: Shop) -> None:
    deliver(
        shop,
        event(type="checkout.session.completed", data={"object": {"id": "cs_test_gone", "object": "checkout.session"}}),
    )
    shop.settle()
    kept = shop.client.get_stripe_event("evt_strange")
    assert (kept.status, kept.reason) == ("ignored", "object_gone")


def test_what_somebody_else_sells_in_the_same_account_is_not_ours(shop: Shop) -> None:
    """A payment and a checkout made without Paywright, by another program with the same Stripe account."""
    form = {
        "mode": "payment",
        "success_url": "https://other.example/",
        "line_items[0][quantity]": 1,
        "line_items[0][price_data][currency]": "usd",
        "line_items[0][price_data][unit_amount]": 5000,
        "line_items[0][price_data][product_data][name]": "A sofa",
        "payment_intent_data[metadata][foreign]": "yes",
    }
    foreign = shop.account.post("/v1/checkout/sessions", form=form)
    shop.account.pay(foreign["id"], PAYS)
    shop.settle()
    shop.buy("u_1", "pack")
    assert {payment.amount.amount for payment in shop.client.list_payments().data} == {1000}
    completed = shop.client.list_stripe_events(type="checkout.session.completed").data
    assert sorted((each.status, each.reason) for each in completed) == [("ignored", "not_ours"), ("processed", None)]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"secret": "whsec_wrong"}, "wrong"),
        ({"shifted_s": -400}, "stale"),
        ({"shifted_s": 400}, "future"),
    ],
)
def test_a_bad_signature_is_refused_and_nothing_is_kept(shop: Shop, given: dict[str, Any], reason: str) -> None:
    answer = deliver(shop, event(), **given)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_signature")
    assert reason in answer.json()["error"]["facts"]["reason"]
    assert shop.http.get("/v1/stripe-events/evt_strange").status_code == 404


def test_an_unknown_environment_is_not_found(shop: Shop) -> None:
    answer = deliver(shop, event(), to="elsewhere")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "environment_not_found")
