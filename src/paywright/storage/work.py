"""
A work is one database transaction in one environment: everything that must be true together.

An action that takes a `work` cannot reach the network. `now` is read once, when first asked for, which an action does
after it holds its locks.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.engine import Connection, CursorResult
from sqlalchemy.sql.base import Executable

from paywright.kernel import faults
from paywright.storage.database import Database, Dialect

Clock = Callable[[Connection, str], int]
"""Business time of an environment, in milliseconds, as the transaction sees it."""


class Work:
    """Made by `open_work` only. Statements go through `execute`, so that they are all in this transaction."""

    def __init__(self, connection: Connection, environment_id: str, dialect: Dialect, clock: Clock) -> None:
        self.connection = connection
        self.environment_id = environment_id
        self.dialect: Dialect = dialect
        self._clock = clock
        self._now: int | None = None
        self._after_commit: list[Callable[[], None]] = []
        self._before_commit: list[Callable[[Work], None]] = []
        self.notes: dict[object, Any] = {}
        """What a room remembers for the length of this work, under a key of its own."""

    @property
    def now(self) -> int:
        """Business time, the same for the whole work."""
        if self._now is None:
            self._now = self._clock(self.connection, self.environment_id)
        return self._now

    def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        return self.connection.execute(statement, parameters)

    def before_commit(self, finish: "Callable[[Work], None]", *, first: bool = False) -> None:
        """
        `finish` runs once, last in the transaction: what is written once per commit however much changed.

        `first`: before those that stand already, because it may itself change what they write.
        """
        self._before_commit.insert(0 if first else len(self._before_commit), finish)

    def finish(self) -> None:
        """Runs what was registered with `before_commit`. `open_work` does; so does whoever works on a transaction that is not ours."""
        for finish in self._before_commit:
            finish(self)

    def after_commit(self, wake: Callable[[], None]) -> None:
        """`wake` runs once the commit is on disk. It may only nudge somebody: what must happen is a row."""
        self._after_commit.append(wake)


class RolledBack(Exception):
    """Raised inside a work to undo it and leave the block quietly, e.g. when a refusal comes after the first write."""


@contextmanager
def open_work(database: Database, environment_id: str, clock: Clock) -> Iterator[Work]:
    """One transaction: commits at the end of the block, undoes everything when the block raises."""
    work: Work | None = None
    try:
        with database.write() as connection:
            work = Work(connection, environment_id, database.dialect, clock)
            yield work
            work.finish()
    except RolledBack:
        return
    faults.point("after commit")
    for wake in work._after_commit:
        wake()
