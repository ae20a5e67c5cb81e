"""
From rows to consumers, after commit, at least once, in each customer's order.

How far a customer has been told is one number per customer (`told_customers`), beside the customer's row and not in it, so that telling never waits
for a decrease, nor a decrease for telling. A customer's sequence is spent under the customer's lock, so what is visible of it has no gaps and one
number says it all. A worker locks that number, tells what lies above it and raises it in the same work: two never tell one customer at once, and if
one dies, another tells it again.

Who has something to tell is found at the tail of `events`: ids sort by time, and `outbox_progress.tail_id` follows a few seconds behind the newest.
An event that was committed long after its id was made would slip past it; `take_late` finds those from the customers' own counters.
"""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.kernel.ids import id_at, wall_ms
from paywright.kernel.model import Customer
from paywright.outbox.actions import write_recorded
from paywright.outbox.tables import customers, events, outbox_progress, told_customers
from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work

LATE_MS = 10_000
"""How far the tail stays behind: the time between making an event's id and committing it that needs no search."""

TAIL_WINDOW = 5_000
"""Events looked at for customers with something to tell."""

SWEEP_MAX = 5_000
"""Customers looked at for late ones at a time."""


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


class _Progress(msgspec.Struct, frozen=True):
    """`passed_id`: nobody listened to events up to this one."""

    tail_id: str
    passed_id: str
    swept: str


def take_undelivered(work: Work, *, customers_max: int = 50, events_max: int = 100) -> list[Undelivered]:
    """Customers with something to tell, theirs to tell until this work ends. On PostgreSQL those another worker holds are left to it."""
    progress = _progress(work.connection, work.environment_id)
    found = work.execute(_at_tail(work.environment_id, progress.tail_id, limit=TAIL_WINDOW)).all()
    _follow(work, progress, found[0].id if found else None)
    taken = _taken(work, list(dict.fromkeys(row.customer for row in found)), progress, customers_max, events_max)
    if len(found) == TAIL_WINDOW and not taken:
        # Whoever fills the window is another worker's; the others must not wait for that.
        theirs = {row.customer for row in found}
        beyond = work.execute(_at_tail(work.environment_id, progress.tail_id, but=theirs, limit=TAIL_WINDOW)).all()
        taken = _taken(work, list(dict.fromkeys(row.customer for row in beyond)), progress, customers_max, events_max)
    of_nobody = _of_nobody(work, events_max)
    return taken if of_nobody is None else [of_nobody, *taken]


def take_late(work: Work, *, customers_max: int = 50, events_max: int = 100) -> list[Undelivered]:
    """As `take_undelivered`, of what the tail has passed: some thousand customers at each call, in turns, by one worker at a time."""
    environment_id = work.environment_id
    mine = outbox_progress.c.environment_id == environment_id
    if not lock_progress(work, skip_locked=True):
        return []
    progress = _progress(work.connection, environment_id)
    looked_at = (
        sa.select(customers.c.customer, customers.c.next_sequence)
        .where(customers.c.environment_id == environment_id, customers.c.customer > progress.swept)
        .order_by(customers.c.customer)
        .limit(SWEEP_MAX)
        .subquery()
    )
    told = told_customers.c
    joined = looked_at.outerjoin(
        told_customers, (told.environment_id == environment_id) & (told.customer == looked_at.c.customer)
    )
    behind = work.execute(
        sa.select(looked_at.c.customer, sa.func.coalesce(told.sequence, 0).label("sequence"))
        .select_from(joined)
        .where(looked_at.c.next_sequence - 1 > sa.func.coalesce(told.sequence, 0))
        .order_by(looked_at.c.customer)
    ).all()
    last = work.execute(sa.select(sa.func.max(looked_at.c.customer))).scalar_one()
    late = [row.customer for row in behind if _is_late(work, row.customer, row.sequence, progress)]
    if len(late) <= customers_max:
        work.execute(outbox_progress.update().where(mine).values(swept=last or ""))
    return _taken(work, late, progress, customers_max, events_max)


