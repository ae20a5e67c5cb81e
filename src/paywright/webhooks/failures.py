"""
Deliveries that were refused for their signature: a number and a time, so that doctor can say that the secret is another endpoint's.

Anybody may send such deliveries, so they are counted in memory and written at most once a second; nothing of them is kept.
"""

import threading
import time

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work
from paywright.webhooks.rules import SignatureFault
from paywright.webhooks.tables import stripe_events, stripe_signature_failures

WRITTEN_EVERY_S = 1.0


class Refused(msgspec.Struct, frozen=True):
    """So many deliveries of one environment, refused between two instants of the wall clock; why the last one was."""

    environment_id: str
    number: int
    first_at: int
    last_at: int
    last_reason: SignatureFault


class Counter:
    """What was refused and is not written yet. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._unwritten: dict[str, Refused] = {}
        self._written_at: dict[str, float] = {}

    def add(self, environment_id: str, reason: SignatureFault, now: int) -> Refused | None:
        """What is to be written now, if anything is."""
        with self._lock:
            before = self._unwritten.get(environment_id)
            first_at, number = (now, 0) if before is None else (before.first_at, before.number)
            self._unwritten[environment_id] = Refused(environment_id, number + 1, first_at, now, reason)
            if time.monotonic() - self._written_at.get(environment_id, -WRITTEN_EVERY_S) < WRITTEN_EVERY_S:
                return None
            self._written_at[environment_id] = time.monotonic()
            return self._unwritten.pop(environment_id)

    def rest(self) -> list[Refused]:
        """All that is not written yet."""
        with self._lock:
            unwritten, self._unwritten = self._unwritten, {}
            return list(unwritten.values())


def write(work: Work, refused: Refused) -> None:
    """Adds to those since the last good event; a good one in between begins the count anew."""
    here = stripe_signature_failures.c.environment_id == work.environment_id
    row = {
        "environment_id": work.environment_id,
        "failures": refused.number,
        "first_at": refused.first_at,
        "last_at": refused.last_at,
        "last_reason": refused.last_reason,
    }
    if insert_if_absent(work, stripe_signature_failures, row):
        return
    last_good_at = last_good(work.connection, work.environment_id)
    is_over = stripe_signature_failures.c.first_at < (0 if last_good_at is None else last_good_at)
    added = stripe_signature_failures.c.failures + refused.number
    work.execute(
        stripe_signature_failures.update()
        .where(here)
        .values(
            failures=sa.case((is_over, refused.number), else_=added),
            first_at=sa.case((is_over, refused.first_at), else_=stripe_signature_failures.c.first_at),
            last_at=refused.last_at,
            last_reason=refused.last_reason,
        )
    )


def last_good(connection: Connection, environment_id: str) -> int | None:
    """When the newest genuine event arrived, by the wall clock."""
    found = sa.select(stripe_events.c.received_at).where(stripe_events.c.environment_id == environment_id)
    newest = found.order_by(stripe_events.c.received_at.desc(), stripe_events.c.id.desc()).limit(1)
    return connection.execute(newest).scalar_one_or_none()


def since_last_good(connection: Connection, environment_id: str) -> Refused | None:
    """What was refused since the newest genuine event; None: nothing."""
    columns = (
        stripe_signature_failures.c.failures,
        stripe_signature_failures.c.first_at,
        stripe_signature_failures.c.last_at,
        stripe_signature_failures.c.last_reason,
    )
    row = connection.execute(
        sa.select(*columns).where(stripe_signature_failures.c.environment_id == environment_id)
    ).one_or_none()
    if row is None or row.last_at <= (last_good(connection, environment_id) or 0):
        return None
    return Refused(environment_id, row.failures, row.first_at, row.last_at, row.last_reason)
