"""
Group commit for coroutines: one set of lanes per event loop.

Nothing here waits for a timer: calls made in one turn of the loop form a batch, and while it commits the next one gathers.
On PostgreSQL the loop itself speaks libpq's protocol over a connection of its own: no thread, no task, one callback per batch.
On SQLite the statements run in the loop, since a thread would fight it for the interpreter, and the commit, which is what
takes time, in a thread.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from psycopg import pq

from paywright.engine.app import App
from paywright.kernel import faults
from paywright.kernel.refusals import Refusal
from paywright.ledger import postgres, sqlite
from paywright.ledger.calls import BATCH_MAX, WAITING_MAX, BatchFailed, Call, ConnectionLost, without_twins
from paywright.ledger.model import Answer, ItemState

WRITE_LANES = 2
SQLITE_BATCH_MAX = 256
"""Its statements hold up the loop, about 20 microseconds each."""

Waiting = asyncio.Future[Answer | None]
Outcomes = list[Answer | None]


class Link:
    """A libpq connection in an event loop: one statement at a time, its result handed to a callback."""

    def __init__(self, app: App, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._session = postgres.Session(app.database)
        self._pgconn: pq.abc.PGconn | None = None
        self._socket = -1
        self._done: Callable[[pq.abc.PGconn | None, BaseException | None], None] | None = None

    async def connect(self, threads: ThreadPoolExecutor) -> None:
        if self._pgconn is None:
            self._pgconn = await self._loop.run_in_executor(threads, self._session.pgconn)
            self._pgconn.nonblocking = 1
            self._socket = self._pgconn.socket  # libpq forgets it when the connection is lost.
            self._loop.add_reader(self._socket, self._readable)

    @property
    def is_connected(self) -> bool:
        return self._pgconn is not None

    def send(
        self,
        name: bytes,
        parameters: list[bytes | None],
        done: Callable[[pq.abc.PGconn | None, BaseException | None], None],
    ) -> None:
        assert self._pgconn is not None
        self._done = done
        try:
            self._pgconn.send_query_prepared(name, parameters)
            self._flush()
        except Exception as error:  # noqa: BLE001 - whatever libpq says, the link is of no use any more.
            self._lose(error)

    def _flush(self) -> None:
        assert self._pgconn is not None
        if self._pgconn.flush():
            self._loop.add_writer(self._socket, self._writable)

    def _writable(self) -> None:
        assert self._pgconn is not None
        try:
            if not self._pgconn.flush():
                self._loop.remove_writer(self._socket)
        except Exception as error:  # noqa: BLE001
            self._lose(error)

    def _readable(self) -> None:
        assert self._pgconn is not None
        try:
            self._pgconn.consume_input()
            if self._pgconn.is_busy() or self._done is None:
                return
        except Exception as error:  # noqa: BLE001
            self._lose(error)
            return
        done, self._done = self._done, None
        done(self._pgconn, None)

    def _lose(self, error: BaseException) -> None:
        self.close()
        done, self._done = self._done, None
        if done is not None:
            done(None, ConnectionLost(str(error)))

    def close(self) -> None:
        if self._pgconn is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._pgconn = None
        self._session.close()


class Lane:
    """One connection's queue of calls."""

    def __init__(self, app: App, loop: asyncio.AbstractEventLoop, threads: ThreadPoolExecutor) -> None:
        self._app, self._loop, self._threads = app, loop, threads
        self._waiting: deque[tuple[str, Call]] = deque()
        self._is_busy = False
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, environment_id: str, call: Call) -> Waiting | None:
        """None: too many wait already. The future's result is None where the call is to be run alone."""
        if len(self._waiting) >= WAITING_MAX:
            return None
        future: Waiting = self._loop.create_future()
        call.waiter = future
        self._waiting.append((environment_id, call))
        if not self._is_busy:
            self._is_busy = True
            self._loop.call_soon(self._start)
        return future

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
        return environment_id, calls

    def _batch_max(self) -> int:
        return BATCH_MAX

    def _run(self, environment_id: str, calls: list[Call]) -> None:
        raise NotImplementedError

    def _ended(self, calls: list[Call], outcomes: Outcomes | None, error: BaseException | None) -> None:
        """Everybody hears, then the next batch starts."""
        if outcomes is not None:
            for call, outcome in zip(calls, outcomes, strict=True):
                call.entry_id = None
                _settle(call, outcome)
        elif isinstance(error, BatchFailed):
            for call in calls:
                call.entry_id = None
                _settle(call, None)
        else:
            for call in calls:
                _settle(call, None, None if isinstance(error, ConnectionLost) else error)
        self._start()

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
    def __init__(self, app: App, loop: asyncio.AbstractEventLoop, threads: ThreadPoolExecutor) -> None:
        super().__init__(app, loop, threads)
        self._link = Link(app, loop)

    def _run(self, environment_id: str, calls: list[Call]) -> None:
        if self._link.is_connected:
            self._send(environment_id, calls)
        else:
            self._keep(self._loop.create_task(self._connect(environment_id, calls)))

    async def _connect(self, environment_id: str, calls: list[Call]) -> None:
        try:
            await self._link.connect(self._threads)
        except BatchFailed as error:
            self._ended(calls, None, error)
        else:
            self._send(environment_id, calls)

    def _send(self, environment_id: str, calls: list[Call]) -> None:
        try:
            batch = postgres.Batch(environment_id, self._app.wall(), calls)
        except BatchFailed as error:
            self._ended(calls, None, error)
            return

        def done(pgconn: pq.abc.PGconn | None, error: BaseException | None) -> None:
            faults.point("after commit")
            outcomes: Outcomes | None = None
            if pgconn is not None:
                try:
                    outcomes = batch.outcomes(pgconn, _result(pgconn))
                except (BatchFailed, ConnectionLost) as failed:
                    error = failed
                    if isinstance(failed, ConnectionLost):
                        self._link.close()
            self._ended(batch.calls, outcomes, error)

        faults.point("statement ledger batch")
        self._link.send(batch.statement, batch.parameters, done)

    def close(self) -> None:
        super().close()
        self._link.close()


