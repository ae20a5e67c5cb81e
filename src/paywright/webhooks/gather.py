"""
Deliveries gathered into one transaction: while one batch commits, the next collects.

No timer: a lone delivery is stored at once, and under load a batch is whatever arrived during the last commit. Inserts are sorted, because two
processes that receive the same events in different orders would deadlock on the unique key. A batch that fails as a whole is stored one by one, so a
bad delivery cannot harm its neighbours. Every answer follows its commit. An event loop is told of all its deliveries in a batch at once: waking it
costs more than storing one.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

BATCH_MAX = 256

Gathered = TypeVar("Gathered")
Stored = Future[None] | asyncio.Future[None]
Answer = tuple[Stored, BaseException | None]
"""Who waits, and what kept his delivery from being stored; None: it is on disk."""


class Gatherer(Generic[Gathered]):
    """`store` commits a batch or raises; what it stored before it raised may be given to it again. Thread-safe."""

    def __init__(self, store: Callable[[Sequence[Gathered]], None]) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._waiting: list[tuple[Gathered, Stored]] = []
        self._is_storing = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="stripe-inbox")

    def put(self, delivery: Gathered) -> Future[None]:
        """Done once the delivery is on disk; holds the exception when it is not."""
        stored: Future[None] = Future()
        self._put(delivery, stored)
        return stored

    def put_async(self, delivery: Gathered) -> asyncio.Future[None]:
        """As `put`, for the event loop that runs here."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._put(delivery, stored)
        return stored

    def close(self) -> None:
        """Waits for what is being stored."""
        self._thread.shutdown(wait=True)

    def _put(self, delivery: Gathered, stored: Stored) -> None:
        with self._lock:
            self._waiting.append((delivery, stored))
            if not self._is_storing:
                self._thread.submit(self._store_all)
                self._is_storing = True

    def _store_all(self) -> None:
        while True:
            with self._lock:
                batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
                if not batch:
                    self._is_storing = False
                    return
            self._store_batch(batch)

    def _store_batch(self, batch: Sequence[tuple[Gathered, Stored]]) -> None:
        failure = self._failure([delivery for delivery, _ in batch])
        if failure is None or len(batch) == 1:
            _answer([(stored, failure) for _, stored in batch])
            return
        for delivery, stored in batch:
            _answer([(stored, self._failure([delivery]))])

    def _failure(self, deliveries: Sequence[Gathered]) -> BaseException | None:
        try:
            self._store(deliveries)
        except BaseException as error:  # noqa: BLE001 — handed on to whoever waits for it.
            return error
        return None


def _answer(answers: Iterable[Answer]) -> None:
    of_loops: dict[asyncio.AbstractEventLoop, list[Answer]] = {}
    for stored, failure in answers:
        if isinstance(stored, asyncio.Future):
            of_loops.setdefault(stored.get_loop(), []).append((stored, failure))
        elif stored.set_running_or_notify_cancel():
            _settle(stored, failure)
    for loop, theirs in of_loops.items():
        # A loop that is closed: nobody waits any more, and what is stored is stored.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_answer_here, theirs)


def _answer_here(answers: Sequence[Answer]) -> None:
    for stored, failure in answers:
        if not stored.done():  # Else the caller went away.
            _settle(stored, failure)


def _settle(stored: Stored, failure: BaseException | None) -> None:
    if failure is None:
        stored.set_result(None)
    else:
        stored.set_exception(failure)
