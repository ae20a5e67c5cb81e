"""What the routes answer, over real HTTP: one story per noun."""

import hashlib
import hmac
import re
import time
from typing import Any

import httpx
import msgspec
import pytest

from paywright.api.routes import ROUTES
from paywright.environments.actions import add_webhook_secret
from paywright.worker import Worker
from tests.harness.house import House
from tests.harness.waiting import until

ANNE = "/v1/customers/user/anne"
CREDITS = f"{ANNE}/items/credits"
WHSEC = "whsec_of_a_test"


def pages(house: House, path: str, limit: int) -> list[list[Any]]:
    """Every page of a list."""
    found: list[list[Any]] = []
    cursor = ""
    while True:
        joined = "&" if "?" in path else "?"
        page = house.get(f"{path}{joined}limit={limit}{cursor}").json()
        found.append(page["data"])
        assert page["has_more"] == (page["next_cursor"] is not None)
        if not page["has_more"]:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def test_e2_a_granted_plan_tells_its_story_in_order(house: House) -> None:
    house.post(f"{ANNE}/products", {"product_id": "pro"})
    events = house.get("/v1/events?customer_type=user&customer_id=anne").json()["data"]
    assert [(each["sequence"], each["type"]) for each in reversed(events)] == [
        (1, "product.granted"),
        (2, "subscription.started"),
        (3, "item.balance_changed"),
        (4, "customer.state_changed"),
    ]
    assert house.get("/v1/events?type=product.granted").json()["data"][0]["data"]["product"]["product_id"] == "pro"
    assert house.get("/v1/events?customer_type=team").json()["data"] == []


def test_a_list_in_pages_is_the_list(house: House) -> None:
    for _ in range(5):
        house.post(f"{CREDITS}/increase", {"quantity": 1})
    house.post(f"{ANNE}/products", {"product_id": "pack"})
    for path in ("/v1/events", f"{CREDITS}/entries", "/v1/customers"):
        whole = house.get(f"{path}?limit=100").json()["data"]
        for limit in (1, 2, 3):
            assert [each for page in pages(house, path, limit) for each in page] == whole, path
    assert [each["seq"] for each in house.get(f"{CREDITS}/entries").json()["data"]] == [6, 5, 4, 3, 2, 1]


def test_the_state_of_a_customer_is_everything_at_once(house: House) -> None:
    assert house.get(ANNE).json() == {
        "customer": {"type": "user", "id": "anne"},
        "version": 0,
        "products": [],
        "items": [house.get(CREDITS).json()],
        "billing": {
            "has_stripe_customer": False,
            "stripe_customer_id": None,
            "email": None,
            "default_payment_method": None,
        },
    }
    house.post(f"{ANNE}/products", {"product_id": "pro"})
    state = house.get(ANNE).json()
    assert state["version"] == 1
    assert state["products"] == house.get(f"{ANNE}/products").json()["data"]
    assert state["items"] == house.get(f"{ANNE}/items").json()["data"]
    assert house.get("/v1/customers").json()["data"][0]["customer"] == {"type": "user", "id": "anne"}


def test_a_subscription_is_canceled_resumed_and_revoked(house: House) -> None:
    owned = house.post(f"{ANNE}/products", {"product_id": "pro"}).json()
    assert (owned["type"], owned["source"], owned["ends_at"]) == ("subscription", "grant", None)
    canceled = house.post(f"{ANNE}/products/pro/cancel").json()
    assert canceled["ends_at"] == owned["subscription"]["current_period_end"]
    assert house.post(f"{ANNE}/products/{owned['id']}/resume").json()["ends_at"] is None
    answer = house.post(f"{ANNE}/products/pro/resume")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "nothing_to_resume")
    house.post(f"{ANNE}/products/pro/revoke")
    assert house.get(f"{ANNE}/products").json()["data"] == []
    assert house.get(CREDITS).json()["quantity"] == 0


def test_an_inline_product_is_granted_and_named_by_its_id(house: House) -> None:
    product = {"display_name": "A thank-you", "included_items": {"credits": {"quantity": 7, "expires": "never"}}}
    owned = house.post(f"{ANNE}/products", {"product": product, "reason": "a bug found"}).json()
    assert (owned["product_id"], owned["display_name"]) == (None, "A thank-you")
    assert house.get(CREDITS).json()["quantity"] == 7
    assert house.post(f"{ANNE}/products/{owned['id']}/revoke").status_code == 200
    assert house.get(f"{ANNE}/products").json()["data"] == []


def test_time_moves_forward_and_what_is_due_is_seen(house: House) -> None:
    house.post(f"{ANNE}/products", {"product_id": "pro"})
    house.post(f"{CREDITS}/decrease", {"quantity": 60})
    before = house.get("/v1/environment").json()["now"]
    now = house.post("/v1/environment/clock", {"advance": "31d"}).json()["now"]
    assert now > before
    assert house.get(CREDITS).json()["quantity"] == 100
    past = house.get(CREDITS, params={"as_of": before}).json()["quantity"]
    assert past == 40
    expired = house.post(f"{CREDITS}/increase", {"quantity": 5, "expires_at": before})
    assert expired.json()["quantity"] == 100


