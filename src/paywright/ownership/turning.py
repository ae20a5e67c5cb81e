"""
`subscription.renewed` of a subscription without Stripe: the calendar turns, and nobody pays.

`turns_at` is the next boundary nobody was told of. Reads never need it: periods are computed from the anchor. It makes the event come, and once.
"""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.environments.model import Environment
from paywright.kernel.instants import rfc3339
from paywright.kernel.model import Customer
from paywright.kernel.periods import boundaries_passed, boundary
from paywright.outbox.actions import record
from paywright.ownership import queries
from paywright.ownership.model import OwnedProduct
from paywright.ownership.record import rewrite, shown_in_event
from paywright.ownership.tables import owned_products
from paywright.storage.work import Work

TURNS_MAX = 100
"""Told at once of one subscription: after years without a worker the rest comes with the next call."""


def customers_turning(connection: Connection, environment_id: str, now: int, *, limit: int = 100) -> list[Customer]:
    """Whose subscriptions without Stripe have turned, and nobody was told."""
    due = owned_products.c.ended_at.is_(None) & (owned_products.c.turns_at <= now)
    found = (
        sa.select(owned_products.c.customer)
        .where(owned_products.c.environment_id == environment_id, due)
        .distinct()
        .order_by(owned_products.c.customer)
        .limit(limit)
    )
    return [Customer.of_key(key) for key in connection.execute(found).scalars()]


def tell_turns(work: Work, environment: Environment, customer: Customer) -> int:
    """Answers how many turns were told. The customer is locked, and what was due by now is settled."""
    mine = (owned_products.c.environment_id == work.environment_id) & (owned_products.c.customer == customer.key)
    due = owned_products.c.ended_at.is_(None) & (owned_products.c.turns_at <= work.now)
    rows = work.execute(
        sa.select(owned_products.c.id, owned_products.c.turns_at).where(mine, due).order_by(owned_products.c.id)
    ).all()
    told = 0
    for row in rows:
        owned = queries.owned_product(work.connection, work.environment_id, customer, row.id)
        assert owned is not None
        told += _tell(work, environment, owned, row.turns_at)
    return told


def _tell(work: Work, environment: Environment, owned: OwnedProduct, turns_at: int) -> int:
    subscription = owned.subscription
    assert subscription is not None
    passed = boundaries_passed(subscription.anchor, subscription.period, turns_at - 1)
    told = 0
    starts = boundary(subscription.anchor, subscription.period, passed + 1)
    while starts <= work.now and told < TURNS_MAX:
        ends = boundary(subscription.anchor, subscription.period, passed + told + 2)
        facts = {
            "subscription": shown_in_event(work, environment, owned)["subscription"],
            "period": {"start": rfc3339(starts), "end": rfc3339(ends)},
            "invoice_id": None,
        }
        record(work, "subscription.renewed", facts, customer=owned.customer, change="products")
        told, starts = told + 1, ends
    rewrite(work, owned, turns_at=starts)
    return told
