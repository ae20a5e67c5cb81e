"""A comparison is carried on from where it was: by slices, after an outage, after kill -9, and by one at a time."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from paywright.engine.app import NotConnected
from paywright.environments.tables import environments
from paywright.healing import beats, reconcile, reports
from paywright.healing.model import Reconciliation, Wish
from paywright.healing.tables import worker_beats
from paywright.kernel.ids import wall_ms
from paywright.outbox.tables import events
from paywright.payments.tables import payments
from paywright.stripe.gateway import StripeUnknown
from paywright.worker import JOBS, waiting
from tests.harness.shop import SECRET, Shop
from tests.healing.till import HealingShop
from tests.subscriptions.terms import CATALOG, code, done

HOUR_MS = 3_600_000
PAYWRIGHT = Path(sys.executable).parent / "paywright"


def asked(till: HealingShop, **wish: bool) -> str:
    return done(reconcile.ask(till.app, till.environment, Wish(**wish), asked_by="api")).id  # type: ignore[arg-type]


def reports_of(till: HealingShop) -> list[Reconciliation]:
    with till.app.database.read() as connection:
        return [each for _, each in reports.page(connection, "test", limit=20)]


def gets(till: HealingShop, path: str) -> int:
    """How often this was asked for."""
    found = till._http.get("/_sandbox/requests", headers={"Authorization": f"Bearer {till.key}"}).json()["data"]
    return len([each for each in found if (each["method"], each["path"]) == ("GET", path)])


def test_page_by_page_it_comes_to_the_same_end(till: HealingShop) -> None:
    till.buy("pro")
    till.corrupt(payments, sa.true(), amount=7)
    identity = asked(till)
    steps: list[str | None] = []
    while True:
        found = done(reconcile.carry_on(till.app, till.environment, identity, seconds=0))
        assert found is not None
        if found.status == "finished":
            break
        steps.append(found.step)
    assert len(steps) == len(set(steps)) > 5
    assert [(line.noun, line.field) for line in till.lines(identity)] == [("payment", "amount")]
    assert gets(till, "/v1/subscriptions") == gets(till, "/v1/customers") == gets(till, "/v1/payment_intents") == 1


def test_one_at_a_time_and_whoever_asks_meanwhile_is_given_that_one(till: HealingShop) -> None:
    first = asked(till)
    assert asked(till, fix=True) == first
    with till.app.work("test") as work:
        assert reports.claim(work, first, wall=till.app.wall(), life_ms=60_000) is not None
    assert reconcile.carry_on(till.app, till.environment, first) is None
    till.instant += 60_001
    assert done(reconcile.carry_on(till.app, till.environment, first)).status == "finished"  # type: ignore[union-attr]
    assert asked(till) != first


def test_an_outage_rests_it_and_says_why(till: HealingShop) -> None:
    till.buy("pro")
    identity = asked(till)
    till.fail_next("GET", "/v1/invoices", 503, times=9)
    with pytest.raises(StripeUnknown):
        reconcile.carry_on(till.app, till.environment, identity)
    [found] = reports_of(till)
    assert (found.status, found.step) == ("running", "invoices")
    assert "StripeUnknown" in (found.last_error or "")
    till.control("fail-next", {"clear": True})
    assert done(reconcile.carry_on(till.app, till.environment, identity)).status == "finished"  # type: ignore[union-attr]
    assert gets(till, "/v1/subscriptions") == 1


@pytest.mark.parametrize("point", [6, 25])
def test_killed_in_the_middle_it_goes_on_and_mends_everything(lite_till: HealingShop, point: int) -> None:
    lite_till.buy("pro")
    lite_till.pay(lite_till.open_checkout("pack"))
    lite_till.corrupt(payments, sa.true(), amount=7)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PAYWRIGHT_", "STRIPE_"))}
    settings = {
        "PAYWRIGHT_DATABASE_URL": lite_till.app.settings.database_url,
        "PAYWRIGHT_SECRET": SECRET,
        "PAYWRIGHT_CLAIM_TIMEOUT_S": "0.2",
    }
    command = [str(PAYWRIGHT), "reconcile", "--fix", "--json"]
    struck = subprocess.run(
        command, env={**kept, **settings, "PAYWRIGHT_CRASH_AT": str(point)}, capture_output=True, check=False
    )
    assert struck.returncode == -signal.SIGKILL, struck.stderr
    [broken] = reports_of(lite_till)
    assert broken.finished_at is None
    ended = subprocess.run(command, env={**kept, **settings}, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr
    [found] = reports_of(lite_till)
    assert (found.id, found.status, found.fixed) == (broken.id, "finished", found.lines)
    assert b'"step":"rows"' in ended.stderr
    assert sorted(each[0] or "" for each in lite_till.owned_now()) == ["pack", "pro"]
    assert lite_till.reconcile()[1] == []


def test_the_worker_compares_lightly_every_hour_and_everything_once_a_day(till: HealingShop) -> None:
    till.instant = wall_ms() + HOUR_MS // 2
    assert (reconcile.in_the_background(till.app, till.environment), reports_of(till)) == (0, [])
    depths = []
    for hours in (2, 2, 4, 26, 28):
        till.instant = wall_ms() + hours * HOUR_MS
        while reconcile.in_the_background(till.app, till.environment):
            pass
        depths.append([(each.depth, each.status) for each in reports_of(till)])
    light, full = ("light", "finished"), ("full", "finished")
    assert depths == [[light], [light], [light] * 2, [full, light, light], [light, full, light, light]]


def test_what_was_asked_for_over_http_is_the_workers_to_do(till: HealingShop) -> None:
    till.instant = wall_ms()
    identity = asked(till)
    assert waiting(till.app, till.environment)["reconciliations"] == 1
    while reconcile.in_the_background(till.app, till.environment):
        pass
    assert [(each.id, each.status) for each in reports_of(till)] == [(identity, "finished")]
    assert "reconciliations" not in waiting(till.app, till.environment)
    assert {"reconcile", "sign of life"} <= {job.name for job in JOBS}


def test_drift_is_told_once_and_not_every_hour(till: HealingShop) -> None:
    till.buy("pro")
    till.corrupt(payments, sa.true(), amount=7)

    def told() -> int:
        with till.app.database.read() as connection:
            counted = sa.select(sa.func.count()).select_from(events)
            return connection.execute(counted.where(events.c.type == "incident.opened")).scalar_one()

    numbers = []
    for wish in ({}, {}, {"fix": True}, {}):
        till.reconcile(**wish)
        till.instant += 1
        numbers.append(told())
    assert numbers == [1, 1, 1, 1]
    till.corrupt(payments, sa.true(), amount=8)
    till.reconcile()
    assert told() == 2


def test_where_there_is_no_stripe_nothing_is_compared(sqlite_url: str) -> None:
    shop = Shop(sqlite_url, CATALOG)
    assert code(reconcile.ask(shop.app, shop.environment, Wish(), asked_by="cli")) == "not_at_stripe"
    assert reconcile.in_the_background(shop.app, shop.environment) == 0
    shop.close()


def test_without_a_key_it_waits_for_one(lite_till: HealingShop) -> None:
    identity = asked(lite_till)
    with lite_till.app.work("test") as work:
        work.execute(environments.update().values(stripe_secret_key=None))
    with pytest.raises(NotConnected):
        reconcile.carry_on(lite_till.app, lite_till.environment, identity)
    assert [each.status for each in reports_of(lite_till)] == ["running"]


def test_a_worker_shows_that_it_lives(till: HealingShop) -> None:
    for _ in range(2):
        assert beats.beat(till.app, till.environment) == 0
    assert till.row(worker_beats, sa.true())["beats"] == 2
    till.instant += 86_400_001
    beats.beat(till.app, till.environment)
    assert till.row(worker_beats, sa.true())["beats"] == 1
