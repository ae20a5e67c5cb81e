"""Spending inside the app's own transaction, on both databases, with every kind of connection."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg.rows import dict_row

from paywright.kernel.refusals import Refusal
from paywright.ledger.model import ItemState
from paywright.ledger.transaction import NotInTransaction, transaction
from tests.ledger.conftest import ENVIRONMENT, ITEM, U1, Ledger


class Django:
    """The three things of `django.db.connection` that matter here."""

    def __init__(self, connection: Any) -> None:
        self.connection: Any = None
        self._connection = connection

    def ensure_connection(self) -> None:
        self.connection = self._connection

    def get_autocommit(self) -> bool:
        return False


@contextmanager
def of_driver(ledger: Ledger) -> Iterator[Any]:
    url = ledger.app.database.url
    if ledger.app.database.dialect == "sqlite":
        assert url.database is not None
        with closing(sqlite3.connect(url.database)) as connection:
            connection.row_factory = sqlite3.Row
            yield connection
    else:
        address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        with closing(psycopg.connect(address, row_factory=dict_row)) as connected:
            yield connected


@contextmanager
def of_django(ledger: Ledger) -> Iterator[Any]:
    with of_driver(ledger) as connection:
        wrapper = Django(connection)
        wrapper.commit = connection.commit  # type: ignore[attr-defined]
        wrapper.rollback = connection.rollback  # type: ignore[attr-defined]
        wrapper.execute = connection.execute  # type: ignore[attr-defined]
        yield wrapper


@contextmanager
def of_sqlalchemy(ledger: Ledger) -> Iterator[Any]:
    engine = sa.create_engine(ledger.app.database.url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


KINDS = pytest.mark.parametrize("kind", [of_driver, of_django, of_sqlalchemy])


def run(connection: Any, statement: str) -> None:
    connection.execute(sa.text(statement) if isinstance(connection, sa.Connection) else statement)


@pytest.fixture
def diary(ledger: Ledger) -> None:
    with ledger.app.database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE diary (line TEXT)")


def lines(ledger: Ledger) -> int:
    with ledger.app.database.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM diary").scalar_one())


@KINDS
@pytest.mark.usefixtures("diary")
def test_both_become_true_when_the_app_commits(ledger: Ledger, kind: Any) -> None:
    ledger.grant(10)
    with kind(ledger) as connection:
        run(connection, "INSERT INTO diary VALUES ('a poem')")
        with transaction(ledger.app, ENVIRONMENT, U1, connection) as credits:
            assert credits.decrease(ITEM, 3) == ItemState(ITEM, 7, 0, 2)
        assert ledger.shown() == (10, 0)
        connection.commit()
    assert (ledger.shown(), lines(ledger)) == ((7, 0), 1)


@KINDS
@pytest.mark.usefixtures("diary")
def test_neither_becomes_true_when_the_app_rolls_back(ledger: Ledger, kind: Any) -> None:
    ledger.grant(10)
    with kind(ledger) as connection:
        with transaction(ledger.app, ENVIRONMENT, U1, connection) as credits:
            credits.decrease(ITEM, 3)
            run(connection, "INSERT INTO diary VALUES ('a poem')")
        connection.rollback()
    assert (ledger.shown(), lines(ledger)) == ((10, 0), 0)


@KINDS
@pytest.mark.usefixtures("diary")
def test_an_exception_undoes_the_spending_even_if_the_app_goes_on(ledger: Ledger, kind: Any) -> None:
    ledger.grant(10)

    def fails(connection: Any) -> None:
        with transaction(ledger.app, ENVIRONMENT, U1, connection) as credits:
            credits.decrease(ITEM, 3)
            raise LookupError

    with kind(ledger) as connection:
        run(connection, "INSERT INTO diary VALUES ('a poem')")
        with pytest.raises(LookupError):
            fails(connection)
        connection.commit()
    assert (ledger.shown(), lines(ledger)) == ((10, 0), 1)


def test_without_a_connection_the_transaction_is_ours(ledger: Ledger) -> None:
    ledger.grant(10)
    with transaction(ledger.app, ENVIRONMENT, U1) as credits:
        credits.decrease(ITEM, 3, note="a poem")
        assert credits.decrease(ITEM, 8) == Refusal("insufficient_quantity", {"requested": 8, "available": 7})
        credits.increase("bonus", 1)
        assert credits.read(ITEM) == ItemState(ITEM, 7, 0, 1)
    assert ledger.events()[-1][1] == "customer.state_changed"
    assert [kind for _, kind in ledger.events()].count("customer.state_changed") == 2


def test_holds_inside_a_transaction(ledger: Ledger) -> None:
    ledger.grant(10)
    with transaction(ledger.app, ENVIRONMENT, U1) as credits:
        first, second = credits.hold(ITEM, 3), credits.hold(ITEM, 4)
        assert not isinstance(first, Refusal)
        assert not isinstance(second, Refusal)
        credits.capture(first.hold.id, 2)
        credits.release(second.hold.id)
    assert ledger.shown() == (8, 0)


def test_a_connection_that_commits_by_itself_is_refused(ledger: Ledger) -> None:
    if ledger.app.database.dialect == "sqlite":
        return  # There a transaction is begun, for the app to commit.
    with of_driver(ledger) as connection:
        connection.autocommit = True
        with pytest.raises(NotInTransaction), transaction(ledger.app, ENVIRONMENT, U1, connection):
            pass


def test_a_sqlite_connection_without_a_transaction_gets_one(ledger: Ledger) -> None:
    if ledger.app.database.dialect != "sqlite":
        return  # psycopg begins by itself.
    ledger.grant(1)
    with of_driver(ledger) as connection:
        with transaction(ledger.app, ENVIRONMENT, U1, connection) as credits:
            credits.decrease(ITEM, 1)
        assert connection.in_transaction
        connection.commit()
    assert ledger.shown() == (0, 0)
