"""The outbox: what Paywright tells the world, ledger entries included."""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.api import parsing
from paywright.api.call import Answer, Call, listed
from paywright.api.parsing import Listing
from paywright.hooks.wire import BALANCE_CHANGED, of_entry, of_recorded
from paywright.kernel.model import CUSTOMER_TYPES, Customer, parse_customer
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.ledger.queries import events_of_entries
from paywright.outbox.delivery import recorded as as_recorded
from paywright.outbox.tables import events


class EventListing(Listing, frozen=True, kw_only=True):
    """`customer_id` needs its `customer_type`."""

    type: str | None = None
    customer_type: str | None = None
    customer_id: str | None = None


class Filter(msgspec.Struct, frozen=True):
    """`customer` and `customer_type` both None: everybody's. `before` is the time-sorted part of the last event shown."""

    type: str | None
    customer: Customer | None
    customer_type: str | None
    before: str | None
    limit: int


def list_events(call: Call) -> Answer | Refusal:
    """Events, newest first. A ledger entry `ent_X` is the event `evt_X`, of type `item.balance_changed`."""
    asked = read_filter(call.query)
    if isinstance(asked, Refusal):
        return asked
    with call.app.database.read() as connection:
        rows = page(connection, call.environment.id, asked)
    return listed(
        rows, limit=call.query.limit, cursor_of=lambda row: parsing.cursor_of(row["id"][4:]), show=lambda row: row
    )


def read_filter(query: EventListing) -> Filter | Refusal:
    before = parsing.read_cursor(query.cursor)
    if isinstance(before, Refusal):
        return before
    if query.customer_type is not None and query.customer_type not in CUSTOMER_TYPES:
        return invalid_request("customer_type", f"`customer_type` is one of {', '.join(CUSTOMER_TYPES)}.")
    if query.customer_id is None:
        return Filter(query.type, None, query.customer_type, before, query.limit + 1)
    if query.customer_type is None:
        return invalid_request("customer_type", "`customer_id` needs its `customer_type`.")
    customer = parse_customer(query.customer_type, query.customer_id)
    if isinstance(customer, Refusal):
        return customer
    return Filter(query.type, customer, None, before, query.limit + 1)


def page(connection: Connection, environment_id: str, asked: Filter) -> list[dict[str, Any]]:
    """The two tables merged: ids of both sort by time."""
    found: list[dict[str, Any]] = []
    if asked.type in (None, BALANCE_CHANGED):
        entries = events_of_entries(
            connection,
            environment_id,
            customer=asked.customer,
            customer_type=asked.customer_type,
            before_id=asked.before,
            limit=asked.limit,
        )
        found += [of_entry(entry, environment_id) for entry in entries]
    if asked.type != BALANCE_CHANGED:
        found += recorded(connection, environment_id, asked)
    found.sort(key=lambda row: str(row["id"]), reverse=True)
    return found[: asked.limit]


def recorded(connection: Connection, environment_id: str, asked: Filter) -> list[dict[str, Any]]:
    columns = (events.c.id, events.c.type, events.c.created_at, events.c.customer, events.c.sequence, events.c.data)
    statement = sa.select(*columns).where(events.c.environment_id == environment_id)
    if asked.type is not None:
        statement = statement.where(events.c.type == asked.type)
        if asked.type != "customer.state_changed":
            statement = statement.where(sa.text("events.type <> 'customer.state_changed'"))  # As the index says it.
    if asked.customer is not None:
        statement = statement.where(events.c.customer == asked.customer.key)
    if asked.customer_type is not None:
        # Everything that begins with `user:`; `;` is the byte after `:`.
        statement = statement.where(
            events.c.customer > f"{asked.customer_type}:", events.c.customer < f"{asked.customer_type};"
        )
    if asked.before is not None:
        statement = statement.where(events.c.id < f"evt_{asked.before}")
    rows = connection.execute(statement.order_by(events.c.id.desc()).limit(asked.limit))
    return [of_recorded(as_recorded(row), environment_id) for row in rows]
