"""Reading owned products. What is live is decided against an instant, so a known end counts on time without any job."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.catalog.model import Product, ProductVersion
from paywright.catalog.queries import product_versions_of
from paywright.kernel.model import Customer
from paywright.ownership.model import OwnedProduct, PendingChange, Subscription
from paywright.ownership.succession import as_of
from paywright.ownership.tables import owned_products

# Written once: making a statement costs more than running it.
_ROWS = sa.select(*owned_products.c).order_by(owned_products.c.granted_at.desc(), owned_products.c.id.desc())

OWNED_MAX = 1_000
"""Live products of one customer that are looked at; more is no entitlement any more but a warehouse."""


class OwnedRow(msgspec.Struct, frozen=True, array_like=True):
    """A row of `owned_products`, for whoever reads it along with other things, as JSON. In the order of its fields."""

    customer: str
    id: str
    product_id: str | None
    version_id: str
    price_id: str | None
    quantity: int
    source: str
    granted_at: int
    access: int
    access_until: int | None
    frozen_by: str | None
    items_anchor: int | None
    ends_at: int | None
    own_ends_at: int | None
    ended_at: int | None
    end_reason: str | None
    subscription_id: str | None
    stripe_backed: int | None
    status: str | None
    anchor: int | None
    interval: str | None
    current_period_end: int | None
    cancel_at_period_end: int
    change_at: int | None
    change_product_id: str | None
    change_version_id: str | None
    change_price_id: str | None
    change_quantity: int | None
    change_owned_id: str | None
    checkout_session_id: str | None
    line_index: int | None


def live(connection: Connection, environment_id: str, customer: Customer, now: int) -> list[OwnedProduct]:
    """Newest first, as they are at `now`: known ends, changes and losses of access count on time."""
    return live_of(connection, environment_id, [customer], now)[customer]


def live_of(
    connection: Connection, environment_id: str, customers: Sequence[Customer], now: int
) -> dict[Customer, list[OwnedProduct]]:
    """The same for several customers in one query."""
    columns = owned_products.c
    mine = (columns.environment_id == environment_id) & columns.customer.in_([customer.key for customer in customers])
    where = mine & columns.ended_at.is_(None) & (columns.ends_at.is_(None) | (columns.ends_at > now))
    found = _select(connection, environment_id, where, limit=OWNED_MAX * len(customers))
    coming = {each.pending_change.version_id for each in found if each.pending_change is not None}
    versions = _versions(connection, environment_id, coming)
    shown: dict[Customer, list[OwnedProduct]] = {customer: [] for customer in customers}
    for each in found:
        shown[each.customer].append(each)
    return {customer: as_they_are(owned, versions, now) for customer, owned in shown.items()}


def as_they_are(owned: Sequence[OwnedProduct], coming: Mapping[str, ProductVersion], now: int) -> list[OwnedProduct]:
    """Live rows of one customer at `now`, newest first. `coming` has the product versions of their pending changes."""
    shown = [
        as_of(each, now, None if each.pending_change is None else coming[each.pending_change.version_id].product)
        for each in owned
    ]
    shown.sort(key=lambda each: (each.granted_at, each.id), reverse=True)
    return shown


def unsettled(connection: Connection, environment_id: str, customer: Customer, now: int) -> list[OwnedProduct]:
    """Those to which something known happens by now that is not yet applied, as they stand in the database, newest first."""
    return _select(connection, environment_id, _of(environment_id, customer) & _is_due(now))


def _is_due(now: int) -> sa.ColumnElement[bool]:
    columns = owned_products.c
    return columns.ended_at.is_(None) & sa.or_(
        columns.ends_at <= now,
        (columns.change_at <= now) & (columns.stripe_backed == 0),
        (columns.access_until <= now) & (columns.access == 1),
    )


def owned_product(
    connection: Connection, environment_id: str, customer: Customer, owned_id: str
) -> OwnedProduct | None:
    """Ended ones too."""
    found = _select(connection, environment_id, _of(environment_id, customer) & (owned_products.c.id == owned_id))
    return found[0] if found else None


def ever(connection: Connection, environment_id: str, customer: Customer) -> list[OwnedProduct]:
    """Ended ones too, newest first."""
    return _select(connection, environment_id, _of(environment_id, customer))


def of_subscription(connection: Connection, environment_id: str, subscription_id: str) -> list[OwnedProduct]:
    """Ended ones too, newest first."""
    where = (owned_products.c.environment_id == environment_id) & (owned_products.c.subscription_id == subscription_id)
    return _select(connection, environment_id, where)


def of_checkout_session(connection: Connection, environment_id: str, checkout_session_id: str) -> list[OwnedProduct]:
    where = owned_products.c.environment_id == environment_id
    return _select(connection, environment_id, where & (owned_products.c.checkout_session_id == checkout_session_id))


def customers_with_due_ends(
    connection: Connection, environment_id: str, now: int, *, limit: int = 100
) -> list[Customer]:
    """Whose products end, change or lose access by now: the worker makes the pushes come on time."""
    rows = connection.execute(
        sa.select(owned_products.c.customer)
        .where(owned_products.c.environment_id == environment_id, _is_due(now))
        .distinct()
        .order_by(owned_products.c.customer)
        .limit(limit)
    )
    return [Customer.of_key(row.customer) for row in rows]


def has_owners(connection: Connection, environment_id: str, product_id: str) -> bool:
    """Whether anybody owns or owned it: its customer type is fixed then."""
    statement = (
        sa.select(owned_products.c.id)
        .where(owned_products.c.environment_id == environment_id, owned_products.c.product_id == product_id)
        .limit(1)
    )
    return connection.execute(statement).first() is not None


def _of(environment_id: str, customer: Customer) -> sa.ColumnElement[bool]:
    return (owned_products.c.environment_id == environment_id) & (owned_products.c.customer == customer.key)


def _select(
    connection: Connection, environment_id: str, where: sa.ColumnElement[bool], *, limit: int = OWNED_MAX
) -> list[OwnedProduct]:
    rows = connection.execute(_ROWS.where(where).limit(limit)).all()
    versions = _versions(connection, environment_id, {row.version_id for row in rows})
    return [of_row(row, versions[row.version_id].product) for row in rows]


def _versions(connection: Connection, environment_id: str, ids: set[str]) -> dict[str, ProductVersion]:
    found: dict[str, ProductVersion] = {}
    for some in _batched(sorted(ids), 1000):
        found |= product_versions_of(connection, environment_id, some)
    return found


def _batched(ids: list[str], size: int) -> list[list[str]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def of_row(row: Any, product: Product) -> OwnedProduct:
    """`row` has the columns of `OwnedRow`; `product` is that of its version."""
    return OwnedProduct(
        id=row.id,
        customer=Customer.of_key(row.customer),
        product_id=row.product_id,
        version_id=row.version_id,
        product=product,
        price_id=row.price_id,
        quantity=row.quantity,
        source=row.source,
        granted_at=row.granted_at,
        access=bool(row.access) and not row.frozen_by,
        ends_at=row.ends_at,
        ended_at=row.ended_at,
        end_reason=row.end_reason,
        subscription=_subscription(row),
        checkout_session_id=row.checkout_session_id,
        line_index=row.line_index,
        own_ends_at=row.own_ends_at,
        access_until=row.access_until,
        items_anchor=row.items_anchor,
        pending_change=_pending_change(row),
        frozen_by=tuple((row.frozen_by or "").split()),
    )


def _pending_change(row: Any) -> PendingChange | None:
    if row.change_at is None:
        return None
    return PendingChange(
        product_id=row.change_product_id,
        version_id=row.change_version_id,
        price_id=row.change_price_id,
        quantity=row.change_quantity,
        at=row.change_at,
        successor_id=row.change_owned_id,
    )


def _subscription(row: Any) -> Subscription | None:
    if row.subscription_id is None:
        return None
    return Subscription(
        id=row.subscription_id,
        is_stripe_backed=bool(row.stripe_backed),
        status=row.status,
        anchor=row.anchor,
        interval=row.interval,
        current_period_end=row.current_period_end,
        cancel_at_period_end=bool(row.cancel_at_period_end),
    )
