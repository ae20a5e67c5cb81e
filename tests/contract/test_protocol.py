"""How Stripe speaks: errors, idempotency, lists, expansion, keys, versions. By the official SDK, and by hand where it cannot err."""

import asyncio
import base64
from typing import Any

import httpx
import pytest
import stripe

from paywright_sandbox.params import API_VERSION
from tests.contract.sdk_schemas import error_codes
from tests.contract.shop import Shop, error_of


def test_unknown_parameters_are_refused_by_name(v1: Any) -> None:
    for wish, param in [
        ({"nme": "Ann"}, "nme"),
        ({"invoice_settings": {"fotter": "x"}}, "invoice_settings[fotter]"),
        ({"shipping": {"name": "A", "address": {"town": "Ulm"}}}, "shipping[address][town]"),
    ]:
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            v1.customers.create(wish)
        assert (refusal.value.http_status, refusal.value.code, refusal.value.param) == (400, "parameter_unknown", param)
        assert f"Received unknown parameter: {param}" in str(refusal.value)


@pytest.mark.parametrize(
    ("path", "body", "code", "param"),
    [
        ("prices", "unit_amount=5", "parameter_missing", "currency"),
        ("customers", "balance=1.5", "parameter_invalid_integer", "balance"),
        ("customers", "balance=", "parameter_invalid_empty", "balance"),
        ("customers", "tax_exempt=maybe", None, "tax_exempt"),
        ("customers", "shipping=x", None, "shipping"),
        ("customers", "preferred_locales=de", None, "preferred_locales"),
        ("customers", "name[first]=Ann", None, "name"),
        ("products", "name=P&active=yes", None, "active"),
        ("prices", "currency=usd&unit_amount_decimal=abc", None, "unit_amount_decimal"),
        ("customers", "metadata[" + "k" * 41 + "]=v", None, "metadata"),
        ("customers", "metadata[k]=" + "v" * 501, None, "metadata[k]"),
    ],
)
def test_values_are_strict(shop: Shop, path: str, body: str, code: str | None, param: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = shop.http.post(f"/v1/{path}", content=body, headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error.get("code"), error["param"]) == (
        400,
        "invalid_request_error",
        code,
        param,
    )
    assert code is None or code in error_codes()


def test_more_than_fifty_metadata_keys(v1: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="50 metadata keys"):
        v1.customers.create({"metadata": {f"k{n}": "v" for n in range(51)}})


def test_json_bodies_are_refused(shop: Shop) -> None:
    answer = shop.http.post("/v1/customers", json={"name": "Ann"})
    assert answer.status_code == 400
    assert "application/x-www-form-urlencoded" in answer.json()["error"]["message"]


def test_multipart_and_empty_bracket_lists_are_read(shop: Shop) -> None:
    made = shop.http.post("/v1/customers", files={"name": (None, "Ann"), "preferred_locales[]": (None, "de")}).json()
    assert (made["name"], made["preferred_locales"]) == ("Ann", ["de"])


def test_parameters_of_get_and_delete_stand_in_the_query(shop: Shop) -> None:
    made = shop.http.post("/v1/customers", data={"email": "a@b.c"}).json()
    found = shop.http.get("/v1/customers?email=a%40b.c&expand%5B%5D=data.subscriptions&limit=3")
    assert found.status_code in (200, 400)
    assert shop.http.get("/v1/customers?email=a%40b.c").json()["data"][0]["id"] == made["id"]
    assert shop.http.delete(f"/v1/customers/{made['id']}?zap=1").json()["error"]["code"] == "parameter_unknown"


def test_an_absent_route_says_so_by_name(v1: Any, shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.topups.list()
    assert (refusal.value.http_status, refusal.value.code) == (404, "sandbox_not_implemented")
    assert "GET /v1/topups is not implemented" in str(refusal.value)
    unknown = shop.http.get("/v1/nonsense").json()["error"]
    assert "Unrecognized request URL (GET: /v1/nonsense)" in unknown["message"]
    assert "code" not in unknown


def test_every_answer_names_its_request_version_and_time(v1: Any, shop: Shop) -> None:
    made = v1.customers.create(options={"idempotency_key": "k1"})
    headers = made.last_response.headers
    assert headers["Request-Id"].startswith("req_")
    assert headers["Stripe-Version"] == API_VERSION == stripe.api_version
    assert headers["Idempotency-Key"] == "k1"
    assert int(headers["Sandbox-Time"]) == made.created
    assert made.last_response.body.startswith('{\n  "id"')


def test_another_version_gets_the_same_shapes_and_a_warning(shop: Shop) -> None:
    answer = shop.http.get("/v1/customers", headers={"Stripe-Version": "2020-08-27"})
    assert answer.headers["Stripe-Version"] == "2020-08-27"
    assert API_VERSION in answer.headers["Sandbox-Warning"]


def test_parameters_that_would_be_ignored_are_refused_at_any_depth(v1: Any) -> None:
    wish = {"amount": 500, "currency": "usd", "payment_method_options": {"card": {"moto": True}}}
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.payment_intents.create(wish)
    assert (refusal.value.code, refusal.value.param) == (
        "sandbox_not_implemented",
        "payment_method_options[card][moto]",
    )


def test_an_empty_id_is_no_list(shop: Shop) -> None:
    answer = shop.http.get("/v1/customers/")
    assert (answer.status_code, "Unrecognized request URL" in answer.text) == (404, True)


# Keys


@pytest.mark.parametrize(
    ("key", "status", "words"),
    [
        ("sk_live_abc", 401, "the sandbox has no live mode"),
        ("rk_live_abc", 401, "the sandbox has no live mode"),
        ("nonsense", 401, "Invalid API Key"),
        ("sk_test_whatever", 200, ""),
        ("rk_test_whatever", 200, ""),
    ],
)
def test_which_keys_open_the_door(shop: Shop, key: str, status: int, words: str) -> None:
    answer = httpx.get(f"{shop.url}/v1/customers", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == status
    assert words in answer.text


def test_no_key_and_basic_auth(shop: Shop) -> None:
    assert httpx.get(f"{shop.url}/v1/customers").status_code == 401
    basic = base64.b64encode(f"{shop.secret_key}:".encode()).decode()
    answer = httpx.get(f"{shop.url}/v1/account", headers={"Authorization": f"Basic {basic}"})
    assert answer.json()["id"] == shop.account_id


def test_a_publishable_key_confirms_an_intent_with_its_secret_and_sees_less(v1: Any, shop: Shop) -> None:
    intent = v1.payment_intents.create({"amount": 500, "currency": "usd", "metadata": {"secret": "x"}})
    browser = httpx.Client(base_url=shop.url, headers={"Authorization": f"Bearer {shop.publishable_key}"})
    assert browser.get(f"/v1/payment_intents/{intent.id}").status_code == 400
    wrong = browser.get(f"/v1/payment_intents/{intent.id}?client_secret=x").json()["error"]
    assert wrong["param"] == "client_secret"
    method = browser.post("/v1/payment_methods", data={"type": "card", "card[token]": "tok_visa"}).json()["id"]
    wish = {"payment_method": method, "client_secret": intent.client_secret}
    seen = browser.post(f"/v1/payment_intents/{intent.id}/confirm", data=wish).json()
    assert seen["status"] == "succeeded"
    assert not {"metadata", "customer", "latest_charge"} & set(seen)
    refused = browser.get("/v1/customers")
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "secret_key_required")


def test_connected_accounts_are_apart(shop: Shop) -> None:
    other = shop.control("POST", "accounts", {"connected": True})
    on_platform = shop.client.v1.customers.create({"name": "Ours"})
    theirs = shop.client.v1.customers.create({"name": "Theirs"}, {"stripe_account": other["id"]})
    assert [c.id for c in shop.client.v1.customers.list().data] == [on_platform.id]
    assert [c.id for c in shop.client.v1.customers.list(options={"stripe_account": other["id"]}).data] == [theirs.id]
    with pytest.raises(stripe.PermissionError) as refusal:
        shop.client.v1.customers.list(options={"stripe_account": "acct_nobody"})
    assert error_of(refusal).code == "account_invalid"


def test_browsers_may_not_reach_the_control_api(shop: Shop) -> None:
    preflight = httpx.options(f"{shop.url}/_sandbox/reset", headers={"Origin": "http://evil.test"})
    assert "Access-Control-Allow-Origin" not in preflight.headers
    assert "Access-Control-Allow-Origin" not in shop.http.get("/_sandbox/clock").headers


def test_browsers_may_ask(shop: Shop) -> None:
    preflight = httpx.options(f"{shop.url}/v1/payment_methods", headers={"Origin": "http://shop.test"})
    assert (preflight.status_code, preflight.headers["Access-Control-Allow-Origin"]) == (204, "*")
    assert shop.http.get("/v1/customers").headers["Access-Control-Allow-Origin"] == "*"


# Idempotency


def test_the_same_key_replays_the_first_outcome(v1: Any, shop: Shop) -> None:
    first = v1.customers.create({"name": "Ann"}, {"idempotency_key": "k"})
    again = v1.customers.create({"name": "Ann"}, {"idempotency_key": "k"})
    assert again.id == first.id
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert again.last_response.headers["Request-Id"] == first.last_response.headers["Request-Id"]
    assert shop.events() == ["customer.created"]


def test_the_same_key_for_something_else_is_refused(v1: Any) -> None:
    v1.customers.create({"name": "Ann"}, {"idempotency_key": "k"})
    for create in (v1.customers.create, v1.products.create):
        with pytest.raises(stripe.IdempotencyError) as refusal:
            create({"name": "Bo"}, {"idempotency_key": "k"})
        assert (refusal.value.http_status, error_of(refusal).type) == (400, "idempotency_error")


def test_a_decline_is_kept_and_a_validation_error_is_not(v1: Any) -> None:
    wish = {"amount": 500, "currency": "usd", "payment_method": "pm_card_visa_chargeDeclined", "confirm": True}
    seen = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as refusal:
            v1.payment_intents.create(wish, {"idempotency_key": "declined"})
        seen.append(error_of(refusal).payment_intent.id)
    assert seen[0] == seen[1]
    with pytest.raises(stripe.InvalidRequestError):
        v1.customers.create({"zap": 1}, {"idempotency_key": "mended"})
    assert v1.customers.create({"name": "Ann"}, {"idempotency_key": "mended"}).name == "Ann"


def test_a_key_is_forgotten_after_a_day_and_belongs_to_its_account(v1: Any, shop: Shop) -> None:
    first = v1.customers.create({"name": "Ann"}, {"idempotency_key": "k"})
    with Shop(shop.url, shop.secret_key) as other:
        assert other.client.v1.customers.create({"name": "Ann"}, {"idempotency_key": "k"}).id != first.id
    shop.advance("24h")
    assert v1.customers.create({"name": "Bo"}, {"idempotency_key": "k"}).id != first.id


def test_an_injected_500_is_kept(v1: Any, shop: Shop) -> None:
    shop.control("POST", "fail-next", {"match": {"method": "POST", "path": "/v1/customers"}, "as": 500})
    for _ in range(2):
        with pytest.raises(stripe.APIError) as refusal:
            v1.customers.create({"name": "Ann"}, {"idempotency_key": "k"})
        assert refusal.value.http_status == 500
        assert (refusal.value.headers or {}).get("Stripe-Should-Retry") == "false"
    assert v1.customers.list().data == []


def test_a_key_in_use_says_so(shop: Shop) -> None:
    shop.control("POST", "fail-next", {"as": {"slow_ms": 300}})

    async def twice() -> list[int]:
        async with httpx.AsyncClient(base_url=shop.url, headers=dict(shop.http.headers)) as http:
            first = asyncio.create_task(http.post("/v1/customers", headers={"Idempotency-Key": "k"}))
            await asyncio.sleep(0.1)
            second = await http.post("/v1/customers", headers={"Idempotency-Key": "k"})
            assert second.json()["error"]["code"] == "idempotency_key_in_use"
            return [(await first).status_code, second.status_code]

    assert asyncio.run(twice()) == [200, 409]


def test_a_dropped_response_has_done_the_work_and_the_retry_finds_it(shop: Shop) -> None:
    shop.control("POST", "fail-next", {"match": {"path": "/v1/customers"}, "as": "drop_response"})
    stubborn = shop.client_with(shop.secret_key, max_network_retries=2)
    made = stubborn.v1.customers.create({"name": "Ann"})
    assert [found.id for found in shop.client.v1.customers.list().data] == [made.id]
    assert shop.events() == ["customer.created"]


@pytest.mark.parametrize(
    ("kind", "error", "status"),
    [
        ("refuse", stripe.APIConnectionError, None),
        (429, stripe.RateLimitError, 429),
        (503, stripe.APIError, 503),
        (401, stripe.AuthenticationError, 401),
    ],
)
def test_faults_on_order(v1: Any, shop: Shop, kind: Any, error: type[stripe.StripeError], status: int | None) -> None:
    shop.control("POST", "fail-next", {"as": kind})
    with pytest.raises(error) as refusal:
        v1.customers.create()
    assert refusal.value.http_status == status
    assert v1.customers.list().data == []


def test_an_order_for_nonsense_is_refused(shop: Shop) -> None:
    assert shop.control("POST", "fail-next", {"as": "explode"}, status=400)["error"]["param"] == "as"
    assert shop.control("POST", "fail-next", {"as": 500, "times": 0}, status=400)["error"]["param"] == "times"


# Lists and expansion


def test_paging_both_ways_and_by_itself(v1: Any) -> None:
    made = [v1.customers.create({"name": f"c{n}"}).id for n in range(7)][::-1]
    first = v1.customers.list({"limit": 3})
    assert ([c.id for c in first.data], first.has_more, first.url) == (made[:3], True, "/v1/customers")
    second = v1.customers.list({"limit": 3, "starting_after": made[2]})
    assert [c.id for c in second.data] == made[3:6]
    back = v1.customers.list({"limit": 2, "ending_before": made[5]})
    assert ([c.id for c in back.data], back.has_more) == (made[3:5], True)
    assert [c.id for c in v1.customers.list({"limit": 2}).auto_paging_iter()] == made
    assert [c.id for c in v1.customers.list({"limit": 2, "ending_before": made[-1]}).auto_paging_iter()] == made[:-1][
        ::-1
    ]


@pytest.mark.parametrize(
    ("wish", "code", "param"),
    [
        ({"limit": 0}, "parameter_invalid_integer", "limit"),
        ({"limit": 101}, "parameter_invalid_integer", "limit"),
        ({"starting_after": "cus_a", "ending_before": "cus_b"}, "parameters_exclusive", None),
        ({"starting_after": "cus_nobody"}, "resource_missing", "starting_after"),
        ({"ending_before": "cus_nobody"}, "resource_missing", "ending_before"),
    ],
)
def test_what_a_list_refuses(v1: Any, wish: dict[str, Any], code: str, param: str | None) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.customers.list(wish)
    assert (refusal.value.code, refusal.value.param) == (code, param)


def test_created_filters(v1: Any, shop: Shop) -> None:
    first = v1.customers.create()
    shop.advance("1h")
    second = v1.customers.create()
    assert [c.id for c in v1.customers.list({"created": {"gt": first.created}}).data] == [second.id]
    assert [c.id for c in v1.customers.list({"created": {"lte": first.created}}).data] == [first.id]
    assert [c.id for c in v1.customers.list({"created": first.created}).data] == [first.id]


def test_expansion_in_depth_and_through_lists(v1: Any) -> None:
    customer = v1.customers.create({"name": "Ann"})
    v1.payment_intents.create(
        {"amount": 500, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True, "customer": customer.id}
    )
    wish = ["data.customer", "data.latest_charge.balance_transaction.source", "data.latest_charge.payment_intent"]
    (found,) = v1.payment_intents.list({"expand": wish}).data
    assert found.customer.name == "Ann"
    assert found.latest_charge.balance_transaction.source.id == found.latest_charge.id
    assert found.latest_charge.payment_intent.id == found.id


@pytest.mark.parametrize("path", ["amount", "nonsense", "customer.nonsense", "a.b.c.d.e", "metadata"])
def test_what_cannot_be_expanded(v1: Any, path: str) -> None:
    customer = v1.customers.create().id
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.payment_intents.create({"amount": 500, "currency": "usd", "customer": customer, "expand": [path]})
    assert refusal.value.param == "expand"
    assert v1.payment_intents.list().data == []


def test_the_async_client_works_too(shop: Shop) -> None:
    async def create_and_list() -> tuple[str, list[str]]:
        client = shop.client_with(shop.secret_key, http_client=stripe.HTTPXClient())
        made = await client.v1.customers.create_async({"name": "Ann"})
        listed = await client.v1.customers.list_async()
        return made.id, [found.id for found in listed.data]

    made, listed = asyncio.run(create_and_list())
    assert listed == [made]


def test_requests_are_remembered(v1: Any, shop: Shop) -> None:
    v1.customers.create({"name": "Ann"}, {"idempotency_key": "k"})
    last = shop.control("GET", "requests")["data"][0]
    assert (last["method"], last["path"], last["parameters"], last["status"]) == (
        "POST",
        "/v1/customers",
        {"name": "Ann"},
        200,
    )
    assert last["idempotency_key"] == "k"
    assert shop.secret_key not in str(last)
