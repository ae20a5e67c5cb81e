"""
The real server for `bench/streams.py`: `stream_server.py URL CUSTOMERS`; says `{"url", "secret"}` when it is ready, ends with its standard input.

A line on its standard input is an order: `stand` tells memory and processor time; `change ALL|ONE` commits changes; `load RATE SECONDS` makes changes
evenly over all customers and tells when each was committed, on the clock all processes share.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from paywright import app as doors
from paywright.api.listening import Listening, allow_many_connections
from paywright.api.server import build
from paywright.catalog.actions import apply
from paywright.engine.app import App
from paywright.kernel.model import Customer
from paywright.kernel.settings import Settings
from paywright.ledger.hot import do_async, increase, increase_call

SECRET = "a secret of this measurement only"
EVERYBODY = """
WITH moved AS (
    UPDATE customers SET version = version + 1, next_sequence = next_sequence + 1 WHERE environment_id = 'test'
    RETURNING customer, version, next_sequence
)
INSERT INTO events (environment_id, id, customer, sequence, type, created_at, data)
SELECT 'test', 'evt_bench_' || customer || version, customer, next_sequence - 1, 'customer.state_changed', 1,
    json_build_object('version', version, 'previous', version - 1, 'changes', json_build_array('billing'))
FROM moved
"""


def main() -> None:
    allow_many_connections()
    customers = int(sys.argv[2])
    app = doors.open_app(
        Settings(database_url=sys.argv[1], secret=SECRET, streams_max=20_000, streams_per_customer_max=20_000),
        provider="instant",
    )
    catalog: dict[str, Any] = {"items": {"credits": {"display_name": "Credits"}}}
    with app.work("test") as work:
        apply(work, catalog, is_in_use=doors.is_in_use)
    with Listening(build(app)) as server:
        say({"url": server.url, "secret": SECRET})
        for line in sys.stdin:
            verb, *rest = line.split()
            say(ORDERS[verb](app, customers, *rest))
    app.close()


def say(said: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def stand(_app: App, _customers: int) -> dict[str, Any]:
    status = Path("/proc/self/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return {"resident_kb": int(resident.split()[1]), "cpu_s": time.process_time(), "at": time.monotonic()}


def change(app: App, _customers: int, whom: str) -> dict[str, Any]:
    if whom == "ONE":
        increase(app, "test", Customer("user", "u_0"), "credits", 1)
    else:
        with app.database.write() as connection:
            connection.execute(sa.text(EVERYBODY))
    committed = time.monotonic()
    if whom != "ONE":
        app.tell("test", [f"user:u_{number}" for number in range(_customers)])
    return {"committed": committed}


def load(app: App, customers: int, rate: str, seconds: str) -> dict[str, Any]:
    """In an event loop of its own, as a busy app would call the engine."""
    return {"committed": asyncio.run(evenly(app, customers, float(rate), float(seconds)))}


async def evenly(app: App, customers: int, rate: float, seconds: float) -> list[tuple[str, int, float]]:
    committed: list[tuple[str, int, float]] = []

    async def one(number: int) -> None:
        answer = await do_async(app, "test", increase_call(Customer("user", f"u_{number % customers}"), "credits", 1))
        committed.append((f"u_{number % customers}", answer.result.version, time.monotonic()))  # type: ignore[union-attr]

    started, under_way = time.monotonic(), set[asyncio.Task[None]]()
    for number in range(int(rate * seconds)):
        wait = started + number / rate - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(one(number))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)
    return committed


ORDERS = {"stand": stand, "change": change, "load": load}

main()
