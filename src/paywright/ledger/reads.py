"""Item reads of an event loop, gathered like the batches are."""

import asyncio
import sqlite3
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from psycopg import pq

from paywright.engine.app import App
from paywright.ledger import postgres, sqlite
from paywright.ledger.calls import BATCH_MAX, WAITING_MAX, BatchFailed, ConnectionLost
from paywright.ledger.link import Link, result_of
from paywright.ledger.model import ItemState

Read = tuple[str, str, str, asyncio.Future[ItemState | None]]


class Reads:
    """Item reads of one loop. Those made in one turn are one query: on PostgreSQL through a link of their own, on SQLite in the loop itself."""

    def __init__(self, app: App, loop: asyncio.AbstractEventLoop, threads: ThreadPoolExecutor) -> None:
        self._app, self._loop, self._threads = app, loop, threads
        self._link = Link(app, loop) if app.database.dialect == "postgresql" else None
        self._session = None if self._link else sqlite.BatchConnection(app.database)
        self._waiting: deque[Read] = deque()
        self._is_busy = False
        self._task: asyncio.Task[None] | None = None

    def read(self, environment_id: str, customer: str, item_id: str) -> "asyncio.Future[ItemState | None]":
        """None: something is due, read this one by the rules."""
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
        elif self._link is None:
            self._read_here()
        elif self._link.is_connected:
            self._send(self._link)
        else:
            self._task = self._loop.create_task(self._connect(self._link))

    def _read_here(self) -> None:
        assert self._session is not None
        environment_id, asked, wanted = self._next()
        states: list[ItemState | None]
        try:
            states = self._session.read(environment_id, self._app.wall(), wanted)
        except sqlite3.Error:
            states = [None] * len(asked)  # Whatever it is, reading by the rules says so.
        self._answer(asked, states)
        self._loop.call_soon(self._start)

    def _send(self, link: Link) -> None:
        environment_id, asked, wanted = self._next()

        def done(pgconn: pq.abc.PGconn | None, _error: BaseException | None) -> None:
            states: list[ItemState | None] = [None] * len(asked)
            if pgconn is not None:
                try:
                    states = postgres.read_states(pgconn, result_of(pgconn), wanted)
                except (BatchFailed, ConnectionLost):
                    link.close()
            self._answer(asked, states)
            self._start()

        link.send(postgres.READ, postgres.read_parameters(environment_id, self._app.wall(), wanted), done)

    def _next(self) -> tuple[str, list[Read], list[tuple[str, str]]]:
        """Reads in the same environment as the first one, and what they want."""
        environment_id, asked = self._waiting[0][0], list[Read]()
        while self._waiting and len(asked) < BATCH_MAX and self._waiting[0][0] == environment_id:
            asked.append(self._waiting.popleft())
        return environment_id, asked, [(customer, item_id) for _, customer, item_id, _ in asked]

    def _answer(self, asked: list[Read], states: list[ItemState | None]) -> None:
        for (_, _, _, future), state in zip(asked, states, strict=True):
            if not future.done():  # Whoever asked may have gone away meanwhile.
                future.set_result(state)

    async def _connect(self, link: Link) -> None:
        try:
            await link.connect(self._threads)
        except BatchFailed:
            while self._waiting:
                self._waiting.popleft()[3].set_result(None)
        self._start()

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
        if self._session is not None:
            self._session.close()
