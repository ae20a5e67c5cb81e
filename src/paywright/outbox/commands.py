"""
Carrying out what works asked for: commands, each claimed by one worker at a time and repeated until it is done.

A claim is a lease: the row's next attempt is moved ahead while it runs, so a worker that dies leaves it due again. All instants are the wall clock's.
"""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.kernel.ids import wall_ms
from paywright.outbox.tables import commands
from paywright.storage.work import Work

BACK_OFF_MS = (10_000, 60_000, 300_000, 1_800_000, 7_200_000, 21_600_000)
"""Then every six hours, for ever: a command is never given up, because somebody's money may depend on it."""


class Command(msgspec.Struct, frozen=True):
    id: str
    kind: str
    subject: str
    arguments: dict[str, str]
    attempts: int


def claim_due(work: Work, *, lease_ms: int, limit: int = 10) -> list[Command]:
    """Due commands, oldest first, now this worker's for the length of the lease. Commit before carrying them out."""
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
    rows = work.execute(due).all()
    if rows:
        taken = {"attempts": commands.c.attempts + 1, "next_attempt_at": wall + lease_ms}
        work.execute(commands.update().where(_among(work, [row.id for row in rows])).values(**taken))
    return [
        Command(row.id, row.kind, row.subject, msgspec.json.decode(row.arguments), row.attempts + 1) for row in rows
    ]


def is_due(connection: Connection, environment_id: str) -> bool:
    """Asked before claiming, so that a worker with nothing to do writes nothing."""
    due = sa.select(commands.c.id).where(
        commands.c.environment_id == environment_id,
        commands.c.status == "pending",
        commands.c.next_attempt_at <= wall_ms(),
    )
    return connection.execute(due.limit(1)).first() is not None


def finish(work: Work, done: Sequence[Command]) -> None:
    ids = [command.id for command in done]
    work.execute(commands.update().where(_among(work, ids)).values(status="done", last_error=None))


def postpone(work: Work, command: Command, error: str) -> None:
    """It did not work out: again later, and later still the more often that happens."""
    pause = BACK_OFF_MS[min(command.attempts, len(BACK_OFF_MS)) - 1]
    changed = {"last_error": error[:500], "next_attempt_at": wall_ms() + pause}
    work.execute(commands.update().where(_among(work, [command.id])).values(**changed))


def count_due(connection: Connection, environment_id: str) -> int:
    """Commands due now or being carried out for the first time."""
    waiting = (
        sa.select(sa.func.count())
        .select_from(commands)
        .where(
            commands.c.environment_id == environment_id,
            commands.c.status == "pending",
            (commands.c.next_attempt_at <= wall_ms()) | (commands.c.last_error.is_(None)),
        )
    )
    return int(connection.execute(waiting).scalar_one())


def _among(work: Work, command_ids: Sequence[str]) -> sa.ColumnElement[bool]:
    return (commands.c.environment_id == work.environment_id) & commands.c.id.in_(sorted(command_ids))
