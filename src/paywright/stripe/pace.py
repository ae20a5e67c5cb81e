"""
How fast background calls may follow each other: a token bucket per environment, shared by all processes.

The bucket is one instant in a row: when the next call may begin. Each call moves it on by its share of a second; an instant that lies in the past is
brought up to one second ago first, which is the second's worth of calls that a rested environment may make at once. A process takes a few calls at a
time, so that the row is written four times a second and not with every call.
"""

import threading
import time
from collections.abc import Callable

import sqlalchemy as sa

from paywright.kernel.ids import wall_ms
from paywright.storage.database import Database
from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work, open_work
from paywright.stripe.tables import stripe_paces

LIVE_PER_S = 20.0
TEST_PER_S = 5.0
"""A fifth of what Stripe allows an account, which the buyers of the same account need too."""
BURST_MS = 1_000


class Pace:
    """Thread-safe. One per environment and process."""

    def __init__(
        self,
        database: Database,
        environment_id: str,
        per_s: float,
        *,
        wall: Callable[[], int] = wall_ms,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        assert per_s > 0
        self._database, self._environment_id = database, environment_id
        self._interval_ms = 1_000 / per_s
        self._at_once = max(1, int(per_s // 4))
        self._wall, self._sleep = wall, sleep
        self._lock = threading.Lock()
        self._left = 0
        self._next_at = 0.0

    def wait(self) -> None:
        """Returns when the next call may begin."""
        now = self._wall()
        with self._lock:
            if self._left == 0 or self._next_at < now - BURST_MS:
                self._next_at, self._left = float(self._reserve(now)), self._at_once
            begins_at = self._next_at
            self._next_at += self._interval_ms
            self._left -= 1
        if begins_at > now:
            self._sleep((begins_at - now) / 1_000)

    def _reserve(self, now: int) -> int:
        """When the first of the next few calls may begin, by the wall clock."""
        span, earliest = round(self._interval_ms * self._at_once), now - BURST_MS
        with open_work(self._database, self._environment_id, lambda *_: now) as work:
            insert_if_absent(work, stripe_paces, {"environment_id": self._environment_id, "free_at": earliest})
            return _moved_on(work, span, earliest) - span


def _moved_on(work: Work, span: int, earliest: int) -> int:
    free_at = sa.case((stripe_paces.c.free_at > earliest, stripe_paces.c.free_at), else_=earliest)
    moved = stripe_paces.update().where(stripe_paces.c.environment_id == work.environment_id)
    return int(work.execute(moved.values(free_at=free_at + span).returning(stripe_paces.c.free_at)).scalar_one())


def per_s(setting: float | None, *, provider: str, livemode: bool) -> float | None:
    """Background calls a second, by the setting, else by the mode; None: as fast as they come, which is right for a sandbox on this machine."""
    if setting is not None:
        return setting
    if provider != "stripe":
        return None
    return LIVE_PER_S if livemode else TEST_PER_S
