"""A shop in one process: an App on a database, an environment with a catalog, and a clock the test holds."""

from typing import Any

import sqlalchemy as sa

from paywright.catalog.actions import Applied
from paywright.catalog.actions import apply as apply_catalog
from paywright.engine.app import App
from paywright.environments import actions as environments
from paywright.environments.model import Environment
from paywright.kernel.instants import parse_instant
from paywright.kernel.model import Customer, Provider
from paywright.kernel.refusals import Refusal
from paywright.kernel.settings import Settings
from paywright.ledger import queries as ledger_queries
from paywright.outbox.actions import lock_customers
from paywright.outbox.tables import events
from paywright.ownership import actions as ownership
from paywright.ownership import queries as ownership_queries
from paywright.ownership.model import AskedLine, OwnedProduct

SECRET = "a secret of tests only, long enough"


class Shop:
    """`at("2026-01-31T00:00:00Z")` sets the clock; it is the wall clock of the App, so nothing here depends on the real one."""

    def __init__(self, database_url: str, catalog: dict[str, Any], *, provider: Provider = "instant") -> None:
        self.instant = instant("2026-01-01T00:00:00Z")
        self.app = App(Settings(database_url=database_url, secret=SECRET), wall=lambda: self.instant)
        with self.app.work("test") as work:
            made = environments.create(work, mode="test", provider=provider)
            assert isinstance(made, Environment)
            self.environment = made
        self.apply(catalog)

    def apply(self, catalog: dict[str, Any]) -> None:
        with self.app.work("test") as work:
            applied = apply_catalog(work, catalog, is_in_use=lambda *_: False)
            assert isinstance(applied, Applied), applied

    def at(self, when: str) -> None:
        self.instant = instant(when)

    def grant(
        self, customer: Customer, product_id: str, price_id: str | None = None, quantity: int = 1
    ) -> OwnedProduct | Refusal:
        with self.app.work("test") as work:
            line = AskedLine(product_id=product_id, price_id=price_id, quantity=quantity)
            return ownership.grant(work, self.environment, customer, line)

    def owned(self, customer: Customer) -> list[OwnedProduct]:
        """Live ones, newest first, as a read sees them: nothing is settled."""
        with self.app.database.read() as connection:
            return ownership_queries.live(connection, "test", customer, self.app.now("test"))

    def units(self, customer: Customer, item_id: str = "credits") -> int:
        """What can be spent now, as a read sees it."""
        with self.app.database.read() as connection:
            return ledger_queries.item_state(connection, "test", customer, item_id, self.app.now("test")).quantity

    def settle(self, customer: Customer) -> None:
        with self.app.work("test") as work:
            lock_customers(work, [customer])
            ownership.settle(work, self.environment, customer)

    def events(self, customer: Customer) -> list[tuple[int, str]]:
        """Sequence and type, in order; ledger entries are not among them."""
        with self.app.database.read() as connection:
            statement = sa.select(events.c.sequence, events.c.type).where(events.c.customer == customer.key)
            return [(row.sequence, row.type) for row in connection.execute(statement.order_by(events.c.sequence))]

    def close(self) -> None:
        self.app.close()


def instant(written: str) -> int:
    found = parse_instant(written)
    assert found is not None, written
    return found
