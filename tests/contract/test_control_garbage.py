"""Nonsense for the control API: refused in Stripe's shape, and the account is as it was."""

from typing import Any

import pytest

from paywright_sandbox import Sandbox
from tests.contract.shop import Shop

NONSENSE: list[tuple[str, str, Any, str]] = [
    ("POST", "clock/advance", {"to": 99_999_999_999_999_999_999}, "to"),
    ("POST", "clock/advance", {"by": "999999999w"}, "by"),
    ("POST", "clock/advance", {"by": "٣d"}, "by"),
    ("POST", "clock/advance", {"by": 5, "to": 5}, "by"),
    ("POST", "clock/freeze", {"at": 99_999_999_999_999}, "at"),
    ("POST", "clock/freeze", {"at": True}, "at"),
    ("PATCH", "settings", {"variant": {"U99": "b"}}, "variant"),
    ("PATCH", "settings", {"variant": {"U1": 5}}, "variant"),
    ("PATCH", "settings", {"variant": [1]}, "variant"),
    ("PATCH", "settings", {"retry_days": ["x"]}, "retry_days"),
    ("PATCH", "settings", {"retry_days": [-1]}, "retry_days"),
    ("PATCH", "settings", {"fee_percent": "abc"}, "fee_percent"),
    ("PATCH", "settings", {"fee_percent": "NaN"}, "fee_percent"),
    ("PATCH", "settings", {"fee_percent": -1}, "fee_percent"),
    ("PATCH", "settings", {"fee_percent": 101}, "fee_percent"),
    ("PATCH", "settings", {"settle_s": 10**12}, "settle_s"),
    ("PATCH", "settings", {"upcoming_days": True}, "upcoming_days"),
    ("POST", "accounts", {"name": 5}, "name"),
    ("POST", "accounts", {"connected": "x"}, "connected"),
    ("POST", "accounts", {"seed": [1]}, "seed"),
    ("POST", "accounts", {"nmae": "x"}, "nmae"),
    ("POST", "deliveries/settle", {"timeout_s": "x"}, "timeout_s"),
    ("POST", "deliveries/settle", {"timeout_s": -1}, "timeout_s"),
    ("POST", "deliveries/settle", {"timeout_s": 10**9}, "timeout_s"),
]


@pytest.mark.parametrize(("method", "path", "body", "param"), NONSENSE, ids=lambda value: str(value)[:30])
def test_nonsense_is_refused_by_name(shop: Shop, method: str, path: str, body: Any, param: str) -> None:
    clock, settings = shop.control("GET", "clock")["offset"], shop.control("GET", "settings")
    assert shop.control(method, path, body, status=400)["error"]["param"] == param
    assert (shop.control("GET", "clock")["offset"], shop.control("GET", "settings")) == (clock, settings)


@pytest.mark.parametrize("part", ["objects", "events", "due", "clock", "settings", "ids"])
@pytest.mark.parametrize("broken", [[1], {"x": 1}, "text", 5, None])
def test_a_dump_that_is_none_changes_nothing(shop: Shop, part: str, broken: Any) -> None:
    """Whatever part is broken, and however: the account is not emptied first."""
    customer = shop.client.v1.customers.create().id
    dump = shop.control("GET", "state")
    shop.control("PUT", "state", {**dump, part: broken}, status=400)
    assert shop.client.v1.customers.retrieve(customer).id == customer
    assert shop.control("GET", "state")["ids"]["seed"] == dump["ids"]["seed"]


def test_a_failure_of_ours_has_stripes_shape_as_well(shop: Shop, sandbox: Sandbox) -> None:
    """Made by a settings value no door lets in."""
    sandbox.store.accounts[shop.account_id].chaos = {"seed": object()}
    answer = shop.http.get("/_sandbox/webhook-chaos")
    assert (answer.status_code, answer.json()["error"]["type"]) == (500, "api_error")


@pytest.mark.parametrize(
    ("method", "path", "body", "param"),
    [
        ("POST", "subscriptions", {"items[²][price]": "x", "customer": "cus_x"}, "items"),
        ("POST", "payment_intents", {"amount": "٣٠٠٠", "currency": "usd"}, "amount"),
        ("GET", "customers/search", {"query": "name:'Ann'", "page": "²"}, "page"),
        ("GET", "customers/search", {"query": "created>٣"}, "query"),
        ("POST", "customers", {"name": "a" * 5001}, "name"),
        ("POST", "customers", {"address[line1]": "a" * 5001}, "address[line1]"),
        (
            "POST",
            "tokens",
            {"card[number]": "4242424242424242", "card[exp_month]": "²", "card[exp_year]": "2050"},
            "card[exp_month]",
        ),
    ],
)
def test_digits_and_texts_that_stripe_would_not_take(
    shop: Shop, method: str, path: str, body: dict[str, str], param: str
) -> None:
    given: dict[str, Any] = {"params": body} if method == "GET" else {"data": body}
    answer = shop.http.request(method, f"/v1/{path}", **given)
    assert (answer.status_code, answer.json()["error"].get("param")) == (400, param)
