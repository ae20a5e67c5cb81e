"""Checkout with the `instant` provider, on both databases: rules.md 4.3 and 6 as far as no Stripe is needed."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from paywright.checkout import actions as checkout
from paywright.checkout.model import CheckoutSession, StartCheckout
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ownership.model import AskedLine
from paywright.storage.idempotency import IdempotencyKey, idempotency_key
from paywright.subscriptions import changes
from tests.harness.shop import Shop

CATALOG: dict[str, Any] = {
    "items": {"credits": {}},
    "product_lines": {"plan": {}},
    "products": {
        "pro": {
            "product_line": "plan",
            "prices": {"monthly": {"amounts": {"usd": 2000}, "interval": "1 month"}},
            "included_items": {"credits": {"quantity": 50, "repeat": "1 month"}},
        },
        "pack": {
            "stackable": True,
            "prices": {"once": {"amounts": {"usd": 1000}}},
            "included_items": {"credits": {"quantity": 100, "expires": "never"}},
        },
    },
}
USER = Customer("user", "u_1")


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    made = Shop(database_url, CATALOG)
    yield made
    made.close()


def asked(product_id: str, customer: Customer = USER, **changes: Any) -> StartCheckout:
    values: dict[str, Any] = {
        "customer": customer,
        "lines": (AskedLine(product_id=product_id),),
        "success_url": "https://app.test/ok?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://app.test/no",
        "with_secret_key": True,
    }
    return StartCheckout(**{**values, **changes})


def key(written: str, body: bytes = b"{}", caller: str = "secret") -> IdempotencyKey:
    return idempotency_key(caller, written, method="POST", path="/v1/checkout-sessions", body=body)


def buy(shop: Shop, what: StartCheckout, under: IdempotencyKey | None = None) -> CheckoutSession:
    outcome = checkout.start(shop.app, shop.environment, what, key=under)
    assert isinstance(outcome, CheckoutSession), outcome
    return outcome


def refused(shop: Shop, what: StartCheckout, under: IdempotencyKey | None = None) -> str:
    outcome = checkout.start(shop.app, shop.environment, what, key=under)
    assert isinstance(outcome, Refusal), outcome
    return outcome.code


def test_a_purchase_is_complete_at_once_and_the_redirect_works_unchanged(shop: Shop) -> None:
    session = buy(shop, asked("pro"))
    assert (session.status, session.payment_status) == ("completed", "no_payment_required")
    assert session.url == f"https://app.test/ok?session={session.id}"
    assert [(each.product_id, each.source) for each in shop.owned(USER)] == [("pro", "test")]
    assert shop.units(USER) == 50


def test_quantities_grant_that_many(shop: Shop) -> None:
    buy(shop, asked("pack", lines=(AskedLine(product_id="pack", quantity=3),)))
    assert shop.units(USER) == 300


def test_the_same_key_answers_the_same_session_and_buys_once(shop: Shop) -> None:
    first = buy(shop, asked("pack"), key("k"))
    assert buy(shop, asked("pack"), key("k")).id == first.id
    assert shop.units(USER) == 100
    assert buy(shop, asked("pack"), key("another")).id != first.id
    assert shop.units(USER) == 200


def test_K2_a_key_means_one_request(shop: Shop) -> None:
    buy(shop, asked("pack"), key("k"))
    assert refused(shop, asked("pack"), key("k", body=b'{"other":1}')) == "idempotency_key_reused"


def test_K3_two_callers_may_use_one_key(shop: Shop) -> None:
    other = Customer("user", "u_2")
    first = buy(shop, asked("pack"), key("k", caller="user:u_1"))
    second = buy(shop, asked("pack", other), key("k", caller="user:u_2"))
    assert first.id != second.id
    assert (shop.units(USER), shop.units(other)) == (100, 100)


def test_a_refusal_is_replayed_under_its_key_even_when_it_would_now_succeed(shop: Shop) -> None:
    buy(shop, asked("pro"))
    assert refused(shop, asked("pro"), key("k")) == "already_owned"
    shop.at("2026-01-02T00:00:00Z")
    changes.cancel(shop.app, shop.environment, USER, "pro", at="now")
    assert refused(shop, asked("pro"), key("k")) == "already_owned"
    buy(shop, asked("pro"), key("fresh"))


def test_K1_twenty_equal_requests_with_one_key_buy_once(shop: Shop) -> None:
    sessions: list[str] = []
    start = threading.Barrier(20)

    def call() -> None:
        start.wait()
        sessions.append(buy(shop, asked("pack"), key("k")).id)

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sessions) == 20
    assert len(set(sessions)) == 1
    assert shop.units(USER) == 100


def test_a_failed_check_changes_and_tells_nothing(shop: Shop) -> None:
    assert refused(shop, asked("nothing")) == "product_not_found"
    assert refused(shop, asked("pro", metadata={"paywright_customer": "user:u_9"})) == "reserved_metadata"
    assert shop.events(USER) == []
    assert shop.owned(USER) == []


def test_a_completed_session_cannot_be_expired(shop: Shop) -> None:
    session = buy(shop, asked("pack"))
    outcome = checkout.expire(shop.app, shop.environment, session.id)
    assert isinstance(outcome, Refusal)
    assert (outcome.code, outcome.facts) == ("session_not_open", {"status": "completed"})
    missing = checkout.expire(shop.app, shop.environment, "chk_nothing")
    assert isinstance(missing, Refusal)
    assert missing.code == "checkout_session_not_found"
