"""Included by default: rules.md 4.3 and cases O8, I6, on both databases."""

from collections.abc import Iterator
from typing import Any

import pytest

from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ledger import actions as ledger
from paywright.ledger import queries as ledger_queries
from paywright.ledger.rules import start
from paywright.outbox.actions import lock_customers
from paywright.outbox.tables import customers
from paywright.ownership import actions as ownership
from paywright.ownership import defaults
from paywright.subscriptions import changes
from tests.harness.shop import Shop, instant

CATALOG: dict[str, Any] = {
    "items": {"credits": {}},
    "product_lines": {"plan": {}},
    "products": {
        "free": {
            "product_line": "plan",
            "include_by_default": True,
            "included_items": {"credits": {"quantity": 5, "repeat": "1 month"}},
        },
        "pro": {
            "product_line": "plan",
            "prices": {"monthly": {"amounts": {"usd": 2000}, "interval": "1 month"}},
            "included_items": {"credits": {"quantity": 500, "repeat": "1 month"}},
        },
    },
}
USER = Customer("user", "u_1")


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    made = Shop(database_url, CATALOG)
    yield made
    made.close()


def seen(shop: Shop, customer: Customer = USER) -> tuple[list[str | None], int]:
    """Products and credits as a read shows them, whether or not anything was ever written."""
    with shop.app.database.read() as connection:
        now = shop.app.now("test")
        owned = defaults.owned_by_default(connection, "test", customer, shop.owned(customer), now)
        account = ledger_queries.account_of_customer(connection, "test", customer, "credits", now)
        for item in defaults.included_by_default(connection, "test", customer, "credits", now):
            start(account, item, None)
    return [each.product_id for each in owned], account.quantity


def spend(shop: Shop, quantity: int) -> None:
    with shop.app.work("test") as work:
        lock_customers(work, [USER])
        ownership.settle(work, shop.environment, USER)
        defaults.align(work, USER)
        outcome = ledger.decrease(work, USER, "credits", quantity, source=f"test:{quantity}:{work.now}")
        assert not isinstance(outcome, Refusal)


def rows(shop: Shop) -> int:
    with shop.app.database.read() as connection:
        return len(connection.execute(customers.select()).all())


def test_O8_free_then_pro_then_free_again(shop: Shop) -> None:
    assert seen(shop) == (["free"], 5)
    shop.grant(USER, "pro")
    assert seen(shop) == (["pro"], 500)
    changes.cancel(shop.app, shop.environment, USER, "pro", at="now")
    assert seen(shop) == (["free"], 5)


def test_reading_writes_nothing(shop: Shop) -> None:
    assert seen(shop) == (["free"], 5)
    assert rows(shop) == 0


def test_the_first_write_opens_the_customer_and_repeats_count_from_it(shop: Shop) -> None:
    shop.at("2026-01-20T00:00:00Z")
    spend(shop, 2)
    assert seen(shop) == (["free"], 3)
    shop.at("2026-02-19T23:59:59Z")
    assert seen(shop) == (["free"], 3)
    shop.at("2026-02-20T00:00:00Z")
    assert seen(shop) == (["free"], 5)


def test_I6_a_better_plan_takes_its_place_with_its_units(shop: Shop) -> None:
    spend(shop, 1)
    shop.at("2026-01-10T00:00:00Z")
    shop.grant(USER, "pro")
    shop.at("2026-01-11T00:00:00Z")
    assert seen(shop) == (["pro"], 500)


def test_a_known_end_brings_it_back_on_time_with_nobody_looking(shop: Shop) -> None:
    shop.grant(USER, "pro")
    changes.cancel(shop.app, shop.environment, USER, "pro", at="period_end")
    shop.at("2026-02-10T00:00:00Z")
    assert seen(shop) == (["free"], 5)
    spend(shop, 4)
    assert seen(shop) == (["free"], 1)
    with shop.app.database.read() as connection:
        owned = defaults.owned_by_default(connection, "test", USER, shop.owned(USER), shop.instant)
    assert [each.granted_at for each in owned] == [instant("2026-02-01T00:00:00Z")]
    shop.at("2026-03-01T00:00:00Z")
    assert seen(shop) == (["free"], 5)


def test_a_default_added_later_counts_from_its_catalog(shop: Shop) -> None:
    spend(shop, 5)
    shop.at("2026-01-15T00:00:00Z")
    more = {"include_by_default": True, "included_items": {"credits": {"quantity": 7, "repeat": "1 month"}}}
    shop.apply({**CATALOG, "products": {**CATALOG["products"], "gift": more}})
    shop.at("2026-01-20T00:00:00Z")
    assert seen(shop) == (["free", "gift"], 7)
    spend(shop, 1)
    shop.at("2026-02-15T00:00:00Z")
    assert sorted(filter(None, seen(shop)[0])) == ["free", "gift"]
    assert seen(shop)[1] == 12


@pytest.mark.parametrize("act", ["grant", "cancel", "revoke"])
def test_a_default_can_not_be_had_or_lost_by_hand(shop: Shop, act: str) -> None:
    if act == "grant":
        outcome: object = shop.grant(USER, "free")
    elif act == "cancel":
        outcome = changes.cancel(shop.app, shop.environment, USER, "free", at="now")
    else:
        outcome = changes.revoke(shop.app, shop.environment, USER, "own_default_free")
    assert isinstance(outcome, Refusal)
    assert outcome.code == "product_is_default"


def test_guests_and_other_types_own_no_default(shop: Shop) -> None:
    assert seen(shop, Customer("guest", "gst_1")) == ([], 0)
    assert seen(shop, Customer("team", "t_1")) == ([], 0)


def test_a_default_tells_no_events_of_its_own(shop: Shop) -> None:
    spend(shop, 1)
    assert [kind for _, kind in shop.events(USER)] == ["customer.state_changed"]
