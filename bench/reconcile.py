"""
Comparing 10,000 subscriptions with Stripe (the sandbox, over HTTP), on SQLite and on PostgreSQL: time, processor time and memory of a process of
its own.

`light` is what the worker does every hour; `full` follows every object through to what is owned; `mending` is a full one with --fix after 100
rows were changed by hand. The pace of background calls is off, as it always is at the sandbox: how many calls were made says what it would cost
at Stripe.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from paywright.catalog.push import push
from paywright.catalog.queries import stripe_price_ids
from paywright.engine.app import App
from paywright.healing.walk import LISTS
from paywright.kernel.settings import Settings
from paywright.payments.tables import payments
from paywright.storage.database import Database
from paywright.storage.migrate import upgrade
from paywright.storage.schema import metadata
from paywright.stripe.fetches import next_fetch
from paywright.stripe.metadata import ours
from paywright.stripe.model import Fetched
from paywright.subscriptions.tables import subscriptions
from paywright.webhooks import nouns
from paywright.webhooks.model import Root
from paywright_sandbox import Sandbox
from paywright_sandbox.machine import customers as sandbox_customers
from paywright_sandbox.machine import payment_methods as sandbox_methods
from paywright_sandbox.machine import subscriptions as sandbox_subscriptions
from tests.harness.postgres import Unavailable
from tests.harness.postgres import start as start_postgres
from tests.harness.shop import SECRET
from tests.healing.till import HealingShop

SUBSCRIPTIONS = int(os.environ.get("PAYWRIGHT_BENCH_SUBSCRIPTIONS", "10000"))
CHANGED = 100
A_PAGE = 100

CATALOG: dict[str, Any] = {
    "items": {"credits": {}},
    "product_lines": {"plan": {}},
    "products": {
        "pro": {
            "product_line": "plan",
            "prices": {"monthly": {"amounts": {"usd": 1900}, "interval": "1 month"}},
            "included_items": {"credits": {"quantity": 100, "repeat": "1 month"}},
        }
    },
}

# In a process of its own, so that nothing else is in its memory.
COMPARE = """
import json, re, sys, time
from pathlib import Path
from paywright.app import open_app
from paywright.healing import reconcile
from paywright.healing.model import Wish
from paywright.kernel.settings import Settings
from paywright.stripe.gateway import Gateway

