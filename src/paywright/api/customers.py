"""A customer at once, and who there is."""

from typing import Any

import sqlalchemy as sa

from paywright.api import parsing
from paywright.api.call import Answer, Call, listed, ok
from paywright.api.parsing import Listing
from paywright.customers import queries
from paywright.kernel.instants import rfc3339
from paywright.kernel.model import CUSTOMER_TYPES, Customer
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.ledger.opening import Opening
from paywright.outbox.tables import customers
from paywright.realtime import state


class CustomerListing(Listing, frozen=True, kw_only=True):
    """`type` narrows the list to one kind of customer."""

    type: str | None = None


def read_state(call: Call) -> Answer:
    """Everything about one customer at once: products, items, billing. `version` rises with every commit that changes it."""
    with call.app.database.read() as connection:
        included = call.app.resource(Opening).included
        standing = state.read(connection, call.environment.id, call.owner, call.app.wall(), included=included)
    return ok(standing.shown(with_secret_key=call.caller.has_secret_key))


def read_billing(call: Call) -> Answer | Refusal:
    """How the customer pays, as we last heard from Stripe: e-mail address and default card."""
    with call.app.database.read() as connection:
        return ok(billing(connection, call))


def billing(connection: sa.Connection, call: Call) -> dict[str, Any]:
    return queries.billing_of(connection, call.environment.id, [call.owner])[call.owner].shown()


def list_customers(call: Call) -> Answer | Refusal:
    """Customers that were ever written, by type and id."""
    query: CustomerListing = call.query
    cursor = parsing.read_cursor(query.cursor)
    if isinstance(cursor, Refusal):
        return cursor
    if query.type is not None and query.type not in CUSTOMER_TYPES:
        return invalid_request("type", f"`type` is one of {', '.join(CUSTOMER_TYPES)}.")
    statement = sa.select(customers.c.customer, customers.c.version, customers.c.opened_at).where(
        customers.c.environment_id == call.environment.id
    )
    if query.type is not None:
        statement = statement.where(customers.c.customer > f"{query.type}:", customers.c.customer < f"{query.type};")
    if cursor is not None:
        statement = statement.where(customers.c.customer > cursor)
    with call.app.database.read() as connection:
        rows = connection.execute(statement.order_by(customers.c.customer).limit(query.limit + 1)).all()
    return listed(rows, limit=query.limit, cursor_of=lambda row: parsing.cursor_of(row.customer), show=_listed)


def _listed(row: Any) -> dict[str, Any]:
    return {"customer": Customer.of_key(row.customer), "version": row.version, "created_at": rfc3339(row.opened_at)}
