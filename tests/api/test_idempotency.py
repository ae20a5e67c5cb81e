"""`Idempotency-Key` on POST: the same caller and request get the first answer again, whatever happened in between."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from paywright.environments.actions import StripeCredentials, connect_stripe
from paywright.kernel.model import Customer
from paywright.storage.tables import idempotency_keys
from tests.harness.house import House

ANNE = "/v1/customers/user/anne"
CREDITS = f"{ANNE}/items/credits"
CHECKOUT: dict[str, Any] = {
    "customer": {"type": "user", "id": "anne"},
    "line_items": [{"product_id": "pack"}],
    "success_url": "https://app.example/ok",
    "cancel_url": "https://app.example/no",
}


def keyed(house: House, path: str, body: Any, key: str = "k", **options: Any) -> httpx.Response:
    return house.post(path, body, headers={"Idempotency-Key": key}, **options)


def is_replayed(answer: httpx.Response) -> bool:
    return answer.headers.get("idempotent-replayed") == "true"


def test_a_repeated_grant_grants_once(house: House) -> None:
    first = keyed(house, f"{ANNE}/products", {"product_id": "pack", "quantity": 2})
    again = keyed(house, f"{ANNE}/products", {"quantity": 2, "product_id": "pack"})
    assert (first.status_code, is_replayed(first)) == (201, False)
    assert (again.status_code, is_replayed(again)) == (201, True)
    assert again.json() == first.json()
    assert house.get(CREDITS).json()["quantity"] == 200


@pytest.mark.parametrize("path", [f"{ANNE}/products", f"{CREDITS}/increase", "/v1/checkout-sessions"])
def test_another_body_under_the_key_is_refused(house: House, path: str) -> None:
    bodies: dict[str, tuple[Any, Any]] = {
        f"{ANNE}/products": ({"product_id": "pack"}, {"product_id": "gift"}),
        f"{CREDITS}/increase": ({"quantity": 1}, {"quantity": 2}),
        "/v1/checkout-sessions": (CHECKOUT, {**CHECKOUT, "metadata": {"a": "b"}}),
    }
    first, other = bodies[path]
    assert keyed(house, path, first).status_code in (200, 201)
    answer = keyed(house, path, other)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "idempotency_key_reused")


def test_the_key_of_another_path_is_refused(house: House) -> None:
    keyed(house, f"{CREDITS}/increase", {"quantity": 3})
    answer = keyed(house, f"{CREDITS}/decrease", {"quantity": 3})
    assert answer.json()["error"]["code"] == "idempotency_key_reused"
    assert house.get(CREDITS).json()["quantity"] == 3


def test_a_stored_402_is_replayed_after_a_top_up(house: House) -> None:
    assert keyed(house, f"{CREDITS}/decrease", {"quantity": 5}).status_code == 402
    house.post(f"{CREDITS}/increase", {"quantity": 100})
    again = keyed(house, f"{CREDITS}/decrease", {"quantity": 5})
    assert (again.status_code, is_replayed(again)) == (402, True)
    assert house.get(CREDITS).json()["quantity"] == 100


def test_a_stored_404_is_replayed_after_the_product_appeared(house: House) -> None:
    asked = {"product_id": "new"}
    assert keyed(house, f"{ANNE}/products", asked).status_code == 404
    catalog = house.get("/v1/catalog").json()
    catalog["products"]["new"] = {}
    assert house.ask("PUT", "/v1/catalog", json=catalog).json()["changed"] is True
    again = keyed(house, f"{ANNE}/products", asked)
    assert (again.status_code, is_replayed(again)) == (404, True)
    assert keyed(house, f"{ANNE}/products", asked, "another").status_code == 201


def test_a_400_is_not_stored(house: House) -> None:
    assert keyed(house, f"{ANNE}/products", {"product_id": "pack", "quantity": 0}).status_code == 400
    assert keyed(house, f"{ANNE}/products", {"product_id": "pack"}).status_code == 201


def test_keys_of_different_callers_never_meet(house: House) -> None:
    """K3, and all secret keys of an environment are one caller."""
    second_secret = house.key("secret")
    first = keyed(house, f"{ANNE}/products", {"product_id": "pack"})
    by_other_key = house.post(
        f"{ANNE}/products", {"product_id": "pack"}, key=second_secret, headers={"Idempotency-Key": "k"}
    )
    assert (by_other_key.json(), is_replayed(by_other_key)) == (first.json(), True)
    made = set()
    for user_id in ("anne", "bob"):
        token = house.token(Customer("user", user_id))
        body = {**CHECKOUT, "customer": {"type": "user", "id": user_id}}
        made.add(house.post("/v1/checkout-sessions", body, key=token, headers={"Idempotency-Key": "s"}).json()["id"])
    assert len(made) == 2


def test_k1_twenty_equal_requests_at_once_make_one(house: House) -> None:
    def ask(_: int) -> httpx.Response:
        return keyed(house, f"{ANNE}/products", {"product_id": "pack"})

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(ask, range(20)))
    assert {each.status_code for each in answers} == {201}
    assert len({each.json()["id"] for each in answers}) == 1
    assert sum(not is_replayed(each) for each in answers) == 1
    assert house.get(CREDITS).json()["quantity"] == 100


def test_o12_twenty_grants_at_once_give_one_plan(house: House) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: house.post(f"{ANNE}/products", {"product_id": "pro"}), range(20)))
    assert sorted(each.status_code for each in answers) == [201, *[409] * 19]
    assert house.get(CREDITS).json()["quantity"] == 100


def test_t6_eight_callers_spend_five_of_five(house: House) -> None:
    house.post(f"{CREDITS}/increase", {"quantity": 5})
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: house.post(f"{CREDITS}/decrease", {"quantity": 5}), range(8)))
    assert sorted(each.status_code for each in answers) == [200, *[402] * 7]
    assert house.get(CREDITS).json()["quantity"] == 0


def test_a_repeated_checkout_is_the_session_as_it_is_now(house: House) -> None:
    first = keyed(house, "/v1/checkout-sessions", CHECKOUT)
    again = keyed(house, "/v1/checkout-sessions", CHECKOUT)
    assert again.json()["id"] == first.json()["id"]
    assert house.get(CREDITS).json()["quantity"] == 100


def test_a_repeated_cancel_is_the_first_answer(house: House) -> None:
    house.post(f"{ANNE}/products", {"product_id": "pro"})
    first = keyed(house, f"{ANNE}/products/pro/cancel", {"at": "period_end"})
    house.post(f"{ANNE}/products/pro/resume")
    again = keyed(house, f"{ANNE}/products/pro/cancel", {"at": "period_end"})
    assert (again.json(), is_replayed(again)) == (first.json(), True)
    assert house.get(f"{ANNE}/products").json()["data"][0]["ends_at"] is None


def test_a_stored_refusal_of_a_cancel_is_replayed(house: House) -> None:
    assert keyed(house, f"{ANNE}/products/pro/cancel", {}).status_code == 404
    house.post(f"{ANNE}/products", {"product_id": "pro"})
    again = keyed(house, f"{ANNE}/products/pro/cancel", {})
    assert (again.status_code, is_replayed(again)) == (404, True)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/keys", {"kind": "secret"}, "key"),
        ("/v1/customer-tokens", {"customers": [{"type": "user", "id": "anne"}], "ttl_s": 60}, "token"),
    ],
)
def test_a_stored_secret_is_encrypted(house: House, path: str, body: dict[str, Any], field: str) -> None:
    first = keyed(house, path, body)
    again = keyed(house, path, body)
    assert (again.json(), is_replayed(again)) == (first.json(), True)
    with house.app.database.read() as connection:
        stored = connection.execute(sa.select(idempotency_keys.c.body)).scalar_one()
    assert first.json()[field] not in stored
    assert not stored.startswith("{")


def test_a_twin_of_a_request_that_died_takes_over(house: House) -> None:
    """The key of a request whose process was killed: it is in use until it is old enough, and then the repeat finishes the work."""
    house.post(f"{ANNE}/products", {"product_id": "pro"})
    keyed(house, f"{ANNE}/products/pro/cancel", {})
    with house.app.work("test") as work:
        abandoned = house.app.wall() - int(house.app.settings.recovery_after_s * 1000) - 1
        work.execute(idempotency_keys.update().values(status=None, body=None, created_at=abandoned))
    again = keyed(house, f"{ANNE}/products/pro/cancel", {})
    assert (again.status_code, is_replayed(again)) == (200, False)


def test_a_repeat_after_an_outage_tries_again(database_url: str) -> None:
    """Stripe does not answer: the key is given back at once, so the repeat is no twin of a request that is over."""
    with House(database_url, provider="sandbox") as house:
        with house.app.work("test") as work:
            nobody = StripeCredentials("sk_test_nobody", None, None, "http://127.0.0.1:9")
            assert connect_stripe(work, house.app.settings, nobody) is None
        for _ in range(2):
            answer = keyed(house, "/v1/environment/clock", {"advance": "1d"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "stripe_unavailable")
            assert answer.headers["retry-after"] == "1"
