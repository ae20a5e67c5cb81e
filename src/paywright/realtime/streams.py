"""
One open stream, between the dispatcher, which offers, and its reader, who takes.

A stream holds no thread and no connection, and never more than `WAITING_BYTES_MAX` that its reader has not taken: one who reads too slowly for that
loses what waits, and is told everything anew, in one snapshot, once the rest has been taken.
"""

import threading
import time
from collections.abc import Callable, Sequence

from paywright.environments.model import Environment
from paywright.kernel.model import Customer
from paywright.realtime.model import Credential, Why
from paywright.realtime.queries import Key

WAITING_BYTES_MAX = 64 * 1024
"""A single snapshot may be larger; it is then all that waits."""

Wake = Callable[[Sequence["Stream"]], None]
"""Tells the readers of these streams to take; called by the dispatcher, in its thread."""


class Stream:
    """Made by `Dispatcher.open`. `take` and `is_over` are for the reader."""

    __slots__ = (
        "_bytes",
        "_lock",
        "_waiting",
        "beat_at",
        "credential",
        "customer",
        "ended",
        "environment",
        "is_behind",
        "key",
        "reader",
        "seen",
        "sees_all",
        "wake",
    )

    def __init__(
        self,
        environment: Environment,
        customer: Customer,
        credential: Credential,
        *,
        sees_all: bool,
        seen: int | None,
        wake: Wake,
    ) -> None:
        self.environment = environment
        self.customer = customer
        self.key: Key = (environment.id, customer.key)
        self.credential = credential
        self.sees_all = sees_all
        self.seen = seen
        """The version its reader came with; looked at once, when it joins."""
        self.wake = wake
        self.reader: object = None
        """Whoever takes, as `wake` knows it."""
        self.ended: Why | None = None
        self.is_behind = False
        self.beat_at = time.monotonic()
        self._waiting: list[bytes] = []
        self._bytes = 0
        self._lock = threading.Lock()

    def offer(self, frames: bytes, now: float, *, is_whole: bool = False) -> None:
        """`is_whole`: everything, so that what waits before it need not be taken any more."""
        with self._lock:
            if self.ended is not None:
                return  # It was being told while it ended.
            if is_whole and self.is_behind:
                self.is_behind = False
            elif self.is_behind:
                return
            if self._waiting and self._bytes + len(frames) > WAITING_BYTES_MAX:
                self._waiting.clear()
                self._bytes = 0
                if not is_whole:
                    self.is_behind = True
                    return
            self._waiting.append(frames)
            self._bytes += len(frames)
            self.beat_at = now

    def end(self, why: Why) -> None:
        """Nothing more is told, not even what waits: its reader may have lost the right to it."""
        with self._lock:
            self.ended = why
            self._waiting.clear()
            self._bytes = 0

    def take(self) -> bytes:
        """What waits; empty when nothing does."""
        with self._lock:
            frames, self._waiting, self._bytes = self._waiting, [], 0
        return frames[0] if len(frames) == 1 else b"".join(frames)

    @property
    def is_idle(self) -> bool:
        return not self._waiting
