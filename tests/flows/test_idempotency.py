"""One key, many requests."""

from concurrent.futures import ThreadPoolExecutor

import httpx

from paywright.client import Client
from paywright.kernel.model import Customer
from tests.flows.shop import CANCEL_URL, SUCCESS_URL, Shop


def wish(user_id: str = "u_1", **more: object) -> dict[str, object]:
    return {
        "customer": {"type": "user", "id": user_id},
        "line_items": [{"product_id": "pack"}],
        "success_url": SUCCESS_URL,
        "cancel_url": CANCEL_URL,
        **more,
    }


def ask(shop: Shop, body: dict[str, object], key: str) -> httpx.Response:
    return shop.http.post("/v1/checkout-sessions", json=body, headers={"Idempotency-Key": key})


def test_K1_twenty_equal_requests_at_once_open_one_checkout(shop: Shop) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: ask(shop, wish(), "K1"), range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len({answer.json()["url"] for answer in answers}) == 1
    assert len(shop.account.every("/v1/checkout/sessions")) == 1
    assert len(shop.account.every("/v1/customers")) == 1


def test_K2_the_same_key_for_something_else_is_refused_and_order_is_nothing_else(shop: Shop) -> None:
    first = ask(shop, wish(metadata={"a": "1", "b": "2"}), "K2")
    again = ask(shop, dict(reversed(wish(metadata={"b": "2", "a": "1"}).items())), "K2")
    other = ask(shop, wish(metadata={"a": "3"}), "K2")
    assert again.json()["id"] == first.json()["id"]
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_key_reused")
    assert len(shop.account.every("/v1/checkout/sessions")) == 1


def test_K3_two_users_with_one_key_have_two_checkouts(shop: Shop) -> None:
    sessions = []
    for user_id in ("u_1", "u_2"):
        token = shop.client.create_customer_token([Customer("user", user_id)], ttl_s=600).token
        with Client(shop.server.url, token) as browser:
            sessions.append(
                browser.user(user_id).create_checkout_session(
                    [{"product_id": "pack"}], success_url=SUCCESS_URL, cancel_url=CANCEL_URL, idempotency_key="K3"
                )
            )
    assert sessions[0].id != sessions[1].id
    shop.pay(sessions[1])
    shop.settle()
    assert (shop.credits("u_1"), shop.credits("u_2")) == (0, 100)


def test_a_completed_checkout_is_answered_as_it_is_now(shop: Shop) -> None:
    session = shop.checkout("u_1", "pack", key="K")
    shop.pay(session)
    shop.settle()
    again = shop.checkout("u_1", "pack", key="K")
    assert (again.id, again.status, again.url) == (session.id, "completed", None)


def test_one_customer_in_many_checkouts_at_once_is_one_customer_at_stripe(shop: Shop) -> None:
    products = ["pack", "lifetime", "pro"]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda product_id: shop.checkout("u_1", product_id), products))
    assert len(shop.account.every("/v1/customers")) == 1
    assert len(shop.account.every("/v1/checkout/sessions")) == 3


def test_a_spend_repeated_by_twenty_callers_at_once_is_spent_once(shop: Shop) -> None:
    shop.client.user("u_1").get_item("credits").increase_quantity(10)
    path, headers = "/v1/customers/user/u_1/items/credits/decrease", {"Idempotency-Key": "spend-1"}
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: shop.http.post(path, json={"quantity": 3}, headers=headers), range(20)))
    assert {(answer.status_code, answer.json()["quantity"]) for answer in answers} == {(200, 7)}
    assert shop.credits("u_1") == 7


def test_no_number_of_callers_spends_more_than_there_is(shop: Shop) -> None:
    shop.client.user("u_1").get_item("credits").increase_quantity(30)
    path = "/v1/customers/user/u_1/items/credits/decrease"
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: shop.http.post(path, json={"quantity": 1}).status_code, range(60)))
    assert (answers.count(200), answers.count(402)) == (30, 30)
    assert shop.credits("u_1") == 0
