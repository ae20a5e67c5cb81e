"""
What is done while the process dies, by somebody who asks again, with the same keys, until they are answered.

Each deed may be begun anew at any point of itself. `hear` is Stripe's part: it delivers everything it has to tell, again and again.
"""

import json
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
from sqlalchemy import event

from paywright import worker
from paywright.checkout import actions as checkout
from paywright.checkout.model import CheckoutSession
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.settings import Settings
from paywright.ownership import queries as ownership_queries
from paywright.payments import queries as payment_queries
from paywright.payments import refunding
from paywright.payments.model import AskedRefund
from paywright.storage.idempotency import IdempotencyKey, idempotency_key
from paywright.subscriptions import switching
from paywright.subscriptions.switch_rules import AskedSwitch
from paywright.webhooks import actions as webhooks
from paywright.webhooks.door import Delivery, store
from paywright.webhooks.mirror import arrival
from paywright.webhooks.rules import why_ignored
from tests.subscriptions.terms import USER as USER
from tests.subscriptions.terms import checkout_of

SECRET = "a secret of tests only, long enough"
VISA = "4242424242424242"
TURNS_MAX = 50

JOBS = (
    worker.process_inbox,
    worker.tidy_inbox,
    worker.carry_out_commands,
    worker.recover_checkouts,
    worker.recover_changes,
    worker.recover_refunds,
    worker.settle_customers,
)


class Till(msgspec.Struct, frozen=True):
    """Where it happens. What the dead one held is free at once."""

    database_url: str
    sandbox_url: str
    stripe_key: str

    def opened(self) -> App:
        impatient = Settings(
            database_url=self.database_url, secret=SECRET, claim_timeout_s=0, recovery_after_s=0, environment="test"
        )
        app = App(impatient)
        if app.database.dialect == "sqlite":
            event.listen(app.database.engine, "connect", without_waiting_for_the_disk)
        app.at_commit.append(webhooks.wake_newly_mapped)
        return app


def without_waiting_for_the_disk(connection: Any, _record: Any) -> None:
    """The process is killed here, not the machine: what it has written is there."""
    connection.execute("PRAGMA synchronous=OFF")


class Shopper:
    """One try at a deed, in one life of the process."""

    def __init__(self, till: Till, app: App) -> None:
        self.till, self.app = till, app
        headers = {"Authorization": f"Bearer {till.stripe_key}"}
        self._http = httpx.Client(base_url=till.sandbox_url, headers=headers, timeout=60, verify=False)

    @property
    def environment(self) -> Environment:
        found = self.app.environment("test")
        assert found is not None
        return found

    def stripe(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        answer = self._http.request(method, path, json=body or None)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def hear(self) -> None:
        """Everything Stripe has to tell is stored and acted on, and what that asks for is done."""
        for _ in range(TURNS_MAX):
            told = self.stripe("GET", "/v1/events?limit=100")["data"]
            with self.app.work("test") as work:
                store(work, [self._delivery(event) for event in reversed(told)])
            if not sum(job(self.app, self.environment) for job in JOBS):
                return
        raise AssertionError("there is always something left to do")

    def _delivery(self, event: dict[str, Any]) -> Delivery:
        body = json.dumps(event).encode()
        arrived = arrival(body)
        assert arrived is not None
        return Delivery("test", arrived, why_ignored(arrived, self.environment), body, self.app.wall())

    def owns(self, product_id: str) -> bool:
        with self.app.database.read() as connection:
            live = ownership_queries.live(connection, "test", USER, self.app.now("test"))
        return any(each.product_id == product_id for each in live)


def key(name: str) -> IdempotencyKey:
    return idempotency_key("secret", name, method="POST", path="/", body=b"{}")


def buy(shopper: Shopper, product_id: str) -> None:
    asked = checkout_of(product_id)
    session = checkout.start(shopper.app, shopper.environment, asked, key=key("buy"))
    assert isinstance(session, CheckoutSession), session
    at_stripe = shopper.stripe("GET", f"/v1/checkout/sessions/{session.stripe_checkout_session_id}")
    if at_stripe["status"] == "open":
        shopper.stripe("POST", f"/_sandbox/checkout/{session.stripe_checkout_session_id}/pay", card=VISA)
    synced = checkout.sync(shopper.app, shopper.environment, session.id)
    assert isinstance(synced, CheckoutSession), synced
    assert synced.payment_status == "paid"
    shopper.hear()


def buy_pack(shopper: Shopper) -> None:
    buy(shopper, "pack")


def buy_basic(shopper: Shopper) -> None:
    buy(shopper, "basic")


def renew(shopper: Shopper) -> None:
    """A month is over; all of it is Stripe's news."""
    shopper.hear()


def switch_up(shopper: Shopper) -> None:
    """Without a key: only what is owned tells that it was done."""
    if not shopper.owns("pro"):
        wish = AskedSwitch("basic", "pro")
        switched = switching.switch(shopper.app, shopper.environment, USER, wish, with_secret_key=True)
        # A repeat may find the switch done by its own look at Stripe, and say that nothing is left to switch from. With a key: `test_repeats.py`.
        assert getattr(switched, "code", None) in (None, "not_owned"), switched
        assert shopper.owns("pro")
    shopper.hear()


def refund(shopper: Shopper) -> None:
    with shopper.app.database.read() as connection:
        [payment] = payment_queries.page(connection, "test", limit=10)
    made = refunding.refund(shopper.app, shopper.environment, AskedRefund(payment.id, amount=400), key=key("refund"))
    assert getattr(made, "code", None) is None, made
    shopper.hear()


DEEDS: dict[str, Callable[[Shopper], None]] = {
    each.__name__: each for each in (buy_pack, buy_basic, renew, switch_up, refund)
}
