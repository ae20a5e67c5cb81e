"""libpq's protocol spoken by an event loop: no thread, no task, one callback per statement."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from psycopg import pq

from paywright.engine.app import App
from paywright.ledger import postgres
from paywright.ledger.calls import ConnectionLost


class Link:
    """A libpq connection in an event loop: one statement at a time, its result handed to a callback."""

    def __init__(self, app: App, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._session = postgres.BatchConnection(app.database)
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


def result_of(pgconn: pq.abc.PGconn) -> pq.abc.PGresult | None:
    """The statement's result. libpq ends each statement with an empty one."""
    result = pgconn.get_result()
    while result is not None and pgconn.get_result() is not None:
        pass
    return result