def mark_delivered(work: Work, told: Undelivered) -> None:
    """Up to and with all of it, entries too."""
    if told.customer is None:
        ids = [event.id for event in told.events]
        these = events.update().where(events.c.environment_id == work.environment_id, events.c.id.in_(ids))
        work.execute(these.values(delivered=1))
        return
    mine = told_customers.c.environment_id == work.environment_id, told_customers.c.customer == told.customer.key
    work.execute(told_customers.update().where(*mine).values(sequence=told.until))


def is_waiting(connection: Connection, environment_id: str) -> bool:
    """Asked before taking, so that a worker with nothing to do writes nothing."""
    progress = _progress(connection, environment_id)
    if connection.execute(_at_tail(environment_id, progress.tail_id, limit=1)).first() is not None:
        return True
    return connection.execute(_nobodys(environment_id).limit(1)).first() is not None


def lock_progress(work: Work, *, skip_locked: bool = False) -> bool:
    """Until this work ends. False: another worker has it, and it was not to be waited for."""
    mine = outbox_progress.c.environment_id == work.environment_id
    if work.execute(sa.select(outbox_progress.c.swept).where(mine)).first() is None:
        insert_if_absent(work, outbox_progress, {"environment_id": work.environment_id})
    locking = sa.select(outbox_progress.c.swept).where(mine).with_for_update(skip_locked=skip_locked)
    return work.execute(locking).first() is not None


def pass_over(work: Work) -> int:
    """Nobody listened until now: what was recorded is done with. In the work in which somebody begins to. Answers 1 when there was anything."""
    environment_id = work.environment_id
    write_recorded(work)
    lock_progress(work)
    newest = work.execute(
        sa.select(events.c.id).where(events.c.environment_id == environment_id).order_by(events.c.id.desc()).limit(1)
    ).scalar()
    if newest is None:
        return 0
    here = outbox_progress.c.environment_id == environment_id
    work.execute(outbox_progress.update().where(here).values(tail_id=newest, passed_id=newest))
    work.execute(
        events.update()
        .where(events.c.environment_id == environment_id, events.c.customer.is_(None), events.c.delivered == 0)
        .values(delivered=1)
    )
    return 1


def recorded(row: Any) -> Recorded:
    customer = None if row.customer is None else Customer.of_key(row.customer)
    return Recorded(row.id, row.type, row.created_at, customer, row.sequence, msgspec.json.decode(row.data))


def _progress(connection: Connection, environment_id: str) -> _Progress:
    columns = (outbox_progress.c.tail_id, outbox_progress.c.passed_id, outbox_progress.c.swept)
    row = connection.execute(
        sa.select(*columns).where(outbox_progress.c.environment_id == environment_id)
    ).one_or_none()
    return _Progress("", "", "") if row is None else _Progress(row.tail_id, row.passed_id, row.swept)


def _at_tail(
    environment_id: str, tail_id: str, *, but: set[str] | None = None, limit: int
) -> sa.Select[tuple[str, str]]:
    """(id, customer) of events nobody has told, oldest first."""
    told = told_customers
    joined = events.outerjoin(
        told, (told.c.environment_id == events.c.environment_id) & (told.c.customer == events.c.customer)
    )
    statement = (
        sa.select(events.c.id, events.c.customer)
        .select_from(joined)
        .where(
            events.c.environment_id == environment_id,
            events.c.id > tail_id,
            events.c.customer.is_not(None),
            events.c.sequence > sa.func.coalesce(told.c.sequence, 0),
        )
        .order_by(events.c.id)
        .limit(limit)
    )
    return statement.where(events.c.customer.not_in(but)) if but else statement


def _follow(work: Work, progress: _Progress, first_id: str | None) -> None:
    """
    Moves the tail up to the first event nobody has told, but not closer than `LATE_MS` to now.

    What stands under an id's first ten characters is its millisecond, so eight of them are about a second: more often is not worth a write.
    """
    upto = id_at("evt", wall_ms() - LATE_MS)
    if first_id is not None:
        upto = min(upto, first_id[:-1])
    if upto[:12] <= progress.tail_id[:12]:
        return
    if lock_progress(work, skip_locked=True):
        mine = outbox_progress.c.environment_id == work.environment_id, outbox_progress.c.tail_id < upto
        work.execute(outbox_progress.update().where(*mine).values(tail_id=upto))


