"""
Group commit for coroutines: one set of lanes per event loop.

Nothing here waits for a timer: calls made in one turn of the loop form a batch, and while it commits the next one gathers.
On PostgreSQL the loop itself speaks libpq's protocol over a connection of its own: no thread, no task, one callback per batch.
On SQLite the statements run in the loop, since a thread would fight it for the interpreter, and the commit, which is what
takes time, in a thread.
"""

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from psycopg import pq

from paywright.engine.app import App
from paywright.kernel import faults
from paywright.kernel.refusals import Refusal
from paywright.ledger import postgres, sqlite
from paywright.ledger.calls import BATCH_MAX, WAITING_MAX, BatchFailed, Call, ConnectionLost, Held, without_twins
from paywright.ledger.link import Link, result_of
from paywright.ledger.model import Answer
from paywright.ledger.reads import Reads

WRITE_LANES = 2
WIDE, NARROW = 20, 12
"""Calls under way from which on a second lane pays, and below which it costs: two small batches commit slower than one."""

SQLITE_BATCH_MAX = 256
"""Its statements hold up the loop, about 20 microseconds each."""

Waiting = asyncio.Future[Answer | None]
Outcomes = list[Answer | Held | None]


class Lane:
    """One connection's queue of calls."""

    def __init__(self, app: App, loop: asyncio.AbstractEventLoop, threads: ThreadPoolExecutor) -> None:
        self._app, self._loop, self._threads = app, loop, threads
        self._waiting: deque[tuple[str, Call]] = deque()
        self._is_busy = False
        self.waiting_lane: Lane | None = None
        self.batch_size = 0.0
        """Calls in the last batches, their smoothed number."""
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, environment_id: str, call: Call) -> Waiting | None:
        """None: too many wait already. The future's result is None where the call is to be run alone."""
        future: Waiting = self._loop.create_future()
        call.waiter = future
        return future if self.take_over(environment_id, call) else None

    def take_over(self, environment_id: str, call: Call) -> bool:
        """Queues a call whose future exists already."""
        if len(self._waiting) >= WAITING_MAX:
            return False
        self._waiting.append((environment_id, call))
        if not self._is_busy:
            self._is_busy = True
            self._loop.call_soon(self._start)
        return True

    def _start(self) -> None:
        if not self._waiting:
            self._is_busy = False
            return
        environment_id, calls = self._next_batch()
        first, twins = without_twins(calls)
        for twin in twins:
            _settle(twin, None)
        self._run(environment_id, first)

    def _next_batch(self) -> tuple[str, list[Call]]:
        """Calls for the same environment as the first one; most servers have but one."""
        environment_id, limit = self._waiting[0][0], self._batch_max()
        calls = list[Call]()
        while self._waiting and len(calls) < limit and self._waiting[0][0] == environment_id:
            calls.append(self._waiting.popleft()[1])
        self.batch_size += (len(calls) - self.batch_size) / 8
        return environment_id, calls

    def _batch_max(self) -> int:
        return BATCH_MAX

    def _run(self, environment_id: str, calls: list[Call]) -> None:
        raise NotImplementedError  # abstract: a lane says how it runs a batch

    def _ended(
        self, environment_id: str, calls: list[Call], outcomes: Outcomes | None, error: BaseException | None
    ) -> None:
        """Everybody hears, then the next batch starts."""
        if outcomes is not None:
            for call, outcome in zip(calls, outcomes, strict=True):
                call.entry_id = None
                if isinstance(outcome, Held):
                    self._wait_elsewhere(environment_id, call)
                else:
                    _settle(call, outcome)
            self._app.tell(environment_id, {call.customer for call in calls})
        elif isinstance(error, BatchFailed):
            for call in calls:
                call.entry_id = None
                _settle(call, None)
        else:
            for call in calls:
                _settle(call, None, None if isinstance(error, ConnectionLost) else error)
        self._start()

    def _wait_elsewhere(self, environment_id: str, call: Call) -> None:
        """Into the batches that wait for locks; alone, where there are none."""
        if self.waiting_lane is None or not self.waiting_lane.take_over(environment_id, call):
            _settle(call, None)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()


def _settle(call: Call, outcome: Answer | None, error: BaseException | None = None) -> None:
    future: Waiting = call.waiter
    if future.done():  # Whoever asked has gone away meanwhile.
        return
    if error is None:
        future.set_result(outcome)
    else:
        future.set_exception(error)


