"""
Products included by default: the free plan.

Every customer of its type owns one as long as no other product of its product line is owned. Nothing is written for customers who only look: what
they own, and the units that come with it, is computed. The first write opens the customer: from then on the default is a row like any other,
ended when something better is bought and begun anew when that lapses. A catalog whose defaults changed has a higher `defaults_version`; customers
opened under a lower one are opened again by their next write, and computed until then.
"""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.catalog import queries as catalog_queries
from paywright.catalog.model import Catalog, Product
from paywright.kernel.ids import new_id
from paywright.kernel.model import Customer
from paywright.ledger import actions as ledger
from paywright.ledger.account import Included
from paywright.ledger.model import NEVER
from paywright.outbox.actions import head, mark_changed
from paywright.outbox.tables import customers
from paywright.ownership import queries
from paywright.ownership.model import OwnedProduct
from paywright.ownership.present import own_id
from paywright.ownership.tables import owned_products
from paywright.storage.work import Work


class Opened(msgspec.Struct, frozen=True):
    """What decides a customer's defaults. `opened_at` is the first write; now, for one who never wrote."""

    defaults_version: int
    opened_at: int


def wanted(catalog: Catalog, customer: Customer, owned: Sequence[OwnedProduct]) -> dict[str, Product]:
    """The defaults this customer owns while they own `owned` besides. Guests own none."""
    if customer.type == "guest":
        return {}
    held_lines = {each.product_line for each in owned if each.source != "default" and not each.product.is_add_on}
    return {
        product_id: product
        for product_id, product in catalog.defaults(customer.type).items()
        if product.product_line is None or product.product_line not in held_lines
    }


def align_later(work: Work, customer: Customer) -> None:
    """`align` at the end of this work: several things may begin and end in it, and a default comes or goes for what is left."""
    waiting: set[Customer] = work.notes.setdefault("ownership.align", set())
    if not waiting:
        work.before_commit(_align_waiting, first=True)
    waiting.add(customer)


def _align_waiting(work: Work) -> None:
    waiting: set[Customer] = work.notes["ownership.align"]
    for customer in sorted(waiting):
        align(work, customer)


def align(work: Work, customer: Customer) -> None:
    """Makes the rows agree with what is wanted. The customer is locked and their known ends are applied."""
    catalog = catalog_queries.current(work.connection, work.environment_id)
    if not catalog.defaults_version:
        return
    locked = head(work, customer)
    owned = queries.live(work.connection, work.environment_id, customer, work.now)
    due = wanted(catalog, customer, owned)
    present = {each.product_id: each for each in owned if each.source == "default"}
    for product_id, standing in present.items():
        if product_id not in due:
            _end(work, standing)
    opened = Opened(locked.defaults_version, locked.opened_at)
    for product_id in sorted(due.keys() - present.keys()):
        starts_at = _starts_at(work.connection, work.environment_id, customer, product_id, catalog, opened)
        _begin(work, customer, product_id, due[product_id], catalog, starts_at)
    if locked.defaults_version != catalog.defaults_version:
        locked.defaults_version = catalog.defaults_version
        mark_changed(work, customer, "products")


def owned_by_default(
    connection: Connection, environment_id: str, customer: Customer, owned: Sequence[OwnedProduct], now: int
) -> list[OwnedProduct]:
    """`owned` (live rows) as a reader should see them: defaults that are not rows yet added, rows that are no longer wanted left out."""
    catalog = catalog_queries.current(connection, environment_id)
    due = wanted(catalog, customer, owned)
    standing = [each for each in owned if each.source != "default" or each.product_id in due]
    missing = due.keys() - {each.product_id for each in standing}
    if not missing:
        return standing
    opened = _opened(connection, environment_id, customer, now)
    computed = [
        OwnedProduct(
            id=own_id(product_id),
            customer=customer,
            product_id=product_id,
            version_id=catalog.product_versions[product_id],
            product=product,
            price_id=None,
            quantity=1,
            source="default",
            granted_at=min(now, _starts_at(connection, environment_id, customer, product_id, catalog, opened)),
        )
        for product_id, product in due.items()
        if product_id in missing
    ]
    return standing + computed


def included_by_default(
    connection: Connection, environment_id: str, customer: Customer, item_id: str, now: int
) -> list[Included]:
    """The included items of defaults that are not rows yet, for a read of that item's balance."""
    owned = queries.live(connection, environment_id, customer, now)
    rows = {each.id for each in owned}
    found = []
    for each in owned_by_default(connection, environment_id, customer, owned, now):
        included = each.product.included_items.get(item_id)
        if each.id not in rows and included is not None:
            found.append(
                Included(
                    each.id,
                    included.quantity,
                    included.period,
                    included.expires,
                    each.granted_at,
                    each.granted_at,
                    NEVER,
                )
            )
    return found


def _starts_at(
    connection: Connection, environment_id: str, customer: Customer, product_id: str, catalog: Catalog, opened: Opened
) -> int:
    """The first write, the catalog version that made it a default, or the end of what stood in its place: whichever was last."""
    product = catalog.products[product_id]
    since = max(opened.opened_at, catalog.default_since.get(product_id, 0))
    if product.product_line is None:
        return since
    others = [other for other, each in catalog.products.items() if each.product_line == product.product_line]
    last_end = connection.execute(
        sa.select(sa.func.max(sa.func.coalesce(owned_products.c.ended_at, owned_products.c.ends_at))).where(
            owned_products.c.environment_id == environment_id,
            owned_products.c.customer == customer.key,
            owned_products.c.product_id.in_(others),
            owned_products.c.source != "default",
        )
    ).scalar_one()
    return max(since, last_end or 0)


def _opened(connection: Connection, environment_id: str, customer: Customer, now: int) -> Opened:
    row = connection.execute(
        sa.select(customers.c.defaults_version, customers.c.opened_at).where(
            customers.c.environment_id == environment_id, customers.c.customer == customer.key
        )
    ).one_or_none()
    return Opened(0, now) if row is None else Opened(row.defaults_version, row.opened_at)


def _begin(work: Work, customer: Customer, product_id: str, product: Product, catalog: Catalog, starts_at: int) -> None:
    """No events of its own: it was owned before anybody wrote it down. Its units are entries like all others."""
    owned_id = new_id("own")
    starts = min(starts_at, work.now)
    work.execute(
        owned_products.insert().values(
            environment_id=work.environment_id,
            customer=customer.key,
            id=owned_id,
            product_id=product_id,
            version_id=catalog.product_versions[product_id],
            quantity=1,
            source="default",
            granted_at=starts,
        )
    )
    mark_changed(work, customer, "products")
    for item_id, included in product.included_items.items():
        ledger.start_included(
            work,
            customer,
            owned_id,
            item_id,
            included.quantity,
            repeat=included.period,
            expires=included.expires,
            anchor=starts,
            starts_at=starts,
        )


def _end(work: Work, standing: OwnedProduct) -> None:
    here = (
        owned_products.c.environment_id == work.environment_id,
        owned_products.c.customer == standing.customer.key,
        owned_products.c.id == standing.id,
    )
    work.execute(owned_products.update().where(*here).values(ended_at=work.now, end_reason="replaced", access=0))
    ledger.end_included(work, standing.customer, standing.id, at=work.now)
    mark_changed(work, standing.customer, "products")