def _result(pgconn: pq.abc.PGconn) -> pq.abc.PGresult | None:
    """The statement's result. libpq ends each statement with an empty one."""
    result = pgconn.get_result()
    while result is not None and pgconn.get_result() is not None:
        pass
    return result


class SqliteLane(Lane):
    def __init__(self, app: App, loop: asyncio.AbstractEventLoop, threads: ThreadPoolExecutor) -> None:
        super().__init__(app, loop, threads)
        self._session = sqlite.Session(app.database, busy_timeout_ms=0)

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
        self._ended(calls, outcomes, failed)

    def close(self) -> None:
        super().close()
        self._session.close()


class Reads:
    """Item reads of one loop. On PostgreSQL those made in one turn are one query; on SQLite a read is shorter than any hand-over."""

    def __init__(self, app: App, loop: asyncio.AbstractEventLoop, threads: ThreadPoolExecutor) -> None:
        self._app, self._loop, self._threads = app, loop, threads
        self._link = Link(app, loop) if app.database.dialect == "postgresql" else None
        self._session = None if self._link else sqlite.Session(app.database)
        self._waiting: deque[tuple[str, str, str, asyncio.Future[ItemState | None]]] = deque()
        self._is_busy = False
        self._task: asyncio.Task[None] | None = None

    def read(
        self, environment_id: str, customer: str, item_id: str
    ) -> "asyncio.Future[ItemState | None] | ItemState | None":
        """The state, or a future of it; None in either: something is due, read this one by the rules."""
        if self._session is not None:
            return self._session.read(environment_id, self._app.wall(), customer, item_id)
        future: asyncio.Future[ItemState | None] = self._loop.create_future()
        if len(self._waiting) >= WAITING_MAX:
            future.set_result(None)
            return future
        self._waiting.append((environment_id, customer, item_id, future))
        if not self._is_busy:
            self._is_busy = True
            self._loop.call_soon(self._start)
        return future

    def _start(self) -> None:
        if not self._waiting:
            self._is_busy = False
            return
        assert self._link is not None
        if not self._link.is_connected:
            self._task = self._loop.create_task(self._connect(self._link))
            return
        environment_id, asked = self._waiting[0][0], list[tuple[str, str, str, asyncio.Future[ItemState | None]]]()
        while self._waiting and len(asked) < BATCH_MAX and self._waiting[0][0] == environment_id:
            asked.append(self._waiting.popleft())
        wanted = [(customer, item_id) for _, customer, item_id, _ in asked]

        def done(pgconn: pq.abc.PGconn | None, _error: BaseException | None) -> None:
            states: list[ItemState | None] = [None] * len(asked)
            if pgconn is not None:
                try:
                    states = postgres.read_states(pgconn, _result(pgconn), wanted)
                except (BatchFailed, ConnectionLost):
                    self._lost()
            for (_, _, _, future), state in zip(asked, states, strict=True):
                if not future.done():
                    future.set_result(state)
            self._start()

        parameters = postgres.read_parameters(environment_id, self._app.wall(), wanted)
        self._link.send(postgres.READ, parameters, done)

    async def _connect(self, link: Link) -> None:
        try:
            await link.connect(self._threads)
        except BatchFailed:
            while self._waiting:
                self._waiting.popleft()[3].set_result(None)
        self._start()

    def _lost(self) -> None:
        if self._link is not None:
            self._link.close()

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
        if self._session is not None:
            self._session.close()


class Group:
    """What one event loop keeps for one App."""

    def __init__(self, app: App, loop: asyncio.AbstractEventLoop) -> None:
        self.threads = ThreadPoolExecutor(8, thread_name_prefix="paywright-ledger")
        kind, number = (PostgresLane, WRITE_LANES) if app.database.dialect == "postgresql" else (SqliteLane, 1)
        self._lanes: list[Lane] = [kind(app, loop, self.threads) for _ in range(number)]
        self.reads = Reads(app, loop, self.threads)

    def submit(self, environment_id: str, call: Call) -> Waiting | None:
        return self._lanes[hash(call.customer) % len(self._lanes)].submit(environment_id, call)

    def close(self) -> None:
        for lane in self._lanes:
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
