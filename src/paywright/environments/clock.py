"""
Business time.

A live environment, and one whose provider is Stripe, lives in the wall clock. Under `sandbox` and `instant` the
environment's row remembers what the provider's clock showed and when; between two readings it runs on, unless the
provider says it is frozen. It never goes back: an answer that was under way while the clock was moved carries an older
time and is passed over.
"""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.environments.tables import environments
from paywright.kernel.instants import rfc3339
from paywright.kernel.refusals import Refusal
from paywright.storage.work import Work

READING_TOLERANCE_MS = 1_500
"""The provider tells whole seconds, late by one way of the network. Smaller differences are no news."""


def business_now(connection: Connection, environment_id: str, wall: int) -> int:
    """Milliseconds. An environment without a row (tests of single rooms) lives in the wall clock."""
    columns = (
        environments.c.provider,
        environments.c.clock_ms,
        environments.c.clock_read_at,
        environments.c.clock_runs,
    )
    row = connection.execute(sa.select(*columns).where(environments.c.environment_id == environment_id)).one_or_none()
    return wall if row is None else of_row(row.provider, row.clock_ms, row.clock_read_at, row.clock_runs, wall)


def of_row(provider: str, clock_ms: int | None, clock_read_at: int | None, clock_runs: int, wall: int) -> int:
    """Business time by an environment's row."""
    if clock_ms is None or provider == "stripe":
        return wall
    return clock_ms + (max(0, wall - (clock_read_at or 0)) if clock_runs else 0)


def observe(work: Work, shown: int, *, runs: bool, wall: int) -> None:
    """The provider's clock shows `shown` (milliseconds). Older readings change nothing."""
    now = business_now(work.connection, work.environment_id, wall)
    if shown < now and runs:
        return
    _write(work, max(shown, now), runs=runs, wall=wall)


def is_news(connection: Connection, environment_id: str, shown: int, *, runs: bool, wall: int) -> bool:
    """Whether `observe` would change anything worth a transaction."""
    row = connection.execute(
        sa.select(environments.c.clock_ms, environments.c.clock_runs).where(
            environments.c.environment_id == environment_id
        )
    ).one_or_none()
    if row is None:
        return False
    now = business_now(connection, environment_id, wall)
    if row.clock_ms is None:
        return shown > wall + READING_TOLERANCE_MS or not runs
    return bool(row.clock_runs) != runs or shown > now + (READING_TOLERANCE_MS if runs else 0)


def advance(work: Work, to: int, *, wall: int) -> int | Refusal:
    """Moves the clock of an `instant` environment; backwards is `clock_backwards`."""
    now = business_now(work.connection, work.environment_id, wall)
    if to < now:
        return Refusal("clock_backwards", {"now": rfc3339(now)})
    _write(work, to, runs=True, wall=wall)
    return to


def _write(work: Work, shown: int, *, runs: bool, wall: int) -> None:
    work.execute(
        environments.update()
        .where(environments.c.environment_id == work.environment_id)
        .values(clock_ms=shown, clock_read_at=wall, clock_runs=int(runs))
    )
