"""Reading: the breakdown, history, the past and the future, the outbox's view, and what verify finds."""

import pytest
import sqlalchemy as sa

from paywright.catalog.tables import catalogs
from paywright.kernel.model import Customer
from paywright.kernel.periods import DAY_MS as DAY
from paywright.kernel.periods import Period
from paywright.kernel.refusals import Refusal
from paywright.ledger import actions, hot, queries
from paywright.ledger.account import Included
from paywright.ledger.holding import open_hold
from paywright.ledger.model import Expiring, GrantShown, ItemState
from paywright.ledger.opening import Opening
from tests.ledger.conftest import ENVIRONMENT, ITEM, U1, Ledger

WEEK = Period(1, "week")


def breakdown(ledger: Ledger, as_of: int | None = None) -> list[tuple[str, int, int, int | None]]:
    with ledger.app.database.read() as connection:
        found = queries.breakdown(connection, ENVIRONMENT, U1, ITEM, ledger.clock.now, as_of)
    assert isinstance(found, list), found
    return [(grant.source, grant.quantity, grant.remaining, grant.expires_at) for grant in found]


def as_of(ledger: Ledger, instant: int) -> ItemState | Refusal:
    with ledger.app.database.read() as connection:
        return queries.item_state_as_of(connection, ENVIRONMENT, U1, ITEM, ledger.clock.now, instant)


def test_the_breakdown_lays_spending_over_the_soonest_first(ledger: Ledger) -> None:
    ledger.at(0).grant(10, source="gift:1")
    ledger.grant(10, source="promo:1", expires_at=500)
    ledger.do(actions.start_included, "own_a", ITEM, 5, repeat=None, expires="when_repeated", anchor=0)
    ledger.do(actions.decrease, ITEM, 4, source=None)
    assert breakdown(ledger) == [
        ("promo:1", 10, 6, 500),
        ("purchase:own_a:credits:start", 5, 5, None),
        ("gift:1", 10, 10, None),
    ]


def test_a_resetting_grant_expires_at_its_next_repeat(ledger: Ledger) -> None:
    ledger.at(0).do(actions.start_included, "own_a", ITEM, 5, repeat=WEEK, expires="when_repeated", anchor=0)
    ledger.at(8 * DAY)
    assert breakdown(ledger) == [("purchase:own_a:credits:repeat:1", 5, 5, 14 * DAY)]


def test_history_is_newest_first_and_has_a_cursor(ledger: Ledger) -> None:
    for quantity in range(1, 6):
        ledger.grant(quantity)
    with ledger.app.database.read() as connection:
        first = queries.entries(connection, ENVIRONMENT, U1, ITEM, limit=2)
        rest = queries.entries(connection, ENVIRONMENT, U1, ITEM, limit=10, before_sequence=first[-1].sequence)
    assert [(entry.seq, entry.quantity) for entry in first + rest] == [(5, 5), (4, 4), (3, 3), (2, 2), (1, 1)]
    assert first[0].source == f"call:{first[0].id}"


def test_the_past_is_what_the_ledger_said_then(ledger: Ledger) -> None:
    ledger.at(100).grant(10, expires_at=400, source="promo:1")
    ledger.at(200).do(actions.decrease, ITEM, 4, source=None)
    ledger.at(500).grant(1)
    assert [as_of(ledger, t) for t in (99, 100, 200, 499)] == [
        ItemState(ITEM, 0, 0, 3),
        ItemState(ITEM, 10, 0, 1),
        ItemState(ITEM, 6, 0, 2),
        ItemState(ITEM, 6, 0, 2),
    ]
    assert breakdown(ledger, 150) == [("promo:1", 10, 10, 400)]
    assert breakdown(ledger, 250) == [("promo:1", 10, 6, 400)]
    with ledger.app.database.read() as connection:
        known = queries.entries(connection, ENVIRONMENT, U1, ITEM, as_of=200)
    assert [entry.kind for entry in known] == ["decrease", "grant"]


