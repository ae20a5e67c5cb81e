"""
Group commit for threads.

Concurrent calls are collected without a timer: while one batch commits, the next gathers. A caller who finds no batch running leads it, in its own
thread; when it has its answer it hands the lead to somebody who still waits. Every reply follows the commit. Whatever a batch did not do, its
caller does alone.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable

from paywright.engine.app import App
from paywright.kernel.refusals import Refusal
from paywright.ledger import postgres, sqlite
from paywright.ledger.alone import run_alone
from paywright.ledger.calls import BATCH_MAX, WAITING_MAX, BatchFailed, Call, ConnectionLost, Held, without_twins
from paywright.ledger.model import Answer, ItemState

LANES = {"postgresql": 2, "sqlite": 1}
"""Connections that write batches, calls shared out by customer. SQLite has one writer."""

READERS_MAX = 4

RunBatch = Callable[[str, list[Call]], list[Answer | Held | None]]


class Waiter:
    """What a follower sleeps on. `leads`: it was woken to run the next batch."""

    __slots__ = ("leads", "lock")

    def __init__(self) -> None:
        self.leads = False
        self.lock = threading.Lock()
        self.lock.acquire()


class Lane:
    """One connection's queue. `run` commits one batch and answers one outcome per call, in the order it left them in."""

    def __init__(self, run: RunBatch) -> None:
        self.run = run
        self._lock = threading.Lock()
        self._waiting: deque[tuple[str, Call]] = deque()
        self._is_busy = False

    def submit(self, environment_id: str, call: Call) -> bool:
        """Waits until the call was in a batch. False: there are too many waiting."""
        waiter = Waiter()
        call.waiter = waiter
        with self._lock:
            if len(self._waiting) >= WAITING_MAX:
                return False
            self._waiting.append((environment_id, call))
            leads = not self._is_busy
            self._is_busy = True
        if not leads:
            waiter.lock.acquire()
            leads = waiter.leads
        if leads:
            self._lead(call)
        return True

    def _lead(self, mine: Call) -> None:
        """Runs batches until the leader's own call was in one, then lets the next in line lead."""
        done = False
        try:
            while not done:
                environment_id, calls = self._next_batch()
                self._run_batch(environment_id, calls)
                done = any(call is mine for call in calls)
                for call in calls:
                    if call is not mine:
                        call.waiter.lock.release()
        finally:
            self._hand_over()

    def _hand_over(self) -> None:
        with self._lock:
            if self._waiting:
                heir = self._waiting[0][1].waiter
                heir.leads = True
                heir.lock.release()
            else:
                self._is_busy = False

    def _next_batch(self) -> tuple[str, list[Call]]:
        """The calls waiting for the same environment as the first one, in order of arrival."""
        with self._lock:
            environment_id = self._waiting[0][0]
            calls, others = list[Call](), deque[tuple[str, Call]]()
            while self._waiting and len(calls) < BATCH_MAX:
                one = self._waiting.popleft()
                if one[0] == environment_id:
                    calls.append(one[1])
                else:
                    others.append(one)
            others.extend(self._waiting)
            self._waiting = others
        return environment_id, calls

    def _run_batch(self, environment_id: str, calls: list[Call]) -> None:
        first, _twins = without_twins(calls)
        try:
            outcomes = self.run(environment_id, first)
        except BatchFailed:
            outcomes = [None] * len(first)
        except ConnectionLost:
            return
        except BaseException as error:  # noqa: BLE001 - a bug of ours: everybody who waited hears of it and raises it.
            for call in calls:
                call.error = error
            return
        for call, outcome in zip(first, outcomes, strict=True):
            call.is_held = isinstance(outcome, Held)
            call.answer, call.entry_id = None if isinstance(outcome, Held) else outcome, None


class Batcher:
    """One per App: `app.resource(Batcher)`."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.lanes = [Lane(self._runner()) for _ in range(LANES[app.database.dialect])]
        # Whose customer another process holds waits here, with others like it, and keeps nobody else.
        self._waiting_lane = Lane(self._runner(waits=True))
        self._closers: list[Callable[[], None]] = []

    def do(self, environment_id: str, call: Call) -> Answer:
        lane = self.lanes[hash(call.customer) % len(self.lanes)]
        if not lane.submit(environment_id, call):
            return Answer(Refusal("unavailable"))
        if call.is_held and not self._waiting_lane.submit(environment_id, call):
            return Answer(Refusal("unavailable"))
        if call.error is not None:
            raise call.error
        return call.answer or run_alone(self._app, environment_id, call)

    def close(self) -> None:
        for close in self._closers:
            close()

    def _runner(self, *, waits: bool = False) -> RunBatch:
        return self._on_postgres(waits) if self._app.database.dialect == "postgresql" else self._on_sqlite()

    def _on_postgres(self, waits: bool) -> RunBatch:
        app, kept = self._app, list[postgres.BatchConnection]()

        def run(environment_id: str, calls: list[Call]) -> list[Answer | Held | None]:
            if not kept:
                kept.append(postgres.BatchConnection(app.database))
                self._closers.append(kept[0].close)
            outcomes = kept[0].run(environment_id, app.wall(), calls, waits=waits)
            app.tell(environment_id, {call.customer for call in calls})
            return outcomes

        return run

    def _on_sqlite(self) -> RunBatch:
        app, kept = self._app, list[sqlite.BatchConnection]()

        def run(environment_id: str, calls: list[Call]) -> list[Answer | Held | None]:
            if not kept:
                kept.append(sqlite.BatchConnection(app.database))
                self._closers.append(kept[0].close)
            outcomes = kept[0].run(environment_id, app.wall(), calls)
            app.tell(environment_id, {call.customer for call in calls})
            return outcomes

        return run


class Reader:
    """Item reads of threads, one statement each, over a few connections of their own. One per App: `app.resource(Reader)`."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._free: queue.LifoQueue[postgres.BatchConnection | sqlite.BatchConnection] = queue.LifoQueue()
        self._made = threading.Semaphore(READERS_MAX)

    def read(self, environment_id: str, customer: str, item_id: str) -> ItemState | None:
        """None: something is due, read this one by the rules."""
        session = self._take()
        try:
            return session.read(environment_id, self._app.wall(), [(customer, item_id)])[0]
        finally:
            self._free.put(session)

    def _take(self) -> postgres.BatchConnection | sqlite.BatchConnection:
        try:
            return self._free.get_nowait()
        except queue.Empty:
            if not self._made.acquire(blocking=False):
                return self._free.get()
        is_postgres = self._app.database.dialect == "postgresql"
        return (
            postgres.BatchConnection(self._app.database) if is_postgres else sqlite.BatchConnection(self._app.database)
        )

    def close(self) -> None:
        while not self._free.empty():
            self._free.get_nowait().close()
