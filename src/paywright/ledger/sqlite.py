"""
A batch on SQLite: the same decisions as `paywright_ledger_batch`, in this process.

`run` leaves the transaction open, because the commit is the slow part and may be waited for elsewhere. The random idempotency index dominates what
a call costs; everything else is written in the order of its key.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from paywright.kernel import faults
from paywright.kernel.ids import new_id
from paywright.kernel.model import QUANTITY_MAX
from paywright.kernel.refusals import Refusal
from paywright.ledger.account import FOREVER
from paywright.ledger.calls import BatchFailed, Call, Held, answer_of, in_account_order, laid
from paywright.ledger.model import NEVER, Answer, ItemState
from paywright.ledger.rules import SPENT_MAX
from paywright.storage.database import Database, prepare_sqlite

_CLOCK = """
SELECT coalesce((SELECT CASE WHEN e.clock_ms IS NULL OR e.provider = 'stripe' THEN :wall
                             WHEN e.clock_runs = 1 THEN e.clock_ms + max(0, :wall - e.clock_read_at)
                             ELSE e.clock_ms END
                 FROM environments e WHERE e.environment_id = :environment), :wall),
       coalesce((SELECT c.defaults_version FROM catalogs c WHERE c.environment_id = :environment), 0)
"""
_CUSTOMERS = """
SELECT c.customer, c.version, c.next_sequence, c.defaults_version
FROM json_each(?) j CROSS JOIN customers c ON c.environment_id = ? AND c.customer = j.value
"""
_BALANCES = """
SELECT b.customer, b.item_id, b.balance, b.spent, b.live, b.carried, b.held, b.entries, b.at, b.next_due
FROM json_each(?) j CROSS JOIN balances b
ON b.environment_id = ? AND b.customer = json_extract(j.value, '$[0]') AND b.item_id = json_extract(j.value, '$[1]')
"""
_KEYS = """
INSERT INTO idempotency_keys (environment_id, caller, key_hash, fingerprint, subject_id, status, created_at)
VALUES (?, ?, ?, ?, ?, 200, ?) ON CONFLICT DO NOTHING
"""
_KEY_OWNER = "SELECT subject_id FROM idempotency_keys WHERE environment_id = ? AND caller = ? AND key_hash = ?"
_FORGET_KEY = "DELETE FROM idempotency_keys WHERE environment_id = ? AND caller = ? AND key_hash = ?"
_REFUSE_KEY = """
UPDATE idempotency_keys SET subject_id = NULL, status = ?, body = ? WHERE environment_id = ? AND caller = ? AND key_hash = ?
"""
_ENTRIES = """
INSERT INTO ledger_entries (environment_id, id, customer, item_id, seq, sequence, version, kind, quantity, delta, balance_after, held_after,
                            spent_after, at, effective_at, expires_at, item_key, note, actor)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_GRANTS = """
INSERT INTO item_grants (environment_id, customer, item_id, id, kind, item_key, granted_at, sequence, due, quantity, paid, live)
VALUES (?, ?, ?, ?, 'grant', ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE_BALANCES = """
UPDATE balances SET balance = ?, spent = ?, live = ?, entries = ?, at = ?, next_due = ? WHERE environment_id = ? AND customer = ? AND item_id = ?
"""
_UPDATE_CUSTOMERS = "UPDATE customers SET version = ?, next_sequence = ? WHERE environment_id = ? AND customer = ?"
_EVENTS = (
    "INSERT INTO events (environment_id, id, customer, sequence, type, created_at, data) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_PENDING = """
