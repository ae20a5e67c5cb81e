"""Outgoing hooks, over real HTTP, on both databases: rules.md 11, case E3."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook

from paywright.hooks import actions as hooks
from paywright.hooks import queries
from paywright.hooks.actions import fan_out, send_due
from paywright.hooks.model import Hook
from paywright.hooks.rules import (
    DISABLED_AFTER_MS,
    HOLDS_UP_MS,
    RETRY_AFTER_MS,
    bad_hook,
    hears,
    next_try_at,
)
from paywright.hooks.sending import Sender
from paywright.hooks.tables import hook_deliveries
from paywright.hooks.tables import hooks as hook_rows
from paywright.kernel.addresses import is_private
from paywright.kernel.ids import wall_ms
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ledger import actions as ledger
from paywright.outbox.actions import lock_customers, record
from paywright.outbox.tables import events
from tests.harness.shop import Shop

USER = Customer("user", "u_1")
OTHER = Customer("user", "u_2")


class Ear(ThreadingHTTPServer):
    """An app's endpoint. `answers` are given in order, then 200; `heard` is each request's headers and body."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        super().__init__(("127.0.0.1", 0), Mouth)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"

    def types(self) -> list[str]:
        return [msgspec.json.decode(body)["type"] for _, body in self.heard]


class Mouth(BaseHTTPRequestHandler):
    server: Ear

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
        status = self.server.answers.pop(0) if self.server.answers else 200
        self.send_response(status)
        if status == 302:
            self.send_header("location", self.server.url + "/elsewhere")
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""


@pytest.fixture
def ear() -> Iterator[Ear]:
    server = Ear()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    made = Shop(database_url, {"items": {"credits": {}}, "products": {}})
    run(made)
    yield made
    made.close()


def hook(shop: Shop, ear: Ear, *events: str) -> tuple[Hook, str]:
    with shop.app.work("test") as work:
        made = hooks.create(work, shop.app.settings, shop.environment, ear.url, events or ("*",))
    assert not isinstance(made, Refusal), made
    return made


def tell(shop: Shop, kind: str, customer: Customer = USER) -> None:
    with shop.app.work("test") as work:
        lock_customers(work, [customer])
        record(work, kind, {"name": "ünï"}, customer=customer)


def run(shop: Shop) -> None:
    """What the worker does until nothing is due."""
    while fan_out(shop.app, shop.environment) or send_due(shop.app, shop.environment):
        pass


def not_due_for_an_hour(shop: Shop) -> None:
    """What failed comes again after seconds, which a busy machine may need between two lines."""
    with shop.app.work("test") as work:
        tried = (hook_deliveries.c.status == "pending") & (hook_deliveries.c.attempts > 0)
        work.execute(hook_deliveries.update().where(tried).values(next_attempt_at=wall_ms() + 3_600_000))


def due_now(shop: Shop) -> None:
    with shop.app.work("test") as work:
        pending = hook_deliveries.c.status == "pending"
        work.execute(hook_deliveries.update().where(pending).values(next_attempt_at=1))


def test_a_hook_hears_a_customers_story_in_order_entries_included(shop: Shop, ear: Ear) -> None:
    _, secret = hook(shop, ear)
    with shop.app.work("test") as work:
        lock_customers(work, [USER])
        record(work, "product.granted", {"a": 1}, customer=USER)
        ledger.grant(work, USER, "credits", 10, source="test")
    run(shop)
    assert ear.types() == ["product.granted", "item.balance_changed", "customer.state_changed"]
    for headers, body in ear.heard:
        assert Webhook(secret).verify(body, headers)["id"] == headers["webhook-id"]
    told = [msgspec.json.decode(body) for _, body in ear.heard]
    assert [event["sequence"] for event in told] == [1, 2, 3]
    assert told[1]["data"]["delta"] == 10
    assert told[0]["customer"] == {"type": "user", "id": "u_1"}
    run(shop)
    assert len(ear.heard) == 3


def test_a_hook_hears_what_it_asked_for_from_then_on(shop: Shop, ear: Ear) -> None:
    tell(shop, "payment.paid")
    run(shop)
    hook(shop, ear, "payment.*", "product.granted")
    for kind in ("payment.failed", "product.granted", "product.ended"):
        tell(shop, kind)
    run(shop)
    assert ear.types() == ["payment.failed", "product.granted"]


