"""A shop at a sandbox account, with words for comparing it with Stripe."""

from typing import Any

import msgspec
import sqlalchemy as sa

from paywright.checkout import actions as checkout
from paywright.checkout.model import CheckoutSession
from paywright.healing import reconcile, reports
from paywright.healing.model import Difference, Reconciliation, Wish
from paywright.outbox.tables import events
from paywright.webhooks import actions as webhooks
from tests.subscriptions.terms import checkout_of, done
from tests.subscriptions.till import VISA, StripeShop

NO_ONE_LISTENS = "http://127.0.0.1:9/nobody"


class HealingShop(StripeShop):
    def listen(self) -> None:
        """From now on Stripe has an endpoint for its events. Nobody answers there."""
        self.post("/v1/webhook_endpoints", {"url": NO_ONE_LISTENS, "enabled_events": ["*"]})
        self.control("webhook-chaos", {"drop": 1.0}, method="PUT")

    def open_checkout(self, product_id: str) -> CheckoutSession:
        asked = checkout_of(product_id)
        return done(checkout.start(self.app, self.environment, asked))

    def pay(self, session: CheckoutSession, card: str = VISA) -> None:
        """The buyer pays, and we hear nothing of it."""
        self.control(f"checkout/{session.stripe_checkout_session_id}/pay", {"card": card})

    def pay_at(self, key: str, session: CheckoutSession) -> None:
        """The same at another account."""
        self.control(f"checkout/{session.stripe_checkout_session_id}/pay", {"card": VISA}, key)

    def reconcile(self, **wish: Any) -> tuple[Reconciliation, list[Difference]]:
        asked = done(reconcile.ask(self.app, self.environment, Wish(**wish), asked_by="cli"))
        over = reconcile.carry_on(self.app, self.environment, asked.id)
        assert isinstance(over, Reconciliation), over
        assert over.status == "finished", over
        return over, self.lines(over.id)

    def lines(self, reconciliation_id: str) -> list[Difference]:
        with self.app.database.read() as connection:
            return reports.lines_of(connection, "test", reconciliation_id, limit=1000)

    def hear_all(self) -> None:
        """What is in the inbox is acted on."""
        webhooks.process_due(self.app, "test")

    def corrupt(self, table: sa.Table, where: sa.ColumnElement[bool], **values: Any) -> None:
        with self.app.work("test") as work:
            assert work.execute(table.update().where(where).values(**values)).rowcount == 1

    def row(self, table: sa.Table, where: sa.ColumnElement[bool]) -> dict[str, Any]:
        with self.app.database.read() as connection:
            return dict(connection.execute(sa.select(*table.c).where(where)).mappings().one())

    def incidents(self) -> list[dict[str, Any]]:
        """What a person was told, oldest first."""
        told = sa.select(events.c.data).where(events.c.type == "incident.opened").order_by(events.c.id)
        with self.app.database.read() as connection:
            return [msgspec.json.decode(row.data) for row in connection.execute(told)]