class PostgresLane(Lane):
    """`waits`: its batches wait for customers that somebody else holds, where those of the other lanes leave such calls out."""

    def __init__(
        self, app: App, loop: asyncio.AbstractEventLoop, threads: ThreadPoolExecutor, *, waits: bool = False
    ) -> None:
        super().__init__(app, loop, threads)
        self._link, self._waits = Link(app, loop), waits

    def _run(self, environment_id: str, calls: list[Call]) -> None:
        if self._link.is_connected:
            self._send(environment_id, calls)
        else:
            self._keep(self._loop.create_task(self._connect(environment_id, calls)))

    async def _connect(self, environment_id: str, calls: list[Call]) -> None:
        try:
            await self._link.connect(self._threads)
        except BatchFailed as error:
            self._ended(environment_id, calls, None, error)
        else:
            self._send(environment_id, calls)

    def _send(self, environment_id: str, calls: list[Call]) -> None:
        try:
            batch = postgres.Batch(environment_id, self._app.wall(), calls, waits=self._waits)
        except BatchFailed as error:
            self._ended(environment_id, calls, None, error)
            return

        def done(pgconn: pq.abc.PGconn | None, error: BaseException | None) -> None:
            faults.point("after commit")
            outcomes: Outcomes | None = None
            if pgconn is not None:
                try:
                    outcomes = batch.outcomes(pgconn, result_of(pgconn))
                except (BatchFailed, ConnectionLost) as failed:
                    error = failed
                    if isinstance(failed, ConnectionLost):
                        self._link.close()
            self._ended(environment_id, batch.calls, outcomes, error)

        faults.point("statement ledger batch")
        self._link.send(batch.statement, batch.parameters, done)

    def close(self) -> None:
        super().close()
        self._link.close()


class SqliteLane(Lane):
    def __init__(self, app: App, loop: asyncio.AbstractEventLoop, threads: ThreadPoolExecutor) -> None:
        super().__init__(app, loop, threads)
        self._session = sqlite.BatchConnection(app.database, busy_timeout_ms=0)

    def _batch_max(self) -> int:
        return SQLITE_BATCH_MAX

    def _run(self, environment_id: str, calls: list[Call]) -> None:
        self._keep(self._loop.create_task(self._write(environment_id, calls)))

    async def _write(self, environment_id: str, calls: list[Call]) -> None:
        writer, outcomes, failed = self._app.database.writer, None, None
        if not writer.acquire(blocking=False):
            await self._loop.run_in_executor(self._threads, writer.acquire)
        try:
            outcomes = self._session.write(environment_id, self._app.wall(), calls)
            if len(calls) == 1 and not self._waiting:
                self._session.commit()  # Nobody else is there, and handing over would cost half as much again.
            else:
                await self._loop.run_in_executor(self._threads, self._session.commit)
        except Exception as error:  # noqa: BLE001 - handed to everybody who waits.
            outcomes, failed = None, error
        finally:
            writer.release()
        self._ended(environment_id, calls, outcomes, failed)

    def close(self) -> None:
        super().close()
        self._session.close()


class Group:
    """What one event loop keeps for one App."""

    def __init__(self, app: App, loop: asyncio.AbstractEventLoop) -> None:
        self.threads = ThreadPoolExecutor(8, thread_name_prefix="paywright-ledger")
        kind, number = (PostgresLane, WRITE_LANES) if app.database.dialect == "postgresql" else (SqliteLane, 1)
        self._lanes: list[Lane] = [kind(app, loop, self.threads) for _ in range(number)]
        if app.database.dialect == "postgresql":
            waiting = PostgresLane(app, loop, self.threads, waits=True)
            for lane in self._lanes:
                lane.waiting_lane = waiting
            self._lanes_closed_with: list[Lane] = [*self._lanes, waiting]
        else:
            self._lanes_closed_with = self._lanes
        self.reads = Reads(app, loop, self.threads)
        self._is_wide = False

    def submit(self, environment_id: str, call: Call) -> Waiting | None:
        """A customer's calls go one way, so that two lanes do not wait for each other; only while the way changes may they meet."""
        lanes = self._lanes
        if len(lanes) == 1:
            return lanes[0].submit(environment_id, call)
        if self._is_wide:
            self._is_wide = lanes[0].batch_size + lanes[1].batch_size > NARROW
        else:
            self._is_wide = lanes[0].batch_size > WIDE
        return lanes[hash(call.customer) & 1 if self._is_wide else 0].submit(environment_id, call)

    def close(self) -> None:
        for lane in self._lanes_closed_with:
            lane.close()
        self.reads.close()
        self.threads.shutdown(wait=False)


class Groups:
    """One per App: `app.resource(Groups)`. Event loops come and go in scripts and tests; a server has one."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._of_loop: dict[int, tuple[asyncio.AbstractEventLoop, Group]] = {}

    def of_this_loop(self) -> Group:
        loop = asyncio.get_running_loop()
        known = self._of_loop.get(id(loop))
        if known is not None and known[0] is loop:
            return known[1]
        for number, (old, group) in list(self._of_loop.items()):
            if old.is_closed():
                del self._of_loop[number]
                group.close()
        group = Group(self._app, loop)
        self._of_loop[id(loop)] = loop, group
        return group

    def close(self) -> None:
        groups, self._of_loop = self._of_loop, {}
        for _, group in groups.values():
            group.close()


UNAVAILABLE = Answer(Refusal("unavailable"))
