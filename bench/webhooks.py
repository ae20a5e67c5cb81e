"""
Signed webhooks: accepted per second, and fully projected per second, against dj-stripe's endpoint on the same server, with the same events.

Both are sent what a sandbox really emits for purchases of a subscription, over kept connections. Ours always stores, answers, and processes after
that. dj-stripe is measured twice: as it comes it answers when it has processed; with its documented callback and nothing behind it, it verifies,
stores and answers, and that is all.

`stored`: verified, on disk, acknowledged, with ids of their own, nothing processed meanwhile. `projected`: every object fetched from the sandbox and
its state written, from the first delivery until the last event is done; `again` is of purchases that are known, so that nothing changes.
"""

import hashlib
import hmac
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from bench.field import ARTIFACTS, CONTESTANTS, ROOT, Answering, postgres_server
from bench.posting import Posted, posted
from paywright.storage.migrate import upgrade
from paywright_sandbox import Sandbox

WEBHOOK_SECRET = "whsec_of_this_measurement_only"
DJSTRIPE_PATH = "/stripe/webhook/00000000-0000-4000-8000-000000000000/"
CONNECTIONS = {"ours": 128, "djstripe": 8}
"""dj-stripe's server has eight threads, of which each keeps its connection."""
SALES = 20
STORED_AT_ONCE = 20_000
TARGETS = {"stored / as it comes": 75.0, "projected / as it comes": 5.0}


class Result(msgspec.Struct, frozen=True):
    """Events per second, by the name of the measure: medians of the rounds, and of the ratios of single rounds."""

    rates: dict[str, float]
    ratios: dict[str, float]
    refused: int
    """Deliveries that dj-stripe answered with an error, of so many."""
    processed: int
    cpu_ms: float
    """Of our process, for each event that is projected for the first time."""


def run(*, rounds: int, seconds: float) -> list[Result]:
    with postgres_server() as url, Sandbox() as sandbox, ExitStack() as stack:
        if url is None:
            return []
        upgrade(url)
        ours = stack.enter_context(
            served(
                [sys.executable, CONTESTANTS / "inbox_server.py", url, sandbox.url, sandbox.secret_key, WEBHOOK_SECRET]
            )
        )
        python = djstripe_python()
        measured = Measured(ours)
        with rival(python, url, sandbox, "process") as as_it_comes:
            measured.projected(as_it_comes, rounds)
        with rival(python, url, sandbox, "store") as only_storing:
            measured.stored(only_storing, rounds, seconds)
        result = measured.result()
    _print(result)
    return [result]


class Measured:
    """What was found so far: rates by the name of the measure, one for each round."""

    def __init__(self, ours: Answering) -> None:
        self._ours = ours
        self._rates: dict[str, list[float]] = {}
        self._refused = self._processed = 0
        self._cpu_ms: list[float] = []

    def projected(self, theirs: str | None, rounds: int) -> None:
        """Each round new purchases, and then the same ones under other event ids; dj-stripe gets the same."""
        for _ in range(rounds):
            self._ours.order("rest")
            events = self._ours.order(f"sell {SALES}")["events"]
            self._ours.order("work")
            self._until_done()
            for name, sent in (("first time", events), ("again", events)):
                bodies = list(fresh(sent, len(sent)))
                before = self._ours.order("left")["cpu_s"]
                started = time.perf_counter()
                self._post("ours", self._ours.said["url"], bodies, 600)
                cpu_s = self._until_done() - before
                self._note(f"projected, {name}", len(bodies) / (time.perf_counter() - started))
                if name == "first time":
                    self._cpu_ms.append(cpu_s / len(bodies) * 1000)
                if theirs is not None:
                    found = self._post("djstripe", theirs, list(fresh(sent, len(sent))), 600)
                    self._note(f"dj-stripe as it comes, {name}", found.rate)
                    self._refused += found.refused
                    self._processed += found.accepted + found.refused
        self._ours.order("rest")
        self._events = events

    def stored(self, theirs: str | None, rounds: int, seconds: float) -> None:
        for _ in range(rounds):
            bodies = list(fresh(self._events, STORED_AT_ONCE))
            self._note("stored", self._post("ours", self._ours.said["url"], bodies, seconds).rate)
            if theirs is not None:
                found = self._post("djstripe", theirs, bodies[:1_000], seconds)
                assert not found.refused, found.refusal
                self._note("dj-stripe only storing", found.rate)

    def result(self) -> Result:
        rates = {name: statistics.median(found) for name, found in self._rates.items()}
        ratios = {}
        for ours, theirs, name in (
            ("stored", "dj-stripe as it comes, first time", "stored / as it comes"),
            ("stored", "dj-stripe only storing", "stored / only storing"),
            ("projected, first time", "dj-stripe as it comes, first time", "projected / as it comes"),
            ("projected, again", "dj-stripe as it comes, again", "projected again / as it comes"),
        ):
            if theirs in self._rates:
                pairs = zip(self._rates[ours], self._rates[theirs], strict=True)
                ratios[name] = statistics.median(mine / other for mine, other in pairs)
        return Result(rates, ratios, self._refused, self._processed, statistics.median(self._cpu_ms))

    def _post(self, name: str, place: str, bodies: Sequence[bytes], seconds: float) -> Posted:
        requests = [request(place, body) for body in bodies]
        return posted(place, requests, connections=CONNECTIONS[name], seconds=seconds)

    def _note(self, name: str, rate: float) -> None:
        self._rates.setdefault(name, []).append(rate)

    def _until_done(self) -> float:
        """What our process has used of the processor by then, in seconds."""
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            said = self._ours.order("left")
            if not said["left"]:
                return float(said["cpu_s"])
            time.sleep(0.02)
        raise TimeoutError("events are left")


