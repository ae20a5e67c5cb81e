"""Guests over HTTP: rules.md 6 on guests, and the cases K8, G3 and E4."""

import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from paywright.kernel.model import Customer
from paywright.outbox.letters import newest
from tests.harness.house import SECRET, House

TOKEN = "A1b2C3d4E5_guests-own-token-0123456789"
OTHER_TOKEN = "Z9y8X7w6V5_another-guests-token-98765"
PACK = {
    "customer": None,
    "line_items": [{"product_id": "pack"}],
    "success_url": "https://app.test/ok",
    "cancel_url": "https://app.test/no",
}
ANNE = Customer("user", "anne")


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def buy(house: House, token: str | None = TOKEN, **changes: Any) -> dict[str, Any]:
    body = {**PACK, **({} if token is None else {"claim_token": token}), **changes}
    answer = house.post("/v1/checkout-sessions", body, key=house.publishable_key)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def state(house: House, token: str) -> dict[str, Any]:
    answer = house.get(f"/v1/claims/{token}", key=house.publishable_key)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_guest_buys_with_a_publishable_key_and_the_token_is_shown_once(house: House) -> None:
    session = buy(house, None)
    token = session["claim_token"]
    assert len(token) >= 43
    assert session["customer"]["type"] == "guest"
    assert session["customer"]["id"].startswith("gst_")
    again = house.get(f"/v1/checkout-sessions/{session['id']}").json()
    assert token not in str(again)
    found = state(house, token)
    assert (found["state"], [each["product_id"] for each in found["products"]]) == ("active", ["pack"])
    assert found["items"] == [{"id": "credits", "quantity": 100, "held": 0}]


def test_a_token_of_the_apps_own_is_one_guest_for_several_purchases(house: House) -> None:
    first, second = buy(house), buy(house)
    assert first["customer"] == second["customer"]
    assert state(house, TOKEN)["items"][0]["quantity"] == 200


def test_a_key_on_a_guest_checkout_needs_the_apps_own_token(house: House) -> None:
    headers = {"Idempotency-Key": "k1"}
    answer = house.post("/v1/checkout-sessions", PACK, key=house.publishable_key, headers=headers)
    assert refused(answer) == (400, "invalid_request")
    assert answer.json()["error"]["param"] == "claim_token"
    body = {**PACK, "claim_token": TOKEN}
    ids = {
        house.post("/v1/checkout-sessions", body, key=house.publishable_key, headers=headers).json()["id"]
        for _ in range(2)
    }
    assert len(ids) == 1
    assert state(house, TOKEN)["items"][0]["quantity"] == 100
    # Another guest under the same key is another caller.
    other = {**PACK, "claim_token": OTHER_TOKEN}
    assert house.post("/v1/checkout-sessions", other, key=house.publishable_key, headers=headers).status_code == 201


def test_K8_a_guest_subscribes_to_nothing_and_the_refusal_makes_nobody(house: House) -> None:
    body = {**PACK, "line_items": [{"product_id": "pro"}], "claim_token": TOKEN}
    for headers in ({}, {"Idempotency-Key": "k1"}, {"Idempotency-Key": "k1"}):
        answer = house.post("/v1/checkout-sessions", body, key=house.publishable_key, headers=headers)
        assert refused(answer) == (422, "guest_one_time_only")
    assert refused(house.get(f"/v1/claims/{TOKEN}", key=house.publishable_key)) == (404, "claim_not_found")


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"claim_token": "short"}, (422, "weak_claim_token")),
        ({"claim_token": "a" * 64}, (422, "weak_claim_token")),
        ({"claim_token": "short", "metadata": {"paywright_customer": "x"}}, (422, "reserved_metadata")),
        ({"claim_token": "short", "line_items": [{"product_id": "nope"}]}, (422, "weak_claim_token")),
        ({"line_items": [{"product_id": "secret"}]}, (404, "product_not_found")),
        ({"line_items": [{"product": {"prices": {"once": {"amounts": {"usd": 500}}}}}]}, (403, "secret_key_required")),
    ],
)
def test_a_guests_checkout_is_checked_in_the_rules_order(
    shared_house: House, changes: dict[str, Any], refusal: tuple[int, str]
) -> None:
    answer = shared_house.post("/v1/checkout-sessions", {**PACK, **changes}, key=shared_house.publishable_key)
    assert refused(answer) == refusal


