"""Reading hooks and their deliveries."""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.hooks.model import Attempt, Delivery, Hook
from paywright.hooks.tables import hook_attempts, hook_deliveries, hooks
from paywright.kernel.instants import rfc3339, rfc3339_or_none

HOOKS_MAX = 50
LISTED_MAX = 500
"""Functions of the app's process included, which nobody counts."""

_HOOK = (
    hooks.c.id,
    hooks.c.url,
    hooks.c.events,
    hooks.c.status,
    hooks.c.disabled_reason,
    hooks.c.failing_since,
    hooks.c.created_at,
    hooks.c.kind,
)
_DELIVERY = tuple(
    hook_deliveries.c[name]
    for name in (
        "id", "hook_id", "event_id", "event_type", "customer", "sequence", "status", "attempts",
        "created_at", "next_attempt_at", "delivered_at",
    )
)  # fmt: skip


def every_hook(connection: Connection, environment_id: str, *, enabled_only: bool = False) -> list[Hook]:
    statement = sa.select(*_HOOK).where(hooks.c.environment_id == environment_id)
    if enabled_only:
        statement = statement.where(hooks.c.status == "enabled")
    return [_hook(row) for row in connection.execute(statement.order_by(hooks.c.id).limit(LISTED_MAX))]


def hook(connection: Connection, environment_id: str, hook_id: str) -> Hook | None:
    where = (hooks.c.environment_id == environment_id) & (hooks.c.id == hook_id)
    row = connection.execute(sa.select(*_HOOK).where(where)).one_or_none()
    return None if row is None else _hook(row)


def has_secret(connection: Connection, environment_id: str, hook_id: str) -> bool:
    """An endpoint's hook that came from an export has none."""
    where = (hooks.c.environment_id == environment_id) & (hooks.c.id == hook_id) & hooks.c.secret.is_not(None)
    return connection.execute(sa.select(hooks.c.id).where(where)).one_or_none() is not None


def deliveries(
    connection: Connection, environment_id: str, hook_id: str, *, before: str | None = None, limit: int = 10
) -> list[Delivery]:
    """Newest first."""
    statement = sa.select(*_DELIVERY).where(
        hook_deliveries.c.environment_id == environment_id, hook_deliveries.c.hook_id == hook_id
    )
    if before is not None:
        statement = statement.where(hook_deliveries.c.id < before)
    rows = connection.execute(statement.order_by(hook_deliveries.c.id.desc()).limit(limit))
    return [Delivery(*row) for row in rows]


def attempts(connection: Connection, environment_id: str, delivery_id: str) -> list[Attempt]:
    """Oldest first."""
    columns = (
        hook_attempts.c.at,
        hook_attempts.c.status,
        hook_attempts.c.duration_ms,
        hook_attempts.c.answer,
        hook_attempts.c.error,
    )
    mine = hook_attempts.c.environment_id == environment_id, hook_attempts.c.delivery_id == delivery_id
    return [
        Attempt(*row)
        for row in connection.execute(sa.select(*columns).where(*mine).order_by(hook_attempts.c.number).limit(100))
    ]


def shown(found: Hook) -> dict[str, Any]:
    return {
        "id": found.id,
        "kind": found.kind,
        "url": found.url,
        "events": list(found.events),
        "status": found.status,
        "disabled_reason": found.disabled_reason,
        "failing_since": rfc3339_or_none(found.failing_since),
        "created_at": rfc3339(found.created_at),
    }


def delivery_shown(found: Delivery, tries: list[Attempt]) -> dict[str, Any]:
    return {
        "id": found.id,
        "hook_id": found.hook_id,
        "event_id": found.event_id,
        "event_type": found.event_type,
        "status": found.status,
        "attempts": [{**msgspec.to_builtins(each), "at": rfc3339(each.at)} for each in tries],
        "created_at": rfc3339(found.created_at),
        "next_attempt_at": rfc3339_or_none(found.next_attempt_at if found.status == "pending" else None),
        "delivered_at": rfc3339_or_none(found.delivered_at),
    }


def _hook(row: Any) -> Hook:
    return Hook(
        row.id,
        row.url,
        msgspec.json.decode(row.events, type=tuple[str, ...]),
        row.status,
        row.disabled_reason,
        row.failing_since,
        row.created_at,
        row.kind,
    )
