"""Which Products and Prices Stripe should have for the catalog in force. Rows only; `push` makes them true."""

import msgspec
import sqlalchemy as sa

from paywright.catalog.model import Catalog, Price, Product
from paywright.catalog.stripe_objects import stripe_product_id
from paywright.catalog.tables import stripe_prices, stripe_products
from paywright.catalog.versions import price_hash
from paywright.environments.model import Environment
from paywright.kernel.ids import new_id
from paywright.outbox import actions as outbox
from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work

PUSH_COMMAND = "catalog.push"


def want_stripe_prices(work: Work, environment: Environment, catalog: Catalog) -> None:
    """
    One row per product that has prices, and one per price; rows of what is gone become inactive.

    A price whose amounts or interval changed is another Stripe Price: what was sold stays as it was. An adopted price is known at once.
    """
    work.execute(stripe_prices.update().where(stripe_prices.c.environment_id == work.environment_id).values(active=0))
    work.execute(
        stripe_products.update().where(stripe_products.c.environment_id == work.environment_id).values(active=0)
    )
    for product_id, product in sorted(catalog.products.items()):
        if any(price.stripe_price_id is None for price in product.prices.values()):
            _want_product(work, product_id, product)
        for price_id, price in sorted(product.prices.items()):
            _want_price(work, product_id, price_id, price, catalog.product_versions[product_id])
    if environment.is_at_stripe:
        outbox.command(work, PUSH_COMMAND, f"version {catalog.version}", {})


def _want_product(work: Work, product_id: str, product: Product) -> None:
    insert_if_absent(
        work,
        stripe_products,
        {
            "environment_id": work.environment_id,
            "product_id": product_id,
            "row_id": new_id("spd"),
            "stripe_product_id": stripe_product_id(work.environment_id, product_id),
            "display_name": product.display_name,
        },
    )
    here = (stripe_products.c.environment_id == work.environment_id) & (stripe_products.c.product_id == product_id)
    work.execute(stripe_products.update().where(here).values(active=1, display_name=product.display_name))


def _want_price(work: Work, product_id: str, price_id: str, price: Price, product_version: str) -> None:
    identity = price.stripe_price_id or price_hash(price)
    insert_if_absent(
        work,
        stripe_prices,
        {
            "environment_id": work.environment_id,
            "product_id": product_id,
            "price_id": price_id,
            "price_hash": identity,
            "row_id": new_id("spr"),
            "lookup_key": f"paywright:{work.environment_id}:{product_id}:{price_id}:{price_hash(price)}",
            "stripe_price_id": price.stripe_price_id,
            "adopted": int(price.stripe_price_id is not None),
            "product_version": product_version,
            "document": msgspec.json.encode(price).decode(),
        },
    )
    here = sa.and_(
        stripe_prices.c.environment_id == work.environment_id,
        stripe_prices.c.product_id == product_id,
        stripe_prices.c.price_id == price_id,
        stripe_prices.c.price_hash == identity,
    )
    document = msgspec.json.encode(price).decode()
    work.execute(
        stripe_prices.update().where(here).values(active=1, product_version=product_version, document=document)
    )
