"""A customer at once, and who there is."""

from typing import Any

import msgspec
import sqlalchemy as sa

from paywright.api import items, owning, parsing
from paywright.api.call import Answer, Call, listed, ok
from paywright.api.parsing import Listing
from paywright.catalog import queries as catalog_queries
from paywright.customers import queries
from paywright.kernel.instants import rfc3339
from paywright.kernel.model import CUSTOMER_TYPES, Customer
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.ledger.opening import Opening
from paywright.ledger.queries import item_states, version_of
from paywright.outbox.tables import customers


class CustomerListing(Listing, frozen=True, kw_only=True):
    """`type` narrows the list to one kind of customer."""

    type: str | None = None


def read_state(call: Call) -> Answer:
    """Everything about one customer at once: products, items, billing. `version` rises with every commit that changes it."""
    now = call.app.now(call.environment.id)
    with call.app.database.read() as connection:
        catalog = catalog_queries.current(connection, call.environment.id)
        ids = [item_id for item_id, item in catalog.items.items() if item.customer_type == items.owner_type(call.owner)]
        included = call.app.resource(Opening).included
        states = item_states(connection, call.environment.id, call.owner, ids, now, included=included)
        return ok(
            {
                "customer": call.owner,
                "version": version_of(connection, call.environment.id, call.owner),
                "products": owning.owned_products(connection, call, now),
                "items": [items.shown(state, catalog.items[state.item_id]) for state in states],
                "billing": billing(connection, call),
            }
        )


def read_billing(call: Call) -> Answer | Refusal:
    """How the customer pays, as we last heard from Stripe: e-mail address and default card."""
    with call.app.database.read() as connection:
        return ok(billing(connection, call))


def billing(connection: sa.Connection, call: Call) -> dict[str, Any]:
    known = queries.billing(connection, call.environment.id, call.owner)
    return {
        "has_stripe_customer": known.has_stripe_customer,
        "stripe_customer_id": queries.stripe_customer_id(connection, call.environment.id, call.owner),
        "email": known.email,
        "default_payment_method": msgspec.to_builtins(known.default_payment_method),
    }


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
