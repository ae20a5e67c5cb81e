"""
Proves every balance from its entries.

Entries are streamed balance by balance in order, followed by the rules, and what comes out is compared with the stored
rows. Memory holds one balance's open parts and a page of rows, however many millions there are.
"""

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.engine.app import App
from paywright.ledger.account import NEVER_KEY
from paywright.ledger.replay import Replay
from paywright.ledger.tables import balances, holds, item_grants, ledger_entries
from paywright.outbox.tables import customers, events

PAGE = 2_000


class Problem(msgspec.Struct, frozen=True):
    """Something that is not as the rules say. `where` is a balance (`user:u_1 credits`) or a customer."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


Progress = Callable[[int], None]
"""Called with the number of entries followed since the last call."""


def verify(app: App, environment_id: str, progress: Progress | None = None) -> Iterator[Problem]:
    """Everything that is wrong in an environment, from one snapshot of the database; nothing when all is well."""
    with app.database.read() as connection:
        yield from _balances(connection, environment_id, progress)
        yield from _strays(connection, environment_id)
        yield from _sequences(connection, environment_id)


def count_entries(app: App, environment_id: str) -> int:
    """How many entries `verify` will follow, for a progress bar."""
    with app.database.read() as connection:
        counted = sa.select(sa.func.count()).where(ledger_entries.c.environment_id == environment_id)
        return connection.execute(counted.select_from(ledger_entries)).scalar_one()


def _stream(connection: Connection, statement: sa.Select[Any]) -> Iterator[Any]:
    yield from connection.execution_options(yield_per=PAGE).execute(statement)


def _balances(connection: Connection, environment_id: str, progress: Progress | None) -> Iterator[Problem]:
    e = ledger_entries.c
    columns = (
        e.customer, e.item_id, e.id, e.seq, e.sequence, e.kind, e.quantity, e.delta, e.balance_after, e.held_after, e.spent_after, e.at,
        e.effective_at, e.expires_at, e.item_key, e.grant_id, e.source,
    )  # fmt: skip
    ordered = sa.select(*columns).where(e.environment_id == environment_id).order_by(e.customer, e.item_id, e.sequence)
    followed = 0
    for (customer, item_id), rows in groupby(_stream(connection, ordered), key=lambda row: (row.customer, row.item_id)):
        where, replay = f"{customer} {item_id}", Replay(item_id, whole=False)
        for row in rows:
            yield from (Problem(f"{where} {row.id}", message) for message in replay.follow(row))
            followed += 1
            if progress is not None and followed % PAGE == 0:
                progress(PAGE)
        mine = {"environment_id": environment_id, "customer": customer, "item_id": item_id}
        yield from (Problem(where, message) for message in _compared(connection, mine, replay))
    if progress is not None:
        progress(followed % PAGE)


def _compared(connection: Connection, mine: dict[str, str], replay: Replay) -> Iterator[str]:
    """The rows of one balance against what its entries make of it."""
    account, b = replay.account, balances.c
    columns = (b.balance, b.spent, b.live, b.carried, b.held, b.entries, b.at)
    row = connection.execute(sa.select(*columns).where(*_is(balances, mine))).one_or_none()
    if row is None:
        yield "there are entries but no balance"
        return
    made = (account.balance, account.spent, account.live, account.carried, account.held, account.entries)
    for name, stored, right in zip(("balance", "spent", "live", "carried", "held", "entries"), row, made, strict=False):
        if stored != right:
            yield f"{name} is {stored}, its entries make {right}"
    if row.at < account.at:
        yield f"time was applied up to {row.at}, its last entry is of {account.at}"
    yield from _compared_grants(connection, mine, replay)
    open_holds = sa.select(sa.func.coalesce(sa.func.sum(holds.c.quantity), 0)).where(
        *_is(holds, mine), holds.c.status == "open"
    )
    held = connection.execute(open_holds).scalar_one()
    if held != account.held:
        yield f"open holds sum up to {held}, its entries make {account.held}"


def _compared_grants(connection: Connection, mine: dict[str, str], replay: Replay) -> Iterator[str]:
    """Live units per key."""
    g = item_grants.c
    live = (
        sa.select(g.item_key, sa.func.sum(g.live).label("live"))
        .where(*_is(item_grants, mine), g.live > 0)
        .group_by(g.item_key)
    )
    stored = {row.item_key: int(row.live) for row in connection.execute(live)}
    made: dict[str, int] = {NEVER_KEY: replay.account.forever} if replay.account.forever else {}
    for grant in replay.account.grants:
        if grant.live:
            made[grant.key] = made.get(grant.key, 0) + grant.live
    for key in sorted(stored.keys() | made.keys()):
        if stored.get(key, 0) != made.get(key, 0):
            yield f"{stored.get(key, 0)} live units of {key} are stored, its entries make {made.get(key, 0)}"


def _is(table: sa.Table, mine: dict[str, str]) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == value for name, value in mine.items()]


def _strays(connection: Connection, environment_id: str) -> Iterator[Problem]:
    """Balances that say they have entries and have none."""
    mine = (
        ledger_entries.c.environment_id == balances.c.environment_id,
        ledger_entries.c.customer == balances.c.customer,
        ledger_entries.c.item_id == balances.c.item_id,
    )
    stray = (
        sa.select(balances.c.customer, balances.c.item_id)
        .where(balances.c.environment_id == environment_id, ~sa.exists().where(*mine))
        .where(sa.or_(balances.c.balance != 0, balances.c.entries != 0))
        .order_by(balances.c.customer, balances.c.item_id)
    )
    for row in _stream(connection, stray):
        yield Problem(f"{row.customer} {row.item_id}", "there is a balance but no entries")


def _sequences(connection: Connection, environment_id: str) -> Iterator[Problem]:
    """Each customer's sequence counts 1, 2, 3 … over events and entries, without gaps and without twins."""
    told = sa.select(events.c.customer, events.c.sequence).where(
        events.c.environment_id == environment_id, events.c.sequence.is_not(None)
    )
    entered = sa.select(ledger_entries.c.customer, ledger_entries.c.sequence).where(
        ledger_entries.c.environment_id == environment_id
    )
    both = sa.union_all(told, entered).subquery()
    counted = sa.select(
        both.c.customer,
        sa.func.count().label("number"),
        sa.func.count(both.c.sequence.distinct()).label("different"),
        sa.func.max(both.c.sequence).label("last"),
    ).group_by(both.c.customer)
    sums = counted.subquery()
    statement = (
        sa.select(customers.c.customer, customers.c.next_sequence, sums.c.number, sums.c.different, sums.c.last)
        .join_from(customers, sums, customers.c.customer == sums.c.customer)
        .where(customers.c.environment_id == environment_id)
        .where(
            sa.or_(
                sums.c.last != customers.c.next_sequence - 1,
                sums.c.number != sums.c.last,
                sums.c.different != sums.c.number,
            )
        )
        .order_by(customers.c.customer)
    )
    for row in _stream(connection, statement):
        yield Problem(
            row.customer,
            f"{row.number} events and entries with {row.different} sequences up to {row.last}; the next is {row.next_sequence}",
        )
