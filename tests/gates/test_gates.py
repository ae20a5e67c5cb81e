"""Gates: rules.md 8."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from paywright.gates import actions as gates
from paywright.gates.model import AllOf, AnyOf, Condition, HasItem, Held, OwnsAny
from paywright.gates.rules import UnknownEntitlement, condition, gated, is_open
from paywright.kernel.model import Customer
from paywright.ownership import actions as ownership
from tests.harness.shop import Shop

CATALOG: dict[str, Any] = {
    "items": {"credits": {}},
    "products": {
        "pro": {"prices": {"monthly": {"amounts": {"usd": 2000}, "interval": "1 month"}}},
        "team": {"prices": {"monthly": {"amounts": {"usd": 9000}, "interval": "1 month"}}},
        "pack": {
            "stackable": True,
            "prices": {"once": {"amounts": {"usd": 1000}}},
            "included_items": {"credits": {"quantity": 100, "expires": "never"}},
        },
    },
}
USER = Customer("user", "u_1")
POST = {"title": "T", "teaser": "t", "content": "c"}
PRO = Held(frozenset({"pro"}), {"credits": 5})


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    made = Shop(database_url, CATALOG)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("asked", "opens"),
    [
        (condition("pro"), True),
        (condition("team"), False),
        (condition(["team", "pro"]), True),
        (HasItem("credits", 5), True),
        (HasItem("credits", 6), False),
        (HasItem("seats"), False),
        (AllOf((condition("pro"), HasItem("credits", 5))), True),
        (AllOf((condition("pro"), condition("team"))), False),
        (AnyOf((condition("team"), HasItem("credits", 1))), True),
        (AnyOf(()), False),
    ],
    ids=str,
)
def test_a_condition_is_met_or_not(asked: Condition, opens: bool) -> None:
    assert is_open(asked, PRO) is opens


class Article(msgspec.Struct):
    title: str
    content: str


@pytest.mark.parametrize(
    ("record", "left"), [(POST, {"title": "T", "teaser": "t"}), (Article("T", "c"), {"title": "T"})]
)
def test_protected_fields_are_absent_not_null(record: Any, left: dict[str, str]) -> None:
    assert gated(record, {"content": OwnsAny(("team",))}, PRO) == left
    assert gated(record, {"content": OwnsAny(("pro",))}, PRO)["content"] == "c"


def test_G1_a_stranger_gets_title_and_teaser(shop: Shop) -> None:
    shown = gates.gate(shop.app, "test", USER, POST, {"content": condition("pro")})
    assert shown == {"title": "T", "teaser": "t"}
    shop.grant(USER, "pro")
    assert gates.gate(shop.app, "test", USER, POST, {"content": condition("pro")}) == POST
    assert POST["content"] == "c"


def test_G2_past_its_grace_is_the_same_as_a_stranger(shop: Shop) -> None:
    shop.grant(USER, "pro")
    with shop.app.work("test") as work:
        ownership.lock_customers(work, [USER])
        ownership.set_access(work, shop.environment, shop.owned(USER)[0], False, "past_due")
    assert gates.opens(shop.app, "test", USER, condition("pro")) is False


def test_G4_an_unknown_product_or_item_raises_at_once(shop: Shop) -> None:
    with pytest.raises(UnknownEntitlement, match="prp"):
        gates.gate(shop.app, "test", USER, POST, {"content": condition("prp")})
    with pytest.raises(UnknownEntitlement, match="credit"):
        gates.opens(shop.app, "test", USER, HasItem("credit"))


def test_state_that_cannot_be_read_shuts_the_gate(shop: Shop) -> None:
    shop.grant(USER, "pro")
    with shop.app.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE catalogs RENAME TO catalogs_away")
    assert gates.opens(shop.app, "test", USER, condition("pro")) is False


def test_the_decision_explains_itself(shop: Shop) -> None:
    with shop.app.database.read() as connection:
        stranger = gates.explain_product(connection, shop.environment, USER, "pro", shop.instant)
        item = gates.explain_item(connection, shop.environment, USER, "credits", 3, shop.instant)
    assert (stranger.allowed, stranger.reason) == (False, "not_owned")
    assert [option["product_id"] for option in stranger.upgrade_options] == ["pro"]
    assert (item.allowed, item.reason, item.remaining) == (False, "insufficient_quantity", 0)
    assert [option["product_id"] for option in item.upgrade_options] == ["pack"]
    granted = shop.grant(USER, "pro")
    with shop.app.database.read() as connection:
        owner = gates.explain_product(connection, shop.environment, USER, "pro", shop.instant)
    assert (owner.allowed, owner.reason) == (True, "owned")
    assert owner.through == {
        "owned_product_id": granted.id,  # type: ignore[union-attr]
        "source": "grant",
        "status": "active",
        "policy": None,
        "access_until": None,
        "ends_at": None,
    }
