"""Paywright in process: `decrease` through the group commit, with key, entry, events and version. `ours.py URL async|threads`."""

import os
import sys

import uvloop

from bench.contestants.protocol import CUSTOMERS, customer, serve_async, serve_threads
from paywright.engine.app import App
from paywright.kernel.model import Customer
from paywright.kernel.settings import Settings
from paywright.ledger import hot
from paywright.ledger.model import ItemState
from paywright.storage.idempotency import IdempotencyKey, idempotency_key

APP = App(Settings(database_url=sys.argv[1]))
EVERYBODY = [Customer("user", f"u_{number}") for number in range(CUSTOMERS)]


def key() -> IdempotencyKey:
    return idempotency_key("secret", os.urandom(12).hex(), method="POST", path="/v1/decrease", body=b'{"quantity":1}')


async def decrease(is_hot: bool) -> None:
    answer = await hot.do_async(
        APP, "test", hot.decrease_call(EVERYBODY[customer(is_hot)], "credits", 1, idempotency=key())
    )
    assert isinstance(answer.result, ItemState), answer


def decrease_in_thread(is_hot: bool) -> None:
    result = hot.decrease(APP, "test", EVERYBODY[customer(is_hot)], "credits", 1, idempotency=key())
    assert isinstance(result, ItemState), result


if __name__ == "__main__":
    if sys.argv[2] == "async":
        uvloop.run(serve_async(decrease))
    else:
        serve_threads(decrease_in_thread)
    APP.close()
