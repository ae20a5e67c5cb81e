"""Owning, on both databases: rules.md 4 and 5.1 as far as no money is needed."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ownership.model import OwnedProduct
from paywright.subscriptions import changes
from tests.harness.shop import Shop, instant

CATALOG: dict[str, Any] = {
    "items": {"credits": {}, "seats": {}},
    "product_lines": {"plan": {}},
    "products": {
        "basic": {
            "product_line": "plan",
            "prices": {"monthly": {"amounts": {"usd": 1000}, "interval": "1 month"}},
            "included_items": {"credits": {"quantity": 2}},
        },
        "pro": {
            "product_line": "plan",
            "prices": {"monthly": {"amounts": {"usd": 2000}, "interval": "1 month"}},
            "included_items": {"credits": {"quantity": 100, "repeat": "1 month"}, "seats": {"quantity": 3}},
        },
        "premium": {
            "product_line": "plan",
            "prices": {"monthly": {"amounts": {"usd": 3000}, "interval": "1 month"}},
            "included_items": {"credits": {"quantity": 3}},
        },
        "lifetime": {"product_line": "plan", "prices": {"once": {"amounts": {"usd": 9900}}}},
        "support": {"add_on_to": ["pro"], "prices": {"monthly": {"amounts": {"usd": 500}, "interval": "1 month"}}},
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


def owned(outcome: OwnedProduct | Refusal) -> OwnedProduct:
    assert isinstance(outcome, OwnedProduct), outcome
    return outcome


def code(outcome: object) -> str:
    assert isinstance(outcome, Refusal), outcome
    return outcome.code


def test_O1_a_granted_plan_renews_by_the_calendar(shop: Shop) -> None:
    shop.at("2026-01-31T10:00:00Z")
    granted = owned(shop.grant(USER, "pro"))
    assert (granted.source, granted.quantity) == ("grant", 1)
    subscription = granted.subscription
    assert subscription is not None
    assert subscription.period_end(shop.instant) == instant("2026-02-28T10:00:00Z")
    assert subscription.period_end(instant("2026-03-01T00:00:00Z")) == instant("2026-03-31T10:00:00Z")
    assert (shop.units(USER), shop.units(USER, "seats")) == (100, 3)


def test_E2_a_granted_plan_tells_its_events_in_order(shop: Shop) -> None:
    shop.grant(USER, "pro")
    assert shop.events(USER) == [(1, "product.granted"), (2, "subscription.started"), (5, "customer.state_changed")]


def test_O2_twice_is_refused(shop: Shop) -> None:
    shop.grant(USER, "pro")
    assert code(shop.grant(USER, "pro")) == "already_owned"
    assert shop.units(USER) == 100


def test_O3_stackable_quantities_multiply(shop: Shop) -> None:
    assert code(shop.grant(USER, "pro", quantity=2)) == "not_stackable"
    shop.grant(USER, "pack", quantity=3)
    assert [each.quantity for each in shop.owned(USER)] == [3]
    assert shop.units(USER) == 300


def test_O4_an_add_on_needs_its_base(shop: Shop) -> None:
    assert code(shop.grant(USER, "support")) == "base_required"
    shop.grant(USER, "pro")
    shop.grant(USER, "support")
    assert {each.product_id for each in shop.owned(USER)} == {"pro", "support"}


def test_an_add_on_ends_with_its_base(shop: Shop) -> None:
    shop.grant(USER, "pro")
    shop.grant(USER, "support")
    changes.revoke(shop.app, shop.environment, USER, "pro")
    assert shop.owned(USER) == []
    assert shop.units(USER, "seats") == 0


def test_O6_another_plan_of_the_line_replaces_one_without_stripe(shop: Shop) -> None:
    shop.grant(USER, "basic")
    shop.grant(USER, "premium")
    assert [each.product_id for each in shop.owned(USER)] == ["premium"]
    assert shop.units(USER) == 3


def test_O7_a_lifetime_product_keeps_the_line(shop: Shop) -> None:
    shop.grant(USER, "lifetime")
    assert code(shop.grant(USER, "pro")) == "line_taken"


def test_O9_a_one_time_purchase_is_no_subscription(shop: Shop) -> None:
    shop.grant(USER, "pack")
    shop.grant(USER, "pack")
    assert code(changes.cancel(shop.app, shop.environment, USER, "pack", at="now")) == "not_a_subscription"


def test_O10_some_units_are_revoked_newest_first(shop: Shop) -> None:
    shop.grant(USER, "pack", quantity=3)
    owned(changes.revoke(shop.app, shop.environment, USER, "pack", quantity=1))
    assert [each.quantity for each in shop.owned(USER)] == [2]
    assert code(changes.revoke(shop.app, shop.environment, USER, "pack", quantity=5)) == "quantity_too_large"
    assert [each.quantity for each in shop.owned(USER)] == [2]


def test_O12_twenty_callers_at_once_grant_once(shop: Shop) -> None:
    outcomes: list[object] = []
    start = threading.Barrier(20)

    def call() -> None:
        start.wait()
        outcomes.append(shop.grant(USER, "pro"))

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(outcome, OwnedProduct) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Refusal) and outcome.code == "already_owned" for outcome in outcomes) == 19
    assert shop.units(USER) == 100


def test_a_cancel_at_period_end_is_applied_on_time_with_nobody_looking(shop: Shop) -> None:
    shop.at("2026-01-10T00:00:00Z")
    shop.grant(USER, "pro")
    scheduled = owned(changes.cancel(shop.app, shop.environment, USER, "pro", at="period_end"))
    assert scheduled.ends_at == instant("2026-02-10T00:00:00Z")
    assert owned(changes.cancel(shop.app, shop.environment, USER, "pro", at="period_end")).ends_at == scheduled.ends_at
    shop.at("2026-02-09T23:59:59Z")
    assert [each.product_id for each in shop.owned(USER)] == ["pro"]
    shop.at("2026-02-10T00:00:00Z")
    assert shop.owned(USER) == []
    assert shop.units(USER) == 0
    shop.settle(USER)
    told = [kind for _, kind in shop.events(USER)]
    assert told[-3:] == ["product.ended", "subscription.ended", "customer.state_changed"]


def test_resume_takes_a_scheduled_cancel_back_once(shop: Shop) -> None:
    shop.grant(USER, "pro")
    changes.cancel(shop.app, shop.environment, USER, "pro", at="period_end")
    assert owned(changes.resume(shop.app, shop.environment, USER, "pro")).ends_at is None
    assert code(changes.resume(shop.app, shop.environment, USER, "pro")) == "nothing_to_resume"
    shop.at("2026-06-01T00:00:00Z")
    assert [each.product_id for each in shop.owned(USER)] == ["pro"]
    assert shop.units(USER) == 100


def test_cancel_now_ends_at_once(shop: Shop) -> None:
    shop.grant(USER, "pro")
    ended = owned(changes.cancel(shop.app, shop.environment, USER, "pro", at="now"))
    assert (ended.end_reason, ended.ended_at) == ("canceled", shop.instant)
    assert code(changes.cancel(shop.app, shop.environment, USER, "pro", at="now")) == "not_owned"
    assert owned(shop.grant(USER, "pro")).ended_at is None


def test_C6_owners_keep_what_they_bought(shop: Shop) -> None:
    shop.grant(USER, "pro")
    changed = {**CATALOG, "products": {**CATALOG["products"]}}
    changed["products"]["pro"] = {
        **CATALOG["products"]["pro"],
        "included_items": {"credits": {"quantity": 300, "repeat": "1 month"}},
    }
    shop.apply(changed)
    late = Customer("user", "u_2")
    shop.grant(late, "pro")
    shop.at("2026-02-01T00:00:00Z")
    assert (shop.units(USER), shop.units(late)) == (100, 300)


def test_C7_a_product_that_is_gone_stays_with_its_owners(shop: Shop) -> None:
    shop.grant(USER, "premium")
    remaining = {name: product for name, product in CATALOG["products"].items() if name != "premium"}
    shop.apply({**CATALOG, "products": remaining})
    assert [each.product_id for each in shop.owned(USER)] == ["premium"]
    assert code(shop.grant(Customer("user", "u_2"), "premium")) == "product_not_found"
