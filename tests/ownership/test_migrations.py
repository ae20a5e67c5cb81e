"""rules.md 1.3: owners are migrated explicitly. Included items move, prices do not; what was granted stays."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ledger import actions as ledger
from paywright.ledger.tables import ledger_entries
from paywright.ledger.verify import verify
from paywright.outbox.actions import lock_customers
from paywright.ownership import freezing, migrations
from paywright.ownership.migrations import OWNERS_AT_ONCE, Migration, OwnerFilter, Preview
from paywright.ownership.model import OwnedProduct
from paywright.subscriptions import changes, switching
from paywright.subscriptions.switch_rules import AskedSwitch
from tests.harness.shop import Shop

USER = Customer("user", "u_1")
JANUARY, MARCH = "2026-01-10T00:00:00Z", "2026-03-01T00:00:00Z"


def catalog(included: dict[str, Any], *, usd: int = 2000, name: str = "Pro") -> dict[str, Any]:
    return {
        "items": {"credits": {}, "seats": {}, "exports": {}},
        "product_lines": {"plan": {}},
        "products": {
            "pro": {
                "display_name": name,
                "product_line": "plan",
                "prices": {
                    "monthly": {"amounts": {"usd": usd}, "interval": "1 month"},
                    "yearly": {"amounts": {"usd": usd * 10}, "interval": "1 year"},
                },
                "included_items": included,
            },
            "pack": {
                "stackable": True,
                "prices": {"once": {"amounts": {"usd": 1000}}},
                "included_items": {"exports": {"quantity": 10, "expires": "never"}},
            },
        },
    }


MONTHLY = {"quantity": 100, "repeat": "1 month"}
SOLD = catalog({"credits": MONTHLY, "seats": {"quantity": 3}})


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    made = Shop(database_url, SOLD)
    made.at(JANUARY)
    yield made
    made.close()


def seen(shop: Shop, product_id: str = "pro", **which: Any) -> Preview:
    with shop.app.database.read() as connection:
        found = migrations.preview(connection, "test", product_id, OwnerFilter(**which), shop.instant)
    assert isinstance(found, Preview), found
    return found


def started(shop: Shop, product_id: str = "pro", **which: Any) -> Migration:
    with shop.app.work("test") as work:
        made = migrations.start(work, product_id, OwnerFilter(**which), actor="key_1")
    assert isinstance(made, Migration), made
    return made


def migrated(shop: Shop, product_id: str = "pro", **which: Any) -> tuple[int, int]:
    """How many were, and how many needed nothing."""
    made = started(shop, product_id, **which)
    done = migrations.finish(shop.app, shop.environment, made.id)
    assert done.status == "completed"
    assert list(verify(shop.app, "test")) == []
    return done.migrated, done.unchanged


def owned(shop: Shop, customer: Customer = USER) -> OwnedProduct:
    (found,) = shop.owned(customer)
    return found


def entries(shop: Shop, item_id: str) -> list[tuple[str, int]]:
    """Kind and delta, oldest first."""
    with shop.app.database.read() as connection:
        rows = connection.execute(
            ledger_entries.select()
            .where(ledger_entries.c.customer == USER.key, ledger_entries.c.item_id == item_id)
            .order_by(ledger_entries.c.seq)
        )
        return [(row.kind, row.delta) for row in rows]


# What pro includes afterwards; then credits and seats at once, when the month turns, and after the plan ended.
MOVES: dict[str, tuple[dict[str, Any], tuple[int, int], tuple[int, int], tuple[int, int]]] = {
    "repeats use the new quantity": ({"credits": {**MONTHLY, "quantity": 300}, "seats": {"quantity": 3}}, (60, 3), (300, 3), (0, 0)),
    "fewer a month": ({"credits": {**MONTHLY, "quantity": 30}, "seats": {"quantity": 3}}, (60, 3), (30, 3), (0, 0)),
    "a dropped item stops repeating": ({"seats": {"quantity": 3}}, (60, 3), (0, 3), (0, 0)),
    "what is given once is topped up": ({"credits": MONTHLY, "seats": {"quantity": 5}}, (60, 5), (100, 5), (0, 0)),
    "what is given once is never taken": ({"credits": MONTHLY, "seats": {"quantity": 1}}, (60, 3), (100, 3), (0, 0)),
    "a dropped item that was given once stays": ({"credits": MONTHLY}, (60, 3), (100, 3), (0, 0)),
    "from now on they add up": ({"credits": {**MONTHLY, "expires": "never"}, "seats": {"quantity": 3}}, (60, 3), (100, 3), (100, 0)),
    "weeks instead of months": ({"credits": {"quantity": 10, "repeat": "1 week"}, "seats": {"quantity": 3}}, (60, 3), (10, 3), (0, 0)),
    "once instead of monthly": ({"credits": {"quantity": 150}, "seats": {"quantity": 3}}, (110, 3), (110, 3), (0, 0)),
    "monthly instead of once": ({"credits": MONTHLY, "seats": {"quantity": 7, "repeat": "1 month"}}, (60, 3), (100, 10), (0, 0)),
}  # fmt: skip


@pytest.mark.parametrize("case", MOVES)
def test_what_a_migration_means_for_units(shop: Shop, case: str) -> None:
    included, at_once, next_month, at_the_end = MOVES[case]
    shop.grant(USER, "pro")
    spend(shop, 40)
    before = {item_id: entries(shop, item_id) for item_id in ("credits", "seats")}
    shop.apply(catalog(included))
    shop.at("2026-01-20T00:00:00Z")
    assert migrated(shop) == (1, 0)
    assert (shop.units(USER), shop.units(USER, "seats")) == at_once
    for item_id, known in before.items():
        assert entries(shop, item_id)[: len(known)] == known
    shop.at("2026-02-10T00:00:00Z")
    assert (shop.units(USER), shop.units(USER, "seats")) == next_month
    changes.revoke(shop.app, shop.environment, USER, "pro")
    assert (shop.units(USER), shop.units(USER, "seats")) == at_the_end


def spend(shop: Shop, quantity: int) -> None:
    with shop.app.work("test") as work:
        lock_customers(work, [USER])
        assert not isinstance(ledger.decrease(work, USER, "credits", quantity, source=None), Refusal)


def test_a_new_item_is_granted_at_once_and_repeats_with_the_purchase(shop: Shop) -> None:
    shop.grant(USER, "pro")
    shop.apply(
        catalog(
            {
                "credits": MONTHLY,
                "seats": {"quantity": 3},
                "exports": {"quantity": 5, "repeat": "1 month", "expires": "never"},
            }
        )
    )
    shop.at("2026-01-20T00:00:00Z")
    assert shop.units(USER, "exports") == 0
    migrated(shop)
    assert shop.units(USER, "exports") == 5
    shop.at("2026-02-09T23:59:59Z")
    assert shop.units(USER, "exports") == 5
    shop.at("2026-02-10T00:00:00Z")  # The purchase's own day.
    assert shop.units(USER, "exports") == 10


def test_the_price_stays_as_it_was_sold(shop: Shop) -> None:
    shop.grant(USER, "pro")
    before = owned(shop)
    shop.apply(catalog({"credits": {**MONTHLY, "quantity": 300}}, usd=9900, name="Pro 2"))
    migrated(shop)
    after = owned(shop)
    assert after.product.prices == before.product.prices
    assert (after.price_id, after.subscription, after.granted_at) == (
        before.price_id,
        before.subscription,
        before.granted_at,
    )
    assert (after.product.display_name, after.product.included_items["credits"].quantity) == ("Pro 2", 300)
    shop.grant(late := Customer("user", "late"), "pro")
    assert owned(shop, late).product.prices["monthly"].amounts == {"usd": 9900}


def test_a_dry_run_tells_all_and_writes_nothing(shop: Shop) -> None:
    shop.grant(USER, "pro")
    shop.apply(catalog({"credits": {**MONTHLY, "quantity": 300}, "exports": {"quantity": 1}}))
    shop.grant(Customer("user", "late"), "pro")
    told, found = shop.events(USER), seen(shop)
    assert (found.owners, found.to_migrate) == (2, 1)
    moves = {each.is_there: [(move.item_id, move.change) for move in each.items] for each in found.versions}
    assert moves == {False: [("credits", "changed"), ("exports", "added"), ("seats", "removed")], True: []}
    assert (shop.events(USER), owned(shop).version_id) == (
        told,
        next(each.version_id for each in found.versions if not each.is_there),
    )


def test_running_it_twice_changes_nothing(shop: Shop) -> None:
    shop.grant(USER, "pro")
    shop.apply(catalog({"credits": {**MONTHLY, "quantity": 300}, "exports": {"quantity": 1}}, usd=9900))
    assert migrated(shop) == (1, 0)
    told, units = shop.events(USER), shop.units(USER, "exports")
    assert (seen(shop).owners, seen(shop).to_migrate) == (1, 0)
    assert migrated(shop) == (0, 1)
    assert (shop.events(USER), shop.units(USER, "exports")) == (told, units)


def test_there_and_back_gives_nothing_twice(shop: Shop) -> None:
    """An item that is left out and brought back: what was given once is not given again, what repeats starts anew."""
    shop.grant(USER, "pro")
    without, there = catalog({}), SOLD
    shop.apply(without)
    migrated(shop)
    shop.at("2026-02-15T00:00:00Z")
    assert (shop.units(USER), shop.units(USER, "seats")) == (0, 3)
    shop.apply(there)
    migrated(shop)
    assert (shop.units(USER), shop.units(USER, "seats")) == (100, 3)
    shop.at("2026-03-10T00:00:00Z")
    assert (shop.units(USER), shop.units(USER, "seats")) == (100, 3)


def test_rhythms_may_change_often_and_every_turn_is_given_once(shop: Shop) -> None:
    shop.grant(USER, "pro")
    for number, repeat in enumerate(("1 week", "1 month", "3 day", "1 year", "1 week")):
        shop.apply(catalog({"credits": {"quantity": 10, "repeat": repeat, "expires": "never"}}))
        migrated(shop)
        shop.at(f"2026-0{number + 2}-10T00:00:00Z")
        shop.units(USER)
        shop.settle(USER)
    # 100 to begin with, run out when the first week turned; 4 weeks till 7 February, 1 month on 10 March, 11 × 3 days till 10 April,
    # nothing in a year's rhythm, 4 weeks till 6 June.
    assert shop.units(USER) == 40 + 10 + 110 + 0 + 40


FILTERS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "everybody": ({}, {"a", "b", "c"}),
    "one customer": ({"customers": ("user:b",)}, {"b"}),
    "a price": ({"price_id": "yearly"}, {"c"}),
    "granted before": ({"granted_before": 1_769_000_000_000}, {"a"}),
    "granted after": ({"granted_after": 1_769_000_000_000}, {"b", "c"}),
    "a source": ({"source": "checkout"}, set()),
    "another version": ({"from_version": "pv_none"}, set()),
}


@pytest.mark.parametrize("case", FILTERS)
def test_only_those_the_filter_names(shop: Shop, case: str) -> None:
    which, expected = FILTERS[case]
    for name, price_id in (("a", "monthly"), ("b", "monthly"), ("c", "yearly")):
        shop.grant(Customer("user", name), "pro", price_id)
        shop.at("2026-02-01T00:00:00Z")
    shop.apply(catalog({"exports": {"quantity": 1}}))
    assert seen(shop, **which).to_migrate == len(expected)
    assert migrated(shop, **which) == (len(expected), 0)
    assert {name for name in "abc" if shop.units(Customer("user", name), "exports")} == expected


def test_owners_of_one_version_only(shop: Shop) -> None:
    shop.grant(USER, "pro")
    oldest = owned(shop).version_id
    shop.apply(catalog({"credits": {**MONTHLY, "quantity": 200}}))
    shop.grant(Customer("user", "second"), "pro")
    shop.apply(catalog({"exports": {"quantity": 1}}))
    assert migrated(shop, from_version=oldest) == (1, 0)
    assert (shop.units(USER, "exports"), shop.units(Customer("user", "second"), "exports")) == (1, 0)


def test_quantities_multiply_and_several_purchases_count_each(shop: Shop) -> None:
    shop.grant(USER, "pack", quantity=3)
    shop.grant(USER, "pack")
    newer = catalog({})
    newer["products"]["pack"]["included_items"] = {"exports": {"quantity": 15, "expires": "never"}}
    shop.apply(newer)
    assert migrated(shop, "pack") == (2, 0)
    assert shop.units(USER, "exports") == 60


def test_what_is_scheduled_goes_on(shop: Shop) -> None:
    """A cancel keeps its end, and what is newly included ends with it."""
    shop.grant(USER, "pro")
    changes.cancel(shop.app, shop.environment, USER, "pro", at="period_end")
    shop.apply(catalog({"credits": {**MONTHLY, "quantity": 300}, "exports": {"quantity": 4}}))
    migrated(shop)
    assert (shop.units(USER, "exports"), owned(shop).ends_at is not None) == (4, True)
    shop.at("2026-02-10T00:00:00Z")
    assert (shop.owned(USER), shop.units(USER), shop.units(USER, "exports")) == ([], 0, 0)


def test_a_change_to_come_of_the_same_product_comes_with_the_newer_items(shop: Shop) -> None:
    shop.grant(USER, "pro", "yearly")
    asked = AskedSwitch(from_product_id="pro", to_product_id="pro", price_id="monthly")
    pending = switching.switch(shop.app, shop.environment, USER, asked, with_secret_key=True)
    assert isinstance(pending, OwnedProduct), pending
    assert pending.pending_change is not None
    shop.apply(catalog({"credits": {**MONTHLY, "quantity": 300}}, usd=9900))
    migrated(shop)
    shop.at("2027-01-10T00:00:00Z")
    shop.settle(USER)
    after = owned(shop)
    assert (after.price_id, after.product.included_items["credits"].quantity, shop.units(USER)) == ("monthly", 300, 300)
    assert after.product.prices["monthly"].amounts == {"usd": 2000}


def test_an_ended_purchase_is_left_alone(shop: Shop) -> None:
    shop.grant(USER, "pro")
    changes.cancel(shop.app, shop.environment, USER, "pro", at="period_end")
    shop.apply(catalog({"exports": {"quantity": 1}}))
    shop.at(MARCH)  # Nobody has applied the end yet.
    assert migrated(shop) == (0, 0)
    assert shop.units(USER, "exports") == 0


def test_a_disputed_purchase_is_left_out_until_it_is_over(shop: Shop) -> None:
    shop.grant(USER, "pro")
    shop.apply(catalog({"credits": MONTHLY, "seats": {"quantity": 3}, "exports": {"quantity": 1}}))
    with shop.app.work("test") as work:
        lock_customers(work, [USER])
        freezing.freeze(work, shop.environment, owned(shop), "dp_1", payment_id="pay_1")
    assert (seen(shop).owners, migrated(shop), shop.units(USER, "exports")) == (0, (0, 0), 0)
    with shop.app.work("test") as work:
        lock_customers(work, [USER])
        freezing.unfreeze(work, shop.environment, owned(shop), "dp_1", payment_id="pay_1", is_won=True)
    assert (migrated(shop), shop.units(USER, "exports"), shop.units(USER)) == ((1, 0), 1, 100)


def test_it_tells_of_each_owner(shop: Shop) -> None:
    shop.grant(USER, "pro")
    shop.apply(catalog({"credits": MONTHLY, "seats": {"quantity": 4}}))
    shop.at("2026-01-20T00:00:00Z")
    told = len(shop.events(USER))
    migrated(shop)
    assert [kind for _, kind in shop.events(USER)[told:]] == ["product.migrated", "customer.state_changed"]


def test_refusals(shop: Shop) -> None:
    with shop.app.work("test") as work:
        unknown = migrations.start(work, "none", OwnerFilter(), actor=None)
        assert isinstance(unknown, Refusal)
        assert unknown.code == "product_not_found"
        assert migrations.preview(work.connection, "test", "none", OwnerFilter(), work.now) == unknown
    first = started(shop)
    with shop.app.work("test") as work:
        second = migrations.start(work, "pro", OwnerFilter(), actor=None)
    assert isinstance(second, Refusal)
    assert (second.code, second.facts) == ("migration_running", {"migration_id": first.id})
    assert migrations.advance(shop.app, shop.environment, "mig_none") is None


def test_many_owners_go_in_bounded_works_and_another_process_goes_on(shop: Shop) -> None:
    many = 2 * OWNERS_AT_ONCE + 5
    for number in range(many):
        shop.grant(Customer("user", f"u_{number:03}"), "pro")
    shop.apply(catalog({"exports": {"quantity": 1}}))
    running = started(shop)
    assert running.owners == many
    first = migrations.advance(shop.app, shop.environment, running.id)
    assert first is not None
    assert (first.status, first.migrated) == ("running", OWNERS_AT_ONCE)
    told: list[int] = []
    done = migrations.finish(shop.app, shop.environment, running.id, tell=lambda stands: told.append(stands.migrated))
    assert (told, done.status, done.unchanged) == ([2 * OWNERS_AT_ONCE, many], "completed", 0)
    assert migrations.advance_running(shop.app, shop.environment) == 0
    assert [shop.units(Customer("user", f"u_{number:03}"), "exports") for number in range(many)] == [1] * many


def test_several_processes_at_once_migrate_each_owner_once(shop: Shop) -> None:
    many = OWNERS_AT_ONCE + 10
    for number in range(many):
        shop.grant(Customer("user", f"u_{number:03}"), "pro")
    shop.apply(catalog({"exports": {"quantity": 1}}))
    running = started(shop)
    done: list[Migration] = []

    def finish() -> None:
        done.append(migrations.finish(shop.app, shop.environment, running.id))

    threads = [threading.Thread(target=finish) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(each.status, each.migrated, each.unchanged) for each in done} == {("completed", many, 0)}
    assert [shop.units(Customer("user", f"u_{number:03}"), "exports") for number in range(many)] == [1] * many
    assert list(verify(shop.app, "test")) == []


def test_the_free_plan_of_those_who_have_it_already(shop: Shop) -> None:
    """Who never wrote anything follows the catalog by themselves; for the others the free plan is a purchase like any other."""

    def with_free(quantity: int) -> dict[str, Any]:
        wanted = catalog({"credits": MONTHLY, "seats": {"quantity": 3}})
        exports = {"exports": {"quantity": quantity, "repeat": "1 month"}}
        wanted["products"]["free"] = {"product_line": "plan", "include_by_default": True, "included_items": exports}
        return wanted

    shop.apply(with_free(5))
    shop.settle(USER)
    assert (shop.units(USER, "exports"), owned(shop).source) == (5, "default")
    shop.apply(with_free(10))
    assert migrated(shop, "free") == (1, 0)
    assert shop.units(USER, "exports") == 5
    shop.at("2026-02-11T00:00:00Z")
    assert shop.units(USER, "exports") == 10
    shop.grant(USER, "pro")
    assert shop.units(USER, "exports") == 0