def test_the_token_in_the_path_is_the_proof(house: House) -> None:
    guest_id = buy(house)["customer"]["id"]
    mine = f"/v1/customers/guest/{TOKEN}"
    products = house.get(f"{mine}/products", key=house.publishable_key).json()["data"]
    assert [each["product_id"] for each in products] == ["pack"]
    assert house.get(f"{mine}/items/credits", key=house.publishable_key).json()["quantity"] == 100
    whole = house.get(mine, key=house.publishable_key).json()
    assert whole["customer"] == {"type": "guest", "id": guest_id}
    for path in (f"/v1/customers/guest/{guest_id}", f"/v1/customers/guest/{OTHER_TOKEN}"):
        for tail in ("", "/items", "/items/credits", "/products"):
            assert refused(house.get(f"{path}{tail}", key=house.publishable_key)) == (404, "claim_not_found"), tail
            assert refused(house.get(f"{path}{tail}", key=house.token(ANNE))) == (403, "not_your_customer"), tail
    assert refused(house.post(f"{mine}/products", {"product_id": "pack"}, key=house.publishable_key)) == (
        403,
        "secret_key_required",
    )
    assert refused(house.get(mine, key=house.token(ANNE))) == (403, "not_your_customer")


def test_a_secret_key_names_a_guest_by_token_or_by_id(house: House) -> None:
    guest_id = buy(house)["customer"]["id"]
    for name in (TOKEN, guest_id):
        answer = house.post(f"/v1/customers/guest/{name}/items/credits/decrease", {"quantity": 10})
        assert answer.status_code == 200, answer.text
        line = {"customer": {"type": "guest", "id": name}, "item_id": "credits", "quantity": 5}
        assert house.post("/v1/decreases", {"lines": [line]}).status_code == 200
    assert state(house, TOKEN)["items"][0]["quantity"] == 70
    for path in (f"/v1/customers/guest/{OTHER_TOKEN}", f"/v1/customers/guest/{OTHER_TOKEN}/items/credits"):
        assert refused(house.get(path)) == (404, "claim_not_found")
    missing = house.post(f"/v1/customers/guest/{OTHER_TOKEN}/items/credits/increase", {"quantity": 1})
    assert refused(missing) == (404, "claim_not_found")


def test_the_token_is_nowhere_on_disk(sqlite_house: House, tmp_path: Path) -> None:
    buy(sqlite_house)
    for path in ("products", "items", "billing"):
        sqlite_house.get(f"/v1/customers/guest/{TOKEN}/{path}", key=sqlite_house.publishable_key)
    sqlite_house.post(f"/v1/customers/guest/{TOKEN}/items/credits/increase", {"quantity": 1})
    sqlite_house.post("/v1/customer-tokens", {"customers": [{"type": "guest", "id": TOKEN}], "ttl_s": 60})
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    assert [path.name for path in kept if TOKEN.encode() in path.read_bytes()] == []


def test_a_customer_token_for_a_guest_names_the_id_and_not_the_claim_token(house: House) -> None:
    guest_id = buy(house)["customer"]["id"]
    named = {"customers": [{"type": "guest", "id": TOKEN}], "ttl_s": 60}
    token = house.post("/v1/customer-tokens", named).json()["token"]
    for name in (guest_id, TOKEN):
        assert house.get(f"/v1/customers/guest/{name}/products", key=token).status_code == 200
    nobody = {"customers": [{"type": "guest", "id": OTHER_TOKEN}], "ttl_s": 60}
    assert refused(house.post("/v1/customer-tokens", nobody)) == (404, "claim_not_found")


def test_G3_a_claim_opens_between_payment_and_taking_back(house: House) -> None:
    asked = f"/v1/customers/guest/{TOKEN}/access?product=pack"

    def is_open() -> bool:
        answer = house.get(asked, key=house.publishable_key)
        return answer.status_code == 200 and answer.json()["allowed"] is True

    assert not is_open()
    guest_id = buy(house)["customer"]["id"]
    assert is_open()
    assert house.post(f"/v1/customers/guest/{guest_id}/products/pack/revoke", {}).status_code == 200
    assert not is_open()
    assert state(house, TOKEN) == {
        "state": "refunded",
        "products": [],
        "items": [{"id": "credits", "quantity": 100, "held": 0}],
    }


def test_E4_a_token_reads_no_other_team_and_no_custom_customer(house: House) -> None:
    team, user = house.token(Customer("team", "t1")), house.token(ANNE)
    for path, key in (("team/t2", team), ("custom/org", user), ("custom/org", team), ("user/anne", team)):
        for tail in ("", "/products", "/items", "/billing", "/access?product=pack"):
            assert refused(house.get(f"/v1/customers/{path}{tail}", key=key)) == (403, "not_your_customer")


def letters_of(house: House) -> list[Any]:
    with house.app.database.read() as connection:
        return newest(connection, SECRET, "test")


