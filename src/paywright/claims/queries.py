"""Whom a claim token opens, and what it shows."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.catalog.queries import current
from paywright.claims.model import Claim, Guest
from paywright.claims.rules import state_of, token_hash
from paywright.claims.tables import claim_tokens, guests
from paywright.kernel.model import Customer
from paywright.ledger import queries as ledger_queries
from paywright.ownership import queries as ownership_queries
from paywright.ownership.present import shown


def guest_of(connection: Connection, environment_id: str, token: str) -> Guest | None:
    """The guest a token opens, also when its purchases have moved on."""
    same = (claim_tokens.c.environment_id == guests.c.environment_id) & (claim_tokens.c.guest_id == guests.c.id)
    row = connection.execute(
        sa.select(guests.c.id, guests.c.attached_to)
        .join(claim_tokens, same)
        .where(claim_tokens.c.environment_id == environment_id, claim_tokens.c.token_hash == token_hash(token))
    ).one_or_none()
    return None if row is None else _guest(row)


def guest(connection: Connection, environment_id: str, guest_id: str) -> Guest | None:
    row = connection.execute(
        sa.select(guests.c.id, guests.c.attached_to).where(
            guests.c.environment_id == environment_id, guests.c.id == guest_id
        )
    ).one_or_none()
    return None if row is None else _guest(row)


def claim(connection: Connection, environment_id: str, found: Guest, now: int, *, currency: str) -> Claim:
    """The live state of a guest's purchases."""
    if found.attached_to is not None:
        return Claim("attached")
    every = ownership_queries.ever(connection, environment_id, found.customer)
    state = state_of(every, now)
    catalog = current(connection, environment_id)
    products = [
        shown(owned, now, catalog=None, currency=currency, with_secret_key=False)
        for owned in every
        if owned.is_live(now) and not _is_hidden(catalog, owned.product_id)
    ]
    touched = ledger_queries.items_with_balance(connection, environment_id, found.customer.key)
    states = ledger_queries.item_states(connection, environment_id, found.customer, touched, now)
    items = [{"id": each.item_id, "quantity": each.quantity, "held": each.held} for each in states]
    return Claim(state, products, items)


def _is_hidden(catalog: Any, product_id: str | None) -> bool:
    product = catalog.products.get(product_id)
    return product is not None and product.server_only


def _guest(row: Any) -> Guest:
    attached = None if row.attached_to is None else Customer.of_key(row.attached_to)
    return Guest(Customer("guest", row.id), attached)
