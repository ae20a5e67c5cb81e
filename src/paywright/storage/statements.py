"""Statements that differ between the two databases, written once."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from paywright.storage.database import Dialect
from paywright.storage.work import Work


def insert_if_absent(work: Work, table: sa.Table, values: dict[str, Any]) -> bool:
    """True when the row is new; False when a row with one of its unique keys stands already (and nothing is written)."""
    return bool(work.execute(_insert_if_absent(work.dialect, table), values).rowcount == 1)


def insert_many_if_absent(work: Work, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """As `insert_if_absent`. Sort the rows by their key: two processes that insert the same ones in different orders would deadlock."""
    if rows:
        insert: Any = (sqlite if work.dialect == "sqlite" else postgresql).insert(table).on_conflict_do_nothing()
        work.execute(insert, list(rows))


def upsert(work: Work, table: sa.Table, values: dict[str, Any], *, key: tuple[str, ...]) -> None:
    """Insert, or overwrite the row with the same `key` columns (they must be unique together)."""
    work.execute(_upsert(work.dialect, table, tuple(values), key), values)


# Kept: making a statement costs more than running it.
@cache
def _upsert(dialect: Dialect, table: sa.Table, names: tuple[str, ...], key: tuple[str, ...]) -> Any:
    statement: Any = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    changed = {name: statement.excluded[name] for name in names if name not in key}
    return statement.on_conflict_do_update(index_elements=list(key), set_=changed)


@cache
def _insert_if_absent(dialect: Dialect, table: sa.Table) -> Any:
    statement: Any = (sqlite if dialect == "sqlite" else postgresql).insert(table).on_conflict_do_nothing()
    # Without this option SQLAlchemy does not keep an INSERT's row count.
    return statement.execution_options(preserve_rowcount=True)
