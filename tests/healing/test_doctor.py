"""Every check of doctor says fine where all is well, and each is made to fail for real."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from paywright.catalog import drift
from paywright.catalog.push import push
from paywright.engine.app import App
from paywright.environments.actions import StripeCredentials, connect_stripe
from paywright.environments.model import Environment, Policy
from paywright.environments.tables import environments, webhook_secrets
from paywright.healing import beats, doctor
from paywright.healing.model import Check
from paywright.kernel.ids import wall_ms
from paywright.kernel.settings import Settings
from paywright.ledger.hot import increase
from paywright.ledger.tables import item_grants
from paywright.subscriptions.tables import subscriptions
from paywright.webhooks import endpoint, failures
from paywright.webhooks.failures import Refused
from paywright.webhooks.tables import stripe_events
from paywright_sandbox import Sandbox
from tests.harness.shop import Shop
from tests.healing.till import NO_ONE_LISTENS, HealingShop
from tests.subscriptions.terms import CATALOG, USER

HOUR_MS = 3_600_000


class Clinic(HealingShop):
    """In the real time of the machine, off by `skew_ms`."""

    skew_ms = 0

    @property
    def instant(self) -> int:
        return wall_ms() + self.skew_ms

    @instant.setter
    def instant(self, _: int) -> None:
        return

    def furnish(self) -> None:
        """Everything as it should be."""
        self.set(public_url=NO_ONE_LISTENS)
        push(self.app, "test")
        self.buy("pro")
        endpoint.set_up(self.app, self.environment)
        self.reconcile(events=True)
        beats.beat(self.app, self.environment)

    def set(self, **settings: Any) -> None:
        self.app.settings = msgspec.structs.replace(self.app.settings, **settings)

    def said(self) -> dict[str, Check]:
        environment = self.app.environment("test")
        assert environment is not None
        return {check.name: check for check in doctor.examine(self.app, environment)}

    def endpoint(self) -> dict[str, Any]:
        return next(iter(self.app.gateway(self.environment).pages("/v1/webhook_endpoints")))


@pytest.fixture
def clinic(sqlite_url: str, sandbox: Sandbox) -> Iterator[Clinic]:
    made = Clinic(sqlite_url, sandbox)
    made.furnish()
    yield made
    made.close()


def test_where_all_is_well_every_check_says_so(database_url: str, sandbox: Sandbox) -> None:
    clinic = Clinic(database_url, sandbox)
    clinic.furnish()
    found = clinic.said()
    # The tests' own PostgreSQL writes nothing to disk, and doctor sees it.
    forgets = {"database"} if database_url.startswith("postgres") else set()
    assert {check.name for check in found.values() if not check.ok} == forgets
    assert ("fsync is off" in found["database"].says) == bool(forgets)
    assert set(found) == set(doctor.CHECKS)
    clinic.close()


def another_key(clinic: Clinic) -> None:
    """Of an account of its own."""
    made = clinic.control("accounts", {})
    connect(clinic, made["secret_key"])


def connect(clinic: Clinic, secret_key: str, account: str | None = None) -> None:
    with clinic.app.work("test") as work:
        credentials = StripeCredentials(secret_key, None, account, clinic.environment.stripe_api_base)
        assert connect_stripe(work, clinic.app.settings, credentials) is None


def write(clinic: Clinic, table: sa.Table, **values: Any) -> None:
    with clinic.app.work("test") as work:
        work.execute(table.update().where(table.c.environment_id == "test").values(**values))


def stray(clinic: Clinic, **values: Any) -> None:
    """One event more in the inbox."""
    row = {"environment_id": "test", "id": "evt_stray", "type": "invoice.paid", "livemode": 0, "received_at": wall_ms()}
    with clinic.app.work("test") as work:
        work.execute(stripe_events.insert().values(**row, **values))


def refuse(clinic: Clinic) -> None:
    with clinic.app.work("test") as work:
        failures.write(work, Refused("test", 7, wall_ms() + 1, wall_ms() + 5, "wrong"))


def twin_endpoint(clinic: Clinic) -> None:
    ours = clinic.endpoint()
    clinic.post(
        "/v1/webhook_endpoints",
        {"url": ours["url"], "enabled_events": ["*"], "metadata": ours["metadata"]},
    )


def change_endpoint(clinic: Clinic, **values: Any) -> None:
    clinic.post(f"/v1/webhook_endpoints/{clinic.endpoint()['id']}", values)


def archive_price(clinic: Clinic) -> None:
    price = next(iter(clinic.app.gateway(clinic.environment).pages("/v1/prices")))
    clinic.post(f"/v1/prices/{price['id']}", {"active": False})


def rename_product(clinic: Clinic) -> None:
    """Heard of by its event."""
    product = next(iter(clinic.app.gateway(clinic.environment).pages("/v1/products")))
    clinic.post(f"/v1/products/{product['id']}", {"name": "Gold"})
    fetched = drift.fetch(clinic.app, clinic.environment, product["id"], noun="product")
    with clinic.app.work("test") as work:
        drift.apply(work, fetched)


def new_price(clinic: Clinic) -> None:
    """Applied, and never pushed."""
    clinic.apply(
        {**CATALOG, "products": {**CATALOG["products"], "new": {"prices": {"once": {"amounts": {"usd": 5000}}}}}}
    )


def forbid(path: str) -> Callable[[Clinic], None]:
    return lambda clinic: clinic.fail_next("GET", path, 403, times=9)


def delete_endpoint(clinic: Clinic) -> None:
    clinic.app.gateway(clinic.environment).delete(f"/v1/webhook_endpoints/{clinic.endpoint()['id']}")


def disturb_customer(clinic: Clinic) -> None:
    """Something happens at Stripe, and nobody is there to hear it."""
    clinic.control("webhook-chaos", {"drop": 1.0}, method="PUT")
    customer = next(iter(clinic.app.gateway(clinic.environment).pages("/v1/customers")))
    clinic.post(f"/v1/customers/{customer['id']}", {"email": "new@example.com"})


def silence(clinic: Clinic) -> None:
    """No endpoint, so nothing is undelivered; and the last event came two days ago."""
    delete_endpoint(clinic)
    disturb_customer(clinic)
    write(clinic, stripe_events, received_at=wall_ms() - 48 * HOUR_MS)


def stop_worker(clinic: Clinic) -> None:
    clinic.skew_ms = 10 * 60_000


def lose_units(clinic: Clinic) -> None:
    increase(clinic.app, "test", USER, "tickets", 5)
    with clinic.app.work("test") as work:
        work.execute(item_grants.update().where(item_grants.c.live > 0).values(live=0, taken=item_grants.c.live))


def connected_account_without_charges(clinic: Clinic) -> None:
    made = clinic.post("/v1/accounts", {"type": "express", "country": "US"})
    connect(clinic, clinic.key, made["id"])


def overdue_session(clinic: Clinic) -> None:
    clinic.open_checkout("pack")
    clinic.advance("2d")


def setting(**values: Any) -> Callable[[Clinic], None]:
    return lambda clinic: clinic.set(**values)


ILLS: dict[str, tuple[str, Callable[[Clinic], None], str]] = {
    # case: the check, how it comes about, a word of what is said
    "no key": ("key", lambda c: write(c, environments, stripe_secret_key=None), "There is no Stripe key"),
    "a live key here": ("key", setting(stripe_secret_key="sk_live_1234567890"), "no key for mode test"),
    "a dead key": ("key", lambda c: c.fail_next("GET", "/v1/account", 401, times=9), "Stripe refuses the key"),
    "a key that may too little": ("key", forbid("/v1/disputes"), "may not read /v1/disputes"),
    "another account's key": ("account", another_key, "this environment knows"),
    "an account that may not charge": ("account", connected_account_without_charges, "disabled|wants to know"),
    "the sandbox's key at Stripe": (
        "api_base",
        lambda c: write(c, environments, provider="stripe"),
        "calls go to 127.0.0.1",
    ),
    "no endpoint": ("endpoint", delete_endpoint, "no endpoint of ours"),
    "a disabled endpoint": ("endpoint", lambda c: change_endpoint(c, disabled=True), "is disabled"),
    "an endpoint elsewhere": ("endpoint", lambda c: change_endpoint(c, url="https://old.example/x"), "and we are at"),
    "two endpoints": ("endpoint", twin_endpoint, "each event comes 2 times"),
    "too few event types": (
        "endpoint_events",
        lambda c: change_endpoint(c, enabled_events=["invoice.paid"]),
        "is not told of",
    ),
    "no secret": ("secret", lambda c: write(c, webhook_secrets, expires_at=1), "no webhook secret"),
    "another endpoint's secret": ("secret", refuse, "7 deliveries since"),
    "undelivered events": ("deliveries", disturb_customer, "could not be delivered"),
    "silence": ("deliveries", silence, "nothing has come since"),
    "a dead letter": ("inbox", lambda c: stray(c, status="failed", reason="dead_letter"), "1 events are dead letters"),
    "an event nobody takes up": (
        "inbox",
        lambda c: stray(c, status="pending", root="invoice in_1", next_attempt_at=1),
        "the oldest that is due",
    ),
    "an event of the other mode": ("mode", lambda c: stray(c, status="ignored", reason="wrong_mode"), "1 wrong_mode"),
    "an archived price": ("catalog", archive_price, "not active at Stripe"),
    "a product renamed there": ("catalog", rename_product, r'name is "Gold" there and ".*" here'),
    "a price Stripe does not have": ("catalog", new_price, "Stripe does not have new.once"),
    "unpaid and not canceled": (
        "billing_settings",
        lambda c: write(c, subscriptions, status="unpaid"),
        "1 subscriptions are unpaid",
    ),
    "a clock that is wrong": ("clock", lambda c: setattr(c, "skew_ms", HOUR_MS), r"3[56]\d\d s off"),
    "an overdue session": ("stuck", overdue_session, "Nobody comes for checkout_session"),
    "no secret of ours": (
        "settings",
        setting(secret=None, stripe_secret_key="sk_test_1"),
        "PAYWRIGHT_SECRET is not set",
    ),
    "a short secret": ("settings", setting(secret="short"), "5 characters"),
    "another secret than before": (
        "settings",
        setting(secret="another secret, which is long enough"),
        "the Stripe key",
    ),
    "no public address": ("settings", setting(public_url=None), "PAYWRIGHT_PUBLIC_URL is not set"),
    "no worker": ("worker", stop_worker, "last at work"),
    "units that nobody holds": ("ledger", lose_units, "user:u_1 tickets"),
}


@pytest.mark.parametrize("ill", ILLS)
def test_what_is_wrong_is_said_with_what_to_do(clinic: Clinic, ill: str) -> None:
    name, bring_about, says = ILLS[ill]
    bring_about(clinic)
    check = clinic.said()[name]
    assert check.ok is False, check
    assert re.search(says, check.says), check
    assert check.mend


def test_news_the_endpoint_is_not_told_is_not_missed(clinic: Clinic) -> None:
    write(clinic, stripe_events, received_at=wall_ms() - 48 * HOUR_MS)
    clinic.post("/v1/customers", {"email": "new@example.com"})
    assert clinic.said()["deliveries"].ok is True


def test_an_old_version_and_a_crowded_account_are_worth_knowing(clinic: Clinic) -> None:
    made = clinic.endpoint()
    clinic.app.gateway(clinic.environment).delete(f"/v1/webhook_endpoints/{made['id']}")
    wanted = {
        "url": made["url"],
        "enabled_events": ["*"],
        "metadata": made["metadata"],
        "api_version": "2025-08-27.basil",
    }
    clinic.post("/v1/webhook_endpoints", wanted)
    for number in range(14):
        clinic.post(
            "/v1/webhook_endpoints", {"url": f"https://other.example/{number}", "enabled_events": ["charge.failed"]}
        )
    found = clinic.said()
    assert (found["endpoint"].ok, found["endpoint_version"].ok) == (None, None)
    assert "15 of 16" in found["endpoint"].says
    assert "2025-08-27.basil" in found["endpoint_version"].says


def test_a_stripe_that_does_not_answer_is_unknown_and_not_wrong(clinic: Clinic) -> None:
    clinic.fail_next("GET", "*", "refuse", times=200)
    found = clinic.said()
    assert [name for name, check in found.items() if check.ok is False] == []
    assert {"key", "deliveries", "catalog"} <= {name for name, check in found.items() if check.ok is None}


def test_a_schema_that_is_behind_is_all_that_is_said(empty_database_url: str) -> None:
    app = App(Settings(database_url=empty_database_url))
    here = Environment("test", "test", "instant", False, "usd", Policy(), None, None, None, None)
    [check] = doctor.examine(app, here)
    assert (check.name, check.ok, check.mend) == ("database", False, "Run `paywright migrate`.")
    app.close()


def test_an_environment_without_stripe_is_examined_on_our_side_only(sqlite_url: str) -> None:
    shop = Shop(sqlite_url, CATALOG)
    assert [check.name for check in doctor.examine(shop.app, shop.environment)] == list(doctor.HERE)
    shop.close()
