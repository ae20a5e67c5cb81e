"""Balances of many customers at once, in two statements. What is due, which is rare, is read one by one by the rules."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.kernel.model import Customer
from paywright.ledger.calls import laid
from paywright.ledger.model import NEVER, ItemState
from paywright.ledger.opening import IncludedByDefault
from paywright.ledger.queries import item_state
from paywright.ledger.tables import balances, item_grants

_NAMES = ("customer", "item_id", "balance", "spent", "held", "carried", "next_due")
# Written once: making a statement costs more than running it.
_BALANCES = sa.select(*(balances.c[name] for name in _NAMES)).where(
    balances.c.environment_id == sa.bindparam("environment"),
    balances.c.customer.in_(sa.bindparam("customers", expanding=True)),
)

Place = tuple[str, str]
"""Customer and item."""


def item_states_of(
    connection: Connection,
    environment_id: str,
    versions: Mapping[Customer, int],
    item_ids: Mapping[Customer, Sequence[str]],
    now: int,
    *,
    unwritten: frozenset[Customer],
    included: IncludedByDefault,
) -> dict[Customer, list[ItemState]]:
    """
    The items named, in their order, untouched ones too.

    `unwritten`: customers who own defaults that nobody has written down; `included` knows their units.
    """
    keys = [customer.key for customer in item_ids]
    standing = _balances(connection, environment_id, keys)
    pending = _pending(connection, environment_id, [row.customer for row in standing.values() if row.next_due < NEVER])
    found: dict[Customer, list[ItemState]] = {}
    for customer, names in item_ids.items():
        states = found[customer] = []
        version = versions.get(customer, 0)
        for item_id in names:
            row = standing.get((customer.key, item_id))
            if customer in unwritten or (row is not None and row.next_due <= now):
                states.append(
                    item_state(connection, environment_id, customer, item_id, now, version, included=included)
                )
            elif row is None:
                states.append(ItemState(item_id, 0, 0, version))
            else:
                left = laid(row.spent + row.held - row.carried, pending.get((customer.key, item_id), []))
                states.append(ItemState(item_id, row.balance - row.held, row.held, version, left))
    return found


def _balances(connection: Connection, environment_id: str, keys: list[str]) -> dict[Place, Any]:
    asked = {"environment": environment_id, "customers": keys}
    return {(row.customer, row.item_id): row for row in connection.execute(_BALANCES, asked)}


def _pending(connection: Connection, environment_id: str, keys: list[str]) -> dict[Place, list[tuple[int, int]]]:
    """Instant and live units of the grants that will expire, soonest first."""
    found: dict[Place, list[tuple[int, int]]] = {}
    if not keys:
        return found
    g = item_grants.c
    wanted = sa.select(g.customer, g.item_id, g.due, g.live).where(
        g.environment_id == environment_id, g.customer.in_(sorted(set(keys))), g.live > 0, g.due < NEVER
    )
    for row in connection.execute(wanted.order_by(g.customer, g.item_id, g.due, g.id)):
        dying = found.setdefault((row.customer, row.item_id), [])
        if dying and dying[-1][0] == row.due:
            dying[-1] = (row.due, dying[-1][1] + row.live)
        else:
            dying.append((row.due, row.live))
    return found
