"""The account clock, settings, state, and what a restart keeps."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from paywright_sandbox import Sandbox
from tests.contract.conformance import Conformance
from tests.contract.shop import Listener, Shop


def test_the_clock_moves_forward_and_objects_are_made_in_its_time(v1: Any, shop: Shop) -> None:
    before = shop.control("GET", "clock")["now"]
    assert shop.advance("31d") >= before + 31 * 86_400
    assert v1.customers.create().created >= before + 31 * 86_400


def test_a_frozen_clock_stands_until_it_is_moved(v1: Any, shop: Shop) -> None:
    at = shop.control("POST", "clock/freeze")["now"]
    assert shop.control("GET", "clock")["frozen"] is True
    assert shop.advance("90s") == at + 90
    assert v1.customers.create().created == at + 90
    assert shop.control("POST", "clock/freeze", {"frozen": False})["now"] >= at + 90


def test_a_fresh_account_may_begin_at_any_instant_and_then_only_goes_on(v1: Any, shop: Shop) -> None:
    assert shop.control("POST", "clock/freeze", {"at": 1_000_000_000})["now"] == 1_000_000_000
    assert shop.control("POST", "clock/freeze", {"at": 500_000_000})["now"] == 500_000_000
    assert v1.customers.create({}).created == 500_000_000
    shop.control("POST", "clock/freeze", {"at": 499_999_999}, status=400)
    assert shop.control("POST", "clock/advance", {"by": "31d"})["now"] == 500_000_000 + 31 * 86_400


@pytest.mark.parametrize("wish", [{}, {"by": "1 month"}, {"by": "1d", "to": 5}, {"to": 5}, {"by": -5}])
def test_the_clock_never_goes_back_nor_guesses(shop: Shop, wish: dict[str, Any]) -> None:
    before = shop.control("GET", "clock")["now"]
    shop.control("POST", "clock/advance", wish, status=400)
    assert shop.control("GET", "clock")["now"] >= before


def test_due_acts_run_in_time_order_each_at_its_own_time(v1: Any, shop: Shop) -> None:
    debit = {"amount": 500, "currency": "usd", "payment_method": "pm_usBankAccount_success", "confirm": True}
    first = v1.payment_intents.create(debit)
    shop.advance("1d")
    second = v1.payment_intents.create(debit)
    shop.advance("10d")
    settled = [e["data"]["object"] for e in shop.event_objects() if e["type"] == "charge.succeeded"]
    assert [charge["payment_intent"] for charge in settled] == [first.id, second.id]
    times = {
        e["data"]["object"]["id"]: e["created"] for e in shop.event_objects() if e["type"] == "payment_intent.succeeded"
    }
    assert times == {first.id: first.created + 3 * 86_400, second.id: second.created + 3 * 86_400}


def test_advance_waits_until_each_units_webhooks_were_answered(v1: Any, shop: Shop) -> None:
    with Listener() as listener:
        v1.webhook_endpoints.create({"url": listener.url, "enabled_events": ["payment_intent.succeeded"]})
        debit = {"amount": 500, "currency": "usd", "payment_method": "pm_usBankAccount_success", "confirm": True}
        v1.payment_intents.create(debit)
        shop.advance("3d")
        ((headers, body),) = listener.received
        assert int(headers["Sandbox-Time"]) == json.loads(body)["created"]


def test_a_settle_url_is_polled_until_the_application_has_acted(v1: Any, shop: Shop) -> None:
    with Listener([503, 503]) as app:
        wish = {"url": app.url, "enabled_events": ["product.created"], "metadata": {"sandbox_settle_url": app.url}}
        v1.webhook_endpoints.create(wish)
        shop.advance("1d")
        assert app.polls >= 3


def test_settings_are_checked_and_merged(shop: Shop) -> None:
    assert shop.control("PATCH", "settings", {"settle_s": 5, "variant": {"U1": "b"}})["variant"] == {"U1": "b"}
    assert shop.control("PATCH", "settings", {"variant": {"U2": "b"}})["variant"] == {"U1": "b", "U2": "b"}
    for wrong in ({"settle_s": "soon"}, {"nonsense": 1}, {"exhausted": "cry"}, {"settle_s": -1}):
        shop.control("PATCH", "settings", wrong, status=400)
    assert shop.control("GET", "settings")["settle_s"] == 5


def test_a_short_settle_happens_by_itself(v1: Any, shop: Shop) -> None:
    shop.control("PATCH", "settings", {"settle_s": 0})
    debit = {"amount": 500, "currency": "usd", "payment_method": "pm_usBankAccount_success", "confirm": True}
    made = v1.payment_intents.create(debit)
    assert v1.payment_intents.retrieve(made.id).status == "succeeded"


def test_reset_empties_and_ids_never_return(v1: Any, shop: Shop) -> None:
    first = v1.customers.create()
    shop.control("POST", "reset")
    assert v1.customers.list().data == []
    assert shop.events() == []
    assert v1.customers.create().id != first.id


def test_a_dump_loads_into_another_account(v1: Any, shop: Shop) -> None:
    made = v1.customers.create({"name": "Ann"})
    held = v1.payment_intents.create(
        {
            "amount": 500,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "capture_method": "manual",
        }
    )
    dump = shop.control("GET", "state")
    with Shop(shop.url, shop.secret_key) as other:
        other.control("PUT", "state", dump)
        assert other.client.v1.customers.retrieve(made.id).name == "Ann"
        other.advance("7d")
        assert other.client.v1.payment_intents.retrieve(held.id).status == "canceled"
    shop.control("PUT", "state", {"objects": 1}, status=400)


def test_the_same_seed_and_calls_give_the_same_ids(shop: Shop) -> None:
    def play() -> list[str]:
        made = shop.control("POST", "accounts", {"seed": "s1"})
        client = shop.client_with(made["secret_key"])
        ids = [client.v1.customers.create().id, client.v1.products.create({"name": "P"}).id, made["id"]]
        shop.control("DELETE", f"accounts/{made['id']}")
        return ids

    assert play() == play()


def test_everything_survives_a_restart(tmp_path: Path, conformance: Conformance) -> None:
    path = str(tmp_path / "sandbox.db")
    with Sandbox(path=path, check=conformance.check) as first:
        shop = Shop(first.url, first.secret_key)
        made = shop.client.v1.customers.create({"name": "Ann"}, {"idempotency_key": "k"})
        held = shop.client.v1.payment_intents.create(
            {
                "amount": 500,
                "currency": "usd",
                "payment_method": "pm_card_visa",
                "confirm": True,
                "capture_method": "manual",
            }
        )
        gone = shop.client.v1.products.create({"name": "P"}).id
        shop.client.v1.products.delete(gone)
        shop.advance("12h")
        events, keys = shop.events(), (shop.secret_key, first.secret_key)
        now = shop.control("GET", "clock")["now"]
    with Sandbox(path=path, check=conformance.check) as second:
        assert second.secret_key == keys[1]
        again = Shop(second.url, second.secret_key)
        client = again.client_with(keys[0])
        assert client.v1.customers.create({"name": "Ann"}, {"idempotency_key": "k"}).id == made.id
        assert client.v1.products.list().data == []
        again.http.headers["Authorization"] = f"Bearer {keys[0]}"
        assert again.events() == events
        assert again.control("GET", "clock")["now"] >= now
        again.advance("7d")
        assert client.v1.payment_intents.retrieve(held.id).status == "canceled"
        assert client.v1.customers.create().id not in {made.id}
    assert conformance.problems == []


def test_webhooks_left_over_are_sent_after_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "sandbox.db")
    with Listener() as listener:
        with Sandbox(path=path) as first:
            shop = Shop(first.url, first.secret_key)
            shop.client.v1.webhook_endpoints.create({"url": "http://127.0.0.1:1/x", "enabled_events": ["*"]})
            shop.client.v1.customers.create()
            shop.control("POST", "deliveries/settle", {"retries": False})
            (hook,) = shop.client.v1.webhook_endpoints.list().data
            shop.client.v1.webhook_endpoints.update(hook.id, {"url": listener.url})
        with Sandbox(path=path) as second:
            again = Shop(second.url, shop.secret_key)
            again.http.headers["Authorization"] = f"Bearer {shop.secret_key}"
            again.control("POST", "deliveries/settle")
            assert listener.types() == ["customer.created"]


def started(*options: str) -> tuple[subprocess.Popen[str], dict[str, str], float]:
    """The process, what it says when it is ready, and the seconds of the processor it took until then, which a busy machine does not lengthen."""
    process = subprocess.Popen(
        [sys.executable, "-m", "paywright_sandbox", "--json", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    used = psutil.Process(process.pid).cpu_times()
    return process, told, used.user + used.system


def test_the_process_says_where_it_is_and_ends_with_its_input(tmp_path: Path) -> None:
    process, told, took_s = started("--exit-with-stdin", "--data", str(tmp_path / "s.db"), "--seed", "5")
    assert set(told) == {"url", "secret_key", "publishable_key"}
    assert httpx.get(f"{told['url']}/_sandbox/health").json() == {"ready": True}
    assert took_s < 5
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(60) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


def test_the_process_ends_with_an_interrupt() -> None:
    process, told, _ = started()
    assert httpx.get(f"{told['url']}/_sandbox/fidelity").json()["routes"]
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    _, errors = process.communicate()
    assert errors == ""


def test_a_port_that_is_taken_is_a_sentence() -> None:
    with Sandbox() as running:
        port = running.url.rpartition(":")[2]
        done = subprocess.run(
            [sys.executable, "-m", "paywright_sandbox", "--port", port], capture_output=True, text=True, timeout=30
        )
    assert done.returncode == 1
    assert done.stderr.startswith("cannot listen on 127.0.0.1")


@pytest.mark.parametrize("kind", ["taken", "no database"])
def test_a_file_that_cannot_be_used_is_a_sentence(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "sandbox.db"
    if kind == "no database":
        path.write_bytes(b"something else entirely" * 100)
    with Sandbox(path=str(path) if kind == "taken" else None):
        command = [sys.executable, "-m", "paywright_sandbox", "--data", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"cannot keep data in {path}: ")
    assert len(done.stderr.splitlines()) == 1
