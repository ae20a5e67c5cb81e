"""Streams: ten thousand that are idle, a change for all of them, and how long a commit takes to a client while a thousand a second are made."""

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from bench.field import CONTESTANTS, ROOT, insert, postgres_server
from paywright.access.model import TOKEN_SCOPES
from paywright.access.tokens import sign
from paywright.kernel.ids import wall_ms
from paywright.kernel.model import Customer
from paywright.storage.migrate import upgrade

IDLE_STREAMS = 10_000
BUSY_STREAMS = 1_000
BUSY_RATE = 1_000
AT_ONCE = 200


class Result(msgspec.Struct, frozen=True):
    """Milliseconds, unless the name says otherwise. `idle_cores`: processor time per second of nothing happening, the heartbeats in it."""

    streams: int
    kilobytes_each: float
    opened_per_s: float
    idle_cores: float
    one_change: float
    change_of_all: float
    change_to_all_of_one: float
    busy_p50: float
    busy_p99: float
    busy_per_s: float


def run(*, rounds: int, seconds: float) -> list[Result]:
    """`rounds` do not matter here; `seconds` is how long changes are made, times five."""
    with postgres_server() as url:
        if url is None:
            return []
        upgrade(url)
        names = [f"user:u_{number}" for number in range(IDLE_STREAMS)]
        row = "INSERT INTO customers (environment_id, customer, version, next_sequence, opened_at) VALUES ('test', {0}, 1, 3, 1)"
        insert(url, row, names)
        result = asyncio.run(_measured(url, seconds * 5))
    _print(result)
    return [result]


async def _measured(url: str, seconds: float) -> Result:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        idle = await _idle(url)
        return Result(**idle, **await _busy(url, seconds))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def _idle(url: str) -> dict[str, Any]:
    with served(url, IDLE_STREAMS) as server:
        before = server.order("stand")
        audience = Audience(server, IDLE_STREAMS)
        started = time.monotonic()
        await audience.enter(lambda number: number)
        opened_s = time.monotonic() - started
        await asyncio.sleep(3)
        first = server.order("stand")
        await asyncio.sleep(10)
        last = server.order("stand")
        one = await audience.told_after("change ONE", 1)
        everybody = await audience.told_after("change ALL", IDLE_STREAMS)
        audience.leave()
        await asyncio.sleep(3)
        crowd = Audience(server, IDLE_STREAMS)
        await crowd.enter(lambda _: 0)
        to_all = await crowd.told_after("change ONE", IDLE_STREAMS)
        crowd.leave()
    return {
        "streams": IDLE_STREAMS,
        "kilobytes_each": (first["resident_kb"] - before["resident_kb"]) / IDLE_STREAMS,
        "opened_per_s": IDLE_STREAMS / opened_s,
        "idle_cores": (last["cpu_s"] - first["cpu_s"]) / (last["at"] - first["at"]),
        "one_change": one,
        "change_of_all": everybody,
        "change_to_all_of_one": to_all,
    }


async def _busy(url: str, seconds: float) -> dict[str, Any]:
    with served(url, BUSY_STREAMS) as server:
        audience = Audience(server, BUSY_STREAMS)
        await audience.enter(lambda number: number)
        audience.arrived.clear()
        said = await asyncio.to_thread(server.order, f"load {BUSY_RATE} {seconds}")
        await asyncio.sleep(1.5)
        audience.leave()
        waits = []
        for customer, version, committed in said["committed"]:
            arrived = audience.arrived.get((customer, version))
            assert arrived is not None, f"version {version} of {customer} was never told"
            waits.append((arrived - committed) * 1000)
        times = sorted(each[2] for each in said["committed"])
    cuts = statistics.quantiles(waits, n=100)
    return {"busy_p50": cuts[49], "busy_p99": cuts[98], "busy_per_s": len(times) / (times[-1] - times[0])}


class Server:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.said = self._hear()

    def order(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        said: dict[str, Any] = json.loads(self._process.stdout.readline())
        return said


@contextmanager
def served(url: str, customers: int) -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, CONTESTANTS / "stream_server.py", url, str(customers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        yield Server(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=60)


class Audience:
    """Raw sockets, each with a token of its own: what they are told is looked at only as far as its id."""

    def __init__(self, server: Server, streams: int) -> None:
        self._server, self._streams = server, streams
        self.arrived: dict[tuple[str, int], float] = {}
        self.events = 0
        self.first_at = self.last_at = 0.0
        self._open: list[asyncio.Transport] = []
        self._told = asyncio.Event()
        self._wanted = 0

    async def enter(self, customer_of: Any) -> None:
        """Everybody in, and everybody has their snapshot."""
        host, port = self._server.said["url"].removeprefix("http://").split(":")
        self._wanted = self._streams
        for start in range(0, self._streams, AT_ONCE):
            some = range(start, min(start + AT_ONCE, self._streams))
            await asyncio.gather(*(self._sit(host, int(port), number, customer_of(number)) for number in some))
        await asyncio.wait_for(self._told.wait(), 120)

    async def told_after(self, order: str, wanted: int) -> float:
        """Milliseconds from the commit until the last one was told."""
        self.events, self._wanted = 0, wanted
        self._told.clear()
        said = await asyncio.to_thread(self._server.order, order)
        await asyncio.wait_for(self._told.wait(), 120)
        return float(self.last_at - said["committed"]) * 1000

    def leave(self) -> None:
        for transport in self._open:
            transport.abort()

    async def _sit(self, host: str, port: int, number: int, customer_number: int) -> None:
        customer = Customer("user", f"u_{customer_number}")
        wall = wall_ms()
        token = sign(
            self._server.said["secret"], "test", [customer], TOKEN_SCOPES, issued_at=wall, expires_at=wall + 3_600_000
        )
        asked = f"GET /v1/customers/user/{customer.id}/stream HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: Seat(self, customer.id), host, port)
        self._open.append(transport)
        transport.write(asked.encode())

    def hear(self, customer: str, text: bytes) -> None:
        now = time.monotonic()
        for piece in text.split(b"\nid: ")[1:]:
            self.arrived.setdefault((customer, int(piece.partition(b"\n")[0])), now)
            self.events += 1
        self.last_at = now
        if self.events >= self._wanted:
            self._told.set()


class Seat(asyncio.Protocol):
    def __init__(self, audience: Audience, customer: str) -> None:
        self._audience, self._customer = audience, customer

    def data_received(self, text: bytes) -> None:
        self._audience.hear(self._customer, text)


def _print(result: Result) -> None:
    print(f"\nStreams · one process, {result.streams:,} idle, each with a token and a customer of its own")
    for name, shown in (
        ("memory of each", f"{result.kilobytes_each:.1f} kB"),
        ("opened", f"{result.opened_per_s:,.0f} a second"),
        ("idle", f"{result.idle_cores:.3f} of a core"),
        ("a change to its stream", f"{result.one_change:.1f} ms"),
        ("a change of every customer to the last stream", f"{result.change_of_all:,.0f} ms"),
        ("a change of one customer to all streams", f"{result.change_to_all_of_one:,.0f} ms"),
        (
            f"{BUSY_STREAMS:,} streams, {result.busy_per_s:,.0f} changes a second: commit to client, p50",
            f"{result.busy_p50:.1f} ms",
        ),
        ("the same, p99", f"{result.busy_p99:.1f} ms   target 10 ms" + ("" if result.busy_p99 <= 10 else "  MISSED")),
    ):
        print(f"  {name}: {shown}", flush=True)