def test_E3_a_failure_comes_again_with_the_same_id_and_holds_up_that_customer_only(shop: Shop, ear: Ear) -> None:
    made, _ = hook(shop, ear, "product.*")
    ear.answers = [500]
    tell(shop, "product.granted")
    tell(shop, "product.ended")
    run(shop)
    not_due_for_an_hour(shop)
    tell(shop, "product.granted", OTHER)
    run(shop)
    assert ear.types() == ["product.granted", "product.granted"]
    assert ear.heard[0][0]["webhook-id"] != ear.heard[1][0]["webhook-id"]
    due_now(shop)
    run(shop)
    assert ear.types()[2:] == ["product.granted", "product.ended"]
    assert ear.heard[2][0]["webhook-id"] == ear.heard[0][0]["webhook-id"]
    assert ear.heard[2][1] == ear.heard[0][1]
    with shop.app.database.read() as connection:
        first = queries.deliveries(connection, "test", made.id, limit=10)[-1]
        assert [(each.status, each.answer) for each in queries.attempts(connection, "test", first.id)] == [
            (500, "ok"),
            (200, "ok"),
        ]


def test_after_a_quarter_of_an_hour_later_events_go_ahead(shop: Shop, ear: Ear) -> None:
    hook(shop, ear, "product.*")
    ear.answers = [500]
    tell(shop, "product.granted")
    tell(shop, "product.ended")
    run(shop)
    with shop.app.work("test") as work:
        work.execute(hook_deliveries.update().values(created_at=hook_deliveries.c.created_at - HOLDS_UP_MS - 1))
    run(shop)
    assert ear.types() == ["product.granted", "product.ended"]


def test_after_eight_retries_a_delivery_has_failed_until_somebody_sends_it_again(shop: Shop, ear: Ear) -> None:
    made, _ = hook(shop, ear, "product.*")
    ear.answers = [500] * 9
    tell(shop, "product.granted")
    run(shop)
    for _ in RETRY_AFTER_MS:
        due_now(shop)
        run(shop)
    assert len(ear.heard) == 9
    with shop.app.database.read() as connection:
        (failed,) = queries.deliveries(connection, "test", made.id)
    assert (failed.status, failed.attempts) == ("failed", 9)
    with shop.app.work("test") as work:
        assert hooks.redeliver(work, made.id, failed.id) is None
        missing = hooks.redeliver(work, "hook_other", failed.id)
        assert isinstance(missing, Refusal)
    run(shop)
    assert ear.heard[9][0]["webhook-id"] == ear.heard[0][0]["webhook-id"]
    with shop.app.database.read() as connection:
        assert queries.deliveries(connection, "test", made.id)[0].status == "delivered"
        assert [each.status for each in queries.attempts(connection, "test", failed.id)] == [*[500] * 9, 200]


def test_a_hook_that_only_fails_is_switched_off_and_somebody_is_told(shop: Shop, ear: Ear) -> None:
    made, _ = hook(shop, ear, "product.*")
    ear.answers = [500, 500]
    tell(shop, "product.granted")
    run(shop)
    with shop.app.work("test") as work:
        work.execute(hook_rows.update().values(failing_since=hook_rows.c.failing_since - DISABLED_AFTER_MS - 1_000))
    due_now(shop)
    run(shop)
    with shop.app.database.read() as connection:
        found = queries.hook(connection, "test", made.id)
        incidents = (
            connection.execute(sa.select(events.c.data).where(events.c.type == "incident.opened")).scalars().all()
        )
    assert found is not None
    assert (found.status, found.disabled_reason) == ("disabled", "failing")
    assert [msgspec.json.decode(each)["kind"] for each in incidents] == ["hook_disabled"]
    tell(shop, "product.ended")
    run(shop)
    assert len(ear.heard) == 2


def test_a_redirect_is_a_failure_and_is_not_followed(shop: Shop, ear: Ear) -> None:
    hook(shop, ear, "product.*")
    ear.answers = [302]
    tell(shop, "product.granted")
    run(shop)
    assert len(ear.heard) == 1
    with shop.app.database.read() as connection:
        assert connection.execute(sa.select(hook_deliveries.c.status)).scalar_one() == "pending"


