"""Gates as an app asks them, in process and over HTTP: rules.md 8, G1-G4."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from paywright import Paywright
from paywright.claims.queries import guest_of
from paywright.client import Client, errors
from paywright.client.conditions import all_of, any_of, has_claim, has_item
from paywright.client.surface import Surface
from paywright.kernel.instants import rfc3339
from paywright.kernel.model import Customer
from paywright.ownership import actions as ownership
from paywright.ownership import ending, queries
from tests.harness.house import CATALOG, SECRET, House

POST = {"title": "T", "teaser": "t", "content": "c"}
TEASER = {"title": "T", "teaser": "t"}
TOKEN = "0123456789abcdefghijABCDEFGHIJ-_"
WITH_FREE_PLAN = {
    **CATALOG,
    "products": {
        **CATALOG["products"],
        "free": {
            "product_line": "plan",
            "include_by_default": True,
            "included_items": {"credits": {"quantity": 3, "repeat": "1 month"}},
        },
    },
}


@contextmanager
def in_process(url: str) -> Iterator[Paywright]:
    with Paywright(database_url=url, catalog=WITH_FREE_PLAN, provider="instant", secret=SECRET) as pay:
        yield pay


@contextmanager
def over_http(url: str) -> Iterator[Client]:
    with House(url, catalog=WITH_FREE_PLAN) as house, Client(house.url, house.secret_key) as pay:
        yield pay


@pytest.fixture(params=["in_process-sqlite", "in_process-postgresql", "over_http-sqlite"])
def pay(request: pytest.FixtureRequest) -> Iterator[Surface]:
    opened, _, kind = request.param.partition("-")
    url = request.getfixturevalue("sqlite_url" if kind == "sqlite" else "postgres_url")
    with (in_process if opened == "in_process" else over_http)(url) as surface:
        yield surface


def test_G1_a_stranger_gets_the_record_without_what_is_protected(pay: Surface) -> None:
    user = pay.user("u_1")
    assert user.gate(POST, content="pro") == TEASER
    user.grant_product("pro")
    assert user.gate(POST, content="pro") == POST
    assert user.gate(POST, content=["team", "pro"], teaser="team") == {"title": "T", "content": "c"}
    assert user.owns("pro")


def test_G4_an_unknown_product_or_item_raises_at_once(pay: Surface) -> None:
    for condition in ("prp", ["pro", "prp"], any_of("pro", all_of("prp"))):
        with pytest.raises(errors.NotFound) as raised:
            pay.user("u_1").gate(POST, content=condition)
        assert (raised.value.code, raised.value.facts) == ("product_not_found", {"product_id": "prp"})
    with pytest.raises(errors.NotFound, match="product_not_found"):
        pay.user("u_1").owns("prp")
    with pytest.raises(errors.NotFound, match="item_not_found"):
        pay.user("u_1").gate(POST, content=has_item("credit"))


def test_any_all_and_units_are_looked_at_not_spent(pay: Surface) -> None:
    user = pay.user("u_1")
    assert user.gate(POST, content=has_item("credits", 3)) == POST
    assert user.gate(POST, content=has_item("credits", 4)) == TEASER
    assert user.gate(POST, content=all_of("free", has_item("credits", 3))) == POST
    assert user.gate(POST, content=all_of("pro", has_item("credits", 3))) == TEASER
    assert user.gate(POST, content=any_of("pro", has_item("credits", 3))) == POST
    assert user.get_item("credits").quantity == 3


def test_the_free_plan_opens_its_gates_for_those_who_never_came(pay: Surface) -> None:
    user = pay.user("never seen")
    assert user.owns("free")
    assert user.gate(POST, content="free") == POST
    access = user.get_product_access("free")
    assert (access.allowed, access.reason, access.upgrade_options) == (True, "owned", [])


def test_the_decision_says_what_would_open_it(pay: Surface) -> None:
    user = pay.user("u_1")
    product, item = user.get_product_access("pro"), user.get_item_access("credits", 5)
    assert (product.allowed, product.reason, product.remaining) == (False, "not_owned", None)
    assert [option["product_id"] for option in product.upgrade_options] == ["pro"]
    assert (item.allowed, item.reason, item.remaining) == (False, "insufficient_quantity", 3)
    assert [option["product_id"] for option in item.upgrade_options] == ["pro", "pack"]
    assert item.resets_at is not None
    assert user.get_item_access("credits", 3).allowed


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    with House(database_url) as made:
        yield made


@pytest.fixture
def sqlite_house(sqlite_url: str) -> Iterator[House]:
    with House(sqlite_url) as made:
        yield made


def test_G2_what_lost_its_access_is_the_same_as_a_stranger(house: House) -> None:
    house.post("/v1/customers/user/u_1/products", {"product_id": "pro"})
    environment, customer = house.app.environment("test"), Customer("user", "u_1")
    assert environment is not None
    with house.app.work("test") as work:
        ownership.lock_customers(work, [customer])
        (owned,) = queries.live(work.connection, "test", customer, work.now)
        ownership.set_access(work, environment, owned, False, "past_due")
    asked = {"fields": {"content": "pro"}}
    assert house.post("/v1/customers/user/u_1/gates", asked).json() == {"open": []}
    access = house.get("/v1/customers/user/u_1/access?product=pro").json()
    assert (access["allowed"], access["reason"], access["from"]["owned_product_id"]) == (False, "access_lost", owned.id)


@pytest.mark.parametrize(
    ("status", "policy", "grace_days", "expected"),
    [
        ("active", {}, None, (True, "owned", None)),
        ("past_due", {}, None, (True, "owned", {"past_due": "keep"})),
        ("past_due", {"past_due": 7}, 7, (True, "owned", {"past_due": 7})),
        ("past_due", {"past_due": "none"}, None, (False, "access_lost", {"past_due": "none"})),
        ("unpaid", {}, None, (False, "access_lost", {"unpaid": "none"})),
        ("a status to come", {}, None, (True, "owned", {"past_due": "keep"})),
    ],
)
def test_the_decision_names_status_and_policy_so_that_an_app_can_show_dunning(
    sqlite_house: House, status: str, policy: dict[str, Any], grace_days: int | None, expected: tuple[bool, str, Any]
) -> None:
    house = sqlite_house
    house.post("/v1/customers/user/u_1/products", {"product_id": "pro"})
    house.ask("PATCH", "/v1/environment", json={"access": policy})
    environment, customer = house.app.environment("test"), Customer("user", "u_1")
    assert environment is not None
    with house.app.work("test") as work:
        ownership.lock_customers(work, [customer])
        (owned,) = queries.live(work.connection, "test", customer, work.now)
        assert owned.subscription is not None
        owned = ownership.refresh(work, owned, msgspec.structs.replace(owned.subscription, status=status))
        until = None if grace_days is None else work.now + grace_days * 86_400_000
        ownership.set_access(work, environment, owned, expected[0], status, until=until)
    access = house.get("/v1/customers/user/u_1/access?product=pro").json()
    assert (access["allowed"], access["reason"], access["from"]["policy"]) == expected
    assert (access["from"]["status"], access["from"]["owned_product_id"]) == (status, owned.id)
    assert access["from"]["access_until"] == (None if until is None else rfc3339(until))


def test_G3_a_claim_token_opens_between_payment_and_refund(house: House) -> None:
    environment = house.app.environment("test")
    assert environment is not None
    with Client(house.url, house.secret_key) as pay:
        guest = pay.guest(TOKEN)

        def opened() -> list[str]:
            """What the token opens for a user who shows it, and for the guest."""
            by_user = pay.user("u_1").gate(POST, title=has_claim(TOKEN, "gift"), content=has_claim(TOKEN))
            by_guest = guest.gate(POST, title="gift", content="pack")
            assert by_user == by_guest
            return sorted(by_user)

        assert opened() == ["teaser"]
        sold = {"success_url": "https://a.example", "cancel_url": "https://a.example"}
        session = pay.create_guest_checkout_session([{"product_id": "pack"}], claim_token=TOKEN, **sold)
        assert session.status == "completed"
        assert opened() == ["content", "teaser"]
        with house.app.work("test") as work:
            found = guest_of(work.connection, "test", TOKEN)
            assert found is not None
            ownership.lock_customers(work, [found.customer])
            (owned,) = queries.live(work.connection, "test", found.customer, work.now)
            ending.end(work, environment, owned, "refunded")
        assert opened() == ["teaser"]


def test_a_token_whose_purchases_moved_to_an_account_opens_nothing(house: House) -> None:
    with Client(house.url, house.secret_key) as pay:
        sold = {"success_url": "https://a.example", "cancel_url": "https://a.example"}
        pay.create_guest_checkout_session([{"product_id": "pack"}], claim_token=TOKEN, **sold)
        pay.user("u_1").attach_claim(TOKEN)
        assert pay.user("u_2").gate(POST, content=has_claim(TOKEN)) == TEASER
        assert pay.guest(TOKEN).gate(POST, content="pack") == TEASER
        assert pay.user("u_1").gate(POST, content="pack") == POST


def nested(depth: int) -> dict[str, Any]:
    return {"products": ["pro"]} if depth == 0 else {"any": [nested(depth - 1)]}


MALFORMED = [
    ({}, "fields.content"),
    ({"products": ["pro"], "item": "credits"}, "fields.content"),
    ({"claim_token": TOKEN, "any": []}, "fields.content"),
    ({"any": [{}]}, "fields.content"),
    (nested(5), "fields.content"),
    ({"item": "credits", "quantity": 0}, "fields[...].quantity"),
    (7, "fields[...]"),
]


def test_a_condition_that_says_nothing_or_two_things_is_malformed(sqlite_house: House) -> None:
    for condition, param in MALFORMED:
        answer = sqlite_house.post("/v1/customers/user/u_1/gates", {"fields": {"content": condition}})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), condition


def test_a_customer_token_asks_for_its_customer_and_does_not_learn_of_hidden_products(sqlite_house: House) -> None:
    token, mine = sqlite_house.token(Customer("user", "u_1")), "/v1/customers/user/u_1"
    asked = {"fields": {"content": {"any": ["pro", {"item": "credits"}]}}}
    assert sqlite_house.post(f"{mine}/gates", {"fields": {"content": "pro"}}, key=token).json() == {"open": []}
    assert sqlite_house.post("/v1/customers/user/u_2/gates", {"fields": {}}, key=token).status_code == 403
    assert sqlite_house.post(f"{mine}/gates", asked, key=token).status_code == 400
    for key, status in ((token, 404), ("", 200)):
        assert sqlite_house.post(f"{mine}/gates", {"fields": {"a": "secret"}}, key=key).status_code == status
        assert sqlite_house.get(f"{mine}/access?product=secret", key=key).status_code == status


def test_access_is_asked_about_one_thing_there_is(sqlite_house: House) -> None:
    for query, status in (
        ("", 400),
        ("?product=pro&item=credits", 400),
        ("?item=credits&quantity=0", 400),
        ("?product=nope", 404),
        ("?item=nope", 404),
    ):
        assert sqlite_house.get(f"/v1/customers/user/u_1/access{query}").status_code == status, query


def test_a_server_that_is_away_shuts_the_gate() -> None:
    with Client("http://127.0.0.1:9", "pw_sk_test_x") as pay:
        assert pay.user("u_1").gate(POST, content="pro") == TEASER
