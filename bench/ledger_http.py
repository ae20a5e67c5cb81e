"""The hot routes over HTTP: one server process, against its own route that does nothing and against what people write with FastAPI and an ORM."""

import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from bench.field import CONTESTANTS, ROOT, Contestant, Sample, fill, postgres_server, rivals_python, sqlite_file
from bench.ledger import entered, median_sample
from bench.shown import Row, table

CONNECTIONS = (16, 64, 256)
TARGET_CONNECTIONS = (64, 256)

# database, hot, ours, theirs: at least so many times as fast.
TARGETS = {
    ("postgresql", False, "decrease", "nothing"): 0.4,
    ("postgresql", True, "decrease", "nothing"): 0.4,
    ("postgresql", False, "decrease", "orm"): 20,
    ("postgresql", True, "decrease", "orm"): 30,
    ("postgresql", False, "read", "nothing"): 0.7,
    ("postgresql", True, "read", "nothing"): 0.7,
    ("sqlite", False, "read", "nothing"): 0.7,
    ("sqlite", True, "read", "nothing"): 0.7,
}


class Result(msgspec.Struct, frozen=True):
    """`ratios`: `decrease / nothing` and the like, medians over the rounds."""

    database: str
    connections: int
    is_hot: bool
    samples: dict[str, Sample]
    ratios: dict[str, float]


def run(*, rounds: int, seconds: float) -> list[Result]:
    results: list[Result] = []
    with postgres_server() as url:
        if url is not None:
            results += _measured("postgresql", url, rounds, seconds)
    with sqlite_file() as url:
        results += _measured("sqlite", url, rounds, seconds)
    return results


def _measured(database: str, url: str, rounds: int, seconds: float) -> Iterator[Result]:
    fill(url)
    with ExitStack() as stack:
        served = stack.enter_context(_served([sys.executable, CONTESTANTS / "server.py", url]))
        field = [stack.enter_context(entered(kind, _client(served, kind))) for kind in ("nothing", "decrease", "read")]
        rivals = rivals_python()
        if rivals is not None:
            orm = stack.enter_context(_orm(rivals, database, url))
            field.append(stack.enter_context(entered("orm", _client(orm, "orm"))))
        for is_hot in (True, False):
            for connections in CONNECTIONS:
                result = _contest(database, field, connections, is_hot, rounds, seconds)
                _print(result)
                yield result


def _client(served: dict[str, str], kind: str) -> list[str | Path]:
    return [sys.executable, CONTESTANTS / "http_client.py", served["url"], served["key"], kind]


@contextmanager
def _served(command: list[str | Path]) -> Iterator[dict[str, str]]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdin is not None
    assert process.stdout is not None
    said: dict[str, str] = json.loads(process.stdout.readline())
    try:
        yield said
    finally:
        process.stdin.close()
        process.wait(timeout=60)


@contextmanager
def _orm(python: Path, database: str, url: str) -> Iterator[dict[str, str]]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    where = f"{url}-orm" if database == "sqlite" else url.replace("postgresql:", "postgresql+psycopg:")
    process = subprocess.Popen([python, CONTESTANTS / "orm.py", where, "http", str(port)])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            time.sleep(0.1)
    try:
        yield {"url": f"http://127.0.0.1:{port}", "key": "secret"}
    finally:
        process.terminate()
        process.wait(timeout=60)


def _contest(
    database: str, field: list[Contestant], connections: int, is_hot: bool, rounds: int, seconds: float
) -> Result:
    samples: dict[str, list[Sample]] = {contestant.name: [] for contestant in field}
    for _ in range(rounds):
        for contestant in field:
            samples[contestant.name].append(contestant.measure(connections, is_hot, seconds))
    ratios: dict[str, float] = {}
    for ours in ("decrease", "read"):
        for theirs in ("nothing", "orm"):
            if theirs in samples and (ours, theirs) != ("read", "orm"):
                pairs: Any = zip(samples[ours], samples[theirs], strict=True)
                ratios[f"{ours} / {theirs}"] = statistics.median(mine.rate / other.rate for mine, other in pairs)
    medians = {name: median_sample(found) for name, found in samples.items()}
    return Result(database, connections, is_hot, medians, ratios)


def _print(result: Result) -> None:
    where = "one hot customer" if result.is_hot else "10,000 customers"
    rows = [Row(name, sample.rate, sample.p50, sample.p99) for name, sample in result.samples.items()]
    table(f"HTTP · {result.database} · {where} · {result.connections} connections", rows)
    for name, ratio in result.ratios.items():
        ours, theirs = name.split(" / ")
        target = TARGETS.get((result.database, result.is_hot, ours, theirs))
        verdict = "" if target is None else f"   target {target:g} ×" + ("" if ratio >= target else "  MISSED")
        print(f"  {name}: {ratio:.2f} ×{verdict}", flush=True)
