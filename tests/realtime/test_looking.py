"""What a look reads without asking twice is what the rules say, on a connection that may die."""

from collections.abc import Iterator
from contextlib import closing

import pytest
import sqlalchemy as sa

from paywright.kernel.model import Customer
from paywright.ledger.actions import grant
from paywright.ledger.opening import Opening
from paywright.outbox.actions import lock_customers
from paywright.realtime import queries, state
from paywright.realtime.queries import UNSEEN, Asked, Looked
from paywright.realtime.questions import InTransaction, PostgresSource, source_of
from paywright.realtime.state import Standing
from tests.harness.house import CATALOG, House

WEEK = 7 * 24 * 3600 * 1000
FREE = {"free": {"product_line": "plan", "include_by_default": True, "included_items": {"credits": {"quantity": 5}}}}


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    with House(database_url, catalog={**CATALOG, "products": {**CATALOG["products"], **FREE}}) as running:
        yield running


def looked_at(house: House, *customers: str) -> tuple[list[Looked], list[Standing]]:
    """What a look finds, and what the rules make of the same customers."""
    keys = [("test", customer) for customer in customers]
    asked = [Asked(key, UNSEEN, 0) for key in keys]
    with closing(source_of(house.app.database)) as source:
        looked = queries.look(source, asked)
    included, wall = house.app.resource(Opening).included, house.app.wall()
    with house.app.database.read() as connection:
        again = queries.look(InTransaction(connection), asked)
        ruled = [
            state.by_rules(connection, key, each, wall, included=included)
            for key, each in zip(keys, again, strict=True)
        ]
    return looked, ruled


def shop(house: House) -> None:
    """Somebody with a subscription and a pack, somebody whose credits expire, a guest, a team, and one who has nothing but debts to nobody."""
    base = "/v1/customers"
    assert house.post(f"{base}/user/rich/products", {"product_id": "pro"}).status_code == 201
    assert house.post(f"{base}/user/rich/products", {"product_id": "pack"}).status_code == 201
    assert house.post(f"{base}/user/rich/items/credits/decrease", {"quantity": 30}).status_code == 200
    assert house.post(f"{base}/team/t/items/seats/increase", {"quantity": 3}).status_code == 200
    with house.app.work("test") as work:
        fading = Customer("user", "fading")
        lock_customers(work, [fading])
        for weeks in (2, 1, 2):
            grant(work, fading, "credits", 10, source=None, expires_at=work.now + weeks * WEEK)
    assert house.post(f"{base}/user/fading/items/credits/decrease", {"quantity": 4}).status_code == 200


def test_what_a_look_reads_is_what_the_rules_say(house: House) -> None:
    shop(house)
    customers = ("user:rich", "user:fading", "team:t")
    looked, ruled = looked_at(house, *customers)
    wall = house.app.wall()
    read = [
        state.as_written(house.app.database.engine, ("test", customer), each, wall)
        for customer, each in zip(customers, looked, strict=True)
    ]
    assert all(each is not None for each in read)
    for plain, by_rules in zip(read, ruled, strict=True):
        assert plain is not None
        assert plain.shown(with_secret_key=True) == by_rules.shown(with_secret_key=True)
    assert [len(each.owned) for each in ruled] == [2, 1, 0]
    assert [each.quantity for each in ruled[1].items[0].expiring] == [6, 20]
    assert [[change.version for _, change in each.changes or ()] for each in looked] == [[1, 2, 3], [1, 2], [1]]


def test_what_nobody_wrote_down_is_left_to_the_rules(house: House) -> None:
    """A default of somebody who never wrote, and units whose time is over."""
    shop(house)
    (new, fading), (ruled, _) = looked_at(house, "user:new", "user:fading")
    engine, wall = house.app.database.engine, house.app.wall()
    assert state.as_written(engine, ("test", "user:new"), new, wall) is None
    assert [each.product_id for each in ruled.owned] == ["free"]
    assert state.as_written(engine, ("test", "user:fading"), fading, wall) is not None
    assert state.as_written(engine, ("test", "user:fading"), fading, wall + 2 * WEEK) is None


def test_nothing_is_answered_of_those_who_stand_where_they_stood(house: House) -> None:
    shop(house)
    with closing(source_of(house.app.database)) as source:
        asked = [
            Asked(("test", f"user:{name}"), version, 0) for name, version in (("rich", 3), ("fading", 1), ("new", 0))
        ]
        assert [each.place for each in queries.look(source, asked)] == [1]
        assert queries.moved(source, asked) == [asked[1]]


def test_a_connection_that_died_is_replaced(postgres_url: str) -> None:
    with House(postgres_url) as house, closing(PostgresSource(house.app.database)) as source:
        asked = [Asked(("test", "user:u_1"), UNSEEN, 0)]
        assert [each.version for each in queries.look(source, asked)] == [0]
        with house.app.database.write() as connection:
            ended = connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%unnest%'"
                    " AND pid <> pg_backend_pid()"
                )
            )
            assert ended.scalars().all() == [True]
        assert [each.version for each in queries.look(source, asked)] == [0]
