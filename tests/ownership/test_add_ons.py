"""Add-ons end with the last of their bases, and show it beforehand: rules.md 4.4, on both databases."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ownership.model import OwnedProduct
from paywright.ownership.queries import owned_product
from paywright.ownership.tables import owned_products
from paywright.subscriptions import changes, switching
from paywright.subscriptions.switch_rules import AskedSwitch
from tests.harness.shop import Shop, instant

USER = Customer("user", "u_1")


def plan(amount: int, **more: Any) -> dict[str, Any]:
    return {"product_line": "plan", "prices": {"monthly": {"amounts": {"usd": amount}, "interval": "1 month"}}, **more}


def add_on(*bases: str, **more: Any) -> dict[str, Any]:
    prices = {"monthly": {"amounts": {"usd": 500}, "interval": "1 month"}}
    included = {"tickets": {"quantity": 5, "repeat": "1 month"}}
    return {"add_on_to": list(bases), "prices": prices, "included_items": included, **more}


CATALOG: dict[str, Any] = {
    "items": {"tickets": {}},
    "product_lines": {"plan": {}},
    "products": {
        "basic": plan(1000),
        "pro": plan(2000),
        "max": plan(5000),
        "pass": {"prices": {"monthly": {"amounts": {"usd": 100}, "interval": "1 month"}}},
        "support": add_on("pro", "max", "pass"),
        "nights": add_on("support"),
        "keeps": add_on("pro", ends_with_base=False),
        "only_pro": add_on("pro"),
    },
}


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    made = Shop(database_url, CATALOG)
    yield made
    made.close()


def owned(outcome: OwnedProduct | Refusal) -> OwnedProduct:
    assert isinstance(outcome, OwnedProduct), outcome
    return outcome


def ends(shop: Shop) -> dict[str | None, int | None]:
    return {each.product_id: each.ends_at for each in shop.owned(USER)}


def reasons(shop: Shop) -> dict[str | None, str | None]:
    """Of everything that has ended."""
    with shop.app.database.read() as connection:
        ids = list(connection.execute(sa.select(owned_products.c.id)).scalars())
        found = [owned_product(connection, "test", USER, each) for each in ids]
    return {each.product_id: each.end_reason for each in found if each is not None and each.ended_at is not None}


def switched(shop: Shop, from_product_id: str, to_product_id: str) -> OwnedProduct:
    wish = AskedSwitch(from_product_id, to_product_id)
    return owned(switching.switch(shop.app, shop.environment, USER, wish, with_secret_key=True))


def canceled(shop: Shop, product_id: str) -> OwnedProduct:
    return owned(changes.cancel(shop.app, shop.environment, USER, product_id, at="period_end"))


FEBRUARY = instant("2026-02-01T00:00:00Z")


def test_O5_an_add_on_shows_the_end_of_its_base_and_goes_with_it(shop: Shop) -> None:
    shop.grant(USER, "pro")
    shop.at("2026-01-10T00:00:00Z")
    for add_on_id in ("support", "nights", "keeps"):
        owned(shop.grant(USER, add_on_id))
    canceled(shop, "pro")
    assert ends(shop) == {"pro": FEBRUARY, "support": FEBRUARY, "nights": FEBRUARY, "keeps": None}
    assert shop.units(USER, "tickets") == 15
    shop.at("2026-02-01T00:00:00Z")
    assert ends(shop) == {"keeps": None}
    assert shop.units(USER, "tickets") == 5
    shop.settle(USER)
    assert reasons(shop) == {"pro": "canceled", "support": "base_ended", "nights": "base_ended"}
    assert shop.units(USER, "tickets") == 5


def test_resuming_the_base_resumes_its_add_ons(shop: Shop) -> None:
    shop.grant(USER, "pro")
    shop.grant(USER, "support")
    shop.grant(USER, "nights")
    canceled(shop, "pro")
    refused = changes.resume(shop.app, shop.environment, USER, "support")
    assert isinstance(refused, Refusal)
    assert refused.code == "nothing_to_resume"
    owned(changes.resume(shop.app, shop.environment, USER, "pro"))
    assert ends(shop) == {"pro": None, "support": None, "nights": None}
    shop.at("2026-03-01T00:00:00Z")
    assert shop.units(USER, "tickets") == 10


def test_an_add_on_that_was_canceled_itself_ends_when_that_said(shop: Shop) -> None:
    shop.grant(USER, "pro")
    shop.at("2026-01-20T00:00:00Z")
    shop.grant(USER, "support")
    canceled(shop, "support")
    assert ends(shop)["support"] == instant("2026-02-20T00:00:00Z")
    canceled(shop, "pro")
    assert ends(shop)["support"] == FEBRUARY
    owned(changes.resume(shop.app, shop.environment, USER, "pro"))
    assert ends(shop)["support"] == instant("2026-02-20T00:00:00Z")
    owned(changes.resume(shop.app, shop.environment, USER, "support"))
    assert ends(shop)["support"] is None


def test_another_base_keeps_it(shop: Shop) -> None:
    shop.grant(USER, "pro")
    shop.grant(USER, "support")
    canceled(shop, "pro")
    shop.at("2026-01-15T00:00:00Z")
    shop.grant(USER, "pass")
    assert ends(shop)["support"] is None
    canceled(shop, "pass")
    assert ends(shop)["support"] == instant("2026-02-15T00:00:00Z")
    shop.at("2026-02-01T00:00:00Z")
    assert sorted(map(str, ends(shop))) == ["pass", "support"]
    shop.settle(USER)
    assert ends(shop) == {"pass": instant("2026-02-15T00:00:00Z"), "support": instant("2026-02-15T00:00:00Z")}


def test_a_switch_to_another_of_its_bases_keeps_it(shop: Shop) -> None:
    shop.grant(USER, "pro")
    shop.grant(USER, "support")
    shop.grant(USER, "only_pro")
    switched(shop, "pro", "max")
    assert sorted(map(str, ends(shop))) == ["max", "support"]
    assert reasons(shop) == {"pro": "switched", "only_pro": "base_ended"}
    switched(shop, "max", "pro")
    assert ends(shop)["support"] is None
    shop.at("2026-02-01T00:00:00Z")
    shop.settle(USER)
    assert ends(shop) == {"pro": None, "support": None}


def test_a_switch_to_come_that_is_no_base_shows_its_end(shop: Shop) -> None:
    shop.grant(USER, "pro")
    shop.grant(USER, "support")
    switched(shop, "pro", "basic")
    assert ends(shop) == {"pro": None, "support": FEBRUARY}
    shop.at("2026-02-01T00:00:00Z")
    assert ends(shop) == {"basic": None}
    assert shop.units(USER, "tickets") == 0
    shop.settle(USER)
    assert reasons(shop) == {"pro": "switched", "support": "base_ended"}


def test_calling_the_switch_off_keeps_the_add_on(shop: Shop) -> None:
    shop.grant(USER, "pro")
    shop.grant(USER, "support")
    switched(shop, "pro", "basic")
    owned(changes.resume(shop.app, shop.environment, USER, "pro"))
    assert ends(shop) == {"pro": None, "support": None}


@pytest.mark.parametrize(("other", "kept"), [("max", True), ("basic", False)])
def test_a_replacement_by_another_of_its_bases_keeps_it(shop: Shop, other: str, kept: bool) -> None:
    shop.grant(USER, "pro")
    shop.grant(USER, "support")
    owned(shop.grant(USER, other))
    assert ("support" in ends(shop)) is kept
    assert reasons(shop)["pro"] == "replaced"
