"""
Recording what happened, in the transaction in which it happens.

`lock_customers` comes first in every work that changes a customer; `record` then takes the next sequence of that
customer. When the work commits, one `customer.state_changed` per changed customer is written last, and `version` rises
by one.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa

from paywright.kernel.ids import new_id, wall_ms
from paywright.kernel.model import Customer
from paywright.outbox.tables import commands, customers, events
from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work


class _Head(msgspec.Struct):
    """A locked customer's counters, as this work has moved them."""

    version: int
    next_sequence: int
    defaults_version: int
    opened_at: int
    changes: list[str] = []


class Noted(msgspec.Struct, frozen=True):
    """An event of a work that is not committed yet."""

    id: str
    type: str
    facts: dict[str, Any]
    customer: Customer | None
    sequence: int | None


def lock_customers(work: Work, owners: Iterable[Customer]) -> None:
    """Locks the rows, made where absent, in one fixed order. Ask for all at once: locks taken later may deadlock."""
    heads = _heads(work)
    for customer in sorted(set(owners) - heads.keys()):
        where = (customers.c.environment_id == work.environment_id) & (customers.c.customer == customer.key)
        columns = (customers.c.version, customers.c.next_sequence, customers.c.defaults_version, customers.c.opened_at)
        row = work.execute(sa.select(*columns).where(where).with_for_update()).one_or_none()
        if row is None:
            insert_if_absent(
                work,
                customers,
                {"environment_id": work.environment_id, "customer": customer.key, "opened_at": work.now},
            )
            row = work.execute(sa.select(*columns).where(where).with_for_update()).one()
        heads[customer] = _Head(row.version, row.next_sequence, row.defaults_version, row.opened_at, [])


def head(work: Work, customer: Customer) -> _Head:
    """The locked customer's counters; asserts that the lock was taken."""
    heads = _heads(work)
    assert customer in heads, "lock the customer before changing it"
    return heads[customer]


def take_sequence(work: Work, customer: Customer, change: str) -> int:
    """The customer's next sequence number, spent. `change` names what differs in `GET C`, e.g. `items.credits`."""
    locked = head(work, customer)
    sequence = locked.next_sequence
    locked.next_sequence += 1
    mark_changed(work, customer, change)
    return sequence


def mark_changed(work: Work, customer: Customer, change: str) -> None:
    """`GET C` differs after this work, though no event of its own says so."""
    changes = head(work, customer).changes
    if change not in changes:
        changes.append(change)


def record(
    work: Work, event_type: str, facts: dict[str, Any], *, customer: Customer | None = None, change: str | None = None
) -> str:
    """One event, delivered after commit, at least once. Answers its id. `change` defaults to the event's first word."""
    event_id = new_id("evt")
    sequence = None if customer is None else take_sequence(work, customer, change or event_type.partition(".")[0])
    _insert(work, event_id, event_type, facts, customer, sequence)
    return event_id


def open_incident(work: Work, kind: str, facts: dict[str, Any], *, customer: Customer | None = None) -> None:
    """Something a person must see. It changes nothing by itself."""
    record(work, "incident.opened", {"kind": kind, "facts": facts}, customer=customer, change="incidents")


def command(work: Work, kind: str, subject: str, arguments: dict[str, Any]) -> None:
    """
    Asks the worker to do something after this commit, for ever retried until it is done.

    Once per (kind, subject): asking again changes nothing. Hooks never see commands.
    """
    now = wall_ms()
    insert_if_absent(
        work,
        commands,
        {
            "environment_id": work.environment_id,
            "id": new_id("cmd"),
            "kind": kind,
            "subject": subject,
            "arguments": msgspec.json.encode(arguments).decode(),
            "next_attempt_at": now,
            "created_at": now,
        },
    )


def recorded_in(work: Work) -> list[Noted]:
    """What this work has recorded so far, in order; for those who act on it before the commit."""
    return list(work.notes.get("outbox.recorded", ()))


def changed_customers(work: Work) -> list[str]:
    """Whom this work changed, as their keys."""
    heads: dict[Customer, _Head] = work.notes.get("outbox.heads", {})
    return [customer.key for customer, locked in heads.items() if locked.changes]


def _heads(work: Work) -> dict[Customer, _Head]:
    if "outbox.heads" not in work.notes:
        work.notes["outbox.heads"] = {}
        work.before_commit(_close_heads)
    heads: dict[Customer, _Head] = work.notes["outbox.heads"]
    return heads


def _close_heads(work: Work) -> None:
    """Last in the transaction: one state change per customer that changed, and the counters written back once."""
    for customer, locked in sorted(_heads(work).items()):
        if not locked.changes:
            continue
        sequence, version = locked.next_sequence, locked.version + 1
        facts = {"version": version, "changes": locked.changes, "previous": locked.version}
        _insert(work, new_id("evt"), "customer.state_changed", facts, customer, sequence)
        work.execute(
            customers.update()
            .where(customers.c.environment_id == work.environment_id, customers.c.customer == customer.key)
            .values(version=version, next_sequence=sequence + 1, defaults_version=locked.defaults_version)
        )


def _insert(
    work: Work, event_id: str, event_type: str, facts: dict[str, Any], customer: Customer | None, sequence: int | None
) -> None:
    work.notes.setdefault("outbox.recorded", []).append(Noted(event_id, event_type, facts, customer, sequence))
    rows: list[dict[str, Any]] = work.notes.setdefault("outbox.rows", [])
    if not rows:
        work.before_commit(write_recorded)
    rows.append(
        {
            "environment_id": work.environment_id,
            "id": event_id,
            "customer": None if customer is None else customer.key,
            "sequence": sequence,
            "type": event_type,
            "created_at": work.now,
            "data": msgspec.json.encode(facts).decode(),
        }
    )


def write_recorded(work: Work) -> None:
    """What was recorded so far becomes rows, all at once: last in the work, or before something that looks at them."""
    rows = work.notes.pop("outbox.rows", None)
    if rows:
        work.execute(events.insert(), rows)