def _taken(work: Work, keys: list[str], progress: _Progress, customers_max: int, events_max: int) -> list[Undelivered]:
    taken: list[Undelivered] = []
    for key in keys:
        if len(taken) == customers_max:
            break
        sequence = _lock(work, key)
        found = None if sequence is None else _of_customer(work, key, sequence, progress, events_max)
        if found is not None:
            taken.append(found)
    return taken


def _lock(work: Work, key: str) -> int | None:
    """How far the customer was told, locked until this work ends; None: another worker has it."""
    mine = (told_customers.c.environment_id == work.environment_id) & (told_customers.c.customer == key)
    statement = sa.select(told_customers.c.sequence).where(mine)
    row = work.execute(statement.with_for_update(skip_locked=True)).one_or_none()
    if row is not None:
        return int(row.sequence)
    if work.execute(statement).one_or_none() is not None:
        return None
    if work.dialect == "postgresql":
        # A row that another worker is just inserting can't be skipped, only waited for: whoever inserts asks here first.
        name = sa.func.hashtextextended(f"told {work.environment_id} {key}", 0)
        if not work.execute(sa.select(sa.func.pg_try_advisory_xact_lock(name))).scalar():
            return None
    new = {"environment_id": work.environment_id, "customer": key, "sequence": 0}
    return 0 if insert_if_absent(work, told_customers, new) else None


def _of_customer(work: Work, key: str, sequence: int, progress: _Progress, limit: int) -> Undelivered | None:
    mine = (events.c.environment_id == work.environment_id) & (events.c.customer == key)
    after = _after(work, key, sequence, progress)
    columns = (events.c.id, events.c.type, events.c.created_at, events.c.customer, events.c.sequence, events.c.data)
    rows = work.execute(
        sa.select(*columns).where(mine, events.c.sequence > after).order_by(events.c.sequence).limit(limit)
    ).all()
    if not rows:
        return None
    return Undelivered(Customer.of_key(key), after, rows[-1].sequence, tuple(recorded(row) for row in rows))


def _after(work: Work, key: str, sequence: int, progress: _Progress) -> int:
    """The customer's last sequence that needs no telling: `sequence`, or what came after it while nobody listened."""
    mine = events.c.environment_id == work.environment_id, events.c.customer == key, events.c.sequence > sequence
    first = work.execute(sa.select(events.c.id).where(*mine).order_by(events.c.sequence).limit(1)).scalar()
    if first is None or first > progress.passed_id:
        return sequence
    # From the newest on, so that only what is yet to be told is looked at on the way.
    passed = (
        sa.select(events.c.sequence)
        .where(*mine, events.c.id <= progress.passed_id)
        .order_by(events.c.sequence.desc())
        .limit(1)
    )
    return int(work.execute(passed).scalar_one())


def _is_late(work: Work, key: str, sequence: int, progress: _Progress) -> bool:
    """The first event not told lies before the tail. Those to which nobody listened are marked on the way."""
    after = _after(work, key, sequence, progress)
    first = work.execute(
        sa.select(events.c.id)
        .where(events.c.environment_id == work.environment_id, events.c.customer == key, events.c.sequence > after)
        .order_by(events.c.sequence)
        .limit(1)
    ).scalar()
    if first is not None:
        return bool(first <= progress.tail_id)
    if _lock(work, key) is not None:
        mark_delivered(work, Undelivered(Customer.of_key(key), sequence, after, ()))
    return False


def _nobodys(environment_id: str) -> sa.Select[Any]:
    columns = (events.c.id, events.c.type, events.c.created_at, events.c.customer, events.c.sequence, events.c.data)
    mine = events.c.environment_id == environment_id, events.c.customer.is_(None), events.c.delivered == 0
    return sa.select(*columns).where(*mine).order_by(events.c.id)


def _of_nobody(work: Work, limit: int) -> Undelivered | None:
    rows = work.execute(_nobodys(work.environment_id).limit(limit).with_for_update(skip_locked=True)).all()
    return Undelivered(None, 0, 0, tuple(recorded(row) for row in rows)) if rows else None
