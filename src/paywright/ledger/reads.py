"""Item reads of an event loop, gathered like the batches are."""

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from psycopg import pq

from paywright.engine.app import App
from paywright.ledger import postgres, sqlite
from paywright.ledger.calls import BATCH_MAX, WAITING_MAX, BatchFailed, ConnectionLost
from paywright.ledger.link import Link, result_of
from paywright.ledger.model import ItemState


class Reads:
    """Item reads of one loop. On PostgreSQL those made in one turn are one query; on SQLite a read is shorter than any hand-over."""

    def __init__(self, app: App, loop: asyncio.AbstractEventLoop, threads: ThreadPoolExecutor) -> None:
        self._app, self._loop, self._threads = app, loop, threads
        self._link = Link(app, loop) if app.database.dialect == "postgresql" else None
        self._session = None if self._link else sqlite.BatchConnection(app.database)
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
                    states = postgres.read_states(pgconn, result_of(pgconn), wanted)
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
