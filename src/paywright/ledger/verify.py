"""
Proves every balance from its entries.

Entries are streamed balance by balance in order, followed by the rules, and what comes out is compared with the stored
rows. Memory holds one customer's sequences, one balance's open parts and a page of rows, however many millions there are.
"""

from array import array
from collections.abc import Callable, Iterator
from itertools import chain
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


def count_entries(app: App, environment_id: str) -> int:
    """How many entries `verify` will follow, for a progress bar."""
    with app.database.read() as connection:
        counted = sa.select(sa.func.count()).where(ledger_entries.c.environment_id == environment_id)
        return connection.execute(counted.select_from(ledger_entries)).scalar_one()


class _Ordered:
    """Rows of one statement in the order of their balance, taken balance by balance."""

    def __init__(self, connection: Connection, statement: sa.Select[Any]) -> None:
        self._rows = _streamed(connection, statement)
        self._next = next(self._rows, None)

    @property
    def balance(self) -> tuple[str, str] | None:
        """Whose row comes next: (customer, item)."""
        return None if self._next is None else (self._next[0], self._next[1])

    def take(self, balance: tuple[str, str]) -> Iterator[Any]:
        while self._next is not None and self.balance == balance:
            row, self._next = self._next, next(self._rows, None)
            yield row


def _balances(connection: Connection, environment_id: str, progress: Progress | None) -> Iterator[Problem]:
    """Streams side by side: what is asked for one balance at a time would cost more than following its entries."""
    entries = _Ordered(connection, _entries(environment_id))
    stored = _Ordered(connection, _stored(environment_id))
    live = _Ordered(connection, _live(environment_id))
    held = _Ordered(connection, _held(environment_id))
    counted, entered, customer = _Counted(connection, environment_id), array("q"), None
    followed = 0
    while heads := [head for stream in (entries, stored, live, held) if (head := stream.balance) is not None]:
        balance = min(heads)
        if balance[0] != customer:
            if customer is not None:
                yield from counted.up_to(customer, entered)
            customer, entered = balance[0], array("q")
        where, replay = " ".join(balance), Replay(balance[1], whole=False)
        for row in entries.take(balance):
            yield from (Problem(f"{where} {row.id}", message) for message in replay.follow(row))
            entered.append(row.sequence)
            followed += 1
            if progress is not None and followed % PAGE == 0:
                progress(PAGE)
        kept = list(stored.take(balance))
        grants = {row.item_key: int(row.live) for row in live.take(balance)}
        units_held = sum(int(row.held) for row in held.take(balance))
        yield from (Problem(where, message) for message in _compared(replay, kept, grants, units_held))
    if customer is not None:
        yield from counted.up_to(customer, entered)
    yield from counted.up_to(None, array("q"))
    if progress is not None:
        progress(followed % PAGE)


def _entries(environment_id: str) -> sa.Select[Any]:
    e = ledger_entries.c
    columns = (
        e.customer, e.item_id, e.id, e.seq, e.sequence, e.kind, e.quantity, e.delta, e.balance_after, e.held_after, e.spent_after, e.at,
        e.effective_at, e.expires_at, e.item_key, e.grant_id, e.source,
    )  # fmt: skip
    return sa.select(*columns).where(e.environment_id == environment_id).order_by(e.customer, e.item_id, e.sequence)


def _stored(environment_id: str) -> sa.Select[Any]:
    b = balances.c
    columns = (b.customer, b.item_id, b.balance, b.spent, b.live, b.carried, b.held, b.entries, b.at)
    return sa.select(*columns).where(b.environment_id == environment_id).order_by(b.customer, b.item_id)


def _live(environment_id: str) -> sa.Select[Any]:
    g = item_grants.c
    return (
        sa.select(g.customer, g.item_id, g.item_key, sa.func.sum(g.live).label("live"))
        .where(g.environment_id == environment_id, g.live > 0)
        .group_by(g.customer, g.item_id, g.item_key)
        .order_by(g.customer, g.item_id, g.item_key)
    )


def _held(environment_id: str) -> sa.Select[Any]:
    h = holds.c
    return (
        sa.select(h.customer, h.item_id, sa.func.sum(h.quantity).label("held"))
        .where(h.environment_id == environment_id, h.status == "open")
        .group_by(h.customer, h.item_id)
        .order_by(h.customer, h.item_id)
    )


def _compared(replay: Replay, kept: list[Any], grants: dict[str, int], held: int) -> Iterator[str]:
    """The rows of one balance against what its entries make of it."""
    account = replay.account
    if not kept:
        yield "there are entries but no balance"
        return
    row = kept[0]
    if not account.entries and (row.entries or row.balance):
        yield "there is a balance but no entries"
        return
    for name in ("balance", "spent", "live", "carried", "held", "entries"):
        if getattr(row, name) != getattr(account, name):
            yield f"{name} is {getattr(row, name)}, its entries make {getattr(account, name)}"
    if row.at < account.at:
        yield f"time was applied up to {row.at}, its last entry is of {account.at}"
    if held != account.held:
        yield f"open holds sum up to {held}, its entries make {account.held}"
    made: dict[str, int] = {NEVER_KEY: account.forever} if account.forever else {}
    for grant in account.grants:
        if grant.live:
            made[grant.key] = made.get(grant.key, 0) + grant.live
    for key in sorted(grants.keys() | made.keys()):
        if grants.get(key, 0) != made.get(key, 0):
            yield f"{grants.get(key, 0)} live units of {key} are stored, its entries make {made.get(key, 0)}"


class _Counted:
    """Each customer's sequence counts 1, 2, 3 … over events and entries, without gaps and without twins."""

    def __init__(self, connection: Connection, environment_id: str) -> None:
        heads = sa.select(customers.c.customer, customers.c.next_sequence)
        told = sa.select(events.c.customer, events.c.sequence).where(events.c.sequence.is_not(None))
        self._heads = _streamed(
            connection, heads.where(customers.c.environment_id == environment_id).order_by(customers.c.customer)
        )
        self._told = _streamed(
            connection,
            told.where(events.c.environment_id == environment_id).order_by(events.c.customer, events.c.sequence),
        )
        self._head = next(self._heads, None)
        self._event = next(self._told, None)

    def up_to(self, customer: str | None, entered: "array[int]") -> Iterator[Problem]:
        """Customers up to this one; `entered` are the sequences of its entries, those before it have none. None: all that are left."""
        while self._head is not None and (customer is None or self._head[0] <= customer):
            name, next_sequence = self._head
            yield from self._checked(name, next_sequence, entered if name == customer else array("q"))
            self._head = next(self._heads, None)

    def _checked(self, name: str, next_sequence: int, entered: "array[int]") -> Iterator[Problem]:
        seen, number, different, last = bytearray(next_sequence), 0, 0, 0
        for sequence in chain(entered, self._events_of(name)):
            number += 1
            last = max(last, sequence)
            if 0 < sequence < next_sequence and not seen[sequence]:
                seen[sequence] = 1
                different += 1
        if not number == different == last == next_sequence - 1:
            yield Problem(
                name,
                f"{number} events and entries with {different} sequences up to {last}; the next is {next_sequence}",
            )

    def _events_of(self, name: str) -> Iterator[int]:
        while self._event is not None and self._event[0] <= name:
            if self._event[0] == name:
                yield self._event[1]
            self._event = next(self._told, None)


def _streamed(connection: Connection, statement: sa.Select[Any]) -> Iterator[Any]:
    return iter(connection.execution_options(yield_per=PAGE).execute(statement))