def test_the_future_is_what_will_be_there_if_nothing_else_happens(ledger: Ledger) -> None:
    ledger.at(0).do(actions.start_included, "own_a", ITEM, 5, repeat=WEEK, expires="never", anchor=0)
    ledger.grant(3, expires_at=DAY)
    with ledger.work() as work:
        open_hold(work, ledger.app.resource(Opening), U1, ITEM, 2)
    assert as_of(ledger, 8 * DAY) == ItemState(ITEM, 10, 0, 3)
    assert as_of(ledger, DAY // 2) == ItemState(ITEM, 8, 0, 3, (Expiring(3, DAY),))
    assert breakdown(ledger, 8 * DAY)[1][:3] == ("purchase:own_a:credits:repeat:1", 5, 5)
    assert as_of(ledger, 3_700 * DAY) == Refusal("as_of_too_far")


def test_entries_are_events_of_the_customer_in_one_order(ledger: Ledger) -> None:
    ledger.grant(10)
    hot.decrease(ledger.app, ENVIRONMENT, U1, ITEM, 10)
    ledger.do(actions.grant, "seats", 1, source=None, customer=Customer("team", "t_1"))
    with ledger.app.database.read() as connection:
        everybody = queries.events_of_entries(connection, ENVIRONMENT)
        users = queries.events_of_entries(connection, ENVIRONMENT, customer_type="user")
        mine = queries.events_of_entries(connection, ENVIRONMENT, customer=U1, limit=1)
        older = queries.events_of_entries(
            connection, ENVIRONMENT, customer=U1, before_id=mine[0].id.removeprefix("ent_")
        )
        since = queries.entries_since(connection, ENVIRONMENT, U1, 1, limit=10)
    assert [entry.customer for entry in everybody] == ["team:t_1", "user:u_1", "user:u_1"]
    assert [entry.kind for entry in users] == ["decrease", "grant"]
    assert [entry.kind for entry in older] == ["grant"]
    assert [entry.sequence for entry in since] == [3]
    assert ledger.events() == [
        (1, "item.balance_changed"),
        (2, "customer.state_changed"),
        (3, "item.balance_changed"),
        (4, "item.depleted"),
        (5, "customer.state_changed"),
    ]


def test_what_defaults_include_is_seen_before_it_is_written(ledger: Ledger) -> None:
    item = Included("own_default_free", 5, Period(1, "month"), "when_repeated", 0, 0)
    ledger.at(40 * DAY).app.resource(Opening).included = lambda *_: [item]
    with ledger.app.work(ENVIRONMENT) as work:
        work.execute(
            catalogs.insert().values(environment_id=ENVIRONMENT, version=1, applied_id="a", defaults_version=1)
        )
    state = hot.read_item(ledger.app, ENVIRONMENT, U1, ITEM)
    assert (state.quantity, state.version, ledger.entries()) == (5, 0, [])


def test_grants_shown_are_whole_values(ledger: Ledger) -> None:
    ledger.at(7).grant(2, source="gift:1")
    with ledger.app.database.read() as connection:
        found = queries.breakdown(connection, ENVIRONMENT, U1, ITEM, 7)
        (entry,) = queries.entries(connection, ENVIRONMENT, U1, ITEM)
    assert found == [GrantShown(entry.id, "gift:1", 2, 2, 7, None)]


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        ("UPDATE balances SET balance = balance + 1, live = live + 1", "balance is 8, its entries make 7"),
        ("UPDATE balances SET entries = 5", "entries is 5, its entries make 2"),
        ("UPDATE item_grants SET live = live - 1, expired = 1", "live units of never are stored"),
        ("UPDATE customers SET next_sequence = next_sequence + 1", "sequences up to 4; the next is 6"),
        ("DELETE FROM events WHERE sequence = 2", "3 events and entries"),
        ("DELETE FROM balances", "there are entries but no balance"),
    ],
)
def test_verify_names_what_is_wrong(ledger: Ledger, damage: str, expected: str) -> None:
    ledger.grant(10)
    ledger.do(actions.decrease, ITEM, 3, source=None)
    assert ledger.problems() == []
    with ledger.app.database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE kept_balances AS SELECT * FROM balances")
        connection.exec_driver_sql("CREATE TABLE kept_grants AS SELECT * FROM item_grants")
        connection.exec_driver_sql("CREATE TABLE kept_customers AS SELECT * FROM customers")
        connection.exec_driver_sql("CREATE TABLE kept_events AS SELECT * FROM events")
        connection.execute(sa.text(damage))
    assert any(expected in problem for problem in ledger.problems()), ledger.problems()
    with ledger.app.database.write() as connection:
        for kept, table in (
            ("kept_balances", "balances"),
            ("kept_grants", "item_grants"),
            ("kept_customers", "customers"),
            ("kept_events", "events"),
        ):
            connection.exec_driver_sql(f"DELETE FROM {table}")
            connection.exec_driver_sql(f"INSERT INTO {table} SELECT * FROM {kept}")


def test_verify_reports_its_progress(ledger: Ledger) -> None:
    from paywright.ledger.verify import count_entries, verify

    for _ in range(3):
        ledger.grant(1)
    steps: list[int] = []
    assert list(verify(ledger.app, ENVIRONMENT, steps.append)) == []
    assert sum(steps) == count_entries(ledger.app, ENVIRONMENT) == 3
