"""
The database: one URL, two kinds, the same tables.

SQLite: WAL, `synchronous=FULL` (a reply means it is on disk), foreign keys on, one writer at a time. Writers of this
process queue fairly on `writer`, because SQLite's own busy handler polls; other processes are waited for by the busy
timeout. PostgreSQL: psycopg 3, READ COMMITTED, and a lock timeout so that nobody waits for ever behind a stuck process.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url

from paywright.kernel import faults
from paywright.kernel.settings import SettingsInvalid

Dialect = Literal["sqlite", "postgresql"]

LOCK_TIMEOUT_MS = 2_000
BUSY_TIMEOUT_MS = 10_000


class DatabaseUnavailable(Exception):
    """The database can't be reached, or a lock or a free connection was not to be had in time. Nothing was committed."""


def normalised(database_url: str) -> URL:
    """The URL with our drivers: `sqlite:///…` as it is, `postgres://` and `postgresql://` with psycopg 3. Raises `SettingsInvalid`."""
    if database_url.startswith("postgres://"):
        database_url = "postgresql://" + database_url.removeprefix("postgres://")
    try:
        url = make_url(database_url)
    except sa.exc.ArgumentError as error:
        # Not shown as it was given: it may hold a password.
        raise SettingsInvalid("PAYWRIGHT_DATABASE_URL is no URL: sqlite:///file.db or postgresql://…") from error
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise SettingsInvalid(f"{url.get_backend_name()} is no database Paywright runs on: sqlite:/// or postgresql://")
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise SettingsInvalid("an in-memory database has no second connection: name a file, sqlite:///file.db")
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


class Database:
    """A pool of connections to one database. Thread-safe; `close` it when done."""

    def __init__(self, database_url: str, *, pool_size: int = 10) -> None:
        self.url = normalised(database_url)
        self.dialect: Dialect = "sqlite" if self.url.get_backend_name() == "sqlite" else "postgresql"
        self.writer = threading.Lock()
        self.engine = _sqlite_engine(self.url) if self.dialect == "sqlite" else _postgresql_engine(self.url, pool_size)
        if faults.is_armed():
            _number_statements(self.engine)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One write transaction: committed at the end of the block, rolled back when it raises."""
        if self.dialect == "postgresql":
            with _outages_named(), self.engine.begin() as connection:
                yield connection
            return
        with self.writer, _outages_named(), self.engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            with _ended(connection):
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One snapshot to read from. On SQLite it waits for no writer."""
        with _outages_named(), self.engine.connect() as connection:
            if self.dialect == "sqlite":
                connection.exec_driver_sql("BEGIN DEFERRED")
            else:
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            try:
                yield connection
            finally:
                connection.rollback()

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def _ended(connection: Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


@contextmanager
def _outages_named() -> Iterator[None]:
    try:
        yield
    except sa.exc.OperationalError as error:
        # The first line says what; what follows may show the statement.
        reason = str(error.orig).partition("\n")[0]
        raise DatabaseUnavailable(f"the database can't be used: {reason or type(error.orig).__name__}") from error
    except sa.exc.TimeoutError as error:
        raise DatabaseUnavailable("no connection to the database came free in time") from error


def _sqlite_engine(url: URL) -> Engine:
    assert url.database, "normalised() lets no other through"
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        url, connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000, "cached_statements": 512}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        prepare_sqlite(connection)

    return engine


def prepare_sqlite(connection: sqlite3.Connection) -> None:
    """What every SQLite connection of ours needs, pooled or the batcher's own: explicit BEGIN, and the promises above."""
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "cache_size=-16000",
        "temp_store=MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _postgresql_engine(url: URL, pool_size: int) -> Engine:
    return sa.create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        pool_pre_ping=True,
        connect_args={"options": f"-c lock_timeout={LOCK_TIMEOUT_MS} -c timezone=UTC", "connect_timeout": 10},
    )


def _number_statements(engine: Engine) -> None:
    """Each statement and each commit is a numbered point of the crash tests."""

    @event.listens_for(engine, "after_cursor_execute")
    def executed(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        faults.point("statement " + " ".join(statement.split())[:80])

    @event.listens_for(engine, "commit")
    def committing(_connection: Any) -> None:
        faults.point("before commit")