def test_a_code_by_letter_brings_all_purchases_of_an_address_back(house: House) -> None:
    first = buy(house, customer_email="Buyer@x.com")["customer"]["id"]
    second = buy(house, OTHER_TOKEN, customer_email="buyer@X.com")["customer"]["id"]
    asked = house.post("/v1/sign-in/codes", {"email": " BUYER@x.com"}, key=house.publishable_key)
    nobody = house.post("/v1/sign-in/codes", {"email": "nobody@x.com"}, key=house.publishable_key)
    assert (asked.status_code, asked.json()) == (nobody.status_code, nobody.json()) == (202, {})
    letter = letters_of(house)[0]
    assert (len(letters_of(house)), letter.recipient) == (1, "buyer@x.com")
    code = letter.facts["code"]
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    sign_in = {"email": "buyer@x.com", "code": wrong}
    assert refused(house.post("/v1/sign-in", sign_in, key=house.publishable_key)) == (401, "invalid_credentials")
    signed_in = house.post("/v1/sign-in", {**sign_in, "code": code}, key=house.publishable_key)
    assert signed_in.status_code == 200
    token, fresh = signed_in.json()["customer_token"], signed_in.json()["claims"]
    assert [state(house, each)["state"] for each in (*fresh, TOKEN, OTHER_TOKEN)] == ["active"] * 4
    for guest_id in (first, second):
        owned = house.get(f"/v1/customers/guest/{guest_id}/products", key=token).json()["data"]
        assert [each["product_id"] for each in owned] == ["pack"]
    assert refused(house.post("/v1/sign-in", {**sign_in, "code": code}, key=house.publishable_key)) == (
        401,
        "invalid_credentials",
    )


def test_purchases_move_to_an_account_and_the_token_then_opens_nothing(house: House) -> None:
    guest = buy(house)["customer"]
    mine, body = house.token(ANNE), {"claim_token": TOKEN}
    moved = house.post("/v1/customers/user/anne/claims", body, key=mine)
    assert (moved.status_code, moved.json()) == (
        200,
        {"state": "attached", "guest": guest, "customer": {"type": "user", "id": "anne"}},
    )
    assert house.post("/v1/customers/user/anne/claims", body, key=mine).json() == moved.json()
    assert house.get("/v1/customers/user/anne/items/credits", key=mine).json()["quantity"] == 100
    bob = house.token(Customer("user", "bob"))
    assert refused(house.post("/v1/customers/user/bob/claims", body, key=bob)) == (409, "claim_taken")
    assert state(house, TOKEN) == {"state": "attached", "products": [], "items": []}
    products = house.get(f"/v1/customers/guest/{TOKEN}/products", key=house.publishable_key)
    assert refused(products) == (409, "claim_taken")
    again = house.post("/v1/checkout-sessions", {**PACK, "claim_token": TOKEN}, key=house.publishable_key)
    assert refused(again) == (409, "claim_taken")


def test_only_a_users_account_takes_a_guests_purchases(house: House) -> None:
    buy(house)
    body = {"claim_token": TOKEN}
    assert refused(house.post("/v1/customers/team/t1/claims", body)) == (422, "customer_type_mismatch")
    assert refused(house.post("/v1/customers/user/anne/claims", {"claim_token": OTHER_TOKEN})) == (
        404,
        "claim_not_found",
    )
    assert refused(house.post("/v1/customers/user/anne/claims", body, key=house.publishable_key)) == (
        403,
        "not_your_customer",
    )


def test_one_new_token_at_once_is_one_guest(house: House) -> None:
    start = threading.Barrier(8)
    customers: list[dict[str, Any]] = []

    def go() -> None:
        start.wait()
        customers.append(buy(house)["customer"])

    threads = [threading.Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(customers) == 8
    assert len({each["id"] for each in customers}) == 1
    assert state(house, TOKEN)["items"][0]["quantity"] == 800


def test_a_guests_browser_syncs_its_own_session_only(house: House) -> None:
    session_id = buy(house)["id"]
    buy(house, OTHER_TOKEN)
    path, key = f"/v1/checkout-sessions/{session_id}/sync", house.publishable_key
    assert house.post(path, {"claim_token": TOKEN}, key=key).json()["status"] == "completed"
    assert refused(house.post(path, {"claim_token": OTHER_TOKEN}, key=key)) == (404, "checkout_session_not_found")
    assert refused(house.post(path, {"claim_token": TOKEN[::-1]}, key=key)) == (404, "claim_not_found")
    assert refused(house.post(path, key=key)) == (404, "checkout_session_not_found")
