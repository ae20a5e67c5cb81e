"""The same promises in every framework, over real HTTP, on both databases."""

import hashlib
import hmac
import json
import time
from typing import Any

import httpx
import pytest

from paywright.environments.actions import add_webhook_secret
from paywright.kernel.refusals import REFUSALS
from tests.harness.waiting import until
from tests.integrations.sites import HEADER, POST, Site

WHSEC = "whsec_of_a_test"


def ask(site: Site, method: str, path: str, user: str | None = None) -> httpx.Response:
    return httpx.request(method, f"{site.url}{path}", headers={HEADER: user} if user else {}, timeout=30)


def refused(answer: httpx.Response) -> dict[str, Any]:
    """The error, in the one shape, with the status its code has."""
    (error,) = answer.json().values()
    assert set(error) <= {"code", "message", "param", "facts", "request_id"}
    assert answer.headers["content-type"] == "application/json"
    assert REFUSALS[error["code"]][0] == answer.status_code
    return dict(error)


def test_who_owns_nothing_is_refused_with_what_would_open_it(site: Site) -> None:
    error = refused(ask(site, "GET", "/essay", "anne"))
    assert error["code"] == "not_entitled"
    assert error["facts"]["required"] == {"products": ["pro", "team"]}
    assert error["facts"]["reason"] == "not_owned"
    assert [option["product_id"] for option in error["facts"]["upgrade_options"]] == ["pro", "team"]
    site.pay.user("anne").grant_product("team")
    assert ask(site, "GET", "/essay", "anne").json() == POST


def test_a_stranger_is_asked_who_they_are(site: Site) -> None:
    for method, path in (("GET", "/essay"), ("POST", "/haiku"), ("GET", "/post")):
        assert refused(ask(site, method, path))["code"] == "unauthenticated"


def test_units_are_looked_at_then_spent_by_the_view(site: Site) -> None:
    error = refused(ask(site, "POST", "/haiku", "bob"))
    assert (error["code"], error["facts"]["required"]) == ("not_entitled", {"item": "credits", "quantity": 2})
    assert (error["facts"]["remaining"], error["facts"]["reason"]) == (0, "insufficient_quantity")
    assert [option["product_id"] for option in error["facts"]["upgrade_options"]] == ["pro", "pack"]
    site.pay.user("bob").get_item("credits").increase_quantity(3)
    assert ask(site, "POST", "/haiku", "bob").json() == {"left": 1}
    assert refused(ask(site, "POST", "/haiku", "bob"))["facts"]["remaining"] == 1


def test_what_a_view_is_refused_is_an_answer_too(site: Site) -> None:
    error = refused(ask(site, "POST", "/spend/5", "carl"))
    assert (error["code"], error["facts"]) == ("insufficient_quantity", {"requested": 5, "available": 0})
    assert refused(ask(site, "POST", "/spend/0", "carl"))["param"] == "quantity"


def test_fields_are_left_out_not_refused(site: Site) -> None:
    assert ask(site, "GET", "/post", "dora").json() == {"title": "T"}
    site.pay.user("dora").grant_product("pro")
    assert ask(site, "GET", "/post", "dora").json() == POST


def test_a_gate_on_what_there_is_not_is_a_bug_that_does_not_show(site: Site) -> None:
    answer = ask(site, "GET", "/typo", "emil")
    assert answer.status_code == 500
    assert "prp" not in answer.text


def test_the_whole_api_answers_below_the_prefix(site: Site) -> None:
    with httpx.Client(base_url=site.api, headers={"Authorization": f"Bearer {site.secret_key}"}, timeout=30) as api:
        assert api.get("/readyz").json() == {"status": "ready"}
        assert api.get("/openapi.json").json()["openapi"].startswith("3.1")
        assert 'href="docs/style.css"' in api.get("/docs").text
        assert api.get("/docs/style.css").headers["content-type"].startswith("text/css")
        spent = api.post("/v1/customers/user/fred/items/credits/increase", json={"quantity": 5})
        assert (spent.status_code, spent.json()["quantity"]) == (200, 5)
        assert {"request-id", "x-content-type-options"} <= spent.headers.keys()
        assert api.get("/v1/customers/user/fred/items?limit=1").status_code == 400
        keyed = {"Idempotency-Key": "once"}
        bodies = [
            api.post("/v1/customers/user/fred/items/credits/decrease", json={"quantity": 2}, headers=keyed).json()
            for _ in range(2)
        ]
        assert [body["quantity"] for body in bodies] == [3, 3]
        sold = {
            "line_items": [{"product_id": "pack"}],
            "success_url": "https://a.example",
            "cancel_url": "https://a.example",
        }
        session = api.post("/v1/checkout-sessions", json={"customer": {"type": "user", "id": "fred"}, **sold})
        assert (session.status_code, session.json()["status"]) == (201, "completed")
    assert site.pay.user("fred").get_item("credits").quantity == 103
    assert 'route="/v1/checkout-sessions"' in httpx.get(f"{site.api}/metrics").text


