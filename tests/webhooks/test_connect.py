"""Connected accounts: whose an event is on a platform's shared endpoint, what the account may do, and the end of it. On both databases."""

import json
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from stripe import WebhookSignature

from paywright.engine.app import NotConnected
from paywright.environments import actions as environments
from paywright.environments.accounts import AccountStanding, standing
from paywright.environments.actions import StripeCredentials
from paywright.environments.model import Environment
from paywright.environments.tables import environments as rows
from paywright.webhooks import actions
from paywright.webhooks.door import receive
from paywright.webhooks.endpoint import set_up
from paywright.webhooks.model import Received
from paywright.webhooks.tables import stripe_events
from paywright_sandbox import Sandbox
from tests.flows.sandbox import ANY_KEY, Account
from tests.webhooks.deliveries import SECRET, event
from tests.webhooks.mill import Mill


class Platform:
    """The environment `test` is the platform's own; `shop` works in an account connected to it."""

    def __init__(self, mill: Mill) -> None:
        self.mill = mill
        made = mill.post("/v1/accounts", type="express", country="DE")
        self.account = str(made["id"])
        self.connect("shop", self.account)

    def connect(self, environment_id: str, account: str, *, key: str | None = None, mode: Any = "test") -> None:
        mill = self.mill
        credentials = StripeCredentials(
            key or mill.account.secret_key, mill.account.publishable_key, account, mill.account.url
        )
        with mill.app.work(environment_id) as work:
            provider: Any = "sandbox" if mode == "test" else "stripe"
            environments.create(work, mode=mode, provider=provider)
            assert environments.connect_stripe(work, mill.app.settings, credentials) is None

    @property
    def shop(self) -> Environment:
        found = self.mill.app.environment("shop")
        assert found is not None
        return found

    def deliver(self, happened: dict[str, Any], *, to: str = "test") -> None:
        body = json.dumps(happened)
        header = WebhookSignature.generate_signature_header(body, SECRET, self.mill.wall() // 1000)
        assert receive(self.mill.app, to, body.encode(), header) == Received()

    def stored(self) -> list[tuple[str, str, str | None]]:
        with self.mill.app.database.read() as connection:
            columns = (stripe_events.c.environment_id, stripe_events.c.status, stripe_events.c.reason)
            found = sa.select(*columns).order_by(stripe_events.c.environment_id, stripe_events.c.id)
            return [tuple(row) for row in connection.execute(found)]

    def standing(self) -> AccountStanding:
        with self.mill.app.database.read() as connection:
            return standing(connection, "shop")


@pytest.fixture
def stripe_account(sandbox: Sandbox, request: pytest.FixtureRequest) -> Account:
    """An account connected to it is known to the whole sandbox, so each test needs ids of its own."""
    made = httpx.post(f"{sandbox.url}/_sandbox/accounts", json={"seed": request.node.name}, headers=ANY_KEY).json()
    return Account(sandbox.url, made["secret_key"], made["publishable_key"])


@pytest.fixture
def platform(mill: Mill) -> Platform:
    return Platform(mill)


def test_every_call_of_a_connected_environment_goes_into_its_account(platform: Platform) -> None:
    gateway = platform.mill.app.gateway(platform.shop)
    made = gateway.post("/v1/customers", {"name": "Theirs"}, idempotency_key="k")
    assert [each["id"] for each in gateway.pages("/v1/customers")] == [made["id"]]
    assert platform.mill.account.every("/v1/customers") == []


def test_an_account_of_another_environment_is_stored_there(platform: Platform) -> None:
    paid = event("payment_intent.succeeded", {"id": "pi_1", "object": "payment_intent"}, account=platform.account)
    for _ in range(2):
        platform.deliver(paid)
    assert platform.stored() == [("shop", "pending", None)]


def test_a_thin_event_names_its_account_by_context(platform: Platform) -> None:
    thin = {
        "id": "evt_thin",
        "object": "v2.core.event",
        "type": "v1.invoice.paid",
        "livemode": False,
        "context": f"org_1/{platform.account}",
        "related_object": {"id": "in_1", "type": "invoice"},
    }
    platform.deliver(thin)
    assert platform.stored() == [("shop", "pending", None)]


def test_a_test_event_at_a_live_platforms_endpoint_goes_to_the_test_environment(platform: Platform) -> None:
    platform.connect("live", "acct_other", key="sk_live_platform", mode="live")
    with platform.mill.app.work("live") as work:
        environments.add_webhook_secret(work, platform.mill.app.settings, SECRET)
        work.execute(
            sa.update(rows).where(rows.c.environment_id.in_(("live", "shop"))).values(stripe_account_id="acct_p")
        )
    platform.deliver(event("invoice.paid", {"id": "in_1"}, account=platform.account), to="live")
    assert platform.stored() == [("shop", "pending", None)]


@pytest.mark.parametrize("whose", ["nobody's", "another platform's", "in the other mode"])
def test_an_account_that_is_not_of_this_platform_is_ignored(platform: Platform, whose: str) -> None:
    account, livemode = "acct_stranger", whose == "in the other mode"
    if whose == "another platform's":
        platform.connect("stranger", account, key="sk_test_of_another_platform")
    if livemode:
        platform.connect("stranger", account)
    platform.deliver(event("invoice.paid", {"id": "in_1"}, account=account, livemode=livemode))
    assert platform.stored() == [("test", "ignored", "wrong_mode" if livemode else "wrong_account")]


def test_the_platforms_own_events_do_not_reach_a_connected_environment(platform: Platform) -> None:
    with platform.mill.app.work("shop") as work:
        environments.add_webhook_secret(work, platform.mill.app.settings, SECRET)
    platform.deliver(event("invoice.paid", {"id": "in_1"}), to="shop")
    assert platform.stored() == [("shop", "ignored", "wrong_account")]


def test_what_the_account_may_do_is_known(platform: Platform) -> None:
    assert platform.standing() == AccountStanding(None, None, [], None)
    changed = event("account.updated", {"id": platform.account, "object": "account"}, account=platform.account)
    platform.deliver(changed)
    assert actions.process_due(platform.mill.app, "shop") == 1
    found = platform.standing()
    assert (found.charges_enabled, found.payouts_enabled, found.disconnected_at) == (False, False, None)
    assert found.requirements_due != []


def test_our_own_account_is_asked_for_as_whose_key_it_is(mill: Mill) -> None:
    own = mill.account.get("/v1/account")
    mill.deliver([event("account.updated", {"id": own["id"], "object": "account"})])
    assert mill.work() == 1
    assert mill.states() == {("processed", None)}
    with mill.app.database.read() as connection:
        assert standing(connection, "test").charges_enabled == own["charges_enabled"]


def removed(platform: Platform) -> dict[str, Any]:
    application = {"id": "ca_1", "object": "application", "name": None}
    return event("account.application.deauthorized", application, event_id="evt_removed", account=platform.account)


def test_an_owner_who_removes_us_disconnects_until_we_are_connected_again(platform: Platform) -> None:
    platform.mill.app.gateway(platform.mill.environment).delete(f"/v1/accounts/{platform.account}")
    platform.deliver(removed(platform))
    assert actions.process_due(platform.mill.app, "shop") == 1
    assert platform.stored() == [("shop", "processed", None)]
    assert platform.standing().disconnected_at is not None
    with pytest.raises(NotConnected):
        platform.mill.app.gateway(platform.shop)
    with platform.mill.app.work("shop") as work:
        assert actions.replay(work, "evt_removed", platform.mill.wall())
    assert actions.process_due(platform.mill.app, "shop") == 1  # Heard again, it changes nothing.
    platform.connect("shop", platform.account)
    assert platform.standing().disconnected_at is None
    platform.mill.app.gateway(platform.shop)


def test_a_removal_that_was_taken_back_meanwhile_disconnects_nothing(platform: Platform) -> None:
    platform.deliver(removed(platform))
    assert actions.process_due(platform.mill.app, "shop") == 1
    assert platform.stored() == [("shop", "processed", None)]
    assert platform.standing().disconnected_at is None


def test_a_connected_environments_endpoint_is_the_platforms_and_hears_of_accounts(platform: Platform) -> None:
    made = set_up(platform.mill.app, platform.shop, public_url="http://127.0.0.1:1")
    [found] = platform.mill.account.every("/v1/webhook_endpoints")
    assert (made.id, found["metadata"]) == (found["id"], {"paywright_environment": "shop"})  # type: ignore[union-attr]
