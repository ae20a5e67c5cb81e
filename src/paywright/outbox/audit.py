"""
Who did what: one row per administrative act, in the work of the act, so that there is no act without its row and no row without its act.

The door says who is acting (`acting`), the action what it does (`note`). What nobody asked for, the worker's doing, says `system`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.kernel.ids import new_id, wall_ms
from paywright.kernel.instants import rfc3339
from paywright.outbox.tables import audit
from paywright.storage.work import Work

Act = Literal[
    "environment.created",
    "environment.changed",
    "environment.connected",
    "key.created",
    "key.revoked",
    "customer_tokens.revoked",
    "catalog.applied",
    "owners.migrated",
    "product.granted",
    "product.revoked",
    "payment.refund_requested",
    "stripe_events.replayed",
    "hook.created",
    "hook.changed",
    "hook.deleted",
    "hook.redelivered",
    "letter.resent",
]


class Actor(msgspec.Struct, frozen=True):
    """`name`: an API key's id, `process` for an app's own, `cli`, `dashboard`, a customer token's id. `request_id` only where there was a request."""

    name: str
    request_id: str | None = None


_acting: ContextVar[Actor] = ContextVar("paywright_acting", default=Actor("system"))  # noqa: B039  It is frozen.


class AuditLine(msgspec.Struct, frozen=True):
    id: str
    act: Act
    subject: str
    actor: str
    request_id: str | None
    facts: dict[str, Any]
    at: int


@contextmanager
def acting(name: str, request_id: str | None = None) -> Iterator[None]:
    """Whoever acts in this block and this thread, or task."""
    before = _acting.set(Actor(name, request_id))
    try:
        yield
    finally:
        _acting.reset(before)


def note(work: Work, act: Act, subject: str, **facts: Any) -> None:
    """`subject` is the id of what it was done to. `facts` hold no secret: they are shown to whoever may read the log."""
    actor = _acting.get()
    work.execute(
        audit.insert().values(
            environment_id=work.environment_id,
            id=new_id("aud"),
            act=act,
            subject=subject,
            actor=actor.name,
            request_id=actor.request_id,
            facts=msgspec.json.encode({name: value for name, value in facts.items() if value is not None}).decode(),
            at=wall_ms(),
        )
    )


def page(
    connection: Connection,
    environment_id: str,
    *,
    act: str | None = None,
    actor: str | None = None,
    subject: str | None = None,
    before: str | None = None,
    limit: int = 10,
) -> list[AuditLine]:
    """Newest first. `before` is the id of the last one seen."""
    columns = (audit.c.id, audit.c.act, audit.c.subject, audit.c.actor, audit.c.request_id, audit.c.facts, audit.c.at)
    statement = sa.select(*columns).where(audit.c.environment_id == environment_id)
    for column, wanted in ((audit.c.act, act), (audit.c.actor, actor), (audit.c.subject, subject)):
        if wanted is not None:
            statement = statement.where(column == wanted)
    if before is not None:
        statement = statement.where(audit.c.id < before)
    rows = connection.execute(statement.order_by(audit.c.id.desc()).limit(limit))
    return [
        AuditLine(row.id, row.act, row.subject, row.actor, row.request_id, msgspec.json.decode(row.facts), row.at)
        for row in rows
    ]


def shown(line: AuditLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "action": line.act,
        "subject": line.subject,
        "actor": line.actor,
        "request_id": line.request_id,
        "facts": line.facts,
        "created_at": rfc3339(line.at),
    }
