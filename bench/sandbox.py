"""
The sandbox: requests per second, a year of a subscription by clock with its webhooks answered, memory after many objects, restart from disk.

The year has twelve renewals, one that fails and recovers, and one switch; the endpoint answers at once, in a thread of this process.
"""

import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import msgspec

from paywright_sandbox import Sandbox
from tests.contract.billing import DUNNING_CARD, Desk
from tests.contract.shop import Listener, Shop

OBJECTS = 100_000
YEAR_TARGET_S = 1.0


class Result(msgspec.Struct, frozen=True):
    name: str
    value: float
    unit: str
    target: float | None = None
    """No more than this."""


def run(rounds: int, seconds: float) -> list[Result]:
    found = [*requests(seconds), year(rounds), *many_objects()]
    print("\nsandbox")
    for result in found:
        missed = result.target is not None and result.value > result.target
        target = "" if result.target is None else f"   at most {result.target:g}{'   MISSED' if missed else ''}"
        print(f"  {result.name:<48}{result.value:>12,.2f} {result.unit}{target}", flush=True)
    return found


def requests(seconds: float) -> list[Result]:
    with Sandbox() as sandbox, httpx.Client(base_url=sandbox.url) as client:
        client.headers["Authorization"] = f"Bearer {sandbox.secret_key}"
        made = client.post("/v1/customers", data={"email": "ann@example.com"}).json()["id"]
        return [
            Result(
                "create customer, over HTTP",
                rate(lambda: client.post("/v1/customers", data={"name": "Ann"}), seconds),
                "per second",
            ),
            Result(
                "retrieve customer, over HTTP", rate(lambda: client.get(f"/v1/customers/{made}"), seconds), "per second"
            ),
        ]


def rate(act: Any, seconds: float) -> float:
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        act().raise_for_status()
        count += 1
    return count / (time.perf_counter() - began)


def year(rounds: int) -> Result:
    return Result(
        "a year of a subscription, events delivered",
        statistics.median(lived() for _ in range(rounds)),
        "s",
        YEAR_TARGET_S,
    )


def lived() -> float:
    """Seconds of clock work; making the cards and the price is not counted."""
    with Sandbox() as sandbox, Shop(sandbox.url, sandbox.secret_key) as shop, Listener() as listener:
        desk = Desk(shop)
        desk.freeze()
        desk.v1.webhook_endpoints.create({"url": listener.url, "enabled_events": ["*"]})
        made, dearer = desk.subscribe(desk.price(1000)), desk.price(2000)
        began = time.perf_counter()
        shop.advance("95d")
        desk.change_card(made.customer, DUNNING_CARD)
        shop.advance("32d")
        desk.change_card(made.customer)
        shop.advance("45d")
        desk.switch(made, price=dearer)
        shop.advance("195d")
        took = time.perf_counter() - began
        after = desk.again(made)
        assert (after.status, after.latest_invoice.total) == ("active", 2000)
        assert listener.types().count("customer.subscription.updated") >= 12
        return took


def many_objects() -> list[Result]:
    """Customers, straight into the store; memory is this process's growth."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "sandbox.db")
        before = resident_mb()
        with Sandbox(path=path) as sandbox:
            account = sandbox.store.default
            for _ in range(OBJECTS // 1000):
                with sandbox.engine.work(account) as work:
                    fill(work, 1000)
            grown = resident_mb() - before
        began = time.perf_counter()
        with Sandbox(path=path):
            took = time.perf_counter() - began
    return [
        Result(f"memory after {OBJECTS:,} objects", grown, "MB"),
        Result(f"restart from disk with {OBJECTS:,} objects", took, "s"),
    ]


def fill(work: Any, count: int) -> None:
    from paywright_sandbox.objects.customers import customer

    for _ in range(count):
        work.save(customer(work.new_id("customer", 14), work.now, "PREFIX"))


def resident_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
