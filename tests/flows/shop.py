"""
The stage of a story: a Stripe account with chaos in its deliveries, an environment of a real server process, and a client.

Everything passes over HTTP. Only the books are looked at from inside, when the story is over (`books.py`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from paywright.client import Client
from paywright.client.model import CheckoutSession
from paywright.kernel.model import Provider
from tests.flows import sandbox
from tests.flows.premises import Premises
from tests.flows.sandbox import CHAOS, PAYS, Account
from tests.flows.server import SettledDoor
from tests.harness.waiting import until

SUCCESS_URL = "https://app.example/thanks?session={CHECKOUT_SESSION_ID}"
CANCEL_URL = "https://app.example/prices"


class Shop:
    def __init__(
        self, premises: Premises, account: Account, environment_id: str, secret_key: str, webhook_secret: str
    ) -> None:
        self.premises, self.account, self.environment_id = premises, account, environment_id
        self.webhook_secret = webhook_secret
        self.server = premises.server
        # A clock that goes on for months takes its time.
        self.client = Client(self.server.url, secret_key, timeout_s=100)
        self.http = httpx.Client(
            base_url=self.server.url, headers={"Authorization": f"Bearer {secret_key}"}, timeout=40, verify=False
        )

    def checkout(
        self,
        user_id: str,
        product_id: str,
        *,
        price_id: str | None = None,
        quantity: int = 1,
        key: str | None = None,
        **asked: Any,
    ) -> CheckoutSession:
        line = {"product_id": product_id, "quantity": quantity, **({"price_id": price_id} if price_id else {})}
        return self.client.user(user_id).create_checkout_session(
            [line], success_url=SUCCESS_URL, cancel_url=CANCEL_URL, idempotency_key=key, **asked
        )

    def pay(self, session: CheckoutSession, card: str = PAYS, **buyer: Any) -> dict[str, Any]:
        """What the sandbox told the buyer. Deliveries are under way when this returns."""
        assert session.stripe.checkout_session_id is not None
        return self.account.pay(session.stripe.checkout_session_id, card, **buyer)

    def buy(self, user_id: str, product_id: str, card: str = PAYS, **asked: Any) -> CheckoutSession:
        """From the button to the settled purchase; the session as it then is."""
        session = self.checkout(user_id, product_id, **asked)
        self.pay(session, card)
        self.settle()
        return self.client.get_checkout_session(session.id)

    def settle(self) -> None:
        """Until everything is delivered, and everything delivered acted on. Acting may cause deliveries, so twice in a row."""
        for _ in range(2):
            self.account.deliveries_settled()
            until(self._has_settled, "the server to settle", timeout_s=60)

    def advance(self, by: str) -> None:
        self.account.advance(by)
        self.settle()

    def credits(self, user_id: str, item_id: str = "credits") -> int:
        return self.client.user(user_id).get_item(item_id).quantity

    def owned(self, user_id: str) -> dict[str | None, int]:
        """Quantity by product id, over all purchases."""
        total: dict[str | None, int] = {}
        for product in self.client.user(user_id).list_products():
            total[product.product_id] = total.get(product.product_id, 0) + product.quantity
        return total

    def event_types(self) -> list[str]:
        """Of every event told to the world, oldest first."""
        return [event.type for event in reversed(self.client.list_events(limit=100).data)]

    def _has_settled(self) -> bool:
        return self.http.get("/v1/environment/settled").status_code == 200


@contextmanager
def opened_shop(
    premises: Premises, sandbox_url: str, environment_id: str, *, chaos_seed: int, provider: Provider = "sandbox"
) -> Iterator[Shop]:
    """A fresh environment and a fresh Stripe account, chaos on."""
    with sandbox.account(sandbox_url) as account:
        secret_key = premises.found(environment_id, account, provider)
        door = SettledDoor(premises.server.url, secret_key)
        address = f"{premises.server.url}/webhooks/stripe/{environment_id}"
        webhook_secret = account.webhook(address, settle_url=door.url)
        premises.trust(environment_id, webhook_secret)
        account.chaos(**CHAOS, seed=chaos_seed)
        shop = Shop(premises, account, environment_id, secret_key, webhook_secret)
        try:
            yield shop
        finally:
            door.close()
            shop.client.close()
            shop.http.close()
