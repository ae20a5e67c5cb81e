"""
The real server for `bench/streams.py`: `stream_server.py URL CUSTOMERS`; says `{"url", "secret"}` when it is ready, ends with its standard input.

A line on its standard input is an order: `stand` tells memory and processor time; `change ALL|ONE` commits changes and tells when, on the clock all
processes share.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from paywright import app as doors
from paywright.api.listening import Listening, allow_many_connections, keep_what_is_there
from paywright.api.server import build
from paywright.catalog.actions import apply
from paywright.engine.app import App
from paywright.kernel.model import Customer
from paywright.kernel.settings import Settings
from paywright.ledger.hot import increase

SECRET = "a secret of this measurement only"
EVERYBODY = """
WITH moved AS (
    UPDATE customers SET version = version + 1, next_sequence = next_sequence + 1 WHERE environment_id = 'test'
    RETURNING customer, version, next_sequence
)
INSERT INTO events (environment_id, id, customer, sequence, type, created_at, data)
SELECT 'test', 'evt_bench_' || customer || '_' || version, customer, next_sequence - 1, 'customer.state_changed', 1,
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
        keep_what_is_there()
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


ORDERS: dict[str, Callable[..., dict[str, Any]]] = {"stand": stand, "change": change}

main()