def test_settled_says_what_is_waited_for(house: House) -> None:
    house.post(f"{ANNE}/products", {"product_id": "pro"})
    house.post("/v1/environment/clock", {"advance": "40d"})
    answer = house.get("/v1/environment/settled")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_settled")
    assert answer.json()["error"]["facts"]["waiting"]["balances"] == 1
    with Worker(house.app):
        until(lambda: house.get("/v1/environment/settled").status_code == 200, "the worker to settle everything")
    assert house.get("/v1/environment/settled").json() == {"settled": True}
    kinds = [each["data"]["kind"] for each in house.get("/v1/events?type=item.balance_changed").json()["data"]]
    assert kinds == ["expiry", "repeat", "included"]


def test_switches_of_the_environment_act(house: House) -> None:
    house.ask("PATCH", "/v1/environment", json={"block_new_purchases": True})
    body = {
        "customer": {"type": "user", "id": "anne"},
        "line_items": [{"product_id": "pack"}],
        "success_url": "https://a.example",
        "cancel_url": "https://a.example",
    }
    assert house.post("/v1/checkout-sessions", body).json()["error"]["code"] == "purchases_blocked"
    assert house.post(f"{ANNE}/products", {"product_id": "pack"}).status_code == 201
    changed = house.ask(
        "PATCH", "/v1/environment", json={"block_new_purchases": False, "access": {"past_due": 7}}
    ).json()
    assert (changed["block_new_purchases"], changed["access"]["past_due"]) == (False, 7)
    assert house.post("/v1/checkout-sessions", body).status_code == 201


def test_the_catalog_is_put_compared_and_kept_in_versions(house: House) -> None:
    catalog = house.get("/v1/catalog").json()
    assert house.ask("PUT", "/v1/catalog", json=catalog).json()["changed"] is False
    catalog["products"]["pack"]["display_name"] = "A hundred credits"
    compared = house.post("/v1/catalog/diff", catalog).json()
    assert [each["path"] for each in compared["changes"]] == ["products.pack.display_name"]
    assert house.get("/v1/catalog").json()["version"] == catalog["version"]
    applied = house.ask("PUT", "/v1/catalog", json=catalog).json()
    assert (applied["changed"], applied["version"]) == (True, catalog["version"] + 1)
    stale = house.ask("PUT", "/v1/catalog", json=catalog)
    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "catalog_conflict")
    assert house.get("/v1/products/pack").json()["display_name"] == "A hundred credits"


# Stripe's door.


def deliver(
    house: House, body: bytes, *, secret: str = WHSEC, age_s: int = 0, path: str = "/webhooks/stripe/test"
) -> httpx.Response:
    stamp = int(time.time()) - age_s
    signature = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return house.post(path, key=None, content=body, headers={"Stripe-Signature": f"t={stamp},v1={signature}"})


@pytest.fixture
def receiving(house: House) -> House:
    with house.app.work("test") as work:
        add_webhook_secret(work, house.app.settings, WHSEC)
    return house


def event(**changes: Any) -> bytes:
    told = {
        "id": "evt_1",
        "object": "event",
        "type": "customer.created",
        "livemode": False,
        "data": {"object": {"id": "cus_1", "object": "customer"}},
        **changes,
    }
    return msgspec.json.encode(told)


def test_a_genuine_event_is_received_once(receiving: House) -> None:
    for _ in range(2):
        answer = deliver(receiving, event(type="terminal.reader.action_failed"))
        assert (answer.status_code, answer.json()) == (200, {"received": True})
    (stored,) = receiving.get("/v1/stripe-events").json()["data"]
    assert (stored["id"], stored["status"], stored["reason"]) == ("evt_1", "ignored", "unknown_type")
    shown = receiving.get("/v1/stripe-events/evt_1").json()
    assert shown["payload"]["type"] == "terminal.reader.action_failed"
    assert receiving.post("/v1/stripe-events/evt_1/replay").json()["status"] == "ignored"
    assert receiving.get("/v1/stripe-events?status=failed").json()["data"] == []


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"secret": "whsec_wrong"}, "wrong"), ({"age_s": 301}, "stale"), ({"age_s": -302}, "future")],
)
def test_a_bad_signature_is_refused_and_nothing_is_stored(
    receiving: House, options: dict[str, Any], reason: str
) -> None:
    answer = deliver(receiving, event(), **options)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_signature")
    assert answer.json()["error"]["facts"] == {"reason": reason}
    assert receiving.get("/v1/stripe-events").json()["data"] == []


