"""Two shops live the same random life. In one everything due is applied at once, in the other nobody ever looks: they read the same at any time."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from paywright.kernel.periods import DAY_MS
from paywright.kernel.refusals import Refusal
from paywright.ledger.hot import decrease
from paywright.ledger.opening import Opening
from paywright.ledger.verify import verify
from paywright.ownership import defaults
from paywright.subscriptions import changes
from paywright.worker import settle_customers
from tests.harness.shop import Shop
from tests.subscriptions.terms import CATALOG, USER, switched

STEPS = 40
PLANS = ("basic", "pro", "max", "weekly")


def opened(database_url: str) -> Shop:
    shop = Shop(database_url, CATALOG)
    opening = shop.app.resource(Opening)
    opening.align, opening.included = defaults.align, defaults.included_by_default
    return shop


def seen(shop: Shop) -> Any:
    """What anybody can read, less ids."""
    products = [
        (
            each.product_id,
            each.price_id,
            each.quantity,
            each.granted_at,
            each.ends_at,
            each.access,
            None if each.subscription is None else each.subscription.period_end(shop.instant),
            None if each.pending_change is None else (each.pending_change.product_id, each.pending_change.at),
        )
        for each in shop.owned(USER)
        if each.source != "default"
    ]
    with shop.app.database.read() as connection:
        live = shop.owned(USER)
        default = [
            each.product_id
            for each in defaults.owned_by_default(connection, "test", USER, live, shop.instant)
            if each.source == "default"
        ]
    return sorted(products, key=str), default, [shop.units(USER, item_id) for item_id in ("credits", "seats")]


def step(seed: random.Random) -> tuple[str, Callable[[Shop], Any]]:
    """Something a customer, an operator or time does."""
    plan, other, quantity = seed.choice(PLANS), seed.choice(PLANS), seed.randint(1, 4)
    days, at = seed.choice((0, 1, 3, 7, 20, 31, 62)), seed.choice((None, "now", "period_end"))
    price_id = "yearly" if plan == "pro" and seed.random() < 0.3 else None
    units = seed.randint(1, 40)

    def advance(shop: Shop) -> None:
        shop.instant += days * DAY_MS + 3_600_000

    def on_each(act: Callable[[Shop, str], Any]) -> Callable[[Shop], Any]:
        return lambda shop: act(shop, other)

    found: dict[str, Callable[[Shop], Any]] = {
        "grant": lambda shop: shop.grant(USER, plan),
        "grant seats": lambda shop: None if _has(shop, "desk") else shop.grant(USER, "desk", quantity=quantity),
        "switch": lambda shop: switched(shop, _plan(shop), plan, price_id=price_id, at=at),
        "seats": lambda shop: switched(shop, "desk", "desk", quantity=quantity, at=at),
        "cancel": lambda shop: changes.cancel(shop.app, shop.environment, USER, _plan(shop), at="period_end"),
        "cancel now": on_each(lambda shop, name: changes.cancel(shop.app, shop.environment, USER, name, at="now")),
        "resume": lambda shop: changes.resume(shop.app, shop.environment, USER, _plan(shop)),
        "add-on": lambda shop: None if _has(shop, "support") else shop.grant(USER, "support"),
        "spend": lambda shop: decrease(shop.app, "test", USER, "credits", units),
        "advance": advance,
    }
    weights = [4, 3, 7, 5, 2, 1, 2, 2, 4, 8]
    (name,) = seed.choices(list(found), weights)
    return name, found[name]


def _plan(shop: Shop) -> str:
    """The plan that is owned now, or one that is not."""
    return next((str(each.product_id) for each in shop.owned(USER) if each.product_id in PLANS), "basic")


def _has(shop: Shop, product_id: str) -> bool:
    return any(each.product_id == product_id for each in shop.owned(USER))


@pytest.mark.parametrize("number", range(12))
def test_nobody_has_to_look(fresh_database: Callable[[], str], number: int) -> None:
    seed = random.Random(number)
    eager, lazy = opened(fresh_database()), opened(fresh_database())
    story: list[str] = []
    try:
        for _ in range(STEPS):
            name, act = step(seed)
            outcomes = [act(eager), act(lazy)]
            codes = [each.code if isinstance(each, Refusal) else "done" for each in outcomes]
            story.append(f"{name}: {codes[0]}")
            assert codes[0] == codes[1], story
            settle_customers(eager.app, eager.environment)
            assert seen(eager) == seen(lazy), story
        settle_customers(lazy.app, lazy.environment)
        assert seen(eager) == seen(lazy), story
        assert [str(problem) for shop in (eager, lazy) for problem in verify(shop.app, "test")] == []
    finally:
        eager.close()
        lazy.close()
