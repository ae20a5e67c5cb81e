"""
From a payment to its entitlement, over HTTP: a buyer pays at the sandbox, whose webhook brings it about, and the app asks until it sees it.

By `webhook`: nobody but Stripe's delivery tells Paywright. By `sync`: the success page asks for the truth itself, as it should. The time begins when
the sandbox has told the buyer that it is paid.
"""

import statistics
import tempfile
import time
from pathlib import Path

import httpx
import msgspec

from bench.field import postgres_server
from paywright.storage.migrate import upgrade
from tests.flows import sandbox
from tests.flows.premises import opened
from tests.flows.shop import Shop, opened_shop

PURCHASES = 30


class Result(msgspec.Struct, frozen=True):
    """Milliseconds from "paid" to seen."""

    product: str
    by: str
    p50: float
    p99: float


def run(*, rounds: int, seconds: float) -> list[Result]:
    """`rounds` times ten purchases of each kind, thirty at least."""
    purchases = max(PURCHASES, rounds * 10)
    with postgres_server() as url, tempfile.TemporaryDirectory() as folder:
        if url is None:
            return []
        upgrade(url)
        with (
            opened(url, Path(folder)) as premises,
            sandbox.running() as sandbox_url,
            opened_shop(premises, sandbox_url, "bench", chaos_seed=1) as shop,
        ):
            shop.account.chaos()
            results = [
                _measured(shop, product, by, purchases) for product in ("pack", "pro") for by in ("webhook", "sync")
            ]
    for result in results:
        _print(result)
    return results


def _measured(shop: Shop, product_id: str, by: str, purchases: int) -> Result:
    waits = []
    for number in range(purchases):
        user_id = f"{product_id}_{by}_{number}"
        session = shop.checkout(user_id, product_id)
        shop.pay(session)
        paid = time.perf_counter()
        if by == "sync":
            shop.client.sync_checkout_session(session.id)
        seen = f"/v1/customers/user/{user_id}/access?product={product_id}"
        while not _allowed(shop.http, seen):
            assert time.perf_counter() - paid < 60, "it never came"
        waits.append((time.perf_counter() - paid) * 1000)
    cuts = statistics.quantiles(waits, n=100)
    return Result(product_id, by, cuts[49], cuts[98])


def _allowed(http: httpx.Client, path: str) -> bool:
    return bool(http.get(path).json()["allowed"])


def _print(result: Result) -> None:
    kind = "one-time" if result.product == "pack" else "subscription"
    print(f"  paid → visible, {kind}, by {result.by}: p50 {result.p50:,.0f} ms, p99 {result.p99:,.0f} ms", flush=True)
