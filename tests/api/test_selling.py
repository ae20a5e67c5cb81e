"""Payment intents and in-app checkout over HTTP, where nothing has to be paid; against the sandbox see tests/checkout and tests/flows."""

from typing import Any

import pytest

from paywright.kernel.model import Customer
from tests.harness.house import House

ANNE = {"type": "user", "id": "anne"}
LINES = {"customer": ANNE, "line_items": [{"product_id": "pack", "quantity": 2}]}
BARE = {"customer": ANNE, "amount": 750, "currency": "usd"}


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_with_nothing_to_pay_it_is_granted_at_once(house: House) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = house.post("/v1/payment-intents", LINES, headers=headers)
    assert first.status_code == 201, first.text
    assert (first.json()["id"], first.json()["client_secret"]) == (None, None)
    assert house.post("/v1/payment-intents", LINES, headers=headers).json() == first.json()
    assert house.get("/v1/customers/user/anne/items/credits").json()["quantity"] == 200
    session = house.get(f"/v1/checkout-sessions/{first.json()['checkout_session_id']}").json()
    assert (session["status"], session["ui"], session["url"]) == ("completed", "elements", None)


def test_an_in_app_checkout_answers_what_the_browser_needs(house: House) -> None:
    answer = house.post("/v1/checkout-sessions", {**LINES, "ui": "elements"})
    assert answer.status_code == 201, answer.text
    shown = answer.json()
    assert {"client_secret", "publishable_key", "stripe_account"} <= set(shown)
    assert (shown["status"], shown["payment_status"]) == ("completed", "no_payment_required")


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"customer": ANNE}, (400, "invalid_request")),
        ({**LINES, "amount": 5}, (400, "invalid_request")),
        ({**BARE, "amount": 0}, (400, "invalid_request")),
        ({**BARE, "amount": 49}, (422, "amount_too_small")),
        ({**BARE, "amount": 100_000_000}, (422, "amount_too_large")),
        ({**BARE, "currency": "doubloon"}, (422, "currency_not_available")),
        ({**BARE, "metadata": {"paywright_customer": "x"}}, (422, "reserved_metadata")),
        ({**BARE, "receipt_email": "nobody"}, (400, "invalid_request")),
        (BARE, (501, "not_implemented")),
        ({**LINES, "receipt_email": "no body@x.com"}, (400, "invalid_request")),
        ({**LINES, "metadata": {"paywright_customer": "x"}}, (422, "reserved_metadata")),
        ({**LINES, "line_items": [{"product_id": "pro"}]}, (400, "invalid_request")),
        ({**LINES, "line_items": [{"product_id": "nope"}]}, (404, "product_not_found")),
        ({**LINES, "currency": "eur"}, (422, "currency_not_available")),
    ],
)
def test_a_payment_intent_is_refused_in_the_rules_order(
    shared_house: House, body: dict[str, Any], refusal: tuple[int, str]
) -> None:
    assert refused(shared_house.post("/v1/payment-intents", body)) == refusal


def test_a_bare_amount_needs_a_secret_key(shared_house: House) -> None:
    token = shared_house.token(Customer("user", "anne"))
    assert refused(shared_house.post("/v1/payment-intents", BARE, key=token)) == (403, "secret_key_required")
    bob = shared_house.token(Customer("user", "bob"))
    for body in (BARE, LINES):
        assert refused(shared_house.post("/v1/payment-intents", body, key=bob)) == (403, "not_your_customer")
