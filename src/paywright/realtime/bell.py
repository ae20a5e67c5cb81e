"""
Between processes on PostgreSQL: one NOTIFY for what this process committed since the last one, and a LISTEN for what the others did.

NOTIFY takes a lock of the whole server until its transaction ends, so it never stands in the transaction of a call: it is sent after the commit, in
one of its own, for everything that was committed meanwhile. It may be lost, with the process or with the connection: it only spares the waiting for
the next look, which everybody takes once a second anyway. One thread and one connection a process, begun when first needed; none on SQLite.

Source: https://www.postgresql.org/docs/current/sql-notify.html.
"""

import logging
import os
import selectors
import threading
import time
from collections.abc import Collection
from typing import Any

import msgspec
import psycopg

from paywright.engine.app import App

log = logging.getLogger("paywright.realtime")

CHANNEL = "paywright"
EVERYWHERE = ""
"""No environment's name: something may have been missed, and nobody knows where."""

GAP_S = 0.002
"""Between two NOTIFYs; the first one after a rest goes at once."""

CUSTOMERS_MAX = 300
PAYLOAD_MAX = 7_900
"""PostgreSQL takes less than 8,000 bytes."""

RETRY_S = (0.1, 0.5, 2.0, 5.0)


class Bell:
    """One per App: `app.resource(Bell)`. Every process that commits rings; those that `listen` hear the others."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._is_needed = app.database.dialect == "postgresql"
        self._listens = False
        self._is_closing = False
        self._pending: dict[str, set[str] | None] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._process = 0
        self._reader = self._writer = -1
        self._rang_at = 0.0
        if self._is_needed:
            app.announcers.append(self.ring)

    def ring(self, environment_id: str, customers: Collection[str]) -> None:
        """This process committed something there. Whoever committed waits for it, so it only writes it down."""
        with self._lock:
            was_empty = not self._pending
            known = self._pending.setdefault(environment_id, set())
            if known is not None:
                known.update(customers)
                if len(known) > CUSTOMERS_MAX:
                    self._pending[environment_id] = None
        if was_empty or self._process != os.getpid():
            self._wake()

    def listen(self) -> None:
        """From now on `App.hear` is called for what other processes commit."""
        if self._is_needed and not self._listens:
            self._listens = True
            self._wake()

    def close(self) -> None:
        """What waits is still sent."""
        self._is_closing = True
        if self._thread is not None and self._process == os.getpid():
            os.write(self._writer, b"!")
            self._thread.join()
            os.close(self._reader)
            os.close(self._writer)

    def _wake(self) -> None:
        """In a process that was forked off, the thread is not there yet."""
        with self._lock:
            if self._is_closing:
                return
            if self._process != os.getpid():
                self._process = os.getpid()
                self._reader, self._writer = os.pipe()
                os.set_blocking(self._reader, False)
                os.set_blocking(self._writer, False)
                self._thread = threading.Thread(target=self._run, name="paywright-bell", daemon=True)
                self._thread.start()
        try:
            os.write(self._writer, b"!")
        except BlockingIOError:
            return  # The pipe is full of earlier wakes: woken is woken.

    def _run(self) -> None:
        failures = 0
        while not self._is_closing or (self._pending and not failures):
            try:
                with self._connected() as connection:
                    failures = 0
                    self._serve(connection)
            except psycopg.Error as error:
                log.info("no signals between processes for a moment: %s", type(error).__name__)
                pause = RETRY_S[min(failures, len(RETRY_S) - 1)]
                failures += 1
                time.sleep(0 if self._is_closing else pause)

    def _connected(self) -> "psycopg.Connection[Any]":
        url = self._app.database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        # A lost NOTIFY is looked for once a second, so its commit need not wait for the disk.
        options = "-c synchronous_commit=off -c timezone=UTC"
        return psycopg.connect(
            url, autocommit=True, options=options, connect_timeout=10, keepalives_idle=30, keepalives_interval=10
        )

    def _serve(self, connection: "psycopg.Connection[Any]") -> None:
        """Until it is told to close, or the connection is lost."""
        heard = self._hear_from(connection.info.backend_pid)
        connection.add_notify_handler(heard)
        listens = False
        # Not `select`: thousands of streams have taken the small descriptors.
        with selectors.DefaultSelector() as either:
            either.register(self._reader, selectors.EVENT_READ)
            either.register(connection.fileno(), selectors.EVENT_READ)
            while True:
                if self._listens and not listens:
                    connection.execute(f"LISTEN {CHANNEL}")
                    listens = True
                    self._app.hear(EVERYWHERE, None)  # What was rung while nobody listened.
                self._send(connection)
                if self._is_closing:
                    return
                readable = {key.fd for key, _ in either.select()}
                if self._reader in readable:
                    _drain(self._reader)
                if connection.fileno() in readable:
                    connection.pgconn.consume_input()
                    while (notified := connection.pgconn.notifies()) is not None:
                        heard(psycopg.Notify(notified.relname.decode(), notified.extra.decode(), notified.be_pid))

    def _hear_from(self, own_pid: int) -> Any:
        def heard(notice: psycopg.Notify) -> None:
            if notice.pid == own_pid or notice.channel != CHANNEL:
                return
            try:
                environment_id, customers = msgspec.json.decode(notice.payload, type=tuple[str, list[str] | None])
            except msgspec.MsgspecError:
                environment_id, customers = EVERYWHERE, None  # Rung by somebody else's program: a look does no harm.
            self._app.hear(environment_id, customers)

        return heard

    def _send(self, connection: "psycopg.Connection[Any]") -> None:
        if not self._pending:
            return
        rest = self._rang_at + GAP_S - time.monotonic()
        if rest > 0:
            time.sleep(rest)
        with self._lock:
            pending, self._pending = self._pending, {}
        payloads = [payload_of(environment_id, customers) for environment_id, customers in sorted(pending.items())]
        self._rang_at = time.monotonic()
        connection.execute("SELECT pg_notify(%s, payload) FROM unnest(%s::text[]) AS payload", (CHANNEL, payloads))


def payload_of(environment_id: str, customers: Collection[str] | None) -> str:
    """Null for the customers where there are too many to name."""
    named = None if customers is None else sorted(customers)
    text = msgspec.json.encode((environment_id, named))
    return (text if len(text) <= PAYLOAD_MAX else msgspec.json.encode((environment_id, None))).decode()


def _drain(reader: int) -> None:
    try:
        while os.read(reader, 4096):
            continue
    except BlockingIOError:
        return