def test_a_delivery_that_cannot_be_one_is_refused(receiving: House) -> None:
    assert receiving.post("/webhooks/stripe/test", key=None, content=event()).status_code == 400
    assert deliver(receiving, event(), path="/webhooks/stripe/nowhere").status_code == 404
    assert deliver(receiving, event(), path="/webhooks/stripe/%00").status_code == 404
    assert deliver(receiving, b"x" * 2_200_000).status_code == 413
    assert deliver(receiving, b"{").status_code == 400


def test_without_a_webhook_secret_nothing_can_be_verified(sqlite_house: House) -> None:
    answer = deliver(sqlite_house, event())
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "webhook_secret_missing")


# Documents and the machine.


def test_the_document_names_every_route(shared_house: House) -> None:
    document = shared_house.get("/openapi.json", key=None).json()
    assert document["openapi"] == "3.1.0"
    named = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert named == {(route.method, route.path) for route in ROUTES}
    operations = [each["operationId"] for methods in document["paths"].values() for each in methods.values()]
    assert len(set(operations)) == len(operations)
    assert all(each.isidentifier() for each in operations)
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', msgspec.json.encode(document).decode()))
    assert references <= set(document["components"]["schemas"])


def test_the_docs_load_nothing_from_elsewhere(shared_house: House) -> None:
    page = shared_house.get("/docs", key=None)
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
    assert re.findall(r'(?:src|href)="(?:\w+:|//)[^"]*"', page.text) == []
    assert "<script" not in page.text
    assert shared_house.get("/docs/style.css", key=None).headers["content-type"] == "text/css; charset=utf-8"
    for route in ROUTES:
        assert f"<code>{route.path}</code>" in page.text


def test_health_and_metrics(shared_house: House) -> None:
    assert shared_house.get("/healthz", key=None).json() == {"status": "ok"}
    assert shared_house.get("/readyz", key=None).json() == {"status": "ready"}
    shared_house.get(f"{ANNE}/items/credits")
    text = shared_house.get("/metrics", key=None).text
    assert 'route="/v1/customers/{customer_type}/{customer_id}/items/{item_id}",status="200"' in text
    assert "anne" not in text


def test_every_answer_has_the_safe_headers(shared_house: House) -> None:
    for path in ("/healthz", "/v1/products", "/nothing", "/docs"):
        headers = shared_house.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["request-id"].startswith("req_")
        assert "server" not in headers


def test_an_origin_is_answered_as_the_environment_says(house: House) -> None:
    preflight = house.ask("OPTIONS", "/v1/products", key=None, headers={"Origin": "https://a.example"})
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (204, "https://a.example")
    assert "Idempotency-Key" in preflight.headers["access-control-allow-headers"]
    house.ask("PATCH", "/v1/environment", json={"allowed_origins": ["https://b.example"]})
    for path, method in (("/v1/products", "GET"), (f"{CREDITS}/decrease", "POST"), ("/v1/products/nope", "GET")):
        a = house.ask(method, path, headers={"Origin": "https://a.example"})
        b = house.ask(method, path, headers={"Origin": "https://b.example"})
        assert "access-control-allow-origin" not in a.headers, path
        assert b.headers["access-control-allow-origin"] == "https://b.example", path
        assert "access-control-allow-credentials" not in b.headers


def test_a_url_of_another_origin_is_refused_without_a_secret_key(sqlite_house: House) -> None:
    from paywright.kernel.model import Customer

    sqlite_house.ask("PATCH", "/v1/environment", json={"allowed_origins": ["https://b.example"]})
    token = sqlite_house.token(Customer("user", "anne"))
    body = {
        "customer": {"type": "user", "id": "anne"},
        "line_items": [{"product_id": "pack"}],
        "success_url": "https://a.example/ok",
        "cancel_url": "https://b.example/no",
    }
    answer = sqlite_house.post("/v1/checkout-sessions", body, key=token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "url_not_allowed")
    assert sqlite_house.post("/v1/checkout-sessions", body).status_code == 201


def test_the_log_holds_no_secret(sqlite_house: House, caplog: pytest.LogCaptureFixture) -> None:
    token = "c" * 40
    with caplog.at_level("DEBUG", logger="paywright"):
        sqlite_house.get(f"/v1/customers/guest/{token}?limit=secret-query")
        sqlite_house.get(f"/v1/claims/{token}")
        sqlite_house.get("/v1/products", key="pw_sk_test_not-a-key-but-secret")
        sqlite_house.post("/v1/keys", {"kind": "secret"})

    def lines() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == "paywright.access"]

    until(lambda: len(lines()) == 4, "the last line, which is written when the answer is out")
    assert [line.split()[1] for line in lines()] == [
        "/v1/customers/guest/***",
        "/v1/claims/***",
        "/v1/products",
        "/v1/keys",
    ]
    for secret in (token, "secret-query", "not-a-key-but-secret", sqlite_house.secret_key):
        assert secret not in caplog.text
