"""Stripe slow, busy, broken, or cut off after it had done the work."""

import pytest

from tests.flows.shop import CANCEL_URL, SUCCESS_URL, Shop

SESSIONS = "/v1/checkout/sessions"
WISH = {
    "customer": {"type": "user", "id": "u_1"},
    "line_items": [{"product_id": "pack"}],
    "success_url": SUCCESS_URL,
    "cancel_url": CANCEL_URL,
}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (SESSIONS, 500),
        (SESSIONS, 503),
        (SESSIONS, "refuse"),
        (SESSIONS, "drop_response"),
        ("/v1/customers", 503),
        ("/v1/customers", "drop_response"),
    ],
)
def test_a_checkout_that_broke_is_finished_by_the_same_request_again(shop: Shop, path: str, kind: int | str) -> None:
    """It stays broken for longer than anybody repeats by themselves."""
    shop.account.fail_next(kind, path=path, times=99)
    headers = {"Idempotency-Key": "once"}
    first = shop.http.post("/v1/checkout-sessions", json=WISH, headers=headers)
    assert (first.status_code, first.json()["error"]["code"]) == (503, "stripe_unavailable")
    shop.account.post("/_sandbox/fail-next", {"clear": True})

    second = shop.http.post("/v1/checkout-sessions", json=WISH, headers=headers)
    assert (second.status_code, second.json()["status"]) == (201, "open")
    session = shop.client.get_checkout_session(second.json()["id"])
    assert len(shop.account.every(SESSIONS)) == 1
    assert len(shop.account.every("/v1/customers")) == 1
    shop.pay(session)
    shop.settle()
    assert shop.credits("u_1") == 100


def test_one_lost_answer_is_not_even_noticed(shop: Shop) -> None:
    shop.account.fail_next("drop_response", path=SESSIONS)
    session = shop.checkout("u_1", "pack")
    assert session.status == "open"
    assert len(shop.account.every(SESSIONS)) == 1


@pytest.mark.parametrize("kind", [429, 500, "refuse"])
def test_what_the_webhook_could_not_fetch_it_fetches_later(shop: Shop, kind: int | str) -> None:
    session = shop.checkout("u_1", "pack")
    shop.account.fail_next(kind, method="GET", times=2)
    shop.pay(session)
    shop.settle()
    assert shop.credits("u_1") == 100


def test_stripes_no_is_told_and_the_attempt_has_failed(shop: Shop) -> None:
    shop.account.fail_next(400, path=SESSIONS)
    refused = shop.http.post("/v1/checkout-sessions", json=WISH)
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "stripe_refused")
    assert shop.event_types().count("checkout.failed") == 1
    assert shop.buy("u_1", "pack").status == "completed"
