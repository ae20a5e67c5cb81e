"""A batch of deliveries into the inbox, as one statement whose text does not grow with the batch."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.dialects import sqlite

from paywright.storage.work import Work
from paywright.webhooks.tables import stripe_events

COLUMNS: dict[str, str] = {
    "id": "text",
    "type": "text",
    "livemode": "int",
    "account": "text",
    "root": "text",
    "stripe_customer_id": "text",
    "status": "text",
    "reason": "text",
    "next_attempt_at": "bigint",
    "received_at": "bigint",
    "processed_at": "bigint",
    "payload": "bytea",
}
"""What a delivery is stored with, beside its environment, and as what PostgreSQL takes it."""

# A VALUES list of a whole batch is thirty kilobytes of text, which the driver takes apart each time: that was half of the cost of storing.
_NAMES = ", ".join(COLUMNS)
_ARRAYS = f"""
    INSERT INTO stripe_events (environment_id, {_NAMES})
    SELECT %(environment_id)s, {_NAMES}
    FROM unnest({", ".join(f"%({name})b::{kind}[]" for name, kind in COLUMNS.items())}) AS delivery ({_NAMES})
    ON CONFLICT DO NOTHING
    RETURNING id
"""  # noqa: S608  Names of our own.


def insert_new(work: Work, rows: Sequence[dict[str, Any]]) -> set[str]:
    """The ids of those that were not there yet. `rows` are sorted by id: two processes meet the same ones in the same order."""
    if work.dialect == "sqlite":
        insert = sqlite.insert(stripe_events).on_conflict_do_nothing().returning(stripe_events.c.id)
        return set(work.execute(insert, [{"environment_id": work.environment_id, **row} for row in rows]).scalars())
    columns = {name: [row[name] for row in rows] for name in COLUMNS}
    stored = work.connection.exec_driver_sql(_ARRAYS, {"environment_id": work.environment_id, **columns})
    return set(stored.scalars())