calls, get = [], Gateway.get
Gateway.get = lambda self, *asked: (calls.append(asked[0]), get(self, *asked))[1]
url, secret, wish = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
app = open_app(Settings(database_url=url, secret=secret))
environment = app.environment("test")
asked = reconcile.ask(app, environment, Wish(**wish), asked_by="cli")
before, began = time.process_time(), time.perf_counter()
over = reconcile.carry_on(app, environment, asked.id)
took, used = time.perf_counter() - began, time.process_time() - before
app.close()
# Of this program alone: what getrusage says was the parent's before it became this one.
memory = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
told = {"seconds": took, "cpu": used, "mb": memory, "calls": len(calls), "objects": sum(over.counts.values()), "lines": over.lines}
print(json.dumps(told))
"""


class Comparison(msgspec.Struct, frozen=True):
    """One run: `calls` to Stripe, and how many objects were looked at."""

    name: str
    seconds: float
    cpu: float
    mb: float
    calls: int
    objects: int
    lines: int


def run(*, rounds: int, seconds: float) -> list[Any]:
    """Once each; `rounds` and `seconds` make no difference."""
    found = list(run_on_both())
    print(f"\nReconcile, {SUBSCRIPTIONS:,} subscriptions")
    print(f"  {'':<24}{'seconds':>10}{'processor s':>13}{'MB':>8}{'calls':>8}{'objects':>10}{'lines':>8}")
    for row in found:
        print(
            f"  {row.name:<24}{row.seconds:>10.1f}{row.cpu:>13.1f}{row.mb:>8.0f}{row.calls:>8}{row.objects:>10,}{row.lines:>8}"
        )
    return found


def run_on_both() -> Iterator[Comparison]:
    """Filled once, on SQLite; PostgreSQL gets the same rows, and both are compared with the same sandbox."""
    with tempfile.TemporaryDirectory() as folder, Sandbox(seed=1) as sandbox, postgres_database() as elsewhere:
        url = f"sqlite:///{Path(folder) / 'bench.db'}"
        upgrade(url)
        with opened(url, sandbox) as shop:
            fill_stripe(sandbox, shop)
            fill_database(shop)
            shop.advance("2h")  # Light ones look at what was made in the last hour.
        if elsewhere is not None:
            copy(url, elsewhere)
        yield from compared("SQLite", url)
        if elsewhere is not None:
            yield from compared("PostgreSQL", elsewhere)


@contextmanager
def postgres_database() -> Iterator[str | None]:
    try:
        server = start_postgres()
    except Unavailable as reason:
        print(f"no PostgreSQL: {reason}")
        yield None
        return
    url = server.create_database()
    upgrade(url)
    try:
        yield url
    finally:
        server.drop_database(url)
        server.stop()


def copy(url: str, to: str) -> None:
    """Every row, while nobody writes. The triggers that guard rows would do their work a second time."""
    source, target = Database(url), Database(to)
    with source.read() as reading, target.write() as writing:
        writing.execute(sa.text("SET LOCAL session_replication_role = replica"))
        for table in metadata.sorted_tables:
            writing.execute(sa.text(f"TRUNCATE {table.name} CASCADE"))
            for rows in reading.execute(sa.select(*table.c)).mappings().partitions(1_000):
                writing.execute(table.insert(), [dict(row) for row in rows])
    source.close()
    target.close()


def compared(kind: str, url: str) -> list[Comparison]:
    rows = [measured(f"{kind}, full", url, {})]
    rows.append(measured(f"{kind}, light", url, {"depth": "light"}))
    app = App(Settings(database_url=url, secret=SECRET))
    change_by_hand(app)
    app.close()
    rows.append(measured(f"{kind}, mending {CHANGED}", url, {"fix": True}))
    assert [row.lines for row in rows] == [0, 0, CHANGED], rows
    return rows


@contextmanager
def opened(url: str, sandbox: Sandbox) -> Iterator[HealingShop]:
    shop = HealingShop(url, sandbox, CATALOG)
    push(shop.app, "test")
    yield shop
    shop.close()


def fill_stripe(sandbox: Sandbox, shop: HealingShop) -> None:
    """Through the sandbox's own machinery: a request for each would take longer than everything else."""
    with shop.app.database.read() as connection:
        [price] = stripe_price_ids(connection, "test", "pro").values()
    account = sandbox.engine.store.accounts[shop.get("/v1/account")["id"]]
    for number in range(SUBSCRIPTIONS):
        keys = ours("test", customer_key=f"user:u_{number}")
        with sandbox.engine.work(account) as work:
            made = sandbox_customers.create(work, {"email": f"{number}@example.com", "metadata": keys})
            method = sandbox_methods.attach(work, "pm_card_visa", made["id"])
            wish = {
                "customer": made["id"],
                "items": [{"price": price}],
                "default_payment_method": method["id"],
                "metadata": keys,
            }
            sandbox_subscriptions.create(work, wish)


def fill_database(shop: HealingShop) -> None:
    """As if every webhook had come, a page of each list in one transaction."""
    for step in ("customers", "subscriptions", "payment_intents", "invoices"):
        listed = LISTS[step]
        asked = {**listed.asked, "expand": [f"data.{each}" for each in listed.expand]}
        page: list[dict[str, Any]] = []
        for found in shop.app.gateway(shop.environment).pages(listed.path, asked):
            page.append(found)
            if len(page) == A_PAGE:
                take_in(shop.app, listed.noun, page)
                page = []
        take_in(shop.app, listed.noun, page)


def take_in(app: App, noun: Any, page: list[dict[str, Any]]) -> None:
    with app.work("test") as work:
        for found in page:
            root = Root(noun, found["id"])
            nouns.apply(work, root, Fetched(str(root), next_fetch(work, str(root)), found))


def change_by_hand(app: App) -> None:
    with app.work("test") as work:
        ids = (
            work.execute(sa.select(subscriptions.c.id).order_by(subscriptions.c.id).limit(CHANGED // 2)).scalars().all()
        )
        work.execute(subscriptions.update().where(subscriptions.c.id.in_(ids)).values(current_period_start=1))
        ids = work.execute(sa.select(payments.c.id).order_by(payments.c.id).limit(CHANGED // 2)).scalars().all()
        work.execute(payments.update().where(payments.c.id.in_(ids)).values(receipt_url="https://elsewhere.example/"))


def measured(name: str, url: str, wish: dict[str, Any]) -> Comparison:
    command = [sys.executable, "-c", COMPARE, url, SECRET, msgspec.json.encode(wish).decode()]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return Comparison(name, **msgspec.json.decode(ended.stdout.splitlines()[-1]))
