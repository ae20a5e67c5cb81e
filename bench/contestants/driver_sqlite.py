"""(c) The rows a decrease writes, in one transaction per call, by the bare driver on SQLite: WAL, `synchronous=FULL`, prepared statements."""

import os
import sqlite3
import sys
import threading
import time

from protocol import customer, serve_threads

LOCK = threading.Lock()
CONNECTION = sqlite3.connect(sys.argv[1], check_same_thread=False, isolation_level=None)
for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-16000", "temp_store=MEMORY"):
    CONNECTION.execute(f"PRAGMA {pragma}")


def decrease(is_hot: bool) -> None:
    name = f"user:u_{customer(is_hot)}"
    now, entry_id, execute = (
        time.time_ns() // 1_000_000,
        f"ent_{time.time_ns():016x}{os.urandom(5).hex()}",
        CONNECTION.execute,
    )
    with LOCK:
        execute("BEGIN IMMEDIATE")
        execute(
            "INSERT INTO idempotency_keys (environment_id, caller, key_hash, fingerprint, subject_id, status, created_at) "
            "VALUES ('test', 'secret', ?, ?, ?, 200, ?)",
            (os.urandom(16), os.urandom(32), entry_id, now),
        )
        version, sequence = execute(
            "UPDATE customers SET version = version + 1, next_sequence = next_sequence + 2 WHERE environment_id = 'test' AND customer = ? "
            "RETURNING version, next_sequence",
            (name,),
        ).fetchone()
        balance, held, spent, entries, at = execute(
            "UPDATE balances SET balance = balance - 1, spent = spent + 1, entries = entries + 1, at = max(at, ?) "
            "WHERE environment_id = 'test' AND customer = ? AND item_id = 'credits' AND balance - held >= 1 AND next_due > ? "
            "RETURNING balance, held, spent, entries, at",
            (now, name, now),
        ).fetchone()
        execute(
            "INSERT INTO ledger_entries (environment_id, id, customer, item_id, seq, sequence, version, kind, quantity, delta, balance_after, "
            "held_after, spent_after, at, effective_at) VALUES ('test', ?, ?, 'credits', ?, ?, ?, 'decrease', 1, -1, ?, ?, ?, ?, ?)",
            (entry_id, name, entries, sequence - 2, version, balance, held, spent, at, at),
        )
        execute(
            "INSERT INTO events (environment_id, id, customer, sequence, type, created_at, data) "
            "VALUES ('test', ?, ?, ?, 'customer.state_changed', ?, ?)",
            (
                "evt" + entry_id[3:],
                name,
                sequence - 1,
                now,
                f'{{"version":{version},"changes":["items.credits"],"previous":{version - 1}}}',
            ),
        )
        execute("COMMIT")


# They would only queue up for the lock; what a thread more costs is Python's, not SQLite's.
serve_threads(decrease, threads_max=4)