def test_nobody_home_is_a_failure(shop: Shop, ear: Ear) -> None:
    made, _ = hook(shop, ear, "product.*")
    with shop.app.work("test") as work:
        hooks.change(work, shop.environment, made.id, url="http://127.0.0.1:1/")
    tell(shop, "product.granted")
    run(shop)
    with shop.app.database.read() as connection:
        (waiting,) = queries.deliveries(connection, "test", made.id)
        (tried,) = queries.attempts(connection, "test", waiting.id)
    assert (waiting.status, tried.status, tried.error) == ("pending", None, "ConnectError")


def test_a_deleted_hook_hears_no_more(shop: Shop, ear: Ear) -> None:
    made, _ = hook(shop, ear)
    tell(shop, "product.granted")
    fan_out(shop.app, shop.environment)
    with shop.app.work("test") as work:
        assert hooks.delete(work, made.id) is None
        assert isinstance(hooks.delete(work, made.id), Refusal)
    run(shop)
    assert ear.heard == []


def test_a_hook_that_came_without_its_secret_stays_off(shop: Shop, ear: Ear) -> None:
    made, _ = hook(shop, ear)
    with shop.app.work("test") as work:
        work.execute(hook_rows.update().values(secret=None, status="disabled"))
        refused = hooks.change(work, shop.environment, made.id, enabled=True)
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.param) == ("invalid_request", "enabled")
    with shop.app.work("test") as work:
        moved = hooks.change(work, shop.environment, made.id, events=("payment.*",))
    assert isinstance(moved, Hook)
    assert moved.status == "disabled"


def test_two_workers_at_once_send_each_delivery_once_and_in_order(shop: Shop, ear: Ear) -> None:
    hook(shop, ear, "product.*")
    for _ in range(10):
        tell(shop, "product.granted")
        tell(shop, "product.granted", OTHER)
    threads = [threading.Thread(target=run, args=(shop,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run(shop)
    ids = [headers["webhook-id"] for headers, _ in ear.heard]
    assert len(ids) == len(set(ids)) == 20
    for customer in (USER, OTHER):
        told = [msgspec.json.decode(body) for _, body in ear.heard]
        mine = [event["sequence"] for event in told if event["customer"]["id"] == customer.id]
        assert mine == sorted(mine)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "::1", "fe80::1%eth0", "fc00::1", "::ffff:10.0.0.1", "2002:0a00:0001::", "64:ff9b::7f00:1", "192.0.2.1"],
)  # fmt: skip
def test_an_address_that_is_not_on_the_public_internet_is_private(address: str) -> None:
    assert is_private(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"])
def test_a_public_address_is_not(address: str) -> None:
    assert not is_private(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_outside_test_mode_nothing_is_sent_to_a_private_address_by_whatever_name(ear: Ear, host: str) -> None:
    sender = Sender()
    tried = sender.send(
        f"http://{host}:{ear.server_port}/hook",
        "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz",
        "evt_1",
        "{}",
        private_allowed=False,
    )
    sender.close()
    assert (tried.status, tried.error) == (None, "address_refused")
    assert ear.heard == []


@pytest.mark.parametrize(
    ("url", "events", "mode", "param"),
    [
        ("http://app.test/", ("*",), "live", "url"),
        ("ftp://app.test/", ("*",), "test", "url"),
        ("https://", ("*",), "test", "url"),
        ("https://user:word@app.test/", ("*",), "test", "url"),
        ("https://app.test:port/", ("*",), "test", "url"),
        ("https://app.test/", (), "test", "events"),
        ("https://app.test/", ("payment",), "test", "events"),
        ("https://app.test/", ("*.*",), "test", "events"),
    ],
)
def test_what_is_no_hook_is_refused(url: str, events: tuple[str, ...], mode: Any, param: str) -> None:
    refusal = bad_hook(url, events, mode)
    assert refusal is not None
    assert (refusal.code, refusal.param) == ("invalid_request", param)


def test_the_schedule_of_retries() -> None:
    assert [next_try_at(n, 0) for n in range(1, 10)] == [*RETRY_AFTER_MS, None]
    assert hears(("payment.*",), "payment.paid")
    assert not hears(("payment.*", "product.granted"), "product.ended")
