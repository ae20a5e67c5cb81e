"""Reading the inbox, for people."""

from typing import Any

import lz4.frame
import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.kernel.instants import rfc3339, rfc3339_or_none
from paywright.webhooks.model import StripeEvent
from paywright.webhooks.tables import stripe_events

_COLUMNS = (
    stripe_events.c.id,
    stripe_events.c.type,
    stripe_events.c.status,
    stripe_events.c.reason,
    stripe_events.c.attempts,
    stripe_events.c.root,
    stripe_events.c.received_at,
    stripe_events.c.processed_at,
    stripe_events.c.next_attempt_at,
    stripe_events.c.last_error,
)


def page(
    connection: Connection,
    environment_id: str,
    *,
    type: str | None = None,
    status: str | None = None,
    reason: str | None = None,
    after: tuple[int, str] | None = None,
    limit: int = 10,
) -> list[Any]:
    """
    Rows for `shown`, newest first, one more than `limit` to tell whether there are more. `after` is the last row seen: its `received_at` and id.

    `status` is one of `STATUSES`: `pending` finds those being worked on too.
    """
    statement = sa.select(*_COLUMNS).where(stripe_events.c.environment_id == environment_id)
    if type is not None:
        statement = statement.where(stripe_events.c.type == type)
    if status is not None:
        among = ("pending", "processing") if status == "pending" else (status,)
        statement = statement.where(stripe_events.c.status.in_(among))
    if reason is not None:
        statement = statement.where(stripe_events.c.reason == reason)
    if after is not None:
        statement = statement.where(sa.tuple_(stripe_events.c.received_at, stripe_events.c.id) < after)
    ordered = statement.order_by(stripe_events.c.received_at.desc(), stripe_events.c.id.desc())
    return list(connection.execute(ordered.limit(limit + 1)).all())


def stripe_event(connection: Connection, environment_id: str, event_id: str) -> StripeEvent | None:
    """With its payload, as long as it is kept."""
    statement = sa.select(*_COLUMNS, stripe_events.c.payload).where(
        stripe_events.c.environment_id == environment_id, stripe_events.c.id == event_id
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    payload = None if row.payload is None else msgspec.json.decode(lz4.frame.decompress(row.payload))
    return msgspec.structs.replace(shown(row), payload=payload)


def shown(row: Any) -> StripeEvent:
    """A row of `page`, without its payload."""
    return StripeEvent(
        id=row.id,
        type=row.type,
        status="pending" if row.status == "processing" else row.status,
        reason=row.reason,
        attempts=row.attempts,
        received_at=rfc3339(row.received_at),
        processed_at=rfc3339_or_none(row.processed_at),
        next_attempt_at=rfc3339_or_none(row.next_attempt_at),
        last_error=row.last_error,
        root=row.root,
    )
