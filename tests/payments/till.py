"""Fetched objects in, rows and events out."""

import json
from typing import Any

import sqlalchemy as sa

from paywright.engine.app import App
from paywright.environments import actions as environments
from paywright.kernel.model import Customer, Mode
from paywright.kernel.settings import Settings
from paywright.outbox.tables import events
from paywright.payments import actions as payments
from paywright.payments import queries
from paywright.payments.model import Payment
from paywright.stripe.fetches import next_fetch
from paywright.stripe.model import Fetched, Outcome
from tests.payments.objects import CREATED

USER = Customer("user", "u_1")
Lists = dict[str, list[dict[str, Any]]]


class Till:
    def __init__(self, database_url: str, *, mode: Mode = "test") -> None:
        settings = Settings(database_url=database_url, secret="a secret of tests only, long enough")
        self.app = App(settings, wall=lambda: CREATED * 1000)
        with self.app.work("test") as work:
            environments.create(work, mode=mode, provider="stripe")

    def fetched(
        self, stripe_object: dict[str, Any] | None, root: str = "payment_intent pi_1", lists: Lists | None = None
    ) -> Fetched:
        """As if the fetch began now."""
        with self.app.work("test") as work:
            number = next_fetch(work, root)
        return Fetched(root, number, stripe_object, lists or {})

    def hear(self, stripe_object: dict[str, Any], root: str = "payment_intent pi_1", **lists: Any) -> Outcome:
        return self.apply(self.fetched(stripe_object, root, lists))

    def apply(self, fetched: Fetched) -> Outcome:
        with self.app.work("test") as work:
            return payments.apply(work, fetched)

    def payments(self) -> list[Payment]:
        with self.app.database.read() as connection:
            return queries.page(connection, "test", limit=100)

    def payment(self) -> Payment:
        [only] = self.payments()
        return only

    def told(self) -> list[str]:
        """Types of the events so far, the states left out."""
        return [event_type for event_type, _ in self.events() if event_type != "customer.state_changed"]

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        with self.app.database.read() as connection:
            found = sa.select(events.c.type, events.c.data).order_by(events.c.sequence, events.c.id)
            return [(row.type, json.loads(row.data)) for row in connection.execute(found)]

    def close(self) -> None:
        self.app.close()
