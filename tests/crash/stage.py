"""
A shop as it stands before a deed, put back before every life: the file of the database, and the state of the account at the sandbox.

Every life works on the same account and the same address of a database, so nothing has to be told where it is. The process that dies is a real one;
the one that starts after it is a fork of the same zygote, and repeats the deed.
"""

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from paywright.ledger.verify import verify
from paywright.webhooks.tables import stripe_events
from paywright_sandbox import Sandbox
from tests.crash.deeds import USER, Till
from tests.crash.zygote import Death, Life
from tests.harness.databases import PostgresDatabases, SqliteDatabases
from tests.permutation.catalog import CATALOG
from tests.permutation.state import canonical, differences
from tests.subscriptions.till import StripeShop

SAMPLE = {"sqlite": 6, "postgresql": 1}
LASTING = ("after commit", "after call post", "after call delete")
COUNTED = ("/v1/charges", "/v1/refunds", "/v1/subscriptions", "/v1/customers", "/v1/invoices", "/v1/checkout/sessions")
State = dict[str, Any]


class Zygote:
    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.crash.zygote"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def live(self, life: Life) -> Death:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(life) + b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=Death)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


class Stage:
    """`put_back` gives the address of a database as it was prepared."""

    def __init__(self, shop: "Prepared", zygote: Zygote, put_back: Callable[[], str], folder: Path) -> None:
        self._shop, self._zygote, self._put_back, self._folder = shop, zygote, put_back, folder
        self._account = shop.control_get("state")
        self._till = Till("", shop.sandbox_url, shop.key)

    def run(self, deed: str, *, crash_at: int = 0, trace: Path | None = None) -> Death:
        """One life from the beginning."""
        self._shop.control_put("state", self._account)
        self._till = msgspec.structs.replace(self._till, database_url=self._put_back())
        return self._zygote.live(Life(deed, self._till, crash_at, None if trace is None else str(trace)))

    def again(self, deed: str) -> None:
        """The next life goes on from where that one was left, and ends well."""
        death = self._zygote.live(Life(deed, self._till))
        assert death == Death(0, None), death.error

    def state(self) -> State:
        """What the customer has, what Stripe has, and that nothing is left to do."""
        app = self._till.opened()
        try:
            assert list(verify(app, "test")) == []
            with app.database.read() as connection:
                columns = (stripe_events.c.type, stripe_events.c.status, stripe_events.c.reason)
                left = sa.select(*columns).where(stripe_events.c.status.not_in(("processed", "ignored")))
                assert connection.execute(left.order_by(stripe_events.c.id).limit(10)).all() == []
            theirs = canonical(app, USER)
        finally:
            app.close()
        counted = {path: len(self._shop.at_stripe(path)) for path in COUNTED}
        return {**theirs, "at Stripe": [counted]}

    def points(self, deed: str) -> list[str]:
        """Their names, from a life in which nothing goes wrong."""
        trace = self._folder / f"{deed}.txt"
        death = self.run(deed, trace=trace)
        assert death == Death(0, None), death.error
        return [line.split(" ", 1)[1] for line in trace.read_text().splitlines()]


def ends_as_if_nothing_had_happened(stage: Stage, deed: str, chosen: Callable[[list[str]], list[int]]) -> int:
    """Killed at each of the chosen points; answers how many died."""
    points = stage.points(deed)
    assert len(points) > 20, points
    expected = stage.state()
    deaths = 0
    for number in chosen(points):
        death = stage.run(deed, crash_at=number)
        deaths += death.signal == signal.SIGKILL
        assert death.signal == signal.SIGKILL or death == Death(0, None), death.error
        stage.again(deed)
        told = differences(expected, stage.state())
        assert told == [], f"{deed}, killed at point {number} of {len(points)}, about `{points[number - 1]}`: {told}"
    return deaths


def telling(points: list[str], size: int | None = None) -> list[int]:
    """
    One point, drawn by a seed, of every stretch between two commits or writing calls; of so many of them if a size is given.

    Whatever was written since the last commit is gone with the process, so to die anywhere in a stretch leaves the same behind.
    """
    starts = [number for number, name in enumerate(points, start=1) if number == 1 or name.startswith(LASTING)]
    stretches = list(zip(starts, [*starts[1:], len(points) + 1], strict=True))
    draw = random.Random(len(points))
    if size is not None and size < len(stretches):
        stretches = sorted(draw.sample(stretches, size))
    return [draw.randrange(first, after) for first, after in stretches]


def chosen(kind: str, request: pytest.FixtureRequest) -> Callable[[list[str]], list[int]]:
    """Which points are tried: every one if all are asked for, else a sample of the telling ones."""
    if request.config.getoption("--crash-all"):
        return lambda points: list(range(1, len(points) + 1))
    return lambda points: telling(points, SAMPLE[kind])


class Prepared(StripeShop):
    """The shop while it is made ready; afterwards only Stripe's side of it is asked."""

    def __init__(self, database_url: str, sandbox: Sandbox) -> None:
        super().__init__(database_url, sandbox, CATALOG)
        self.sandbox_url = sandbox.url

    def control_get(self, path: str) -> State:
        answer = self._http.get(f"/_sandbox/{path}", headers=self._bearer)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def control_put(self, path: str, body: State) -> None:
        answer = self._http.put(f"/_sandbox/{path}", json=body, headers=self._bearer)
        assert answer.status_code == 200, answer.text

    def at_stripe(self, path: str) -> list[dict[str, Any]]:
        answer = self._http.get(path, params={"limit": 100}, headers=self._bearer)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["data"])

    @property
    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


Prepare = Callable[[Prepared], None]


@contextmanager
def on_sqlite(
    databases: SqliteDatabases, folder: Path, sandbox: Sandbox, zygote: Zygote, prepare: Prepare
) -> Iterator[Stage]:
    with databases.fresh(folder) as url:
        shop = prepared(url, sandbox, prepare)
        original, copy = Path(url.removeprefix("sqlite:///")), folder / "copy.db"
        shut(original)

        def put_back() -> str:
            for remains in (copy, copy.with_name("copy.db-wal"), copy.with_name("copy.db-shm")):
                remains.unlink(missing_ok=True)
            shutil.copyfile(original, copy)
            return f"sqlite:///{copy}"

        yield Stage(shop, zygote, put_back, folder)


@contextmanager
def on_postgresql(
    databases: PostgresDatabases, folder: Path, sandbox: Sandbox, zygote: Zygote, prepare: Prepare
) -> Iterator[Stage]:
    server, copies = databases.server, list[str]()
    with databases.fresh() as url:
        shop = prepared(url, sandbox, prepare)

        def put_back() -> str:
            for left in copies:
                server.drop_database(left)
            server.disconnect_all(url)
            copies[:] = [server.create_database(template=url)]
            return copies[0]

        yield Stage(shop, zygote, put_back, folder)
        for left in copies:
            server.drop_database(left)


def prepared(url: str, sandbox: Sandbox, prepare: Prepare) -> Prepared:
    shop = Prepared(url, sandbox)
    prepare(shop)
    shop.app.close()
    return shop


def shut(path: Path) -> None:
    """What is still in the write-ahead log goes into the file."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
