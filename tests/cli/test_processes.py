"""`dev`, `serve`, `worker` and `sandbox` as real processes: they come up, do their work, and leave nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from paywright.client import Client
from tests.harness.waiting import until

PAYWRIGHT = [sys.executable, "-m", "paywright"]
DEV = ["dev", "--json", "--port", "0", "--sandbox-port", "0"]
LONG_ENOUGH = "a secret of tests only, long enough"


@contextmanager
def started(folder: Path, *words: str, **environ: str) -> Iterator[tuple[subprocess.Popen[bytes], Any]]:
    """The process and the JSON line it printed when ready."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PAYWRIGHT_", "STRIPE_"))}
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [*PAYWRIGHT, *words],
            cwd=folder,
            env={**kept, "PYTHONFAULTHANDLER": "1", **environ},
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (folder / "log").read_text()[-2000:]
        yield process, json.loads(line)
    except subprocess.TimeoutExpired as late:
        process.send_signal(signal.SIGABRT)  # What each of its threads is doing goes to the log.
        process.wait(10)
        late.add_note((folder / "log").read_text()[-8_000:])
        raise
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def ended(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGINT) -> int:
    process.send_signal(number)
    return process.wait(40)


def pay(facts: Any, checkout: str) -> None:
    """The buyer, without a browser."""
    url = f"{facts['sandbox_url']}/_sandbox/checkout/{checkout}/pay"
    answer = httpx.post(
        url, json={"card": "4242424242424242"}, headers={"Authorization": "Bearer sk_test_any"}, timeout=20
    )
    assert answer.status_code == 200, answer.text


def test_dev_sells_delivers_and_keeps(tmp_path: Path) -> None:
    with started(tmp_path, *DEV) as (process, facts):
        assert set(facts) == {
            "url", "dashboard_url", "store_url", "sandbox_url", "environment", "secret_key", "publishable_key", "webhook_secret",
        }  # fmt: skip
        assert (tmp_path / ".paywright" / "dev.json").stat().st_mode & 0o777 == 0o600
        assert "Demo store" in httpx.get(facts["store_url"], follow_redirects=True).text
        children = psutil.Process(process.pid).children(recursive=True)
        with Client(facts["url"], facts["secret_key"]) as shop:
            user = shop.user("u_1")
            session = user.create_checkout_session(
                [{"product_id": "pack"}], success_url="http://a.example/ok", cancel_url="http://a.example/no"
            )
            assert (session.status, session.payment_status) == ("open", "unpaid")
            pay(facts, str(session.stripe.checkout_session_id))
            # No `sync`: it arrives through the signed webhook.
            until(lambda: user.owns("pack"), "the webhook to be acted on")
            assert user.get_item("credits").try_decrease_quantity(1)
            until(lambda: {each.status for each in shop.list_stripe_events()} == {"processed"}, "the inbox to be empty")
            paid = shop.list_payments().data
            assert [(each.status, each.checkout_session_id) for each in paid] == [("paid", session.id)]
        assert ended(process) == 0
        assert [each for each in children if each.is_running() and each.status() != psutil.STATUS_ZOMBIE] == []

    with started(tmp_path, *DEV) as (process, again):
        assert (again["secret_key"], again["webhook_secret"]) == (facts["secret_key"], facts["webhook_secret"])
        with Client(again["url"], again["secret_key"]) as shop:
            user = shop.user("u_1")
            assert (user.owns("pack"), user.get_item("credits").quantity) == (True, 99)
            # Stripe's side was kept too, and its events find the new address.
            second = user.create_checkout_session(
                [{"product_id": "pack"}], success_url="http://a.example/ok", cancel_url="http://a.example/no"
            )
            pay(again, str(second.stripe.checkout_session_id))
            until(lambda: user.get_item("credits").quantity == 199, "the second purchase")
            before = shop.get_environment().now
            assert (shop.advance_clock("31d") - before).days == 31
        assert ended(process, signal.SIGTERM) == 0


def test_a_killed_dev_takes_its_sandbox_along(tmp_path: Path) -> None:
    with started(tmp_path, *DEV, "--no-demo") as (process, facts):
        assert facts["store_url"] is None
        (sandbox,) = psutil.Process(process.pid).children()
        process.kill()
        process.wait()
        until(lambda: not sandbox.is_running() or sandbox.status() == psutil.STATUS_ZOMBIE, "the sandbox to end")


