"""A ledger on a real database with a clock we hold, and a customer `user:u_1` who is always meant when nobody is named."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from paywright.engine.app import App
from paywright.kernel.model import Customer
from paywright.kernel.settings import Settings
from paywright.ledger import actions, queries
from paywright.ledger.model import ItemState
from paywright.ledger.verify import verify
from paywright.outbox.actions import lock_customers
from paywright.outbox.tables import events
from paywright.storage.work import Work

ENVIRONMENT = "test"
U1 = Customer("user", "u_1")
ITEM = "credits"


class Clock:
    """Business time in these tests: their environment has no row, so it lives in the App's wall clock."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


class Ledger:
    def __init__(self, database_url: str) -> None:
        self.clock = Clock(1_000_000)
        self.database_url = database_url
        self.app = App(Settings(database_url=database_url), wall=self.clock)

    def at(self, now: int) -> "Ledger":
        self.clock.now = now
        return self

    @contextmanager
    def work(self, *customers: Customer) -> Iterator[Work]:
        with self.app.work(ENVIRONMENT) as work:
            lock_customers(work, customers or (U1,))
            yield work

    def do(self, action: Callable[..., Any], *arguments: Any, customer: Customer = U1, **named: Any) -> Any:
        """One action in a work of its own: `do(actions.set_end, "own_a", 5)`."""
        with self.work(customer) as work:
            return action(work, customer, *arguments, **named)

    def grant(self, quantity: int, **named: Any) -> Any:
        return self.do(actions.grant, ITEM, quantity, **{"source": None, **named})

    def read(self, item_id: str = ITEM, customer: Customer = U1) -> ItemState:
        with self.app.database.read() as connection:
            return queries.item_state(connection, ENVIRONMENT, customer, item_id, self.app.now(ENVIRONMENT))

    def shown(self, item_id: str = ITEM, customer: Customer = U1) -> tuple[int, int]:
        """(quantity, held)"""
        state = self.read(item_id, customer)
        return state.quantity, state.held

    def entries(self, item_id: str = ITEM, customer: Customer = U1) -> list[tuple[str, int, int]]:
        """(kind, quantity, delta), oldest first."""
        with self.app.database.read() as connection:
            found = queries.entries(connection, ENVIRONMENT, customer, item_id, limit=1000)
        return [(entry.kind, entry.quantity, entry.delta) for entry in reversed(found)]

    def events(self, customer: Customer = U1) -> list[tuple[int, str]]:
        """(sequence, type) of everything told about the customer, entries included."""
        with self.app.database.read() as connection:
            told = sa.select(events.c.sequence, events.c.type).where(events.c.customer == customer.key)
            rows = [(row.sequence, row.type) for row in connection.execute(told)]
            entered = queries.entries_since(connection, ENVIRONMENT, customer, 0, limit=10_000)
        return sorted(rows + [(entry.sequence, "item.balance_changed") for entry in entered])

    def problems(self) -> list[str]:
        return [str(problem) for problem in verify(self.app, ENVIRONMENT)]


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    made = Ledger(database_url)
    yield made
    assert made.problems() == []
    made.app.close()
