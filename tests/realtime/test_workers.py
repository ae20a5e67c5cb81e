"""Several worker processes, killed in the middle: every event arrives, and no two workers deliver one at the same time."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from paywright.app import open_app
from paywright.kernel.model import Customer
from paywright.kernel.settings import Settings
from paywright.ledger.hot import increase
from paywright.worker import Worker
from tests.harness.house import SECRET, House
from tests.harness.waiting import until

CUSTOMERS = 12
ROUNDS = 8
LEASE_S = "2"
"""How long what a dead worker held stays with it."""


class Ear(ThreadingHTTPServer):
    """An app's endpoint, slow enough to be in the middle of something whenever a worker dies."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Mouth)
        self.lock = threading.Lock()
        self.under_way: Counter[str] = Counter()
        self.heard: dict[str, list[int]] = {}
        self.at_once: list[str] = []
        self.random = random.Random(7)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"

    def sequences(self, customer: str) -> list[int]:
        """As they came, repeats left out."""
        with self.lock:
            return list(dict.fromkeys(self.heard.get(customer, [])))


class Mouth(BaseHTTPRequestHandler):
    server: Ear

    def do_POST(self) -> None:
        event = json.loads(self.rfile.read(int(self.headers["content-length"])))
        ear, customer = self.server, event["customer"]["id"]
        with ear.lock:
            ear.under_way[event["id"]] += 1
            if ear.under_way[event["id"]] > 1:
                ear.at_once.append(event["id"])
            pause_s = ear.random.random() / 100
        threading.Event().wait(pause_s)  # A receiver that takes its time.
        with ear.lock:
            ear.heard.setdefault(customer, []).append(event["sequence"])
            ear.under_way[event["id"]] -= 1
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""


@pytest.fixture
def ear() -> Iterator[Ear]:
    server = Ear()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


class Workers:
    """`paywright worker`, three times."""

    def __init__(self, url: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PAYWRIGHT_", "STRIPE_"))}
        settings = {"DATABASE_URL": url, "SECRET": SECRET, "CLAIM_TIMEOUT_S": LEASE_S}
        self._environment = {**kept, **{f"PAYWRIGHT_{name}": value for name, value in settings.items()}}
        self.running = [self._started() for _ in range(3)]

    def kill_one(self) -> None:
        """kill -9, and another one takes its place."""
        victim = self.running.pop(0)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        assert victim.stdout is not None
        victim.stdout.close()
        self.running.append(self._started())

    def _started(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "paywright", "worker", "--json", "--log-level", "error"]
        return subprocess.Popen(command, env=self._environment, stdout=subprocess.PIPE)

    def are_ready(self) -> None:
        for process in self.running:
            assert process.stdout is not None
            assert process.stdout.readline(), "the worker did not start"

    def stop(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait(30)
            assert process.stdout is not None
            process.stdout.close()


@contextmanager
def at_work(url: str) -> Iterator[Workers]:
    workers = Workers(url)
    try:
        yield workers
    finally:
        workers.stop()


def test_no_event_is_lost_and_none_delivered_by_two_at_once(postgres_url: str, ear: Ear) -> None:
    names = [f"u_{number}" for number in range(CUSTOMERS)]
    with House(postgres_url) as house, at_work(postgres_url) as workers:
        assert house.post("/v1/hooks", {"url": ear.url, "events": ["*"]}).status_code == 201
        workers.are_ready()
        for number in range(ROUNDS):
            for name in names:
                assert (
                    house.post(f"/v1/customers/user/{name}/items/credits/increase", {"quantity": 1}).status_code == 200
                )
            if number in (2, 4, 6):
                until(lambda: ear.under_way.total(), "a delivery to be under way")
                workers.kill_one()
        wanted = {name: list(range(1, last_sequence(house, name) + 1)) for name in names}
        until(lambda: all(set(ear.sequences(name)) == set(wanted[name]) for name in names), "every event", timeout_s=60)
    assert {name: ear.sequences(name) for name in names} == wanted
    assert ear.at_once == []


def last_sequence(house: House, name: str) -> int:
    query = f"/v1/events?customer_type=user&customer_id={name}&limit=1"
    return int(house.get(query).json()["data"][0]["sequence"])


def test_a_worker_of_another_process_is_woken_at_once(postgres_url: str, ear: Ear) -> None:
    """Not by looking: the look is an hour away."""
    settings = Settings(database_url=postgres_url, secret=SECRET)
    with House(postgres_url) as house:
        assert house.post("/v1/hooks", {"url": ear.url, "events": ["item.balance_changed"]}).status_code == 201
        elsewhere = open_app(settings, provider="instant")
        with Worker(elsewhere, poll_s=3600):
            increase(house.app, "test", Customer("user", "u_1"), "credits", 5)
            until(lambda: ear.sequences("u_1"), "the delivery")
        elsewhere.close()
