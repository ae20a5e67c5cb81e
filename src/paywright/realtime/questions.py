"""
What is asked of the database, one statement each for however many customers, and how: each row of an answer is one JSON text, each parameter a text.

So a question is the same over a connection of SQLAlchemy's and over libpq itself, where it costs one round trip and no transaction around it: one
statement sees one snapshot.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import msgspec
import psycopg
import sqlalchemy as sa
from psycopg import pq
from sqlalchemy.engine import Connection

from paywright.storage.database import LOCK_TIMEOUT_MS, Database, DatabaseUnavailable, Dialect


class Question:
    """One statement in both dialects. `texts` by dialect, with the parameters as `:name`; PostgreSQL's are written as PostgreSQL reads them."""

    def __init__(self, name: str, texts: Mapping[Dialect, str]) -> None:
        self.name = name.encode()
        self.clauses = {dialect: sa.text(text) for dialect, text in texts.items()}
        self.parameters = list(dict.fromkeys(re.findall(r":(\w+)", texts["postgresql"])))
        numbered = {name: f"${place}" for place, name in enumerate(self.parameters, 1)}
        self.prepared = re.sub(r":(\w+)", lambda found: numbered[found[1]], texts["postgresql"]).encode()


class Source(Protocol):
    """Where questions are asked."""

    dialect: Dialect

    def ask(self, question: Question, parameters: Mapping[str, str]) -> Sequence[str | bytes]:
        """The rows, as of one snapshot."""


class InTransaction:
    """A connection somebody else opened: all its answers are of one snapshot."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.dialect: Dialect = "sqlite" if connection.dialect.name == "sqlite" else "postgresql"

    def ask(self, question: Question, parameters: Mapping[str, str]) -> Sequence[str | bytes]:
        return list(self._connection.execute(question.clauses[self.dialect], parameters).scalars())


class SqliteSource:
    """Each answer of a snapshot of its own."""

    dialect: Dialect = "sqlite"

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(self, question: Question, parameters: Mapping[str, str]) -> Sequence[str | bytes]:
        with self._database.read() as connection:
            return InTransaction(connection).ask(question, parameters)

    def close(self) -> None:
        """There is nothing to close."""


class PostgresSource:
    """A connection of its own, opened when first needed and again after it was lost. Used by one thread at a time."""

    dialect: Dialect = "postgresql"

    def __init__(self, database: Database) -> None:
        self._url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection: psycopg.Connection[Any] | None = None
        self._prepared: set[bytes] = set()

    def ask(self, question: Question, parameters: Mapping[str, str]) -> Sequence[str | bytes]:
        """Raises `DatabaseUnavailable`. A connection found dead is replaced: reading twice does no harm."""
        if self._connection is not None:
            with suppress(DatabaseUnavailable):
                return self._asked(question, parameters)
        return self._asked(question, parameters)

    def _asked(self, question: Question, parameters: Mapping[str, str]) -> list[str | bytes]:
        pgconn = self._pgconn()
        if question.name not in self._prepared:
            self._checked(pgconn, pgconn.prepare(question.name, question.prepared))
            self._prepared.add(question.name)
        written = [parameters[name].encode() for name in question.parameters]
        result = self._checked(pgconn, pgconn.exec_prepared(question.name, written))
        return [result.get_value(row, 0) or b"" for row in range(result.ntuples)]

    def _pgconn(self) -> pq.abc.PGconn:
        if self._connection is None:
            # Plans must not depend on statistics: what is asked is always found through an index.
            options = (
                f"-c lock_timeout={LOCK_TIMEOUT_MS} -c timezone=UTC -c jit=off -c plan_cache_mode=force_generic_plan "
                "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c default_transaction_read_only=on"
            )
            try:
                self._connection = psycopg.connect(self._url, autocommit=True, options=options, connect_timeout=10)
            except psycopg.OperationalError as error:
                raise DatabaseUnavailable(type(error).__name__) from error
            self._prepared.clear()
        return self._connection.pgconn

    def _checked(self, pgconn: pq.abc.PGconn, result: pq.abc.PGresult) -> pq.abc.PGresult:
        if result.status in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
            return result
        message = (result.error_message or pgconn.error_message).decode("utf-8", "replace").strip()
        is_lost = pgconn.status != pq.ConnStatus.OK
        self.close()
        raise DatabaseUnavailable(message) if is_lost else psycopg.DatabaseError(message)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def source_of(database: Database) -> SqliteSource | PostgresSource:
    return SqliteSource(database) if database.dialect == "sqlite" else PostgresSource(database)


def text_array(values: Collection[str]) -> str:
    """Source: https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO."""
    return "{" + ",".join([f'"{_escaped(value)}"' for value in values]) + "}"


def number_array(values: Collection[int]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def texts(dialect: Dialect, values: Collection[str]) -> str:
    """One parameter, however many values: neither database is handed ten thousand."""
    return msgspec.json.encode(values).decode() if dialect == "sqlite" else text_array(values)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"') if "\\" in value or '"' in value else value
