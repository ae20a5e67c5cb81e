"""
The world outside the process: what is left of a life when it ends. On SQLite that is two files, and the account at the sandbox.

It can be taken while a life stands still at a point, and put back for another life. What the sandbox counts is not compared: each request takes an id
and a line of the account's log, also one that only reads.
"""

import pickle
from dataclasses import dataclass, field
from pathlib import Path

from paywright_sandbox import Sandbox
from paywright_sandbox.account import Account

COUNTED = ("payment_intent", "charge", "refund", "subscription", "customer", "invoice", "checkout.session")
HELD = "clock settings chaos objects kind_of events deliveries idempotency faults due due_order due_of due_sequence".split()


@dataclass(frozen=True)
class AtStripe:
    """All that the account holds. `asked` rises with every request, and whatever changes is asked for."""

    held: bytes
    seed: str = field(compare=False)
    asked: int = field(compare=False)


class StripeSide:
    """The account of one secret key. Whoever takes it or puts it back sees to it that nobody asks it anything meanwhile."""

    def __init__(self, sandbox: Sandbox, secret_key: str) -> None:
        self._lock = sandbox.store.lock
        self._account: Account = sandbox.store.by_key[secret_key]
        self._last: AtStripe | None = None

    def taken(self) -> AtStripe:
        ids = self._account.ids
        if self._last is None or (self._last.seed, self._last.asked) != (ids.seed, ids.drawn):
            with self._lock:
                held = pickle.dumps([getattr(self._account, name) for name in HELD])
                self._last = AtStripe(held, ids.seed, ids.drawn)
        return self._last

    def put_back(self, taken: AtStripe) -> None:
        with self._lock:
            for name, value in zip(HELD, pickle.loads(taken.held), strict=True):
                setattr(self._account, name, value)
            self._account.ids.seed, self._account.ids.drawn = taken.seed, taken.asked
            self._last = taken

    def counted(self) -> dict[str, int]:
        with self._lock:
            return {kind: len(self._account.objects.get(kind, {})) for kind in COUNTED}


@dataclass(frozen=True)
class World:
    """Two are equal when no byte is different."""

    database: bytes
    log: bytes
    """What SQLite has written ahead and not moved into the database yet."""
    stripe: AtStripe


class SqliteFile:
    """Of one database. Read by somebody who has not opened it: closing a file lets go of this process's locks on it."""

    def __init__(self, path: Path) -> None:
        self.path, self._log, self._index = path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def taken(self) -> tuple[bytes, bytes]:
        return self.path.read_bytes(), self._log.read_bytes() if self._log.exists() else b""

    def put_back(self, database: bytes, log: bytes = b"") -> None:
        self._index.unlink(missing_ok=True)
        self._log.unlink(missing_ok=True)
        self.path.write_bytes(database)
        if log:
            self._log.write_bytes(log)
