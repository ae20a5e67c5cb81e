"""Events as they leave: recorded ones and ledger entries, in each customer's order."""

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy.engine import Connection

from paywright.kernel.instants import rfc3339
from paywright.kernel.model import Customer
from paywright.ledger.model import Entry
from paywright.ledger.queries import entries_since
from paywright.outbox.delivery import Recorded, Undelivered

BALANCE_CHANGED = "item.balance_changed"
ENTRIES_PER_PAGE = 1_000


class Outgoing(msgspec.Struct, frozen=True):
    """An event ready to be sent: `body` is its JSON."""

    id: str
    type: str
    customer: str | None
    sequence: int | None
    body: str


def outgoing(connection: Connection, environment_id: str, told: Undelivered) -> list[Outgoing]:
    """All there is to tell of one customer, in the order of sequence."""
    found = [_ready(of_recorded(event, environment_id)) for event in told.events]
    found += [_ready(of_entry(entry, environment_id)) for entry in _entries(connection, environment_id, told)]
    return sorted(found, key=lambda event: event.sequence or 0)


def _entries(connection: Connection, environment_id: str, told: Undelivered) -> Iterator[Entry]:
    """Between what was told before and the newest event of this time, however many there are."""
    after = told.after
    while told.customer is not None:
        page = entries_since(connection, environment_id, told.customer, after, limit=ENTRIES_PER_PAGE)
        yield from (entry for entry in page if entry.sequence <= told.until)
        if len(page) < ENTRIES_PER_PAGE or page[-1].sequence > told.until:
            return
        after = page[-1].sequence


def of_recorded(event: Recorded, environment_id: str) -> dict[str, Any]:
    return {
        "id": event.id,
        "type": event.type,
        "created_at": rfc3339(event.created_at),
        "environment": environment_id,
        "customer": event.customer,
        "sequence": event.sequence,
        "data": event.facts,
    }


def of_entry(entry: Entry, environment_id: str) -> dict[str, Any]:
    """A ledger entry is its own outbox row: `ent_X` is told as `evt_X`."""
    return {
        "id": f"evt_{entry.id.partition('_')[2]}",
        "type": BALANCE_CHANGED,
        "created_at": rfc3339(entry.at),
        "environment": environment_id,
        "customer": Customer.of_key(entry.customer),
        "sequence": entry.sequence,
        "data": {
            "item_id": entry.item_id,
            "quantity": entry.balance_after - entry.held_after,
            "held": entry.held_after,
            "delta": entry.delta,
            "kind": entry.kind,
            "entry_id": entry.id,
            "source": entry.source,
        },
    }


def _ready(event: dict[str, Any]) -> Outgoing:
    customer: Customer | None = event["customer"]
    key = None if customer is None else customer.key
    return Outgoing(event["id"], event["type"], key, event["sequence"], msgspec.json.encode(event).decode())
