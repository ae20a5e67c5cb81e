"""Every malformed or forbidden request gets its documented error, and changes nothing."""

from typing import Any

import pytest

from paywright.kernel.model import Customer
from tests.harness.house import House

ITEM = "/v1/customers/user/u_1/items/credits"
SESSION: dict[str, Any] = {
    "customer": {"type": "user", "id": "u_1"},
    "line_items": [{"product_id": "pack"}],
    "success_url": "https://app.example/thanks",
    "cancel_url": "https://app.example/prices",
}


def session(**changes: Any) -> dict[str, Any]:
    return {"json": {**SESSION, **changes}}


def line(**changes: Any) -> dict[str, Any]:
    return session(line_items=[{"product_id": "pack", **changes}])


def raw(body: bytes) -> dict[str, Any]:
    return {"content": body}


CHECKOUTS: dict[str, tuple[dict[str, Any], int, str, str | None]] = {
    "unknown product": (line(product_id="nope"), 404, "product_not_found", None),
    "no such price": (line(price_id="nope"), 404, "price_not_found", None),
    "price of another product": (line(price_id="monthly"), 404, "price_not_found", None),
    "wrong customer type": (session(customer={"type": "team", "id": "t"}), 422, "customer_type_mismatch", None),
    "unknown customer type": (session(customer={"type": "cat", "id": "t"}), 400, "invalid_request", "customer"),
    "empty customer id": (session(customer={"type": "user", "id": ""}), 400, "invalid_request", "customer"),
    "customer id too long": (session(customer={"type": "user", "id": "x" * 256}), 400, "invalid_request", "customer"),
    "quantity 0": (line(quantity=0), 400, "invalid_request", "line_items[0].quantity"),
    "quantity negative": (line(quantity=-1), 400, "invalid_request", "line_items[0].quantity"),
    "quantity 2^60": (line(quantity=2**60), 400, "invalid_request", "line_items[0].quantity"),
    "quantity a fraction": (line(quantity=1.5), 400, "invalid_request", "line_items[0].quantity"),
    "quantity a text": (line(quantity="5"), 400, "invalid_request", "line_items[0].quantity"),
    "quantity true": (line(quantity=True), 400, "invalid_request", "line_items[0].quantity"),
    "quantity 2 of a plan": (session(line_items=[{"product_id": "pro", "quantity": 2}]), 422, "not_stackable", None),
    "units beyond 2^53": (line(quantity=2**50), 422, "quantity_too_large", None),
    "amount too large": (line(quantity=200_000), 422, "amount_too_large", None),
    "currency not sold": (session(currency="eur"), 422, "currency_not_available", None),
    "no currency at all": (session(currency="doubloon"), 422, "currency_not_available", None),
    "no lines": (session(line_items=[]), 400, "invalid_request", None),
    "twenty-one lines": (session(line_items=[{"product_id": "pack"}] * 21), 400, "invalid_request", None),
    "same product twice": (session(line_items=[{"product_id": "pack"}] * 2), 422, "duplicate_line_item", None),
    "two of one line": (
        session(line_items=[{"product_id": "pro"}, {"product_id": "team"}]),
        422,
        "line_conflict",
        None,
    ),
    "not for sale": (session(line_items=[{"product_id": "gift"}]), 422, "not_for_sale", None),
    "neither product": (session(line_items=[{}]), 400, "invalid_request", None),
    "both products": (line(product={"prices": {}}), 400, "invalid_request", None),
    "bad inline product": (
        session(line_items=[{"product": {"prices": {"once": {"amounts": {"usd": "1.999"}}}}}]),
        422,
        "invalid_catalog",
        None,
    ),
    "reserved metadata": (session(metadata={"paywright_customer": "user:x"}), 422, "reserved_metadata", None),
    "metadata of numbers": (session(metadata={"a": 1}), 400, "invalid_request", "metadata[...]"),
    "too much metadata": (session(metadata={str(n): "x" for n in range(41)}), 400, "invalid_request", "metadata"),
    "javascript url": (session(success_url="javascript:alert(1)"), 400, "invalid_request", "success_url"),
    "relative url": (session(cancel_url="/prices"), 400, "invalid_request", "cancel_url"),
    "url with a line break": (session(cancel_url="https://a\nb"), 400, "invalid_request", "cancel_url"),
    "no success url": (
        {"json": {k: v for k, v in SESSION.items() if k != "success_url"}},
        400,
        "invalid_request",
        "success_url",
    ),
    "unknown ui": (session(ui="carrier pigeon"), 400, "invalid_request", "ui"),
    "a claim token beside a customer": (session(claim_token="A1b2C3d4E5" * 4), 400, "invalid_request", "claim_token"),
    "no success URL": (session(success_url=None), 400, "invalid_request", "success_url"),
    "a subscription in the app": (
        session(ui="elements", line_items=[{"product_id": "pro"}]),
        400,
        "invalid_request",
        "line_items",
    ),
    "weak claim token": (session(customer=None, claim_token="a" * 40), 422, "weak_claim_token", None),
    "K8: a guest subscribes": (
        session(customer=None, line_items=[{"product_id": "pro"}]),
        422,
        "guest_one_time_only",
        None,
    ),
    "unknown field": (session(colour="red"), 400, "invalid_request", "colour"),
    "bad json": (raw(b"{"), 400, "invalid_request", "body"),
    "not utf-8": (raw(b'{"success_url": "\xff"}'), 400, "invalid_request", "body"),
    "a list": (raw(b"[]"), 400, "invalid_request", "body"),
    "nested too deeply": (raw(b'{"metadata":' + b'{"a":' * 100_000), 400, "invalid_request", None),
    "NUL in text": (raw(b'{"success_url": "\\u0000"}'), 400, "invalid_request", "body"),
    "lone surrogate": (raw(b'{"success_url": "\\ud800"}'), 400, "invalid_request", "body"),
    "over the limit": (raw(b'{"a": "' + b"x" * 1_100_000 + b'"}'), 413, "body_too_large", None),
}


