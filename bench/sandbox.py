"""
The sandbox: requests per second, a subscription's year by the clock, memory, restart from disk.

The measure is a request of the same server that does nothing: what is lost to HTTP is lost by both.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec

from bench.shown import Row, table
from paywright_sandbox import Sandbox
from paywright_sandbox.engine import Engine
from paywright_sandbox.machine import customers
from paywright_sandbox.store import Store
from tests.contract.shop import Listener, Shop

OBJECTS = 100_000
YEAR_TARGET_S = 1.0
CARD_THAT_FAILS = "pm_card_chargeCustomerFail"
# In a process of its own, so that nothing else is in its memory: before and after, in MB.
MEMORY = """
import sys
from paywright_sandbox.engine import Engine
from paywright_sandbox.machine import customers
from paywright_sandbox.store import Store

def used():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS")) / 1024

engine = Engine(Store(None, "bench"))
account, before = engine.store.default, used()
for number in range(int(sys.argv[1])):
    with engine.work(account) as work:
        customers.create(work, {"email": f"{number}@example.com"})
print(before, used())
"""


class Figure(msgspec.Struct, frozen=True):
    """One number that is no rate."""

    name: str
    value: float
    unit: str
    target: float | None = None


def run(*, rounds: int, seconds: float) -> list[Any]:
    """The fastest of `rounds`, each `seconds` long."""
    with Sandbox(seed=1) as sandbox, Shop(sandbox.url, sandbox.secret_key) as shop:
        rows = requests(shop, rounds, seconds)
        year = min(a_year(sandbox) for _ in range(rounds))
    table("The sandbox, over HTTP, one connection", rows)
    figures = [
        Figure("a subscription's year", year, "s", YEAR_TARGET_S),
        *memory(),
        *restart(),
    ]
    for figure in figures:
        verdict = "  MISSED" if figure.target is not None and figure.value > figure.target else ""
        print(f"  {figure.name:<34}{figure.value:>10.2f} {figure.unit}{verdict}")
    return [*rows, *figures]


def requests(shop: Shop, rounds: int, seconds: float) -> list[Row]:
    """`ratio`: to the request that does nothing."""
    customer = shop.client.v1.customers.create({"email": "ann@example.com"}).id
    asks: dict[str, Callable[[], httpx.Response]] = {
        "nothing": lambda: shop.http.get("/_sandbox/health"),
        "retrieve": lambda: shop.http.get(f"/v1/customers/{customer}"),
        "create": lambda: shop.http.post("/v1/customers", data={"email": "bo@example.com"}),
    }
    best: dict[str, Row] = {}
    for _ in range(rounds):
        for name, ask in asks.items():
            found = measured(name, ask, seconds)
            if name not in best or found.rate > best[name].rate:
                best[name] = found
    idle = best["nothing"].rate
    return [msgspec.structs.replace(row, ratio=row.rate / idle) for row in best.values()]


def measured(name: str, ask: Callable[[], httpx.Response], seconds: float) -> Row:
    took: list[float] = []
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        assert ask().status_code == 200
        took.append(time.perf_counter() - start)
    took.sort()
    return Row(name, len(took) / sum(took), took[len(took) // 2] * 1000, took[len(took) * 99 // 100] * 1000)


def a_year(sandbox: Sandbox) -> float:
    """Twelve renewals, one of them declined and then recovered, one switch; every event delivered and answered. Seconds."""
    with Shop(sandbox.url, sandbox.secret_key) as shop, Listener() as listener:
        v1: Any = shop.client.v1
        shop.control("POST", "clock/freeze", {})
        v1.webhook_endpoints.create({"url": listener.url, "enabled_events": ["*"]})
        product = v1.products.create({"name": "Pro"}).id
        prices = [
            v1.prices.create(
                {"product": product, "currency": "usd", "unit_amount": amount, "recurring": {"interval": "month"}}
            ).id
            for amount in (900, 1900)
        ]
        customer = v1.customers.create({"email": "ann@example.com"}).id
        start = time.perf_counter()
        good = v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id
        made = v1.subscriptions.create(
            {"customer": customer, "items": [{"price": prices[0]}], "default_payment_method": good}
        )
        shop.advance("65d")
        bad = v1.payment_methods.attach(CARD_THAT_FAILS, {"customer": customer}).id
        v1.subscriptions.update(made.id, {"default_payment_method": bad})
        # The third renewal fails, and not for so long that it is given up.
        shop.advance("28d")
        v1.subscriptions.update(made.id, {"default_payment_method": good})
        shop.advance("10d")
        item = made["items"].data[0].id
        v1.subscriptions.update(
            made.id, {"items": [{"id": item, "price": prices[1]}], "proration_behavior": "always_invoice"}
        )
        shop.advance("263d")
        shop.control("POST", "deliveries/settle", {})
        took = time.perf_counter() - start
        invoices = v1.invoices.list({"limit": 100}).data
        told = listener.types()
        assert [each.status for each in invoices] == ["paid"] * 14, [each.status for each in invoices]
        assert told.count("invoice.paid") == 14
        assert "invoice.payment_failed" in told
        assert len(told) == len([each for each in shop.event_objects() if each["created"]])
        return took


def memory() -> list[Figure]:
    command = [sys.executable, "-c", MEMORY, str(OBJECTS)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    before, after = (float(word) for word in ended.stdout.split())
    return [
        Figure("memory, empty", before, "MB"),
        Figure(f"memory, {OBJECTS:,} customers", after, "MB"),
    ]


def restart() -> list[Figure]:
    """From an SQLite file with as many customers."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "sandbox.db")
        engine = Engine(Store(path, "bench"))
        for _ in range(OBJECTS // 1000):
            with engine.work(engine.store.default) as work:
                for number in range(1000):
                    customers.create(work, {"email": f"{number}@example.com"})
        engine.store.close()
        start = time.perf_counter()
        Store(path, None).close()
        return [Figure(f"restart, {OBJECTS:,} customers", time.perf_counter() - start, "s")]