def test_a_killed_sandbox_comes_back_where_it_was(tmp_path: Path) -> None:
    with started(tmp_path, *DEV, "--no-demo") as (process, facts):
        (sandbox,) = psutil.Process(process.pid).children()
        sandbox.kill()
        until(lambda: not sandbox.is_running() or sandbox.status() == psutil.STATUS_ZOMBIE, "the sandbox to end")
        until(lambda: answers(f"{facts['sandbox_url']}/_sandbox/health"), "the sandbox to be back")
        assert ended(process) == 0


def answers(url: str) -> bool:
    try:
        return httpx.get(url, headers={"Authorization": "Bearer sk_test_any"}).status_code == 200
    except httpx.TransportError:
        return False


def test_a_port_that_is_taken_is_a_sentence(tmp_path: Path) -> None:
    with started(tmp_path, *DEV, "--no-demo") as (process, facts):
        port = facts["url"].rpartition(":")[2]
        other = subprocess.run(
            [*PAYWRIGHT, "dev", "--port", port, "--sandbox-port", "0", "--data-dir", "other"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert (other.returncode, "--port 0" in other.stderr) == (1, True)
        assert ended(process) == 0


def test_serve_works_with_its_worker_inside(tmp_path: Path, database_url: str) -> None:
    settings = {"PAYWRIGHT_DATABASE_URL": database_url, "PAYWRIGHT_SECRET": LONG_ENOUGH}
    with started(tmp_path, "serve", "--json", "--port", "0", **settings) as (process, facts):
        assert httpx.get(f"{facts['url']}/readyz").json() == {"status": "ready"}
        assert ended(process, signal.SIGTERM) == 0


def test_serve_needs_a_secret(tmp_path: Path, sqlite_url: str) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PAYWRIGHT_", "STRIPE_"))}
    environ = {**kept, "PAYWRIGHT_DATABASE_URL": sqlite_url}
    result = subprocess.run([*PAYWRIGHT, "serve"], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert (result.returncode, "PAYWRIGHT_SECRET" in result.stderr) == (1, True)


def test_several_processes_serve_one_database(tmp_path: Path, postgres_url: str) -> None:
    settings = {"PAYWRIGHT_DATABASE_URL": postgres_url, "PAYWRIGHT_SECRET": LONG_ENOUGH, "PAYWRIGHT_PORT": "0"}
    with started(tmp_path, "serve", "--json", "--workers", "2", **settings) as (process, facts):
        until(lambda: ready(facts["url"]), "the processes to be ready", timeout_s=60)
        children = psutil.Process(process.pid).children()
        assert sorted(role(each) for each in children) == ["serve", "serve", "worker"]
        victim = next(each for each in children if role(each) == "serve")
        victim.kill()
        until(
            lambda: len(alive(process)) == 3 and victim.pid not in [each.pid for each in alive(process)],
            "its successor",
        )
        assert ended(process, signal.SIGTERM) == 0
        assert [each for each in children if each.is_running() and each.status() != psutil.STATUS_ZOMBIE] == []


def alive(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return [each for each in psutil.Process(process.pid).children() if each.status() != psutil.STATUS_ZOMBIE]


def role(process: psutil.Process) -> str:
    return next(word for word in process.cmdline() if word in ("serve", "worker"))


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_the_worker_runs_apart(tmp_path: Path, sqlite_url: str) -> None:
    settings = {"PAYWRIGHT_DATABASE_URL": sqlite_url, "PAYWRIGHT_SECRET": LONG_ENOUGH}
    with started(tmp_path, "worker", "--json", **settings) as (process, facts):
        assert facts == {"worker": "running"}
        assert ended(process, signal.SIGTERM) == 0


def test_the_sandbox_runs_alone(tmp_path: Path) -> None:
    with started(tmp_path, "sandbox", "--json") as (process, facts):
        assert answers(f"{facts['url']}/_sandbox/health")
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.wait(40)
        assert time.monotonic() - began < 30  # A connection that is kept open, here for 75 s, is not waited for.


@pytest.mark.parametrize("words", [["serve", "--workers", "2"]])
def test_sqlite_has_one_writer(tmp_path: Path, sqlite_url: str, words: list[str]) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PAYWRIGHT_", "STRIPE_"))}
    environ = {**kept, "PAYWRIGHT_DATABASE_URL": sqlite_url, "PAYWRIGHT_SECRET": LONG_ENOUGH}
    result = subprocess.run([*PAYWRIGHT, *words], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert (result.returncode, "PostgreSQL" in result.stderr) == (2, True)
