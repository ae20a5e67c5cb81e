"""A purchase against the sandbox, through the official SDK; what webhooks would bring is asked for by `sync`. On both databases."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from paywright.checkout import actions as checkout
from paywright.checkout import opening, queries
from paywright.checkout.model import CheckoutSession, StartCheckout
from paywright.checkout.tables import checkout_sessions
from paywright.environments.actions import StripeCredentials, connect_stripe
from paywright.kernel.ids import wall_ms
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ownership import actions as ownership
from paywright.ownership.model import AskedLine
from paywright.storage.idempotency import idempotency_key
from paywright.stripe.gateway import StripeUnknown
from paywright_sandbox import Sandbox
from tests.harness.shop import Shop

CATALOG: dict[str, Any] = {
    "items": {"credits": {}},
    "product_lines": {"plan": {}},
    "products": {
        "basic": {"product_line": "plan", "prices": {"monthly": {"amounts": {"usd": 1000}, "interval": "1 month"}}},
        "pro": {
            "product_line": "plan",
            "prices": {"monthly": {"amounts": {"usd": 2000, "jpy": 3000}, "interval": "1 month"}},
            "included_items": {"credits": {"quantity": 50, "repeat": "1 month"}},
        },
        "pack": {
            "stackable": True,
            "prices": {"once": {"amounts": {"usd": 1000, "jpy": 1500}}},
            "included_items": {"credits": {"quantity": 100, "expires": "never"}},
        },
        "lifetime": {"prices": {"once": {"amounts": {"usd": 9900}}}},
    },
}
USER = Customer("user", "u_1")


class StripeShop(Shop):
    """A shop whose money moves at a sandbox account of its own."""

    def __init__(self, database_url: str, sandbox: Sandbox) -> None:
        super().__init__(database_url, CATALOG, provider="sandbox")
        self.sandbox_url = sandbox.url
        made = self.control("accounts", {}, sandbox.secret_key)
        self.key = made["secret_key"]
        with self.app.work("test") as work:
            credentials = StripeCredentials(self.key, made["publishable_key"], None, sandbox.url)
            assert connect_stripe(work, self.app.settings, credentials) is None
        connected = self.app.environment("test")
        assert connected is not None
        self.environment = connected

    def control(self, path: str, body: dict[str, Any], key: str | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {key or self.key}"}
        answer = httpx.post(f"{self.sandbox_url}/_sandbox/{path}", json=body, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()  # type: ignore[no-any-return]

    def start(self, product_id: str, *, key: str | None = None, **changes: Any) -> CheckoutSession | Refusal:
        values: dict[str, Any] = {
            "customer": USER,
            "lines": (AskedLine(product_id=product_id),),
            "success_url": "https://app.test/ok?session={CHECKOUT_SESSION_ID}",
            "cancel_url": "https://app.test/no",
            "with_secret_key": True,
        }
        asked = StartCheckout(**{**values, **changes})
        under = None if key is None else idempotency_key("secret", key, method="POST", path="/", body=b"{}")
        return checkout.start(self.app, self.environment, asked, key=under)

    def opened(self, product_id: str, **changes: Any) -> CheckoutSession:
        outcome = self.start(product_id, **changes)
        assert isinstance(outcome, CheckoutSession), outcome
        assert (outcome.status, outcome.payment_status) == ("open", "unpaid")
        return outcome

    def pay(self, session: CheckoutSession, **how: Any) -> None:
        self.control(f"checkout/{session.stripe_checkout_session_id}/pay", {"card": "4242424242424242", **how})

    def sync(self, session: CheckoutSession) -> CheckoutSession:
        outcome = checkout.sync(self.app, self.environment, session.id)
        assert isinstance(outcome, CheckoutSession), outcome
        return outcome

    def at_stripe(self, path: str) -> list[dict[str, Any]]:
        return list(self.app.gateway(self.environment).pages(path))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1) as running:
        yield running


@pytest.fixture
def shop(database_url: str, sandbox: Sandbox) -> Iterator[StripeShop]:
    made = StripeShop(database_url, sandbox)
    yield made
    made.close()


def test_a_pack_is_paid_and_granted_once(shop: StripeShop) -> None:
    session = shop.opened("pack", lines=(AskedLine(product_id="pack", quantity=2),))
    assert shop.sync(session).status == "open"
    assert shop.units(USER) == 0
    shop.pay(session)
    for _ in range(3):
        paid = shop.sync(session)
    assert (paid.status, paid.payment_status, paid.url) == ("completed", "paid", None)
    assert shop.units(USER) == 200
    assert [each.quantity for each in shop.owned(USER)] == [2]
    told = [kind for _, kind in shop.events(USER)]
    assert [told.count(kind) for kind in ("checkout.completed", "payment.paid", "product.granted")] == [1, 1, 1]


def test_the_success_page_may_name_a_session_by_stripes_id(shop: StripeShop) -> None:
    session = shop.opened("pack")
    shop.pay(session)
    synced = checkout.sync(shop.app, shop.environment, str(session.stripe_checkout_session_id))
    assert isinstance(synced, CheckoutSession)
    assert (synced.id, synced.status) == (session.id, "completed")


def test_a_subscription_is_owned_when_its_first_invoice_is_paid(shop: StripeShop) -> None:
    session = shop.opened("pro")
    shop.pay(session)
    assert shop.sync(session).stripe_subscription_id is not None
    (owned,) = shop.owned(USER)
    assert (owned.product_id, owned.source, owned.is_stripe_backed) == ("pro", "checkout", True)
    assert owned.subscription is not None
    assert owned.subscription.status == "active"
    assert shop.units(USER) == 50
    refusal = shop.start("basic")
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.facts) == ("switch_required", {"from_product_id": "pro"})


def test_yen_have_no_decimals(shop: StripeShop) -> None:
    session = shop.opened("pack", currency="jpy")
    shop.pay(session)
    shop.sync(session)
    (intent,) = shop.at_stripe("/v1/payment_intents")
    assert (intent["amount_received"], intent["currency"]) == (1500, "jpy")
    assert shop.units(USER) == 100


def test_K1_twenty_equal_requests_make_one_session_at_stripe(shop: StripeShop) -> None:
    found: list[CheckoutSession | Refusal] = []
    start = threading.Barrier(20)

    def call() -> None:
        start.wait()
        found.append(shop.start("pack", key="k"))

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    urls = {each.url for each in found if isinstance(each, CheckoutSession)}
    assert len(found) == 20
    assert len(urls) == 1
    assert len(shop.at_stripe("/v1/checkout/sessions")) == 1
    assert len(shop.at_stripe("/v1/customers")) == 1


def test_the_same_purchase_comes_back_and_another_one_replaces_it(shop: StripeShop) -> None:
    first = shop.opened("pro")
    assert shop.opened("pro").id == first.id
    second = shop.opened("basic")
    assert second.id != first.id
    assert shop.sync(first).status == "expired"
    statuses = sorted(each["status"] for each in shop.at_stripe("/v1/checkout/sessions"))
    assert statuses == ["expired", "open"]


def test_K4_a_key_whose_session_expired_is_renewed(shop: StripeShop) -> None:
    first = shop.opened("pack", key="k")
    expired = checkout.expire(shop.app, shop.environment, first.id)
    assert isinstance(expired, CheckoutSession)
    assert expired.status == "expired"
    again = shop.opened("pack", key="k")
    assert again.renews == first.id
    assert shop.opened("pack", key="k").id == again.id


def test_a_lost_answer_is_met_again_and_makes_no_second_session(shop: StripeShop) -> None:
    shop.opened("lifetime")
    lost = {"match": {"method": "POST", "path": "/v1/checkout/sessions"}, "times": 3, "as": "drop_response"}
    shop.control("fail-next", lost)
    with pytest.raises(StripeUnknown):
        shop.start("pack", key="k")
    session = shop.opened("pack", key="k")
    assert len(shop.at_stripe("/v1/checkout/sessions")) == 2
    shop.pay(session)
    shop.sync(session)
    assert shop.units(USER) == 100


def test_an_attempt_nobody_repeats_is_opened_by_the_worker(shop: StripeShop) -> None:
    shop.control("fail-next", {"match": {"method": "POST", "path": "/v1/checkout/sessions"}, "times": 1, "as": 500})
    with pytest.raises(StripeUnknown):
        shop.start("pack")
    with shop.app.database.read() as connection:
        ((environment_id, session_id),) = queries.unanswered(connection, attempted_before=wall_ms() + 1)
    assert environment_id == "test"
    opening.recover(shop.app, shop.environment, session_id)
    with shop.app.database.read() as connection:
        recovered = queries.session(connection, "test", session_id)
    assert recovered is not None
    assert recovered.status == "open"


def test_an_attempt_older_than_its_key_is_looked_for_first(shop: StripeShop) -> None:
    session = shop.opened("pack", key="k")
    with shop.app.work("test") as work:
        forgotten = {"status": "initialized", "stripe_checkout_session_id": None, "url": None, "requested_at": 1}
        work.execute(checkout_sessions.update().values(**forgotten))
    assert shop.opened("pack", key="k").stripe_checkout_session_id == session.stripe_checkout_session_id
    assert len(shop.at_stripe("/v1/checkout/sessions")) == 1


def test_two_paid_checkouts_of_one_line_leave_one_winner_and_a_refund(shop: StripeShop) -> None:
    first = shop.opened("pro")
    other = Customer("user", "u_2")
    shop.pay(first)
    with shop.app.work("test") as work:
        granted = ownership.grant(work, shop.environment, USER, AskedLine(product_id="pro"))
        assert not isinstance(granted, Refusal)
    shop.sync(first)
    assert [each.source for each in shop.owned(USER)] == ["grant"]
    assert shop.owned(other) == []
    told = [kind for _, kind in shop.events(USER)]
    assert told.count("incident.opened") == 1
