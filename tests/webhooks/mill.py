"""Deliveries at the door and the inbox at work, step by step, against an account of the sandbox. The test holds the wall clock."""

import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from stripe import WebhookSignature

from paywright.engine.app import App
from paywright.environments import actions as environments
from paywright.environments.actions import StripeCredentials
from paywright.environments.model import Environment
from paywright.kernel.settings import Settings
from paywright.outbox.tables import events
from paywright.payments import queries as payment_queries
from paywright.payments.model import Payment
from paywright.webhooks import actions, queries
from paywright.webhooks.door import receive
from paywright.webhooks.model import Received, StripeEvent
from tests.flows.sandbox import Account
from tests.webhooks.deliveries import SECRET, Wall

OURS = {"paywright_environment": "test", "paywright_customer": "user:u_1"}


class Mill:
    def __init__(self, database_url: str, account: Account, wall: Wall) -> None:
        self.account, self.wall = account, wall
        self.app = App(Settings(database_url=database_url, secret="a secret of tests only, long enough"), wall=wall)
        self.app.at_commit.append(actions.wake_newly_mapped)
        with self.app.work("test") as work:
            environments.create(work, mode="test", provider="sandbox")
            environments.add_webhook_secret(work, self.app.settings, SECRET)
            credentials = StripeCredentials(account.secret_key, account.publishable_key, None, account.url)
            assert environments.connect_stripe(work, self.app.settings, credentials) is None
        self._posts = 0

    @property
    def environment(self) -> Environment:
        found = self.app.environment("test")
        assert found is not None
        return found

    def post(self, path: str, **params: Any) -> dict[str, Any]:
        """What the app, or a person in Stripe's dashboard, does at Stripe."""
        self._posts += 1
        return self.app.gateway(self.environment).post(path, params, idempotency_key=f"test {self._posts}")

    def pay(self, amount: int = 1999, **params: Any) -> str:
        """An intent of ours, paid with a good card; its id."""
        how = {"payment_method": "pm_card_visa", "confirm": True, "metadata": OURS} | params
        asked = {"amount": amount, "currency": "usd", "return_url": "https://app.example/", **how}
        return str(self.post("/v1/payment_intents", **asked)["id"])

    def subscribe(self) -> dict[str, Any]:
        """Monthly, 19.99, paid by a saved card: the subscription as it was made."""
        customer = self.post("/v1/customers", email="x@example.com", metadata=OURS)["id"]
        card = self.post("/v1/payment_methods/pm_card_visa/attach", customer=customer)["id"]
        self.post(f"/v1/customers/{customer}", invoice_settings={"default_payment_method": card})
        product = self.post("/v1/products", name="Pro")["id"]
        monthly = {"unit_amount": 1999, "currency": "usd", "recurring": {"interval": "month"}}
        price = self.post("/v1/prices", product=product, **monthly)["id"]
        items = [{"price": price, "quantity": 1}]
        return self.post("/v1/subscriptions", customer=customer, items=items, metadata=OURS)

    def happened(self, *types: str) -> list[dict[str, Any]]:
        """The account's events, oldest first; all, or of these types."""
        found = reversed(self.account.every("/v1/events"))
        return [event for event in found if not types or event["type"] in types]

    def deliver(self, happened: Iterable[dict[str, Any]]) -> None:
        for event in happened:
            body = json.dumps(event)
            header = WebhookSignature.generate_signature_header(body, SECRET, self.wall.ms // 1000)
            assert receive(self.app, "test", body.encode(), header) == Received()

    def work(self) -> int:
        return actions.process_due(self.app, "test")

    def inbox(self) -> dict[str, StripeEvent]:
        with self.app.database.read() as connection:
            rows = queries.page(connection, "test", limit=500)
        return {row.id: queries.shown(row) for row in rows}

    def states(self) -> set[tuple[str, str | None]]:
        """Status and reason of every row."""
        return {(row.status, row.reason) for row in self.inbox().values()}

    def only(self) -> StripeEvent:
        [row] = self.inbox().values()
        return row

    def payments(self) -> list[Payment]:
        with self.app.database.read() as connection:
            return payment_queries.page(connection, "test", limit=100)

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        """Events to the world, oldest first, the states left out."""
        with self.app.database.read() as connection:
            found = sa.select(events.c.type, events.c.data).order_by(events.c.id)
            rows = connection.execute(found.where(events.c.type != "customer.state_changed")).all()
        return [(row.type, json.loads(row.data)) for row in rows]

    def told_types(self) -> list[str]:
        return [event_type for event_type, _ in self.told()]

    def fetches(self, path: str) -> int:
        return len(self.account.requests("GET", path))

    def close(self) -> None:
        self.app.close()
