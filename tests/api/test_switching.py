"""Switch quotes and switches over real HTTP."""

from paywright.kernel.model import Customer
from tests.harness.house import House

ANNE = "/v1/customers/user/anne"
WISH = {"from_product_id": "pro", "to_product_id": "team"}


def test_a_quote_is_shown_and_confirmed_once(house: House) -> None:
    owned = house.post(f"{ANNE}/products", {"product_id": "pro"}).json()
    assert [(each["product_id"], each["direction"]) for each in owned["switch_options"]] == [("team", "up")]
    answer = house.post(f"{ANNE}/switch-quotes", WISH)
    assert answer.status_code == 201
    quote = answer.json()
    assert (quote["direction"], quote["at"], quote["due_now"]) == ("up", "now", {"amount": 0, "currency": "usd"})
    assert quote["items"] == [{"item_id": "credits", "change": -100}]
    token = house.token(Customer("user", "anne"))
    confirmed = house.post(f"{ANNE}/switches", {"quote_id": quote["id"]}, key=token)
    assert (confirmed.status_code, confirmed.json()["product_id"]) == (200, "team")
    again = house.post(f"{ANNE}/switches", {"quote_id": quote["id"]}, key=token)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "quote_expired")
    assert [each["product_id"] for each in house.get(f"{ANNE}/products").json()["data"]] == ["team"]


def test_a_switch_to_come_is_seen_and_taken_back(house: House) -> None:
    house.post(f"{ANNE}/products", {"product_id": "team"})
    answer = house.post(f"{ANNE}/switches", {"from_product_id": "team", "to_product_id": "pro"})
    change = answer.json()["subscription"]["pending_change"]
    assert (change["to_product_id"], change["price_id"], change["quantity"]) == ("pro", "monthly", 1)
    assert change["at"] == answer.json()["subscription"]["current_period_end"]
    assert house.get(ANNE).json()["products"][0]["subscription"]["pending_change"] == change
    resumed = house.post(f"{ANNE}/products/team/resume")
    assert resumed.json()["subscription"]["pending_change"] is None
    assert house.post(f"{ANNE}/products/team/resume").json()["error"]["code"] == "nothing_to_resume"
    house.post(f"{ANNE}/switches", {"from_product_id": "team", "to_product_id": "pro"})
    house.post("/v1/environment/clock", {"advance": "31d"})
    assert [each["product_id"] for each in house.get(f"{ANNE}/products").json()["data"]] == ["pro"]
    assert house.get(f"{ANNE}/items/credits").json()["quantity"] == 100


def test_one_key_switches_once(house: House) -> None:
    house.post(f"{ANNE}/products", {"product_id": "pro"})
    headers = {"Idempotency-Key": "k"}
    first = house.post(f"{ANNE}/switches", WISH, headers=headers)
    again = house.post(f"{ANNE}/switches", WISH, headers=headers)
    assert first.status_code == 200
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (first.json(), "true")


def test_what_is_refused_at_the_door(sqlite_house: House) -> None:
    house = sqlite_house
    house.post(f"{ANNE}/products", {"product_id": "team"})
    token = house.token(Customer("user", "anne"))
    down = {"from_product_id": "team", "to_product_id": "pro", "at": "now"}
    for path in ("switch-quotes", "switches"):
        refused = house.post(f"{ANNE}/{path}", down, key=token)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "secret_key_required")
        missing = house.post(f"{ANNE}/{path}", {"from_product_id": "team"})
        assert missing.status_code == 400
    both = house.post(f"{ANNE}/switches", {"quote_id": "quo_1", **WISH})
    assert (both.status_code, both.json()["error"]["param"]) == (400, "quote_id")
    assert house.post(f"{ANNE}/switches", {"quote_id": "quo_1"}).json()["error"]["code"] == "quote_not_found"
    stranger = house.token(Customer("user", "bob"))
    assert house.post(f"{ANNE}/switch-quotes", WISH, key=stranger).status_code == 403
