"""
From rows to consumers, after commit, at least once, in each customer's order.

`customer.state_changed` is the last event of every commit that changed a customer, so a customer with an undelivered event has something to
tell up to the newest of them. A worker takes such customers under a row lock and marks what it delivered in the same work: if it dies,
another tells it again.
"""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.kernel.model import Customer
from paywright.outbox.tables import customers, events
from paywright.storage.work import Work


class Recorded(msgspec.Struct, frozen=True):
    """An event as it stands in its row. `customer` and `sequence` None: an event of no customer."""

    id: str
    type: str
    created_at: int
    customer: Customer | None
    sequence: int | None
    facts: dict[str, Any]


class Undelivered(msgspec.Struct, frozen=True):
    """What is to be told of one customer: `events` in order, and ledger entries with a sequence above `after` and up to `until` between them."""

    customer: Customer | None
    after: int
    until: int
    events: tuple[Recorded, ...]


def take_undelivered(work: Work, *, customers_max: int = 50, events_max: int = 100) -> list[Undelivered]:
    """Customers with something to tell, locked until this work ends. On PostgreSQL those another worker holds are left to it."""
    waiting = (
        sa.select(events.c.customer)
        .where(events.c.environment_id == work.environment_id, events.c.delivered == 0)
        .distinct()
        .order_by(events.c.customer)
        .limit(customers_max)
    )
    taken = []
    for key in work.execute(waiting).scalars().all():
        if key is None or _lock(work, key):
            found = _of_customer(work, key, events_max)
            if found is not None:
                taken.append(found)
    return taken


def mark_delivered(work: Work, told: Undelivered) -> None:
    for event in told.events:
        work.execute(
            events.update()
            .where(events.c.environment_id == work.environment_id, events.c.id == event.id)
            .values(delivered=1)
        )


def is_waiting(connection: Connection, environment_id: str) -> bool:
    """Asked before taking, so that a worker with nothing to do writes nothing."""
    statement = sa.select(events.c.id).where(events.c.environment_id == environment_id, events.c.delivered == 0)
    return connection.execute(statement.limit(1)).first() is not None


def pass_over(work: Work, *, limit: int = 1_000) -> int:
    """Nobody listens: what was recorded is done with. Takes no customer's lock. Answers how many."""
    waiting = (
        sa.select(events.c.id)
        .where(events.c.environment_id == work.environment_id, events.c.delivered == 0)
        .order_by(events.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(work.execute(waiting).scalars())
    passed = events.update().where(events.c.environment_id == work.environment_id, events.c.id.in_(ids))
    work.execute(passed.values(delivered=1))
    return len(ids)


def recorded(row: Any) -> Recorded:
    customer = None if row.customer is None else Customer.of_key(row.customer)
    return Recorded(row.id, row.type, row.created_at, customer, row.sequence, msgspec.json.decode(row.data))


def _lock(work: Work, key: str) -> bool:
    row = (customers.c.environment_id == work.environment_id) & (customers.c.customer == key)
    statement = sa.select(customers.c.customer).where(row).with_for_update(skip_locked=True)
    return work.execute(statement).first() is not None


def _of_customer(work: Work, key: str | None, limit: int) -> Undelivered | None:
    mine = (events.c.environment_id == work.environment_id) & (
        events.c.customer.is_(None) if key is None else events.c.customer == key
    )
    columns = (events.c.id, events.c.type, events.c.created_at, events.c.customer, events.c.sequence, events.c.data)
    rows = work.execute(
        sa.select(*columns).where(mine, events.c.delivered == 0).order_by(events.c.sequence, events.c.id).limit(limit)
    ).all()
    if not rows:
        return None
    told = tuple(recorded(row) for row in rows)
    if key is None:
        return Undelivered(None, 0, 0, told)
    first, last = told[0].sequence, told[-1].sequence
    assert first is not None
    assert last is not None
    before = work.execute(
        sa.select(sa.func.max(events.c.sequence)).where(mine, events.c.delivered == 1, events.c.sequence < first)
    ).scalar_one()
    return Undelivered(Customer.of_key(key), before or 0, last, told)
