"""One Stripe Customer per customer, whatever runs at once or answers late. Against the sandbox, through the official SDK."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from paywright.customers import queries
from paywright.customers.actions import ensure_stripe_customer, forget_missing, owner, remember
from paywright.customers.tables import stripe_customers
from paywright.environments.actions import StripeCredentials, connect_stripe
from paywright.kernel.model import Customer
from paywright.outbox.tables import events
from paywright.stripe.gateway import StripeUnknown
from paywright.stripe.model import NOT_OURS, OTHER_ENVIRONMENT, Outcome
from paywright_sandbox import Sandbox
from tests.harness.shop import Shop

USER = Customer("user", "u_1")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1) as running:
        yield running


@pytest.fixture
def shop(database_url: str, sandbox: Sandbox) -> Iterator[Shop]:
    account = httpx.post(
        f"{sandbox.url}/_sandbox/accounts", headers={"Authorization": f"Bearer {sandbox.secret_key}"}, json={}
    ).json()
    made = Shop(database_url, {"products": {}}, provider="sandbox")
    with made.app.work("test") as work:
        credentials = StripeCredentials(account["secret_key"], None, None, sandbox.url)
        assert connect_stripe(work, made.app.settings, credentials) is None
    environment = made.app.environment("test")
    assert environment is not None
    made.environment = environment
    yield made
    made.close()


def at_stripe(shop: Shop) -> list[dict[str, Any]]:
    return list(shop.app.gateway(shop.environment).pages("/v1/customers"))


def test_twenty_first_checkouts_at_once_make_one_stripe_customer(shop: Shop) -> None:
    found: list[str] = []
    start = threading.Barrier(20)

    def call() -> None:
        start.wait()
        found.append(ensure_stripe_customer(shop.app, shop.environment, USER, email="buyer@example.com"))

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    made = at_stripe(shop)
    assert [each["id"] for each in made] == list(set(found))
    assert made[0]["metadata"] == {"paywright_environment": "test", "paywright_customer": "user:u_1"}
    assert made[0]["email"] == "buyer@example.com"


def test_a_lost_answer_is_met_again_by_its_key(shop: Shop, sandbox: Sandbox) -> None:
    gateway = shop.app.gateway(shop.environment)
    lost = {"match": {"method": "POST", "path": "/v1/customers"}, "times": 3, "as": "drop_response"}
    key = gateway._credentials.secret_key
    httpx.post(
        f"{sandbox.url}/_sandbox/fail-next", headers={"Authorization": f"Bearer {key}"}, json=lost
    ).raise_for_status()
    with pytest.raises(StripeUnknown):
        ensure_stripe_customer(shop.app, shop.environment, USER)
    made = ensure_stripe_customer(shop.app, shop.environment, USER, email="later@example.com")
    assert [each["id"] for each in at_stripe(shop)] == [made]


def test_a_server_error_that_stripe_keeps_is_looked_behind(shop: Shop, sandbox: Sandbox) -> None:
    key = shop.app.gateway(shop.environment)._credentials.secret_key
    broken = {"match": {"method": "POST", "path": "/v1/customers"}, "times": 1, "as": 500}
    httpx.post(
        f"{sandbox.url}/_sandbox/fail-next", headers={"Authorization": f"Bearer {key}"}, json=broken
    ).raise_for_status()
    with pytest.raises(StripeUnknown):
        ensure_stripe_customer(shop.app, shop.environment, USER)
    made = ensure_stripe_customer(shop.app, shop.environment, USER)
    assert [each["id"] for each in at_stripe(shop)] == [made]


def test_a_key_that_is_too_old_is_looked_behind(shop: Shop) -> None:
    made = ensure_stripe_customer(shop.app, shop.environment, USER)
    with shop.app.work("test") as work:
        work.execute(stripe_customers.update().values(stripe_customer_id=None, requested_at=1))
    assert ensure_stripe_customer(shop.app, shop.environment, USER) == made
    assert len(at_stripe(shop)) == 1


def test_a_customer_that_is_gone_at_stripe_is_made_anew_once(shop: Shop) -> None:
    first = ensure_stripe_customer(shop.app, shop.environment, USER)
    with shop.app.work("test") as work:
        forget_missing(work, USER, first)
    second = ensure_stripe_customer(shop.app, shop.environment, USER)
    assert second != first
    assert ensure_stripe_customer(shop.app, shop.environment, USER) == second


def test_a_conflicting_mapping_keeps_the_older_one_and_tells_somebody(shop: Shop) -> None:
    other = Customer("user", "u_2")
    with shop.app.work("test") as work:
        remember(work, USER, "cus_1")
    with shop.app.work("test") as work:
        remember(work, other, "cus_1")
    with shop.app.database.read() as connection:
        assert queries.customer_of(connection, "test", "cus_1") == USER
        assert queries.stripe_customer_id(connection, "test", other) is None
        kinds = connection.execute(sa.select(events.c.type).where(events.c.type == "incident.opened")).scalars().all()
    assert kinds == ["incident.opened"]


@pytest.mark.parametrize(
    ("keys", "stripe_customer", "expected"),
    [
        ({"paywright_environment": "test", "paywright_customer": "team:t_1"}, "cus_9", Customer("team", "t_1")),
        ({"paywright_environment": "elsewhere", "paywright_customer": "user:u_1"}, "cus_known", OTHER_ENVIRONMENT),
        ({}, "cus_known", USER),
        ({}, "cus_unknown", NOT_OURS),
        ({}, None, NOT_OURS),
        ({"paywright_environment": "test"}, "cus_unknown", Outcome("unresolved", "unresolved", "cus_unknown")),
    ],
    ids=["metadata", "another environment", "mapping", "a stranger", "nobody", "ours, but whose"],
)
def test_whose_an_object_is(shop: Shop, keys: dict[str, str], stripe_customer: str | None, expected: object) -> None:
    with shop.app.work("test") as work:
        remember(work, USER, "cus_known")
    with shop.app.work("test") as work:
        assert owner(work, keys, stripe_customer) == expected
