"""In-process hooks: `@pay.on`, after the commit and inside the transaction, on both databases."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from paywright import AsyncPaywright, Paywright
from paywright.client.model import Event
from paywright.hooks import actions as hooks
from paywright.hooks import listeners, queries
from paywright.hooks.actions import fan_out
from paywright.hooks.deliveries import claim
from paywright.hooks.listeners import GONE_AFTER_MS, Listener, Listeners
from paywright.hooks.rules import RETRY_AFTER_MS
from paywright.hooks.tables import hook_deliveries
from paywright.hooks.tables import hooks as hook_rows
from paywright.kernel.ids import wall_ms
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ledger import actions as ledger
from paywright.outbox.actions import lock_customers, record
from tests.harness.shop import SECRET, Shop
from tests.harness.waiting import until

USER = Customer("user", "u_1")
OTHER = Customer("user", "u_2")
CATALOG: dict[str, Any] = {
    "items": {"credits": {}},
    "products": {
        "pro": {"prices": {"monthly": {"amounts": {"usd": 2000}, "interval": "1 month"}}},
        "pack": {
            "stackable": True,
            "prices": {"once": {"amounts": {"usd": 500}}},
            "included_items": {"credits": {"quantity": 5}},
        },
    },
}


class Ear:
    """Hears; raises as often as `fails` says first."""

    def __init__(self, fails: int = 0) -> None:
        self.heard: list[dict[str, Any]] = []
        self.fails = fails

    def __call__(self, body: bytes, _: object) -> None:
        self.heard.append(msgspec.json.decode(body))
        if self.fails:
            self.fails -= 1
            raise LookupError("not now")

    def types(self) -> list[str]:
        return [event["type"] for event in self.heard]


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    made = Shop(database_url, CATALOG)
    yield made
    made.close()


def hearing(shop: Shop, ear: Ear, *events: str, name: str = "shop.heard") -> None:
    shop.app.resource(Listeners).add(Listener(name, events or ("*",), "after", ear))
    shop.app.resource(Listeners).make_known()


def happens(shop: Shop, event_type: str, customer: Customer | None = USER) -> None:
    with shop.app.work("test") as work:
        if customer is not None:
            lock_customers(work, [customer])
        record(work, event_type, {"n": 1}, customer=customer)


def run(shop: Shop) -> int:
    while fan_out(shop.app, shop.environment):
        pass
    tried = 0
    while more := listeners.run_due(shop.app, shop.environment):
        tried += more
    return tried


def come_again(shop: Shop) -> None:
    with shop.app.work("test") as work:
        work.execute(hook_deliveries.update().where(hook_deliveries.c.status == "pending").values(next_attempt_at=0))


def test_a_function_hears_what_it_asked_for_in_each_customers_order(shop: Shop) -> None:
    ear = Ear()
    hearing(shop, ear, "payment.*", "item.balance_changed")
    for event_type in ("payment.pending", "invoice.created", "payment.paid"):
        happens(shop, event_type)
    with shop.app.work("test") as work:
        lock_customers(work, [USER])
        ledger.grant(work, USER, "credits", 5, source="gift")
    run(shop)
    assert ear.types() == ["payment.pending", "payment.paid", "item.balance_changed"]
    assert [event["sequence"] for event in ear.heard] == sorted(event["sequence"] for event in ear.heard)
    assert ear.heard[0]["customer"] == {"type": "user", "id": "u_1"}


def test_what_raises_is_tried_again_and_holds_up_its_customer_alone(shop: Shop) -> None:
    ear = Ear(fails=1)
    hearing(shop, ear, "payment.*")
    happens(shop, "payment.pending")
    happens(shop, "payment.paid")
    happens(shop, "payment.failed", OTHER)
    run(shop)
    assert ear.types() == ["payment.pending", "payment.failed"]
    come_again(shop)
    run(shop)
    assert ear.types() == ["payment.pending", "payment.failed", "payment.pending", "payment.paid"]
    assert ear.heard[0] == ear.heard[2]


def test_a_dead_letter_is_in_the_log_with_every_try_and_can_be_delivered_again(shop: Shop) -> None:
    ear = Ear(fails=1 + len(RETRY_AFTER_MS))
    hearing(shop, ear, "payment.paid")
    happens(shop, "payment.paid")
    for _ in range(1 + len(RETRY_AFTER_MS)):
        assert run(shop) == 1
        come_again(shop)
    assert run(shop) == 0
    with shop.app.database.read() as connection:
        (dead,) = queries.deliveries(connection, "test", "app:shop.heard")
        tries = queries.attempts(connection, "test", dead.id)
    assert (dead.status, {each.error for each in tries}) == ("failed", {"LookupError: not now"})
    with shop.app.work("test") as work:
        assert hooks.redeliver(work, "app:shop.heard", dead.id) is None
    assert (run(shop), ear.fails) == (1, 0)


def test_a_process_that_died_with_it_leaves_it_to_the_next(shop: Shop) -> None:
    ear = Ear()
    hearing(shop, ear, "payment.paid")
    happens(shop, "payment.paid")
    fan_out(shop.app, shop.environment)
    claim(shop.app, shop.environment, "process", lease_ms=60_000, limit=5)
    assert listeners.run_due(shop.app, shop.environment) == 0
    come_again(shop)
    assert (listeners.run_due(shop.app, shop.environment), len(ear.heard)) == (1, 1)


def test_another_process_queues_it_and_the_one_that_has_the_function_runs_it(shop: Shop) -> None:
    ear = Ear()
    hearing(shop, ear, "payment.paid")
    happens(shop, "payment.paid")
    other = Shop.__new__(Shop)
    other.app, other.environment = type(shop.app)(shop.app.settings), shop.environment
    assert run(other) == 0
    other.app.close()
    assert (run(shop), len(ear.heard)) == (1, 1)


def test_what_was_recorded_before_anybody_listened_is_not_heard(shop: Shop) -> None:
    happens(shop, "payment.paid")
    ear = Ear()
    hearing(shop, ear)
    happens(shop, "payment.failed")
    run(shop)
    assert "payment.paid" not in ear.types()
    assert "payment.failed" in ear.types()


def test_a_function_that_was_taken_out_of_the_code_is_switched_off_and_comes_back_with_it(shop: Shop) -> None:
    ear = Ear()
    hearing(shop, ear, "payment.paid")
    assert listeners.disable_gone(shop.app, shop.environment) == 0
    with shop.app.work("test") as work:
        work.execute(hook_rows.update().values(seen_at=wall_ms() - GONE_AFTER_MS - 1))
    assert listeners.disable_gone(shop.app, shop.environment) == 1
    happens(shop, "payment.paid")
    shop.app.resource(Listeners)._seen.clear()
    shop.app.resource(Listeners).make_known()
    happens(shop, "payment.paid")
    run(shop)
    assert len(ear.heard) == 1


def test_over_http_a_function_is_a_hook_that_can_be_disabled_and_not_changed(shop: Shop) -> None:
    hearing(shop, Ear(), "payment.paid")
    with shop.app.work("test") as work:
        refused = hooks.change(work, shop.environment, "app:shop.heard", url="https://x.example")
        assert isinstance(refused, Refusal)
        assert refused.param == "url"
        disabled = hooks.change(work, shop.environment, "app:shop.heard", enabled=False)
        assert not isinstance(disabled, Refusal)
    assert (disabled.kind, disabled.status, disabled.url) == ("process", "disabled", "shop.heard")
    shop.app.resource(Listeners)._seen.clear()
    shop.app.resource(Listeners).make_known()
    with shop.app.database.read() as connection:
        assert queries.every_hook(connection, "test")[0].status == "disabled"


# What an app writes.


@pytest.fixture
def pay(database_url: str) -> Iterator[Paywright]:
    made = Paywright(database_url=database_url, secret=SECRET, catalog=CATALOG, provider="instant")
    yield made
    made.close()


def test_pay_on_hears_after_the_commit_without_anything_else_running(pay: Paywright) -> None:
    heard: list[tuple[str, str, str]] = []

    @pay.on("product.granted", "subscription.started")
    def note(event: Event) -> None:
        assert event.customer is not None
        heard.append((event.type, event.customer.id, threading.current_thread().name[:13]))

    pay.user("u_1").grant_product("pro")
    until(lambda: len(heard) == 2, "both events")
    assert heard == [("product.granted", "u_1", "paywright-job"), ("subscription.started", "u_1", "paywright-job")]


def test_inside_runs_in_the_transaction_and_writes_with_it(pay: Paywright) -> None:
    with pay.app.work("test") as work:
        work.execute(sa.text("CREATE TABLE welcome (who TEXT)"))

    @pay.on("product.granted", when="inside")
    def welcome(event: Event, connection: sa.Connection) -> None:
        assert event.customer is not None
        connection.execute(sa.text("INSERT INTO welcome (who) VALUES (:who)"), {"who": event.customer.id})

    @pay.on("product.*", when="inside", name="no seconds")
    def no_seconds(event: Event) -> None:
        if event.data["product"]["product_id"] == "pack":
            raise PermissionError("sold out")

    pay.user("u_1").grant_product("pro")
    with pytest.raises(PermissionError, match="sold out"):
        pay.user("u_2").grant_product("pack")
    assert pay.user("u_2").list_products() == []
    assert pay.user("u_2").get_item("credits").quantity == 0
    with pay.app.database.read() as connection:
        assert connection.execute(sa.text("SELECT who FROM welcome")).scalars().all() == ["u_1"]
        row = sa.select(sa.func.count()).select_from(hook_rows)
        assert connection.execute(row).scalar_one() == 0


def test_a_refused_change_is_heard_by_nobody(pay: Paywright) -> None:
    heard: list[str] = []
    pay.on("product.*", when="inside")(lambda event: heard.append(event.type))
    pay.user("u_1").grant_product("pro")
    with pytest.raises(Exception, match="already"):
        pay.user("u_1").grant_product("pro")
    assert heard == ["product.granted"]


WRONG: dict[str, tuple[dict[str, Any], tuple[str, ...], type[Exception], str]] = {
    "a name that is no event": ({}, ("payment.payd",), ValueError, "there is no event `payment.payd`"),
    "a family that is none": ({}, ("payments.*",), ValueError, "there is no event `payments"),
    "nothing": ({}, (), ValueError, "name the events to hear"),
    "items inside": ({"when": "inside"}, ("item.balance_changed",), ValueError, "is written in batches"),
    "all items inside": ({"when": "inside"}, ("item.*",), ValueError, "is written in batches"),
    "states inside": ({"when": "inside"}, ("customer.state_changed",), ValueError, "is written in batches"),
    "everything inside": ({"when": "inside"}, ("*",), ValueError, "is written in batches"),
    "another time": ({"when": "before"}, ("payment.paid",), ValueError, "`after` or `inside`"),
    "a name with a line break": ({"name": "a\nb"}, ("payment.paid",), ValueError, "printable characters"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_heard_is_refused_at_once(silent: Paywright, what: str) -> None:
    given, events, error, told = WRONG[what]
    with pytest.raises(error, match=told.replace("*", r"\*")):
        silent.on(*events, **given)(print)


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paywright]:
    url = f"sqlite:///{tmp_path_factory.mktemp('silent') / 'p.db'}"
    made = Paywright(database_url=url, secret=SECRET, provider="instant")
    yield made
    made.close()


async def coroutine(event: Event) -> None:
    """Hears nothing here."""


def test_coroutines_are_for_async_paywright_and_names_are_for_one(silent: Paywright) -> None:
    with pytest.raises(TypeError, match="AsyncPaywright"):
        silent.on("payment.paid")(coroutine)
    silent.on("payment.paid", name="one")(print)
    with pytest.raises(ValueError, match="give one of them a `name`"):
        silent.on("payment.paid", name="one")(print)


def test_async_paywright_hears_with_coroutines_and_functions(database_url: str) -> None:
    heard: list[str] = []
    pay = AsyncPaywright(database_url=database_url, secret=SECRET, catalog=CATALOG, provider="instant")

    @pay.on("product.granted")
    async def later(event: Event) -> None:
        await asyncio.sleep(0)
        heard.append(f"later {event.type}")

    @pay.on("product.granted", when="inside")
    def inside(event: Event) -> None:
        heard.append(f"inside {event.type}")

    with pytest.raises(TypeError, match="waits for nobody"):
        pay.on("payment.paid", when="inside")(coroutine)

    async def main() -> None:
        await pay.user("u_1").grant_product("pro")
        await asyncio.to_thread(until, lambda: len(heard) == 2, "both events")
        await pay.close()

    asyncio.run(main())
    assert heard == ["inside product.granted", "later product.granted"]
