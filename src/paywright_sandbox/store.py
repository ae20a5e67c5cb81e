"""
All accounts, in memory; with a file, also in SQLite. Memory is what is read; the file is written in the same step and read at start.

Reads need no lock of their own: whoever works on an account holds `lock`, and a commit is the only thing that changes it.
"""

import json
import sqlite3
import threading
from dataclasses import asdict
from typing import Any

from .account import Account, Delivery, Due, LoggedEvent, account_from
from .errors import Json
from .ids import Ids, random_seed
from .work import Work

SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (id TEXT PRIMARY KEY, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS objects (
    account TEXT NOT NULL, id TEXT NOT NULL, position INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY (account, id));
CREATE TABLE IF NOT EXISTS events (
    account TEXT NOT NULL, id TEXT NOT NULL, position INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY (account, id));
CREATE TABLE IF NOT EXISTS deliveries (
    account TEXT NOT NULL, id TEXT NOT NULL, position INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY (account, id));
CREATE TABLE IF NOT EXISTS due (account TEXT NOT NULL, id INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY (account, id));
CREATE TABLE IF NOT EXISTS idempotency (account TEXT NOT NULL, id TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY (account, id));
"""
TABLES = ("objects", "events", "deliveries", "due", "idempotency")


def opened(path: str) -> sqlite3.Connection:
    """Ours alone while we run: another process would work from a memory of its own. Raises FileInUse, or sqlite3.Error."""
    file = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=1)
    try:
        file.executescript("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
        file.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
    except sqlite3.OperationalError as error:
        file.close()
        if "locked" in str(error):
            raise FileInUse(f"{path} is in use by another sandbox") from error
        raise
    return file


class FileInUse(OSError):
    """Two sandboxes cannot share one file."""


class Store:
    def __init__(self, path: str | None = None, seed: str | None = None) -> None:
        """Without a path everything is in memory. A seed holds for the accounts made from now on."""
        self.lock = threading.RLock()
        self.accounts: dict[str, Account] = {}
        self.by_key: dict[str, Account] = {}
        self.seed = seed
        self.position = 0
        self.file: sqlite3.Connection | None = None
        if path:
            self.file = opened(path)
            self.load(self.file)
        if not self.accounts:
            self.create_account(name="the shop")
        self.default = next(iter(self.accounts.values()))

    def load(self, file: sqlite3.Connection) -> None:
        for (record,) in file.execute("SELECT record FROM accounts ORDER BY rowid"):
            self.add(account_from(json.loads(record)))
        for account_id, position, record in file.execute(
            "SELECT account, position, record FROM objects ORDER BY position, id"
        ):
            put_object(self.accounts[account_id], json.loads(record))
            self.position = max(self.position, position)
        for account_id, id, position, record in file.execute(
            "SELECT account, id, position, record FROM events ORDER BY position, id"
        ):
            self.accounts[account_id].events[id] = LoggedEvent(**json.loads(record))
            self.position = max(self.position, position)
        for account_id, id, position, record in file.execute(
            "SELECT account, id, position, record FROM deliveries ORDER BY position, id"
        ):
            self.accounts[account_id].deliveries[id] = Delivery(**json.loads(record))
            self.position = max(self.position, position)
        for account_id, record in file.execute("SELECT account, record FROM due ORDER BY account, id"):
            self.accounts[account_id].add_due(Due(**json.loads(record)))
        for account_id, id, record in file.execute("SELECT account, id, record FROM idempotency ORDER BY account, id"):
            self.accounts[account_id].idempotency[id] = json.loads(record)

    def add(self, account: Account) -> Account:
        self.accounts[account.id] = account
        self.by_key[account.secret_key] = account
        self.by_key[account.publishable_key] = account
        return account

    def create_account(self, *, name: str | None = None, parent: str | None = None, seed: str | None = None) -> Account:
        """A fresh account with its own keys. Its seed is the given one, else drawn from the store's, else random."""
        if seed is None:
            seed = f"{self.seed}/{len(self.accounts)}" if self.seed is not None else random_seed()
        ids = Ids(seed)
        account = Account(
            id=f"acct_{ids.letters(16)}",
            secret_key=f"sk_test_{ids.letters(32)}",
            publishable_key=f"pk_test_{ids.letters(32)}",
            ids=ids,
            name=name,
            parent=parent,
        )
        with self.lock:
            self.add(account)
            self.write([("accounts", (account.id,), account.record())])
        return account

    def delete_account(self, account: Account) -> None:
        with self.lock:
            del self.accounts[account.id], self.by_key[account.secret_key], self.by_key[account.publishable_key]
            self.erase(account.id, ("accounts", *TABLES))

    def reset(self, account: Account) -> None:
        """Empties the account; keys, name and settings stay. A new seed: an application keeps event ids for ever, so none may return."""
        with self.lock:
            for kept in (account.objects, account.kind_of, account.events, account.deliveries, account.idempotency):
                kept.clear()
            account.due.clear()
            account.due_order.clear()
            account.due_of.clear()
            account.faults.clear()
            account.chaos = {}
            account.requests.clear()
            account.ids = Ids(f"{account.ids.seed}/reset" if self.seed is not None else random_seed())
            self.erase(account.id, TABLES)
            self.save_account(account)

    def save_account(self, account: Account) -> None:
        self.write([("accounts", (account.id,), account.record())])

    def commit(self, work: Work) -> None:
        """Makes the work true: objects, events, deliveries and due acts in one step, first in the file, then in memory."""
        account = work.account
        rows: list[tuple[str, tuple[Any, ...], Json | None]] = [("accounts", (account.id,), account.record())]
        rows += [("objects", (account.id, id), None) for id in work.removed]
        rows += [("objects", (account.id, thing["id"]), thing) for thing in work.saved.values()]
        rows += [("due", (account.id, sequence), None) for sequence in work.due_taken]
        if self.file:
            rows += [("events", (account.id, event.id), asdict(event)) for event in work.events]
            rows += [("deliveries", (account.id, sent.id), asdict(sent)) for sent in work.deliveries]
            rows += [("due", (account.id, due.sequence), asdict(due)) for due in work.due_added]
            self.write(rows)
        for id, kind in work.removed.items():
            account.objects.get(kind, {}).pop(id, None)
            account.kind_of.pop(id, None)
        for thing in work.saved.values():
            put_object(account, thing)
        account.events.update({event.id: event for event in work.events})
        account.deliveries.update({delivery.id: delivery for delivery in work.deliveries})
        for sequence in work.due_taken:
            account.take_due(sequence)
        for due in work.due_added:
            account.add_due(due)

    def keep_idempotent(self, account: Account, key: str, record: Json | None) -> None:
        """Keeps the outcome under this key; None forgets it."""
        if record is None:
            account.idempotency.pop(key, None)
        else:
            account.idempotency[key] = record
        self.write([("idempotency", (account.id, key), record)])

    def save_delivery(self, account: Account, delivery: Delivery) -> None:
        event = account.events[delivery.event]
        self.write(
            [
                ("deliveries", (account.id, delivery.id), asdict(delivery)),
                ("events", (account.id, event.id), asdict(event)),
            ]
        )

    def write(self, rows: list[tuple[str, tuple[Any, ...], Json | None]]) -> None:
        """Rows of (table, key, record); None deletes. One transaction."""
        if not self.file:
            return
        self.file.execute("BEGIN IMMEDIATE")
        try:
            for table, key, record in rows:
                self.write_row(self.file, table, key, record)
        except BaseException:
            self.file.execute("ROLLBACK")
            raise
        self.file.execute("COMMIT")

    def write_row(self, file: sqlite3.Connection, table: str, key: tuple[Any, ...], record: Json | None) -> None:
        if table == "accounts":
            file.execute(
                "INSERT INTO accounts (id, record) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record",
                (*key, json.dumps(record)),
            )
        elif record is None:
            file.execute(f"DELETE FROM {table} WHERE account = ? AND id = ?", key)  # noqa: S608 - table names are ours
        elif table in ("due", "idempotency"):
            file.execute(
                f"INSERT OR REPLACE INTO {table} (account, id, record) VALUES (?, ?, ?)",  # noqa: S608
                (*key, json.dumps(record)),
            )
        else:
            self.position += 1
            file.execute(
                f"INSERT INTO {table} (account, id, position, record) VALUES (?, ?, ?, ?)"  # noqa: S608
                " ON CONFLICT (account, id) DO UPDATE SET record = excluded.record",
                (*key, self.position, json.dumps(record)),
            )

    def erase(self, account_id: str, tables: tuple[str, ...]) -> None:
        if self.file:
            self.file.execute("BEGIN IMMEDIATE")
            for table in tables:
                column = "id" if table == "accounts" else "account"
                self.file.execute(f"DELETE FROM {table} WHERE {column} = ?", (account_id,))  # noqa: S608
            self.file.execute("COMMIT")

    def close(self) -> None:
        if self.file:
            self.file.close()
            self.file = None


def put_object(account: Account, thing: Json) -> None:
    account.objects.setdefault(thing["object"], {})[thing["id"]] = thing
    account.kind_of[thing["id"]] = thing["object"]
