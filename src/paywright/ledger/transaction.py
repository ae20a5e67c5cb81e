"""
Spending and the app's own writes in one database transaction, where both live in one database.

Without a connection the transaction is ours: committed at the end of the block. With the app's own connection (SQLAlchemy's, Django's, or the
driver's) it is the app's: nothing here commits or rolls it back, and what was spent becomes true when the app commits. An exception out of the
block undoes what the block did to the ledger, by a savepoint, whatever the app does with the rest.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.rows import tuple_row
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import StaticPool

from paywright.engine.app import App
from paywright.environments.clock import business_now
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ledger import actions
from paywright.ledger.holding import EXPIRES_IN_S_DEFAULT, HeldItem, capture_hold, open_hold, release_hold
from paywright.ledger.model import ItemState
from paywright.ledger.opening import Opening, open_customer
from paywright.outbox.actions import lock_customers
from paywright.storage.work import Work


class NotInTransaction(Exception):
    """The connection commits after each statement."""

    def __init__(self) -> None:
        super().__init__(
            "this connection commits after each statement: begin a transaction on it first (Django: `transaction.atomic()`)"
        )


class SharedWork:
    """The ledger of one customer inside a transaction. A refusal changes nothing and leaves the transaction usable."""

    def __init__(self, app: App, work: Work, customer: Customer) -> None:
        self.work, self.customer, self._opening = work, customer, app.resource(Opening)

    def decrease(
        self,
        item_id: str,
        quantity: int,
        *,
        allow_negative: bool = False,
        note: str | None = None,
        actor: str | None = None,
    ) -> ItemState | Refusal:
        return actions.decrease(
            self.work,
            self.customer,
            item_id,
            quantity,
            source=None,
            allow_negative=allow_negative,
            note=note,
            actor=actor,
        )

    def increase(
        self,
        item_id: str,
        quantity: int,
        *,
        expires_at: int | None = None,
        note: str | None = None,
        actor: str | None = None,
    ) -> ItemState | Refusal:
        return actions.grant(
            self.work, self.customer, item_id, quantity, source=None, expires_at=expires_at, note=note, actor=actor
        )

    def read(self, item_id: str) -> ItemState:
        return actions.read(self.work, self.customer, item_id)

    def hold(self, item_id: str, quantity: int, *, expires_in_s: int = EXPIRES_IN_S_DEFAULT) -> HeldItem | Refusal:
        return open_hold(self.work, self._opening, self.customer, item_id, quantity, expires_in_s=expires_in_s)

    def capture(self, hold_id: str, quantity: int | None = None) -> HeldItem | Refusal:
        return capture_hold(self.work, hold_id, quantity)

    def release(self, hold_id: str) -> HeldItem | Refusal:
        return release_hold(self.work, hold_id)


@contextmanager
def transaction(app: App, environment_id: str, customer: Customer, connection: Any = None) -> Iterator[SharedWork]:
    """`connection`: None, or one to the database Paywright runs on: SQLAlchemy's, Django's (`django.db.connection`), psycopg's or sqlite3's."""
    if connection is None:
        with app.work(environment_id) as work:
            yield _opened(app, work, customer)
        return
    lent = _lent(app, connection)
    with lent as shared:
        work = Work(
            shared, environment_id, app.database.dialect, lambda held, name: business_now(held, name, app.wall())
        )
        _savepoint(shared, "SAVEPOINT")
        try:
            yield _opened(app, work, customer)
            work.finish()
        except BaseException:
            _savepoint(shared, "ROLLBACK TO")
            _savepoint(shared, "RELEASE")
            raise
        _savepoint(shared, "RELEASE")
    app.tell(environment_id)


def _opened(app: App, work: Work, customer: Customer) -> SharedWork:
    lock_customers(work, [customer])
    open_customer(work, app.resource(Opening), customer)
    return SharedWork(app, work, customer)


def _savepoint(connection: Connection, verb: str) -> None:
    """`SAVEPOINT`, `ROLLBACK TO` or `RELEASE`."""
    connection.exec_driver_sql(f"{verb} paywright_ledger")


@contextmanager
def _lent(app: App, connection: Any) -> Iterator[Connection]:
    """The app's connection as one of SQLAlchemy's, on which commit, rollback and close do nothing."""
    if isinstance(connection, sa.Connection):
        if connection.get_isolation_level() == "AUTOCOMMIT":
            raise NotInTransaction
        driver = connection.connection.driver_connection
        if isinstance(driver, sqlite3.Connection) and not driver.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
        return
    if hasattr(connection, "ensure_connection"):  # Django's wrapper.
        connection.ensure_connection()
        if connection.get_autocommit():
            # Django would not know of a transaction that is begun behind its back, and would not commit it.
            raise NotInTransaction
        connection = connection.connection
    lent = _Lent(connection)
    lent.begin()
    pool = StaticPool(lambda: lent, reset_on_return=None)
    with Engine(pool, app.database.engine.dialect, app.database.url).connect() as wrapped:
        yield wrapped


class _Lent:
    """A driver's connection whose transaction is somebody else's. Rows come as tuples, however the app likes its own."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def begin(self) -> None:
        if isinstance(self._connection, sqlite3.Connection):
            # Python's driver begins late, and releasing an outermost savepoint would commit.
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
        elif getattr(self._connection, "autocommit", False):
            raise NotInTransaction

    def cursor(self, *arguments: Any, **options: Any) -> Any:
        if isinstance(self._connection, psycopg.Connection):
            return self._connection.cursor(*arguments, **{"row_factory": tuple_row, **options})
        cursor = self._connection.cursor(*arguments, **options)
        if isinstance(self._connection, sqlite3.Connection):
            cursor.row_factory = None
        return cursor

    def commit(self) -> None:
        """The app commits."""

    def rollback(self) -> None:
        """The app rolls back."""

    def close(self) -> None:
        """The app closes."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)
