"""
Signed webhooks: accepted per second, and fully projected per second, against dj-stripe's endpoint on the same server, with the same events.

Both are sent what a sandbox really emits for purchases of a subscription, over kept connections. `stored`: verified, on disk, acknowledged, with ids
of their own. `projected`: every object fetched from the sandbox and its state written, from the first delivery until the last event is done.
"""

import asyncio
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

from bench.field import ARTIFACTS, CONTESTANTS, ROOT, postgres_server
from bench.streams import Server
from paywright.storage.migrate import upgrade
from paywright_sandbox import Sandbox

WEBHOOK_SECRET = "whsec_of_this_measurement_only"
DJSTRIPE_PATH = "/stripe/webhook/00000000-0000-4000-8000-000000000000/"
CONNECTIONS = {"ours": 128, "djstripe": 8}
TARGETS = {"stored": 75.0, "projected": 5.0}
SALES = 20


class Result(msgspec.Struct, frozen=True):
    """Events per second; `ratio` the median over the rounds. `refused`: deliveries dj-stripe answered with an error."""

    kind: str
    events: int
    ours: float
    djstripe: float | None
    ratio: float | None
    refused: int = 0


def run(*, rounds: int, seconds: float) -> list[Result]:
    results = []
    with postgres_server() as url, Sandbox() as sandbox, ExitStack() as stack:
        if url is None:
            return []
        upgrade(url)
        ours = stack.enter_context(
            served(
                [sys.executable, CONTESTANTS / "inbox_server.py", url, sandbox.url, sandbox.secret_key, WEBHOOK_SECRET]
            )
        )
        events = ours.order(f"sell {SALES}")["events"]
        rivals = djstripe_python()
        for kind in ("stored", "projected"):
            with rival(rivals, url, sandbox, "store" if kind == "stored" else "process") as theirs:
                measure = _stored if kind == "stored" else _projected
                results.append(measure(ours, theirs, events, rounds, seconds))
                _print(results[-1])
    return results


def _stored(ours: Server, theirs: str | None, events: Sequence[Any], rounds: int, seconds: float) -> Result:
    rates: dict[str, list[float]] = {"ours": [], "djstripe": []}
    places = {"ours": ours.said["url"], "djstripe": theirs}
    refused = 0
    for _ in range(rounds):
        for name, place in places.items():
            if place is not None:
                number = 20_000 if name == "ours" else 400
                found = asyncio.run(posted(place, fresh(events, number), CONNECTIONS[name], seconds))
                rates[name].append(found.accepted / found.seconds)
                refused += found.refused
                if found.refused:
                    print(f"  {name} refused {found.refused}, first: {found.refusal}", file=sys.stderr)
    return _result("stored", len(events), rates, refused)


def _projected(ours: Server, theirs: str | None, events: Sequence[Any], rounds: int, _seconds: float) -> Result:
    """Ours in each round with ids of their own, so that nothing is passed over as known; theirs too."""
    rates: dict[str, list[float]] = {"ours": [], "djstripe": []}
    refused = 0
    ours.order("work")
    until_done(ours)
    for _ in range(rounds):
        bodies = list(fresh(events, len(events)))
        started = time.perf_counter()
        asyncio.run(posted(ours.said["url"], bodies, CONNECTIONS["ours"], 600))
        until_done(ours)
        rates["ours"].append(len(bodies) / (time.perf_counter() - started))
        if theirs is not None:
            found = asyncio.run(posted(theirs, fresh(events, len(events)), CONNECTIONS["djstripe"], 600))
            rates["djstripe"].append((found.accepted + found.refused) / found.seconds)
            refused += found.refused
            if found.refused:
                print(f"  dj-stripe refused {found.refused}, first: {found.refusal}", file=sys.stderr)
    ours.order("rest")
    return _result("projected", len(events), rates, refused)


def _result(kind: str, events: int, rates: dict[str, list[float]], refused: int) -> Result:
    theirs = rates["djstripe"]
    pairs = zip(rates["ours"], theirs, strict=True) if theirs else []
    ratio = statistics.median(mine / other for mine, other in pairs) if theirs else None
    return Result(
        kind, events, statistics.median(rates["ours"]), statistics.median(theirs) if theirs else None, ratio, refused
    )


def until_done(ours: Server) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        statuses = ours.order("left")["statuses"]
        if not statuses.get("pending") and not statuses.get("processing"):
            return
        time.sleep(0.02)
    raise TimeoutError(f"events are left: {statuses}")


def fresh(events: Sequence[Any], number: int) -> Iterator[bytes]:
    """The same events under ids nobody has seen, signed now."""
    run_id = os.urandom(6).hex()
    for place, event in zip(range(number), itertools.cycle(events), strict=False):
        yield json.dumps({**event, "id": f"evt_{run_id}_{place}"}).encode()


def request(place: str, body: bytes) -> bytes:
    host, _, path = place.removeprefix("http://").partition("/")
    stamp = str(int(time.time()))
    signature = hmac.new(WEBHOOK_SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    head = (
        f"POST /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nUser-Agent: Stripe/1.0\r\n"
        f"Stripe-Signature: t={stamp},v1={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Posted(msgspec.Struct):
    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    refusal: str = ""


class Caller(asyncio.Protocol):
    """Sends the next request as soon as the answer is there."""

    def __init__(self, requests: Iterator[bytes], found: Posted, until: float) -> None:
        self._requests, self._found, self._until = requests, found, until
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: Any = None
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def data_received(self, received: bytes) -> None:
        self._seen += received
        head, separator, body = self._seen.partition(b"\r\n\r\n")
        if not separator:
            return
        fields = head.lower()
        place = fields.find(b"content-length: ")
        if place >= 0 and len(body) < int(fields[place + 16 : place + 24].split(b"\r", 1)[0]):
            return
        if b"transfer-encoding: chunked" in fields and not body.endswith(b"0\r\n\r\n"):
            return
        if b" 200 " in self._seen[:20]:
            self._found.accepted += 1
        else:
            self._found.refused += 1
            self._found.refusal = self._found.refusal or self._seen[:400].decode("utf-8", "replace")
        self._seen = b""
        self._next()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.over.done():
            self.over.set_result(None)

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None or time.perf_counter() > self._until:
            if not self.over.done():
                self.over.set_result(None)
            return
        self._transport.write(request)


async def posted(place: str, bodies: Any, connections: int, seconds: float) -> Posted:
    """As many as go in the time, over so many connections."""
    requests = iter([request(place, body) for body in bodies])
    host, _, port = place.removeprefix("http://").partition("/")[0].partition(":")
    loop, found = asyncio.get_running_loop(), Posted()
    started = time.perf_counter()
    callers = [
        (await loop.create_connection(lambda: Caller(requests, found, started + seconds), host, int(port)))
        for _ in range(connections)
    ]
    await asyncio.gather(*(caller.over for _, caller in callers))
    found.seconds = time.perf_counter() - started
    for transport, _ in callers:
        transport.close()
    return found


@contextmanager
def served(command: list[str | Path]) -> Iterator[Server]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{CONTESTANTS}"}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield Server(process)
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
    target = TARGETS[result.kind]
    theirs = "not measured" if result.djstripe is None else f"{result.djstripe:,.1f}"
    print(f"\nWebhooks {result.kind} per second · PostgreSQL · {result.events} events of {SALES} purchases")
    print(f"  ours {result.ours:,.0f}   dj-stripe {theirs} ({result.refused} refused)", flush=True)
    if result.ratio is not None:
        print(
            f"  {result.ratio:.1f} ×   target {target:g} ×" + ("" if result.ratio >= target else "  MISSED"), flush=True
        )
