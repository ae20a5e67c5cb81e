"""A worker process that is killed, with no notice, at the worst moments of sending: on both databases."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from paywright.outbox.letters import write_letter
from paywright.outbox.tables import events, letters
from tests.emails.postbox import Postbox
from tests.harness.forking import Forked, started
from tests.harness.shop import SECRET, Shop
from tests.harness.waiting import until


class Workers:
    """`paywright worker` on a shop's database, as often as needed."""

    def __init__(self, shop: Shop, postbox: Postbox, folder: Path) -> None:
        self.shop = shop
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PAYWRIGHT_", "STRIPE_"))}
        self._settings = {
            **kept,
            "PAYWRIGHT_DATABASE_URL": shop.app.settings.database_url,
            "PAYWRIGHT_SECRET": SECRET,
            "PAYWRIGHT_SMTP_URL": postbox.url,
            "PAYWRIGHT_EMAIL_FROM": "shop@x.example",
        }
        self._folder = folder
        self._running: Forked | None = None

    def start(self) -> None:
        log = self._folder / "worker.log"
        self._running = started(["worker"], folder=self._folder, environment=self._settings, log=log)

    def kill(self) -> None:
        assert self._running is not None
        self._running.kill()
        self._running.wait(30)
        self._running = None

    def stop(self) -> None:
        if self._running is not None:
            self._running.kill()
            self._running.wait(30)

    def statuses(self) -> list[str]:
        with self.shop.app.database.read() as connection:
            return list(connection.execute(sa.select(letters.c.status).order_by(letters.c.id)).scalars())

    def leases_end(self) -> None:
        with self.shop.app.work("test") as work:
            work.execute(letters.update().where(letters.c.next_attempt_at.is_not(None)).values(next_attempt_at=0))

    def incidents(self) -> int:
        with self.shop.app.database.read() as connection:
            counted = sa.select(sa.func.count()).select_from(events).where(events.c.type == "incident.opened")
            return int(connection.execute(counted).scalar_one())


@pytest.fixture
def postbox() -> Iterator[Postbox]:
    made = Postbox()
    yield made
    made.stop()


@pytest.fixture
def workers(database_url: str, postbox: Postbox, tmp_path: Path) -> Iterator[Workers]:
    shop = Shop(database_url, {"products": {}})
    with shop.app.work("test") as work:
        write_letter(work, SECRET, "refund", "ref_1", "buyer@x.example", FACTS)
    made = Workers(shop, postbox, tmp_path)
    yield made
    made.stop()
    shop.close()


MONEY = {"amount": 500, "currency": "usd"}
FACTS = {"amount": MONEY, "payment_amount": MONEY, "full": True, "payment_id": "pay_1", "lines": [], "customer": None}


def killed_when(workers: Workers, postbox: Postbox, place: str) -> None:
    """The worker is killed while the server is asked that, and the server then answers nobody."""

    def kill() -> None:
        if not begun:
            begun.append(place)
            workers.kill()
            killed.append(place)

    begun: list[str] = []
    killed: list[str] = []
    hooks: dict[str, Callable[[], None]] = {place: kill}
    postbox.before = hooks
    workers.start()
    until(lambda: killed, "the worker to be killed", timeout_s=40)
    postbox.before = {}


def test_killed_before_the_text_it_is_sent_once_by_the_next(workers: Workers, postbox: Postbox) -> None:
    killed_when(workers, postbox, "rcpt")
    assert (workers.statuses(), postbox.arrived) == (["pending"], [])
    workers.leases_end()
    workers.start()
    until(lambda: workers.statuses() == ["sent"], "the letter to be sent", timeout_s=40)
    assert len(postbox.arrived) == 1


def test_killed_while_the_server_has_the_text_it_is_never_sent_again(workers: Workers, postbox: Postbox) -> None:
    killed_when(workers, postbox, "data")
    assert (workers.statuses(), len(postbox.arrived)) == (["sending"], 1)
    workers.leases_end()
    workers.start()
    until(lambda: workers.statuses() == ["uncertain"], "the next worker to find it", timeout_s=40)
    assert (len(postbox.arrived), workers.incidents()) == (1, 1)
