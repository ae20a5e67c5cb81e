"""Purchase addresses: what a buyer may buy on a page of ours. What they choose there begins a checkout like any other."""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.checkout.tables import purchase_urls
from paywright.kernel.ids import new_id, wall_ms
from paywright.kernel.model import Customer, Json
from paywright.storage.work import Work


class PurchaseUrl(msgspec.Struct, frozen=True):
    """`inline_product` as it was asked for, where there is no `product_id`. `checkout_session_id`: the newest attempt begun on the page."""

    id: str
    customer: Customer
    product_id: str | None
    inline_product: Json
    return_url: str | None
    with_secret_key: bool
    expires_at: int
    checkout_session_id: str | None = None


def create(
    work: Work,
    customer: Customer,
    *,
    product_id: str | None,
    inline_product: Json,
    return_url: str | None,
    with_secret_key: bool,
    life_ms: int,
) -> PurchaseUrl:
    """Lasts `life_ms` of real time."""
    made = new_id("pur")
    wall = wall_ms()
    work.execute(
        purchase_urls.insert().values(
            environment_id=work.environment_id,
            id=made,
            customer=customer.key,
            product_id=product_id,
            inline_product=None if inline_product is None else msgspec.json.encode(inline_product).decode(),
            return_url=return_url,
            with_secret_key=int(with_secret_key),
            created_at=wall,
            expires_at=wall + life_ms,
        )
    )
    found = find(work.connection, work.environment_id, made)
    assert found is not None
    return found


def find(connection: Connection, environment_id: str, purchase_id: str) -> PurchaseUrl | None:
    where = purchase_urls.c.environment_id == environment_id, purchase_urls.c.id == purchase_id
    row = connection.execute(sa.select(*purchase_urls.c).where(*where)).one_or_none()
    return None if row is None else _purchase_url(row)


def begun(work: Work, purchase_id: str, checkout_session_id: str) -> None:
    """The page now stands for this attempt."""
    where = purchase_urls.c.environment_id == work.environment_id, purchase_urls.c.id == purchase_id
    work.execute(purchase_urls.update().where(*where).values(checkout_session_id=checkout_session_id))


def _purchase_url(row: Any) -> PurchaseUrl:
    return PurchaseUrl(
        id=row.id,
        customer=Customer.of_key(row.customer),
        product_id=row.product_id,
        inline_product=None if row.inline_product is None else msgspec.json.decode(row.inline_product),
        return_url=row.return_url,
        with_secret_key=bool(row.with_secret_key),
        expires_at=row.expires_at,
        checkout_session_id=row.checkout_session_id,
    )
