"""
How a contestant is driven: one process each, a JSON line in, a JSON line out. Standard library only, since rivals have a Python of their own.

In: `{"callers": 64, "hot": true, "seconds": 1.0}`. Out: `{"calls", "seconds", "p50_ms", "p99_ms"}`. A caller calls again as soon as it is answered.
"""

import asyncio
import json
import random
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

CUSTOMERS = 10_000
HOT = 1


def customer(is_hot: bool) -> int:
    return HOT if is_hot else random.randrange(CUSTOMERS)


def report(latencies: list[float], seconds: float) -> dict[str, Any]:
    latencies.sort()
    last = len(latencies) - 1
    return {
        "calls": len(latencies),
        "seconds": seconds,
        "p50_ms": latencies[last // 2] * 1000,
        "p99_ms": latencies[int(last * 0.99)] * 1000,
    }


def wanted() -> Any:
    """The next order; None when there is none any more."""
    line = sys.stdin.readline()
    return json.loads(line) if line.strip() else None


def say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def serve_async(
    call: Callable[[bool], Awaitable[None]], prepare: Callable[[int], Awaitable[None]] | None = None
) -> None:
    """`call(is_hot)` makes one call. `prepare(callers)` runs before each measurement."""
    say({"ready": True})
    while order := await asyncio.to_thread(wanted):
        if prepare is not None:
            await prepare(order["callers"])
        await _measure_async(call, order["callers"], order["hot"], 0.2)
        say(await _measure_async(call, order["callers"], order["hot"], order["seconds"]))


async def _measure_async(
    call: Callable[[bool], Awaitable[None]], callers: int, is_hot: bool, seconds: float
) -> dict[str, Any]:
    latencies: list[float] = []
    started = time.perf_counter()
    stop = started + seconds

    async def caller() -> None:
        now = time.perf_counter()
        while now < stop:
            await call(is_hot)
            then, now = now, time.perf_counter()
            latencies.append(now - then)

    await asyncio.gather(*(caller() for _ in range(callers)))
    return report(latencies, time.perf_counter() - started)


def serve_threads(
    call: Callable[[bool], None], *, threads_max: int = 1000, leave: Callable[[], None] = lambda: None
) -> None:
    """
    As `serve_async`, with a thread per caller, at most `threads_max`: more would only wait in another place. `leave` ends a thread's use of
    what it has opened.
    """
    say({"ready": True})
    while order := wanted():
        callers = min(order["callers"], threads_max)
        _measure_threads(call, leave, callers, order["hot"], 0.2)
        say(_measure_threads(call, leave, callers, order["hot"], order["seconds"]))


def _measure_threads(
    call: Callable[[bool], None], leave: Callable[[], None], callers: int, is_hot: bool, seconds: float
) -> dict[str, Any]:
    latencies: list[float] = []
    started = time.perf_counter()
    stop = started + seconds

    def caller() -> None:
        now = time.perf_counter()
        while now < stop:
            call(is_hot)
            then, now = now, time.perf_counter()
            latencies.append(now - then)
        leave()

    threads = [threading.Thread(target=caller) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return report(latencies, time.perf_counter() - started)