@pytest.mark.parametrize("name", CHECKOUTS)
def test_a_bad_checkout_is_refused(shared_house: House, name: str) -> None:
    options, status, code, param = CHECKOUTS[name]
    before = shared_house.get("/v1/events").json()["data"]
    answer = shared_house.post("/v1/checkout-sessions", **options)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    if param is not None:
        assert answer.json()["error"]["param"] == param
    assert shared_house.get("/v1/events").json()["data"] == before


OTHERS: dict[str, tuple[str, str, dict[str, Any], int, str]] = {
    "unknown path": ("GET", "/v1/nothing", {}, 404, "not_found"),
    "root": ("GET", "/", {}, 404, "not_found"),
    "an empty id": ("GET", "/v1/customers/user//items", {}, 404, "not_found"),
    "an empty id at the end": ("GET", "/v1/customers/user/", {}, 404, "not_found"),
    "wrong method": ("DELETE", "/v1/products", {}, 405, "method_not_allowed"),
    "unknown item": ("GET", "/v1/customers/user/u_1/items/nope", {}, 404, "item_not_found"),
    "item of teams": ("GET", "/v1/customers/user/u_1/items/seats", {}, 422, "customer_type_mismatch"),
    "unknown customer type": ("GET", "/v1/customers/cat/u_1", {}, 400, "invalid_request"),
    "path not utf-8": ("GET", "/v1/customers/user/%ff", {}, 400, "invalid_request"),
    "NUL in a path": ("GET", "/v1/customers/user/a%00b", {}, 400, "invalid_request"),
    "limit 0": ("GET", "/v1/events?limit=0", {}, 400, "invalid_request"),
    "limit 101": ("GET", "/v1/events?limit=101", {}, 400, "invalid_request"),
    "limit of words": ("GET", "/v1/events?limit=ten", {}, 400, "invalid_request"),
    "foreign cursor": ("GET", "/v1/payments?cursor=xyz", {}, 400, "invalid_request"),
    "cursor not base64": ("GET", "/v1/events?cursor=%F0%9F%98%80", {}, 400, "invalid_request"),
    "unknown parameter": ("GET", "/v1/events?colour=red", {}, 400, "invalid_request"),
    "parameter twice": ("GET", "/v1/events?limit=1&limit=2", {}, 400, "invalid_request"),
    "NUL in a parameter": ("GET", "/v1/events?type=a%00", {}, 400, "invalid_request"),
    "as_of without offset": ("GET", f"{ITEM}?as_of=2026-01-01T00:00:00", {}, 400, "invalid_request"),
    "as_of in the far future": ("GET", f"{ITEM}?as_of=2099-01-01T00:00:00Z", {}, 422, "as_of_too_far"),
    "increase of nothing": ("POST", f"{ITEM}/increase", {"json": {}}, 400, "invalid_request"),
    "increase 0": ("POST", f"{ITEM}/increase", {"json": {"quantity": 0}}, 400, "invalid_request"),
    "increase 2^60": ("POST", f"{ITEM}/increase", {"json": {"quantity": 2**60}}, 400, "invalid_request"),
    "increase of a text": ("POST", f"{ITEM}/increase", {"json": {"quantity": "5"}}, 400, "invalid_request"),
    "increase with a bad expiry": (
        "POST",
        f"{ITEM}/increase",
        {"json": {"quantity": 1, "expires_at": "tomorrow"}},
        400,
        "invalid_request",
    ),
    "increase with a query": ("POST", f"{ITEM}/increase?a=b", {"json": {"quantity": 1}}, 400, "invalid_request"),
    "decrease more than there is": (
        "POST",
        f"{ITEM}/decrease",
        {"json": {"quantity": 1}},
        402,
        "insufficient_quantity",
    ),
    "decrease over the limit": ("POST", f"{ITEM}/decrease", {"content": b" " * 1_100_000}, 413, "body_too_large"),
    "decrease of an unknown item": (
        "POST",
        "/v1/customers/user/u/items/x/decrease",
        {"json": {"quantity": 1}},
        404,
        "item_not_found",
    ),
    "empty idempotency key": (
        "POST",
        f"{ITEM}/increase",
        {"json": {"quantity": 1}, "headers": {"Idempotency-Key": ""}},
        400,
        "invalid_request",
    ),
    "idempotency key too long": (
        "POST",
        "/v1/customers/user/u_1/products",
        {"json": {"product_id": "pro"}, "headers": {"Idempotency-Key": "k" * 256}},
        400,
        "invalid_request",
    ),
    "grant of nothing": ("POST", "/v1/customers/user/u_1/products", {"json": {}}, 400, "invalid_request"),
    "grant of an unknown product": (
        "POST",
        "/v1/customers/user/u_1/products",
        {"json": {"product_id": "x"}},
        404,
        "product_not_found",
    ),
    "cancel what is not owned": ("POST", "/v1/customers/user/u_1/products/pro/cancel", {}, 404, "not_owned"),
    "cancel at another time": (
        "POST",
        "/v1/customers/user/u_1/products/pro/cancel",
        {"json": {"at": "dawn"}},
        400,
        "invalid_request",
    ),
    "a body where none belongs": (
        "POST",
        "/v1/customers/user/u_1/products/pro/resume",
        {"json": {"a": 1}},
        400,
        "invalid_request",
    ),
    "unknown session": ("GET", "/v1/checkout-sessions/chk_nope", {}, 404, "checkout_session_not_found"),
    "sync of an unknown session": (
        "POST",
        "/v1/checkout-sessions/chk_nope/sync",
        {},
        404,
        "checkout_session_not_found",
    ),
    "unknown payment": ("GET", "/v1/payments/pay_nope", {}, 404, "payment_not_found"),
    "unknown stripe event": ("GET", "/v1/stripe-events/evt_nope", {}, 404, "not_found"),
    "replay of an unknown one": ("POST", "/v1/stripe-events/evt_nope/replay", {}, 404, "not_found"),
    "payments of a custom": ("GET", "/v1/customers/custom/c/payments", {}, 422, "customer_type_mismatch"),
    "token for nobody": (
        "POST",
        "/v1/customer-tokens",
        {"json": {"customers": [], "ttl_s": 60}},
        400,
        "invalid_request",
    ),
    "token for a custom": (
        "POST",
        "/v1/customer-tokens",
        {"json": {"customers": [{"type": "custom", "id": "c"}], "ttl_s": 60}},
        422,
        "custom_by_secret_only",
    ),
    "token for ever": (
        "POST",
        "/v1/customer-tokens",
        {"json": {"customers": [{"type": "user", "id": "u"}], "ttl_s": 10**9}},
        400,
        "invalid_request",
    ),
    "key of a strange kind": ("POST", "/v1/keys", {"json": {"kind": "skeleton"}}, 400, "invalid_request"),
    "unknown key": ("DELETE", "/v1/keys/key_nope", {}, 404, "not_found"),
    "unknown setting": ("PATCH", "/v1/environment", {"json": {"colour": "red"}}, 400, "invalid_request"),
    "setting of the wrong kind": (
        "PATCH",
        "/v1/environment",
        {"json": {"block_new_purchases": "yes"}},
        400,
        "invalid_request",
    ),
    "clock backwards": (
        "POST",
        "/v1/environment/clock",
        {"json": {"to": "2001-01-01T00:00:00Z"}},
        409,
        "clock_backwards",
    ),
    "clock both ways": (
        "POST",
        "/v1/environment/clock",
        {"json": {"advance": "1d", "to": "2099-01-01T00:00:00Z"}},
        400,
        "invalid_request",
    ),
    "clock beyond the calendar": (
        "POST",
        "/v1/environment/clock",
        {"json": {"to": "9999-12-31T23:59:59Z"}},
        400,
        "invalid_request",
    ),
    "clock by for ever": ("POST", "/v1/environment/clock", {"json": {"advance": "999999999w"}}, 400, "invalid_request"),
    "expiry beyond the calendar": (
        "POST",
        f"{ITEM}/increase",
        {"json": {"quantity": 1, "expires_at": "9999-12-31T23:59:59-14:00"}},
        400,
        "invalid_request",
    ),
    "as_of before the calendar": (
        "GET",
        f"{ITEM}/entries?as_of=0001-01-01T00:00:00%2B14:00",
        {},
        400,
        "invalid_request",
    ),
    "cursor of a huge number": (
        "GET",
        f"{ITEM}/entries?cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5",
        {},
        400,
        "invalid_request",
    ),
    "grace for ever": ("PATCH", "/v1/environment", {"json": {"access": {"past_due": 10**30}}}, 400, "invalid_request"),
    "warned too early": ("PATCH", "/v1/environment", {"json": {"expiring_soon_hours": -1}}, 400, "invalid_request"),
    "clock by a fortnight": (
        "POST",
        "/v1/environment/clock",
        {"json": {"advance": "1 fortnight"}},
        400,
        "invalid_request",
    ),
    "catalog that is none": ("PUT", "/v1/catalog", {"json": {"products": {"-": {}}}}, 422, "invalid_catalog"),
    "catalog of an old version": ("PUT", "/v1/catalog", {"json": {"version": 99}}, 409, "catalog_conflict"),
    "nothing at Stripe to compare with": ("POST", "/v1/reconcile", {"json": {}}, 409, "not_at_stripe"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_bad_request_is_refused(shared_house: House, name: str) -> None:
    method, path, options, status, code = OTHERS[name]
    before = shared_house.get("/v1/events").json()["data"]
    answer = shared_house.ask(method, path, **options)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert shared_house.get("/v1/events").json()["data"] == before


def test_a_body_over_the_limit_is_refused_while_it_streams(shared_house: House) -> None:
    def endless() -> Any:
        for _ in range(64):
            yield b" " * 65_536

    answer = shared_house.post("/v1/checkout-sessions", content=endless())
    assert (answer.status_code, answer.json()["error"]["facts"]) == (413, {"limit": 1_048_576})


def test_all_problems_of_a_catalog_come_at_once(shared_house: House) -> None:
    bad = {
        "items": {"a b": {}},
        "products": {"p": {"product_line": "x", "prices": {"m": {"amounts": {"usd": "19.999"}}}}},
    }
    answer = shared_house.ask("PUT", "/v1/catalog", json=bad)
    problems = answer.json()["error"]["facts"]["problems"]
    assert {"bad_id", "unknown_product_line", "bad_amount"} <= {each["code"] for each in problems}


@pytest.mark.parametrize("customer_id", ["a/b", "ünï©ødé 🦊", "a b?c#d%e", "..", "user:x", "x" * 255, "'\"<>&;--"])
def test_any_printable_customer_id_works(sqlite_house: House, customer_id: str) -> None:
    from paywright.client.transport import segment

    path = f"/v1/customers/user/{segment(customer_id)}"
    assert sqlite_house.post(f"{path}/items/credits/increase", {"quantity": 7}).status_code == 200
    assert sqlite_house.post(f"{path}/items/credits/decrease", {"quantity": 2}).json()["quantity"] == 5
    assert sqlite_house.get(f"{path}/items/credits").json()["quantity"] == 5
    assert sqlite_house.get(path).json()["customer"] == {"type": "user", "id": customer_id}
    token = sqlite_house.token(Customer("user", customer_id))
    assert sqlite_house.get(path, key=token).status_code == 200


@pytest.mark.parametrize(
    "expires_at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", "2099-01-01T00:00:00.123456789+14:00"]
)
def test_every_instant_of_the_calendar_is_an_expiry(sqlite_house: House, expires_at: str) -> None:
    assert sqlite_house.post(f"{ITEM}/increase", {"quantity": 5, "expires_at": expires_at}).status_code == 200
    is_over = expires_at.startswith("0001")
    assert sqlite_house.get(ITEM).json()["quantity"] == (0 if is_over else 5)
    assert len(sqlite_house.get(f"{ITEM}/entries").json()["data"]) == (0 if is_over else 1)
