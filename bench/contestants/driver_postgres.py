"""
(c) The rows a decrease writes, in one transaction per call, by the bare driver: one statement, prepared, committed by itself.

asyncpg, because it is the fastest there is for this; as many connections as callers, up to 64.
"""

import asyncio
import os
import sys
import time

import asyncpg
import uvloop
from protocol import customer, serve_async

STATEMENT = """
WITH claimed AS (
    INSERT INTO idempotency_keys (environment_id, caller, key_hash, fingerprint, subject_id, status, created_at)
    VALUES ('test', 'secret', $2, $3, $4, 200, $5) RETURNING subject_id
), owner AS (
    UPDATE customers SET version = version + 1, next_sequence = next_sequence + 2
    WHERE environment_id = 'test' AND customer = $1 RETURNING version, next_sequence
), balance AS (
    UPDATE balances b SET balance = b.balance - 1, spent = b.spent + 1, entries = b.entries + 1, at = greatest(b.at, $5)
    FROM owner WHERE b.environment_id = 'test' AND b.customer = $1 AND b.item_id = 'credits' AND b.balance - b.held >= 1 AND b.next_due > $5
    RETURNING b.balance, b.held, b.spent, b.entries, b.at, owner.version, owner.next_sequence
), entry AS (
    INSERT INTO ledger_entries (environment_id, id, customer, item_id, seq, sequence, version, kind, quantity, delta, balance_after, held_after,
                                spent_after, at, effective_at)
    SELECT 'test', $4, $1, 'credits', entries, next_sequence - 2, version, 'decrease', 1, -1, balance, held, spent, at, at FROM balance
), event AS (
    INSERT INTO events (environment_id, id, customer, sequence, type, created_at, data)
    SELECT 'test', 'evt' || substr($4, 4), $1, next_sequence - 1, 'customer.state_changed', $5,
           '{"version":' || version || ',"changes":["items.credits"],"previous":' || version - 1 || '}' FROM balance
)
SELECT balance - held FROM balance
"""
CONNECTIONS_MAX = 64
FREE: "asyncio.LifoQueue[asyncpg.Connection]" = asyncio.LifoQueue()
MADE: list["asyncpg.Connection"] = []


async def prepare(callers: int) -> None:
    while len(MADE) < min(callers, CONNECTIONS_MAX):
        connection = await asyncpg.connect(sys.argv[1])
        MADE.append(connection)
        FREE.put_nowait(connection)


async def decrease(is_hot: bool) -> None:
    name = f"user:u_{customer(is_hot)}"
    connection = await FREE.get()
    try:
        entry_id = f"ent_{time.time_ns():016x}{os.urandom(5).hex()}"
        left = await connection.fetchval(
            STATEMENT, name, os.urandom(16), os.urandom(32), entry_id, time.time_ns() // 1_000_000
        )
        assert left is not None
    finally:
        FREE.put_nowait(connection)


uvloop.run(serve_async(decrease, prepare))
