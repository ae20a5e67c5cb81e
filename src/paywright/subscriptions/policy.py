"""Access by the environment's policy, where nobody has told us anything new: the policy was changed, or days of grace are over."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.engine.app import App
from paywright.environments import queries as environment_queries
from paywright.environments.model import AccessPolicy, Environment
from paywright.kernel.model import Customer
from paywright.outbox.actions import lock_customers
from paywright.ownership import actions as ownership
from paywright.ownership import queries as ownership_queries
from paywright.ownership.tables import owned_products
from paywright.subscriptions import queries
from paywright.subscriptions.project import apply_policy
from paywright.subscriptions.rules import access
from paywright.subscriptions.tables import subscriptions

PAGE = 500


def apply_due(app: App, environment: Environment) -> int:
    """
    Makes access agree with the policy for every subscription in trouble; answers how many products changed.

    Reads first, and writes nothing where nothing differs, so a worker may call it as often as it likes.
    """
    changed = 0
    after = ""
    while True:
        now = app.now(environment.id)
        with app.database.read() as connection:
            present = environment_queries.environment(connection, environment.id)
            rows = _in_trouble(connection, environment.id, after)
        assert present is not None
        for row in rows:
            if _differs(row, present.policy.access, now):
                changed += _apply(app, present, row)
        if len(rows) < PAGE:
            return changed
        after = rows[-1].id


def _in_trouble(connection: Connection, environment_id: str, after: str) -> list[Any]:
    """Live products behind subscriptions whose status is not plainly good, by owned product."""
    owned = owned_products.c
    columns = (owned.id, owned.customer, owned.access, owned.access_until, subscriptions.c.status)
    same = (subscriptions.c.environment_id == owned.environment_id) & (subscriptions.c.id == owned.subscription_id)
    statement = (
        sa.select(*columns, subscriptions.c.past_due_since)
        .select_from(sa.join(owned_products, subscriptions, same))
        .where(
            owned.environment_id == environment_id,
            owned.ended_at.is_(None),
            owned.id > after,
            subscriptions.c.ended_at.is_(None),
            subscriptions.c.status.not_in(("active", "trialing", "incomplete")),
        )
        .order_by(owned.id)
        .limit(PAGE)
    )
    return list(connection.execute(statement).all())


def _differs(row: Any, policy: AccessPolicy, now: int) -> bool:
    decided = access(row.status, policy, past_due_since=row.past_due_since, now=now)
    until = decided.until if decided.allowed else None
    return (bool(row.access), row.access_until) != (decided.allowed, until)


def _apply(app: App, environment: Environment, row: Any) -> int:
    customer = Customer.of_key(row.customer)
    with app.work(environment.id) as work:
        lock_customers(work, [customer])
        ownership.settle(work, environment, customer)
        owned = ownership_queries.owned_product(work.connection, environment.id, customer, row.id)
        if owned is None or owned.ended_at is not None or owned.subscription is None:
            return 0
        found = queries.row_of(work.connection, environment.id, owned.subscription.id)
        assert found is not None, "an owned product follows its subscription"
        after = apply_policy(work, environment, owned, found.status, found.past_due_since)
        return int(bool(row.access) != after.access)