SELECT due, sum(live) FROM item_grants
WHERE environment_id = ? AND customer = ? AND item_id = ? AND live > 0 AND due < 4611686018427387904 GROUP BY due ORDER BY due
"""
_READ = """
SELECT b.balance, b.held, b.spent, b.carried, b.next_due, c.version, c.defaults_version
FROM json_each(?) j
LEFT JOIN customers c ON c.environment_id = ? AND c.customer = json_extract(j.value, '$[0]')
LEFT JOIN balances b ON b.environment_id = c.environment_id AND b.customer = c.customer AND b.item_id = json_extract(j.value, '$[1]')
ORDER BY j.key
"""


class _Owner(msgspec.Struct):
    version: int
    sequence: int
    changes: list[str]


class _Balance(msgspec.Struct):
    customer: str
    item_id: str
    balance: int
    spent: int
    live: int
    carried: int
    held: int
    entries: int
    at: int
    next_due: int
    pending: list[tuple[int, int]] | None = None


class Batch:
    """One batch in an open write transaction. `write` decides and writes; commit or roll back after it."""

    def __init__(self, connection: sqlite3.Connection, environment_id: str, wall: int, calls: list[Call]) -> None:
        self.connection, self.environment_id, self.wall, self.calls = connection, environment_id, wall, calls
        calls.sort(key=in_account_order)
        self.id = new_id("e")[2:-4]
        for number, call in enumerate(calls, 1):
            call.entry_id = f"ent_{self.id}{number * 2:04x}"
        self.now, self.defaults_version = connection.execute(
            _CLOCK, {"wall": wall, "environment": environment_id}
        ).fetchone()
        self.owners = self._owners()
        self.balances = self._balances()
        self.entries: list[tuple[Any, ...]] = []
        self.grants: list[tuple[Any, ...]] = []
        self.events: list[tuple[Any, ...]] = []
        self.refused: list[tuple[Call, Refusal | None]] = []

    def _owners(self) -> dict[str, _Owner]:
        names = list({call.customer: None for call in self.calls})
        rows = self.connection.execute(_CUSTOMERS, (msgspec.json.encode(names).decode(), self.environment_id))
        return {
            customer: _Owner(version, sequence, [])
            for customer, version, sequence, defaults_version in rows
            if defaults_version == self.defaults_version
        }

    def _balances(self) -> dict[tuple[str, str], _Balance]:
        names = list({(call.customer, call.item_id): None for call in self.calls})
        rows = self.connection.execute(_BALANCES, (msgspec.json.encode(names).decode(), self.environment_id))
        found = {}
        for row in rows:
            balance = _Balance(*row)
            balance.at = max(self.now, balance.at)
            if balance.at < balance.next_due and balance.customer in self.owners:
                found[balance.customer, balance.item_id] = balance
                if balance.next_due < NEVER:
                    balance.pending = self.connection.execute(
                        _PENDING, (self.environment_id, balance.customer, balance.item_id)
                    ).fetchall()
        return found

    def write(self) -> list[Answer | Held | None]:
        """One outcome per call; None: not done, run it alone."""
        taken = self._claim_keys()
        touched: dict[tuple[str, str], _Balance] = {}
        answers: list[Answer | Held | None] = []
        for number, call in enumerate(self.calls, 1):
            balance = self.balances.get((call.customer, call.item_id))
            if number in taken:
                answers.append(None)
                continue
            if balance is None or (call.expires_at and call.expires_at <= balance.at):
                self.refused.append((call, None))
                answers.append(None)
                continue
            refusal = _refusal(balance, call)
            if refusal is not None:
                self.refused.append((call, refusal))
                answers.append(Answer(refusal))
                continue
            touched[call.customer, call.item_id] = balance
            answers.append(self._apply(number, call, balance))
        self._write(touched)
        return answers

    def _claim_keys(self) -> set[int]:
        """Binds each key to the entry its call is going to write. Answers which calls (counted from 1) met a key that stands already."""
        mine = self.environment_id
        keyed = [(number, call, call.key) for number, call in enumerate(self.calls, 1) if call.key is not None]
        if not keyed:
            return set()
        keyed.sort(key=lambda one: (one[2].caller, one[2].key_hash))
        rows = [(mine, key.caller, key.key_hash, key.fingerprint, call.entry_id, self.wall) for _, call, key in keyed]
        if self.connection.executemany(_KEYS, rows).rowcount == len(keyed):
            return set()
        standing = {
            number: self.connection.execute(_KEY_OWNER, (mine, key.caller, key.key_hash)).fetchone()[0]
            for number, _, key in keyed
        }
        return {number for number, call, _ in keyed if standing[number] != call.entry_id}

    def _apply(self, number: int, call: Call, balance: _Balance) -> Answer:
        owner, delta, before = self.owners[call.customer], call.delta, balance.balance - balance.held
        balance.balance += delta
        balance.entries += 1
        key = None
        if delta < 0:
            balance.spent -= delta
        else:
            key = f"at:{call.expires_at}" if call.expires_at else "never"
            self._give(call, balance, owner.sequence, key)
        version = owner.version + 1
        self.entries.append(
            (
                self.environment_id, call.entry_id, call.customer, call.item_id, balance.entries, owner.sequence, version,
                "decrease" if delta < 0 else "grant", abs(delta), delta, balance.balance, balance.held, balance.spent,
                balance.at, balance.at, call.expires_at or None, key, call.note, call.actor,
            )
        )  # fmt: skip
        owner.sequence += 1
        name = f"items.{call.item_id}"
        if name not in owner.changes:
            owner.changes.append(name)
        after = balance.balance - balance.held
        if before > 0 >= after:
            self._event(
                number * 2 + 1, call.customer, owner, "item.depleted", {"item_id": call.item_id, "quantity": after}
            )
        spent = balance.spent + balance.held - balance.carried
        lost_then = laid(spent, balance.pending) if balance.pending else ()
        return answer_of(call, balance.balance, balance.held, version, lost_then)

    def _give(self, call: Call, balance: _Balance, sequence: int, key: str) -> None:
        """The balance was raised already; debt is paid first."""
        quantity = call.delta
        paid = min(quantity, max(0, quantity - balance.balance))
        balance.live += quantity - paid
        balance.spent -= paid
        due = call.expires_at or FOREVER
        if call.expires_at and quantity > paid:
            balance.next_due = min(balance.next_due, due)
            balance.pending = sorted([*(balance.pending or []), (due, quantity - paid)])
        self.grants.append(
            (
                self.environment_id, call.customer, call.item_id, call.entry_id, key, balance.at, sequence, due, quantity, paid,
                quantity - paid,
            )
        )  # fmt: skip

    def _event(self, number: int, customer: str, owner: _Owner, kind: str, facts: dict[str, Any]) -> None:
        told = msgspec.json.encode(facts).decode()
        self.events.append(
            (self.environment_id, f"evt_{self.id}{number:04x}", customer, owner.sequence, kind, self.now, told)
        )
        owner.sequence += 1

    def _write(self, touched: dict[tuple[str, str], _Balance]) -> None:
        execute, mine = self.connection.executemany, self.environment_id
        changed = [(customer, owner) for customer, owner in self.owners.items() if owner.changes]
        for number, (customer, owner) in enumerate(changed, 32769):
            facts = {"version": owner.version + 1, "changes": owner.changes, "previous": owner.version}
            self._event(number, customer, owner, "customer.state_changed", facts)
        execute(
            _UPDATE_BALANCES,
            [
                (b.balance, b.spent, b.live, b.entries, b.at, b.next_due, mine, b.customer, b.item_id)
                for b in touched.values()
            ],
        )
        execute(_ENTRIES, self.entries)
        if self.grants:
            execute(_GRANTS, self.grants)
        execute(_UPDATE_CUSTOMERS, [(owner.version + 1, owner.sequence, mine, customer) for customer, owner in changed])
        execute(_EVENTS, self.events)
        for call, refusal in self.refused:
            if call.key is not None and refusal is not None:
                body = msgspec.json.encode({"code": refusal.code, "facts": refusal.facts}).decode()
                row = (refusal.status, body, mine, call.key.caller, call.key.key_hash)
                self.connection.execute(_REFUSE_KEY, row)
            elif call.key is not None:
                self.connection.execute(_FORGET_KEY, (mine, call.key.caller, call.key.key_hash))


def _refusal(balance: _Balance, call: Call) -> Refusal | None:
    available, delta = balance.balance - balance.held, call.delta
    if delta < 0:
        if available + delta < 0 and not call.allow_negative:
            return Refusal("insufficient_quantity", {"requested": -delta, "available": available})
        if available + delta < -QUANTITY_MAX or balance.spent - delta > SPENT_MAX:
            return Refusal("balance_out_of_range")
    elif balance.balance + delta > QUANTITY_MAX or balance.live + delta > SPENT_MAX:
        return Refusal("balance_out_of_range")
    return None


class BatchConnection:
    """The batcher's own connection. `run` holds the process's writer lock from the first statement to the commit."""

    def __init__(self, database: Database, *, busy_timeout_ms: int | None = None) -> None:
        """`busy_timeout_ms` 0 never waits for another process: the batch fails, and its calls wait alone."""
        assert database.url.database is not None
        self._database = database
        self.connection = sqlite3.connect(database.url.database, check_same_thread=False, cached_statements=128)
        prepare_sqlite(self.connection)
        # A batch touches a page or two per call: moving them into the database after the usual thousand would write everything twice.
        self.connection.execute("PRAGMA wal_autocheckpoint=20000")
        self.connection.execute("PRAGMA cache_size=-64000")
        if busy_timeout_ms is not None:
            self.connection.execute(f"PRAGMA busy_timeout={busy_timeout_ms}")

    def run(self, environment_id: str, wall: int, calls: list[Call]) -> list[Answer | Held | None]:
        """One batch, on disk when this returns. Sorts `calls`; outcomes are in their new order."""
        with self._database.writer:
            outcomes = self.write(environment_id, wall, calls)
            self.commit()
        return outcomes

    def write(self, environment_id: str, wall: int, calls: list[Call]) -> list[Answer | Held | None]:
        """All of a batch but the commit; whoever calls this holds `database.writer`. Raises `BatchFailed` after undoing everything."""
        try:
            faults.point("statement ledger batch")
            self.connection.execute("BEGIN IMMEDIATE")
            return Batch(self.connection, environment_id, wall, calls).write()
        except Exception as error:
            self._undo()
            raise BatchFailed(str(error)) from error

    def commit(self) -> None:
        """Waits until it is on disk."""
        try:
            faults.point("before commit")
            self.connection.execute("COMMIT")
            faults.point("after commit")
        except sqlite3.Error as error:
            self._undo()
            raise BatchFailed(str(error)) from error

    def _undo(self) -> None:
        if self.connection.in_transaction:
            self.connection.rollback()

    def read(self, environment_id: str, wall: int, wanted: Sequence[tuple[str, str]]) -> list[ItemState | None]:
        """(customer, item) pairs in one snapshot; None where something is due and the balance must be read by the rules."""
        execute = self.connection.execute
        execute("BEGIN")
        try:
            now, defaults_version = execute(_CLOCK, {"wall": wall, "environment": environment_id}).fetchone()
            states: list[ItemState | None] = []
            rows = execute(_READ, (msgspec.json.encode(wanted).decode(), environment_id)).fetchall()
            for (customer, item_id), row in zip(wanted, rows, strict=True):
                balance, held, spent, carried, next_due, version, opened_under = row
                if (opened_under or 0) != defaults_version or (next_due is not None and next_due <= now):
                    states.append(None)
                elif balance is None:
                    states.append(ItemState(item_id, 0, 0, version or 0))
                elif next_due == NEVER:
                    states.append(ItemState(item_id, balance - held, held, version))
                else:
                    pending = execute(_PENDING, (environment_id, customer, item_id)).fetchall()
                    lost_then = laid(spent + held - carried, pending)
                    states.append(ItemState(item_id, balance - held, held, version, lost_then))
            return states
        finally:
            execute("COMMIT")

    def close(self) -> None:
        self.connection.close()