def fresh(events: Sequence[Any], number: int) -> Iterator[bytes]:
    """The same events under ids nobody has seen."""
    run_id = os.urandom(6).hex()
    for place, event in zip(range(number), itertools.cycle(events), strict=False):
        yield json.dumps({**event, "id": f"evt_{run_id}_{place}"}).encode()


def request(place: str, body: bytes) -> bytes:
    """Signed now."""
    host, _, path = place.removeprefix("http://").partition("/")
    stamp = str(int(time.time()))
    signature = hmac.new(WEBHOOK_SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    head = (
        f"POST /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nUser-Agent: Stripe/1.0\r\n"
        f"Stripe-Signature: t={stamp},v1={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@contextmanager
def served(command: list[str | Path]) -> Iterator[Answering]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "src", ROOT, CONTESTANTS)))}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield Answering(str(command[1]), process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=60)


def djstripe_python() -> Path | None:
    """A Python with dj-stripe in it, made once in `.artifacts`; None where it is not to be had."""
    home = ARTIFACTS / "djstripe"
    python = home / "bin" / "python"
    if not python.exists():
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        requirements = Path(__file__).with_name("rivals_djstripe.txt")
        made = subprocess.run([sys.executable, "-m", "venv", home], check=False)
        if (
            made.returncode
            or subprocess.run([python, "-m", "pip", "-q", "install", "-r", requirements], check=False).returncode
        ):
            return None
    return python


@contextmanager
def rival(python: Path | None, url: str, sandbox: Sandbox, kind: str) -> Iterator[str | None]:
    """dj-stripe on a database of its own, on the same server."""
    if python is None:
        yield None
        return
    name = "djstripe"
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
            connection.execute(f"CREATE DATABASE {name}")
        port = connection.info.port
    with socket.create_server(("127.0.0.1", 0)) as probe:
        http_port = probe.getsockname()[1]
    arguments = [name, str(port), sandbox.url, sandbox.secret_key, WEBHOOK_SECRET, str(http_port), kind]
    environment = {**os.environ, "PYTHONPATH": str(CONTESTANTS)}
    process = subprocess.Popen([python, CONTESTANTS / "djstripe_server.py", *arguments], env=environment)
    try:
        _wait_for(http_port)
        yield f"http://127.0.0.1:{http_port}{DJSTRIPE_PATH}"
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("dj-stripe did not start")


def _print(result: Result) -> None:
    print(f"\nWebhooks per second · PostgreSQL · {SALES} purchases a round, fifteen events each")
    for name, rate in result.rates.items():
        print(f"  {name:<40}{rate:>10,.0f}")
    print(f"  processor time of our process for each event, first time: {result.cpu_ms:.1f} ms")
    print(f"  dj-stripe refused {result.refused} of {result.processed} that it was to process")
    for name, ratio in result.ratios.items():
        wanted = TARGETS.get(name)
        verdict = "" if wanted is None else f"   target {wanted:g} ×" + ("" if ratio >= wanted else "  MISSED")
        print(f"  {name:<40}{ratio:>8.1f} ×{verdict}", flush=True)
