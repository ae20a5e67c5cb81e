"""Reading subscriptions."""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.kernel.instants import rfc3339, rfc3339_or_none
from paywright.subscriptions.tables import subscriptions, trial_uses

# Written once: making a statement costs more than running it.
_ROW = sa.select(*subscriptions.c).where(
    subscriptions.c.environment_id == sa.bindparam("environment"), subscriptions.c.id == sa.bindparam("subscription")
)


def row_of(connection: Connection, environment_id: str, subscription_id: str) -> Any | None:
    return connection.execute(_ROW, {"environment": environment_id, "subscription": subscription_id}).one_or_none()


def schedule_of(connection: Connection, environment_id: str, subscription_id: str) -> str | None:
    """The schedule at Stripe that will change it, as far as we heard."""
    row = row_of(connection, environment_id, subscription_id)
    return None if row is None else row.schedule_id


def page(
    connection: Connection,
    environment_id: str,
    *,
    customer: str | None = None,
    status: str | None = None,
    after: tuple[int, str] | None = None,
    limit: int = 10,
) -> list[Any]:
    """Newest first, one more than `limit` to tell whether there are more. `after` is the last row seen: started_at and id."""
    statement = sa.select(*subscriptions.c).where(subscriptions.c.environment_id == environment_id)
    if customer is not None:
        statement = statement.where(subscriptions.c.customer == customer)
    if status is not None:
        statement = statement.where(subscriptions.c.status == status)
    if after is not None:
        statement = statement.where(sa.tuple_(subscriptions.c.started_at, subscriptions.c.id) < after)
    ordered = statement.order_by(subscriptions.c.started_at.desc(), subscriptions.c.id.desc())
    return list(connection.execute(ordered.limit(limit + 1)).all())


def trials_used(connection: Connection, environment_id: str, customer: str, places: list[str]) -> set[str]:
    """Of these product lines and products, the ones whose trial the customer has had."""
    rows = connection.execute(
        sa.select(trial_uses.c.place)
        .where(
            trial_uses.c.environment_id == environment_id,
            trial_uses.c.customer == customer,
            trial_uses.c.place.in_(places),
        )
        .order_by(trial_uses.c.place)
        .limit(100)
    )
    return set(rows.scalars())


def shown(row: Any) -> dict[str, Any]:
    """As `GET /v1/subscriptions` shows it."""
    customer_type, _, customer_id = row.customer.partition(":")
    return {
        "id": row.id,
        "customer": {"type": customer_type, "id": customer_id},
        "status": row.status,
        "items": msgspec.json.decode(row.items),
        "current_period_start": rfc3339_or_none(row.current_period_start),
        "current_period_end": rfc3339_or_none(row.current_period_end),
        "cancel_at_period_end": bool(row.cancel_at_period_end),
        "ends_at": rfc3339_or_none(row.ends_at),
        "changes_at": rfc3339_or_none(row.changes_at),
        "ended_at": rfc3339_or_none(row.ended_at),
        "trial_end": rfc3339_or_none(row.trial_end),
        "started_at": rfc3339(row.started_at),
    }
