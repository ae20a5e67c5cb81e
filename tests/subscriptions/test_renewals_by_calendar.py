"""A subscription without Stripe turns by the calendar, and each turn is told once. On both databases."""

from collections.abc import Iterator

import msgspec
import pytest
import sqlalchemy as sa

from paywright.ledger.opening import Opening
from paywright.ledger.verify import verify
from paywright.outbox.tables import events
from paywright.ownership import defaults
from paywright.subscriptions import changes
from paywright.worker import settle_customers
from tests.harness.shop import Shop
from tests.subscriptions.terms import CATALOG, USER, done, switched


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    made = Shop(database_url, CATALOG)
    opening = made.app.resource(Opening)
    opening.align, opening.included = defaults.align, defaults.included_by_default
    yield made
    assert [str(problem) for problem in verify(made.app, "test")] == []
    made.close()


def renewals(shop: Shop) -> list[tuple[str, str]]:
    with shop.app.database.read() as connection:
        found = sa.select(events.c.data).where(events.c.type == "subscription.renewed").order_by(events.c.sequence)
        periods = [msgspec.json.decode(each)["period"] for each in connection.execute(found).scalars()]
    return [(period["start"][:10], period["end"][:10]) for period in periods]


def test_the_turn_of_the_calendar_is_told_once_as_a_renewal(shop: Shop) -> None:
    shop.at("2026-01-31T00:00:00Z")
    done(shop.grant(USER, "twin"))
    shop.at("2027-01-30T23:59:59Z")
    assert (settle_customers(shop.app, shop.environment), renewals(shop)) == (0, [])
    shop.at("2028-02-01T00:00:00Z")
    for _ in range(2):
        settle_customers(shop.app, shop.environment)
    assert renewals(shop) == [("2027-01-31", "2028-01-31"), ("2028-01-31", "2029-01-31")]
    done(changes.cancel(shop.app, shop.environment, USER, "twin", at="period_end"))
    shop.at("2029-07-01T00:00:00Z")
    settle_customers(shop.app, shop.environment)
    assert (len(renewals(shop)), [each.product_id for each in shop.owned(USER) if each.source != "default"]) == (2, [])


def test_after_a_switch_the_new_products_turns_are_told(shop: Shop) -> None:
    shop.at("2026-01-01T00:00:00Z")
    done(shop.grant(USER, "pro"))
    done(switched(shop, "pro", "basic"))
    shop.at("2026-03-15T00:00:00Z")
    settle_customers(shop.app, shop.environment)
    assert renewals(shop) == [("2026-03-01", "2026-04-01")]  # On 1 February it was switched, and that is what was told.
    done(switched(shop, "basic", "pro", price_id="yearly"))
    shop.at("2027-03-16T00:00:00Z")
    settle_customers(shop.app, shop.environment)
    assert renewals(shop)[1:] == [("2027-03-15", "2028-03-15")]
