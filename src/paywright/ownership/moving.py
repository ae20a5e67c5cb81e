"""A guest's purchases become an account's."""

import sqlalchemy as sa

from paywright.kernel.model import Customer
from paywright.outbox.actions import mark_changed
from paywright.ownership.model import OwnedProduct
from paywright.ownership.record import where_is
from paywright.ownership.tables import owned_products, product_holders, product_line_holders
from paywright.storage.work import Work


def move(work: Work, giver: Customer, taker: Customer) -> None:
    """
    All of it, ended ones too. Both customers are locked.

    Never refused for what the taker owns, because it is paid for: what is moved holds no place in a product line and no place of a product.
    """
    for holders in (product_line_holders, product_holders):
        mine = holders.c.environment_id == work.environment_id, holders.c.customer == giver.key
        work.execute(holders.delete().where(*mine))
    moved = work.execute(
        owned_products.update()
        .where(owned_products.c.environment_id == work.environment_id, owned_products.c.customer == giver.key)
        .values(customer=taker.key, moved_from=giver.key)
        .returning(owned_products.c.id)
    )
    if moved.all():
        mark_changed(work, giver, "products")
        mark_changed(work, taker, "products")


def moved_from(work: Work, owned: OwnedProduct) -> Customer | None:
    """The guest who bought it; None when it was the customer's from the beginning."""
    found = work.execute(sa.select(owned_products.c.moved_from).where(where_is(work, owned))).scalar_one()
    return None if found is None else Customer.of_key(found)
