"""
Which environments have something for the worker to do: one query over all of them, so that idle ones cost nearly nothing.

A condition must hold whenever its job would find something; where what is due is hard to say in a line, it only says that there could be something.
"""

from collections.abc import Callable, Collection
from functools import cache

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.checkout.tables import checkout_sessions
from paywright.environments.tables import environments
from paywright.hooks.tables import hook_deliveries, hooks
from paywright.ledger.tables import balances
from paywright.outbox.tables import commands, letters
from paywright.ownership.tables import owned_products, owner_migrations
from paywright.webhooks.tables import stripe_events

Condition = sa.ColumnElement[bool]


class Clocks(msgspec.Struct, frozen=True):
    """`wall` is a parameter; `now` is business time, computed in the query for each environment."""

    wall: sa.BindParameter[int]
    now: sa.ColumnElement[int]


def _exists(table: sa.Table, *conditions: Condition) -> Condition:
    mine = table.c.environment_id == environments.c.environment_id
    return sa.exists(sa.select(sa.literal(1)).select_from(table).where(mine, *conditions).correlate(environments))


def _settling(clocks: Clocks) -> Condition:
    owned = owned_products.c
    ending = sa.or_(
        owned.ends_at <= clocks.now,
        owned.turns_at <= clocks.now,
        (owned.change_at <= clocks.now) & (owned.stripe_backed == 0),
        (owned.access_until <= clocks.now) & (owned.access == 1),
    )
    return sa.or_(
        _exists(balances, balances.c.next_due < clocks.now),
        _exists(owned_products, owned.ended_at.is_(None), ending),
    )


def _is_heard(_clocks: Clocks) -> Condition:
    return _exists(hooks, hooks.c.status == "enabled")


def _deliveries(clocks: Clocks) -> Condition:
    row = hook_deliveries.c
    return _exists(hook_deliveries, row.status == "pending", row.next_attempt_at <= clocks.wall)


CONDITIONS: dict[str, Callable[[Clocks], Condition]] = {
    "inbox": lambda clocks: _exists(
        stripe_events,
        stripe_events.c.next_attempt_at <= clocks.wall,
        stripe_events.c.status.in_(("pending", "failed")),
    ),
    "inbox upkeep": lambda _: _exists(stripe_events),
    "commands": lambda clocks: _exists(
        commands, commands.c.status == "pending", commands.c.next_attempt_at <= clocks.wall
    ),
    "outbox": _is_heard,
    "late events": _is_heard,
    "hooks": _deliveries,
    "listeners": _deliveries,
    "letters": lambda clocks: _exists(letters, letters.c.next_attempt_at <= clocks.wall),
    "settling": _settling,
    "owner migrations": lambda _: _exists(owner_migrations, owner_migrations.c.status == "running"),
    "expiry warnings": lambda _: _exists(balances),
    "checkout recovery": lambda _: _exists(checkout_sessions, checkout_sessions.c.status.in_(("initialized", "open"))),
    "subscription changes": lambda _: _exists(owned_products),
    "access policy": lambda _: _exists(owned_products),
}
"""By the name of the job. Jobs that are not here run as often as they say."""


def due(
    connection: Connection, wall: int, names: Collection[str], *, only: Collection[str] | None = None
) -> dict[str, set[str]]:
    """For each environment, or those in `only`, which of these jobs may find something to do."""
    asked = tuple(name for name in names if name in CONDITIONS)
    rows = connection.execute(_statement(asked, only is not None), {"wall": wall, "only": sorted(only or ())})
    found: dict[str, set[str]] = {}
    for row in rows:
        found[str(row[0])] = {name for place, name in enumerate(asked, 1) if row[place]}
    return found


@cache
def _statement(names: tuple[str, ...], is_narrowed: bool) -> sa.Select[tuple[object, ...]]:
    wall = sa.bindparam("wall", type_=sa.BigInteger)
    e = environments.c
    passed = sa.case((e.clock_runs == 1, sa.case((wall > e.clock_read_at, wall - e.clock_read_at), else_=0)), else_=0)
    now = sa.case(((e.provider == "stripe") | e.clock_ms.is_(None), wall), else_=e.clock_ms + passed)
    conditions = [CONDITIONS[name](Clocks(wall, now)).label(f"job_{place}") for place, name in enumerate(names)]
    statement = sa.select(e.environment_id, *conditions).order_by(e.environment_id)
    return statement.where(e.environment_id.in_(sa.bindparam("only", expanding=True))) if is_narrowed else statement