def test_the_api_refuses_as_it_does_on_its_own(site: Site) -> None:
    key = {"Authorization": f"Bearer {site.secret_key}"}
    for method, path, options, code in (
        ("GET", "/v1/catalog", {}, "unauthenticated"),
        ("GET", "/v1/catalog", {"headers": {"Authorization": f"Bearer {site.publishable_key}"}}, "secret_key_required"),
        ("GET", "/v1/nowhere", {"headers": key}, "not_found"),
        ("GET", "/", {"headers": key}, "not_found"),
        ("DELETE", "/v1/products", {"headers": key}, "method_not_allowed"),
        ("PUT", "/v1/catalog", {"headers": key, "content": b"x" * (1024 * 1024 + 1)}, "body_too_large"),
        ("PUT", "/v1/catalog", {"headers": key, "content": b"{"}, "invalid_request"),
        ("POST", "/webhooks/stripe/nowhere", {"content": b"{}"}, "environment_not_found"),
    ):
        answer = httpx.request(method, f"{site.api}{path}", timeout=30, **options)
        assert refused(answer)["code"] == code, (method, path)
    assert httpx.delete(f"{site.api}/v1/products").headers["allow"] == "GET"


def test_a_browser_of_another_origin_may_read_it(site: Site) -> None:
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}
    preflight = httpx.options(f"{site.api}/v1/products", headers=asked)
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (204, "https://shop.example")
    key = {"Authorization": f"Bearer {site.publishable_key}", "Origin": "https://shop.example"}
    answer = httpx.get(f"{site.api}/v1/products", headers=key)
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"


def test_a_slash_in_an_id_stays_in_it(site: Site) -> None:
    if site.framework == "django":
        return  # Its development server does not tell the path as it was sent; `test_django` asks the view itself.
    site.pay.user("a/b é").get_item("credits").increase_quantity(4)
    answer = httpx.get(
        f"{site.api}/v1/customers/user/a%2Fb%20%C3%A9/items/credits",
        headers={"Authorization": f"Bearer {site.secret_key}"},
    )
    assert answer.json()["quantity"] == 4


def signed(payload: bytes) -> dict[str, str]:
    at = int(time.time())
    signature = hmac.new(WHSEC.encode(), f"{at}.".encode() + payload, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={at},v1={signature}"}


def test_stripes_events_are_taken_in_and_acted_on_in_this_process(site: Site) -> None:
    with site.pay.app.work("test") as work:
        add_webhook_secret(work, site.pay.app.settings, WHSEC)
    event = {"id": "evt_1", "object": "event", "type": "unheard.of", "livemode": False, "created": int(time.time())}
    payload = json.dumps({**event, "api_version": "2025-09-30", "data": {"object": {"object": "thing"}}}).encode()
    door = f"{site.api}/webhooks/stripe/test"
    assert refused(httpx.post(door, content=payload))["code"] == "bad_signature"
    assert httpx.post(door, content=payload, headers=signed(payload)).json() == {"received": True}
    assert httpx.post(door, content=payload, headers=signed(payload)).json() == {"received": True}
    until(lambda: site.pay.get_stripe_event("evt_1").status == "ignored", "the worker in the app")
    assert len(site.pay.list_stripe_events()) == 1


@pytest.mark.parametrize("path", ["/paywright/healthz", "/healthz", "/payx/healthz"])
def test_outside_the_prefix_the_app_answers(site: Site, path: str) -> None:
    assert "request-id" not in ask(site, "GET", path).headers
