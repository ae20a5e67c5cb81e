"""Statements that differ between the two databases, written once."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from paywright.storage.work import Work


def insert_if_absent(work: Work, table: sa.Table, values: dict[str, Any]) -> bool:
    """True when the row is new; False when a row with one of its unique keys stands already (and nothing is written)."""
    statement: Any = (
        (sqlite if work.dialect == "sqlite" else postgresql).insert(table).values(**values).on_conflict_do_nothing()
    )
    # Without this option SQLAlchemy does not keep an INSERT's row count.
    return bool(work.execute(statement.execution_options(preserve_rowcount=True)).rowcount == 1)


def upsert(work: Work, table: sa.Table, values: dict[str, Any], *, key: tuple[str, ...]) -> None:
    """Insert, or overwrite the row with the same `key` columns (they must be unique together)."""
    statement: Any = (sqlite if work.dialect == "sqlite" else postgresql).insert(table).values(**values)
    changed = {name: statement.excluded[name] for name in values if name not in key}
    work.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed))
