"""
Streams: ten thousand that are idle, a change for all of them, and how long a commit takes to a client while up to a thousand a second are made.

Server, writer and audience are processes of their own. The writer's commits reach the server as any other process' do.
"""

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

from bench.audience import Audience
from bench.field import CONTESTANTS, ROOT, Answering, insert, postgres_server
from paywright.storage.migrate import upgrade

IDLE_STREAMS = 10_000
BUSY_STREAMS = 1_000
BUSY_RATES = (100, 250, 500, 1_000)
TARGET_P99_MS = 10


class Busy(msgspec.Struct, frozen=True):
    """Changes made a second, and milliseconds from their commit to the last byte at the client. `server_cores`: its processor time per second."""

    wanted_per_s: int
    per_s: float
    p50: float
    p99: float
    most: float
    server_cores: float


class Result(msgspec.Struct, frozen=True):
    """Milliseconds, unless the name says otherwise. `idle_cores`: processor time per second of nothing happening, the heartbeats in it."""

    streams: int
    kilobytes_each: float
    opened_per_s: float
    idle_cores: float
    one_change: float
    change_of_all: float
    change_to_all_of_one: float
    busy: list[Busy]


def run(*, rounds: int, seconds: float) -> list[Result]:
    """`rounds` do not matter here; `seconds` is how long changes are made at each rate, times five."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with postgres_server() as url:
            if url is None:
                return []
            upgrade(url)
            names = [f"user:u_{number}" for number in range(IDLE_STREAMS)]
            row = "INSERT INTO customers (environment_id, customer, version, next_sequence, opened_at) VALUES ('test', {0}, 1, 3, 1)"
            insert(url, row, names)
            busy = list(_busy(url, seconds * 5))
            result = Result(**_idle(url), busy=busy)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    _print(result)
    return [result]


def _idle(url: str) -> dict[str, Any]:
    with served("stream_server.py", url, IDLE_STREAMS) as server:
        before = server.order("stand")
        with Audience(**server.said) as audience:
            started = time.monotonic()
            audience.enter(IDLE_STREAMS, lambda number: number)
            opened_s = time.monotonic() - started
            time.sleep(3)
            first = server.order("stand")
            time.sleep(10)
            last = server.order("stand")
            one = statistics.median(audience.told_after(server.change("ONE"), 1) for _ in range(20))
            everybody = audience.told_after(server.change("ALL"), IDLE_STREAMS)
        time.sleep(3)
        with Audience(**server.said) as crowd:
            crowd.enter(IDLE_STREAMS, lambda _: 0)
            to_all = crowd.told_after(server.change("ONE"), IDLE_STREAMS)
    return {
        "streams": IDLE_STREAMS,
        "kilobytes_each": (first["resident_kb"] - before["resident_kb"]) / IDLE_STREAMS,
        "opened_per_s": IDLE_STREAMS / opened_s,
        "idle_cores": (last["cpu_s"] - first["cpu_s"]) / (last["at"] - first["at"]),
        "one_change": one,
        "change_of_all": everybody,
        "change_to_all_of_one": to_all,
    }


def _busy(url: str, seconds: float) -> Iterator[Busy]:
    with (
        served("stream_server.py", url, BUSY_STREAMS) as server,
        served("stream_writer.py", url, BUSY_STREAMS) as writer,
        Audience(**server.said) as audience,
    ):
        audience.enter(BUSY_STREAMS, lambda number: number)
        writer.order(f"{BUSY_RATES[0]} 1")  # Connections are opened and statements prepared.
        for rate in BUSY_RATES:
            time.sleep(2)
            before = server.order("stand")
            committed = writer.order(f"{rate} {seconds}")
            after = server.order("stand")
            time.sleep(2)
            arrived = audience.arrivals()
            lost = [(customer, version) for customer, version, _ in committed if (customer, version) not in arrived]
            assert not lost, f"{len(lost)} changes were never told, among them {lost[0]}"
            waits = [(arrived[customer, version] - at) * 1000 for customer, version, at in committed]
            cuts, times = statistics.quantiles(waits, n=100), [at for _, _, at in committed]
            cores = (after["cpu_s"] - before["cpu_s"]) / (after["at"] - before["at"])
            yield Busy(rate, len(times) / (max(times) - min(times)), cuts[49], cuts[98], max(waits), cores)


class Server(Answering):
    def change(self, whom: str) -> Any:
        """A function that makes the change, and returns when it was committed."""
        return lambda: self.order(f"change {whom}")["committed"]


@contextmanager
def served(script: str, *arguments: object) -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, CONTESTANTS / script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        yield Server(script, process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=60)


def _print(result: Result) -> None:
    print(f"\nStreams · one process, {result.streams:,} idle, each with a token and a customer of its own")
    for name, shown in (
        ("memory of each", f"{result.kilobytes_each:.1f} kB"),
        ("opened", f"{result.opened_per_s:,.0f} a second"),
        ("idle", f"{result.idle_cores:.3f} of a core"),
        ("a change to its stream", f"{result.one_change:.1f} ms"),
        ("a change of every customer to the last stream", f"{result.change_of_all:,.0f} ms"),
        ("a change of one customer to all streams", f"{result.change_to_all_of_one:,.0f} ms"),
    ):
        print(f"  {name}: {shown}", flush=True)
    print(f"\nStreams · {BUSY_STREAMS:,} of them, changes by another process, from commit to client")
    print(f"  {'asked':>8}{'made':>8}{'p50 ms':>10}{'p99 ms':>10}{'most ms':>10}{'server':>8}")
    for each in result.busy:
        verdict = "" if each.p99 <= TARGET_P99_MS else f"  target {TARGET_P99_MS} MISSED"
        print(
            f"  {each.wanted_per_s:>8,}{each.per_s:>8,.0f}{each.p50:>10.1f}{each.p99:>10.1f}{each.most:>10.1f}"
            f"{each.server_cores:>8.2f}{verdict}",
            flush=True,
        )
