"""
Connections to PostgreSQL outlive the engines of tests, as behind a pooler: a server process for each costs more than most tests do on it.

What an engine closes is kept after `DISCARD ALL`, which makes the session as good as new: settings, prepared statements, listening, locks and
temporary tables are gone. Who asks for a connection to the same database next gets it. One that was closed within a transaction, or lost its
server, is not kept.
"""

from collections import defaultdict
from collections.abc import Hashable
from typing import Any

import psycopg
from psycopg import pq
from psycopg.abc import AdaptContext
from psycopg.adapt import AdaptersMap
from sqlalchemy import event
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import Engine

KEPT_MAX = 4
"""To each database: a server takes a hundred, and a test may use twenty at once."""

_idle: dict[Hashable, list[pq.abc.PGconn]] = defaultdict(list)
_OVER = pq.PGconn.connect_start(b"")
_OVER.finish()


class Kept(psycopg.Connection[Any]):
    """Closed, it is as dead as any other; what lives on is known to nobody but us."""

    key: Hashable = None

    def close(self) -> None:
        living = self.pgconn
        has_room = len(_idle[self.key]) < KEPT_MAX
        if has_room and is_idle(living) and living.exec_(b"DISCARD ALL").status == pq.ExecStatus.COMMAND_OK:
            self.pgconn = _OVER
            self._closed = True
            _idle[self.key].append(living)
        else:
            super().close()


def is_idle(connection: pq.abc.PGconn) -> bool:
    return connection.status == pq.ConnStatus.OK and connection.transaction_status == pq.TransactionStatus.IDLE


def keep() -> None:
    @event.listens_for(Engine, "do_connect")
    def connect(dialect: Any, _record: Any, arguments: list[Any], named: dict[str, Any]) -> Any:
        if not isinstance(dialect, PGDialect_psycopg):
            return None
        context = named.get("context")  # How values are written and read, which is no matter of the server's.
        key = (*arguments, *sorted((name, repr(value)) for name, value in named.items() if name != "context"))
        made = _again(key, context) or Kept.connect(*arguments, **named)
        made.key = key
        return made


def _again(key: Hashable, context: AdaptContext | None) -> Kept | None:
    while _idle[key]:
        found = _idle[key].pop()
        if is_idle(found) and found.exec_(b"").status == pq.ExecStatus.EMPTY_QUERY:
            made = Kept(found)
            made._adapters = AdaptersMap(context.adapters) if context else None
            return made
        found.finish()
    return None


def idle() -> list[int]:
    """The server processes of those that nobody uses now."""
    return [each.backend_pid for kept in _idle.values() for each in kept]


def forget(database_name: str) -> None:
    """Ends those to a database that will not be used again."""
    for key in [key for key, kept in _idle.items() if any(each.db == database_name.encode() for each in kept)]:
        for each in _idle.pop(key):
            each.finish()
