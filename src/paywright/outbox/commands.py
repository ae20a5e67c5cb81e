"""
Commands: what one room asks of another, or of Stripe, after its commit.

A worker takes due ones under a lease (its next attempt lies a while ahead), carries them out, and says so. A worker that dies leaves the lease to
run out. Carrying out must be safe to repeat.
"""

from typing import Any

import msgspec
import sqlalchemy as sa

from paywright.kernel.ids import wall_ms
from paywright.outbox.tables import commands
from paywright.storage.work import Work

LEASE_MS = 120_000
RETRY_AFTER_MS = (2_000, 10_000, 60_000, 300_000, 1_800_000, 7_200_000)
"""Then every two hours, for ever: what was promised to a customer is not given up."""


class Command(msgspec.Struct, frozen=True):
    id: str
    kind: str
    subject: str
    arguments: dict[str, Any]
    attempts: int


def take_due(work: Work, *, limit: int = 20) -> list[Command]:
    """Commands that are due, oldest first, leased to the caller. Two workers never take the same one."""
    wall = wall_ms()
    columns = (commands.c.id, commands.c.kind, commands.c.subject, commands.c.arguments, commands.c.attempts)
    due = (
        sa.select(*columns)
        .where(
            commands.c.environment_id == work.environment_id,
            commands.c.status == "pending",
            commands.c.next_attempt_at <= wall,
        )
        .order_by(commands.c.next_attempt_at, commands.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = [
        Command(row.id, row.kind, row.subject, msgspec.json.decode(row.arguments), row.attempts + 1)
        for row in work.execute(due)
    ]
    for command in taken:
        _update(work, command, next_attempt_at=wall + LEASE_MS, attempts=command.attempts)
    return taken


def done(work: Work, command: Command) -> None:
    """It is carried out; asking for the same again changes nothing."""
    _update(work, command, status="done", last_error=None)


def failed(work: Work, command: Command, error: str) -> None:
    """It comes again. `error` holds no secret."""
    wait = RETRY_AFTER_MS[min(command.attempts, len(RETRY_AFTER_MS)) - 1]
    _update(work, command, next_attempt_at=wall_ms() + wait, last_error=error[:500])


def has_pending(work: Work) -> bool:
    """Something is yet to be carried out, now or later."""
    statement = sa.select(commands.c.id).where(
        commands.c.environment_id == work.environment_id, commands.c.status == "pending"
    )
    return work.execute(statement.limit(1)).first() is not None


def _update(work: Work, command: Command, **values: Any) -> None:
    where = commands.c.environment_id == work.environment_id, commands.c.id == command.id
    work.execute(commands.update().where(*where).values(**values))
