"""
Who makes changes for `bench/streams.py`, in a process of its own: `stream_writer.py URL CUSTOMERS`; ends with its standard input.

`RATE SECONDS` on its standard input is an order: increases through the group commit, evenly over time and over all customers. It answers when each
commit was known here, on the clock all processes share.
"""

import asyncio
import json
import sys
import time
from collections.abc import Collection

from paywright import app as doors
from paywright.api.listening import keep_what_is_there
from paywright.engine.app import App
from paywright.kernel.model import Customer
from paywright.kernel.settings import Settings
from paywright.ledger.hot import do_async, increase_call
from paywright.ledger.model import ItemState

TICK_S = 0.001


def main() -> None:
    url, customers = sys.argv[1], int(sys.argv[2])
    app = doors.open_app(Settings(database_url=url, secret="a secret of this measurement only"), provider="instant")
    told: dict[str, float] = {}

    def stamp(_environment_id: str, committed: Collection[str]) -> None:
        told.update(dict.fromkeys(committed, time.monotonic()))

    app.announcers.insert(0, stamp)
    asyncio.run(orders(app, customers, told))
    app.close()


async def orders(app: App, customers: int, told: dict[str, float]) -> None:
    await one(app, 0, told)
    keep_what_is_there()
    say([])
    while line := await asyncio.to_thread(sys.stdin.readline):
        rate, seconds = line.split()
        say(await evenly(app, customers, float(rate), float(seconds), told))


async def evenly(
    app: App, customers: int, rate: float, seconds: float, told: dict[str, float]
) -> list[tuple[str, int, float]]:
    started, wanted = time.monotonic(), int(rate * seconds)
    under_way = list[asyncio.Task[tuple[str, int, float]]]()
    while len(under_way) < wanted:
        due = min(wanted, 1 + int((time.monotonic() - started) * rate))
        under_way += [asyncio.create_task(one(app, number % customers, told)) for number in range(len(under_way), due)]
        await asyncio.sleep(max(TICK_S, started + len(under_way) / rate - time.monotonic()))
    return list(await asyncio.gather(*under_way))


async def one(app: App, number: int, told: dict[str, float]) -> tuple[str, int, float]:
    """Nobody has two under way while there are as many customers as changes in a second, so what was told last is this one's commit."""
    customer = Customer("user", f"u_{number}")
    answer = await do_async(app, "test", increase_call(customer, "credits", 1))
    assert isinstance(answer.result, ItemState), answer
    return customer.id, answer.result.version, told[customer.key]


def say(said: object) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


main()
