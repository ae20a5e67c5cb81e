"""What a Stripe account sells, and what of it the catalog has or could have."""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from paywright.catalog import pull as pulling
from paywright.catalog import queries as catalog_queries
from paywright.catalog.actions import IsInUse
from paywright.catalog.actions import apply as apply_catalog
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.refusals import Refusal
from paywright.stripe.metadata import id_of

State = Literal["mapped", "mappable", "not"]
ASKED_MAX = 100


class Found(msgspec.Struct, frozen=True):
    """One thing at Stripe. `ours`: what it is here, or would be. `why` not, or what stands in the way, as a sentence."""

    noun: Literal["product", "price", "customer", "subscription"]
    id: str
    state: State
    ours: str | None = None
    why: str | None = None


class Sold(msgspec.Struct, frozen=True):
    """`prices`: Stripe's id → our product and price, adopted or about to be. `document` is the catalog that would have them all; None: it is in
    force."""

    prices: dict[str, tuple[str, str]]
    types: dict[str, str]
    """Our product → for whom it is."""
    lines: dict[str, str]
    """Our product → its product line, for plans."""
    found: list[Found]
    document: dict[str, Any] | None


def look(app: App, environment: Environment) -> Sold:
    """Reads only. Raises what the gateway raises."""
    gateway = app.gateway(environment)
    products = list(gateway.pages("/v1/products", {"active": True}))
    prices = list(gateway.pages("/v1/prices", {"active": True, "expand": ["data.currency_options"]}))
    with app.database.read() as connection:
        catalog = catalog_queries.current(connection, environment.id)
        known = _known(app, environment, [price["id"] for price in prices])
    pulled = pulling.merged(environment, catalog, products, [price for price in prices if price["id"] not in known])
    coming = {
        price["stripe_price_id"]: (product_id, price_id)
        for product_id in pulled.added
        for price_id, price in pulled.document["products"][product_id]["prices"].items()
    }
    skipped = {problem.path: problem.message for problem in pulled.skipped}
    found = [*_products(products, prices, known, coming), *_prices(prices, known, coming, skipped)]
    return Sold(
        prices={**known, **coming},
        types={name: product.customer_type for name, product in catalog.products.items()},
        lines={
            name: product.product_line
            for name, product in catalog.products.items()
            if product.product_line is not None and not product.add_on_to
        },
        found=found,
        document=pulled.document if coming else None,
    )


def adopt(app: App, environment: Environment, sold: Sold, *, is_in_use: IsInUse) -> Refusal | None:
    """Puts the catalog in force that has every price that can be adopted. Nobody owns anything by it yet."""
    if sold.document is None:
        return None
    with app.work(environment.id) as work:
        applied = apply_catalog(work, sold.document, is_in_use=is_in_use)
    return applied if isinstance(applied, Refusal) else None


def _known(app: App, environment: Environment, stripe_ids: list[str]) -> dict[str, tuple[str, str]]:
    known: dict[str, tuple[str, str]] = {}
    with app.database.read() as connection:
        for place in range(0, len(stripe_ids), ASKED_MAX):
            asked = stripe_ids[place : place + ASKED_MAX]
            sold = catalog_queries.by_stripe_price(connection, environment.id, asked)
            known |= {stripe_id: (each.product_id, each.price_id) for stripe_id, each in sold.items()}
    return known


def _products(
    products: list[dict[str, Any]],
    prices: list[dict[str, Any]],
    known: dict[str, tuple[str, str]],
    coming: dict[str, tuple[str, str]],
) -> Iterator[Found]:
    of_product: dict[str, list[str]] = {}
    for price in prices:
        of_product.setdefault(id_of(price["product"]) or "", []).append(price["id"])
    for product in reversed(products):
        its = of_product.get(product["id"], [])
        here = next((known[each][0] for each in its if each in known), None)
        would_be = next((coming[each][0] for each in its if each in coming), None)
        if would_be is not None:
            yield Found("product", product["id"], "mappable", would_be)
        elif here is not None:
            yield Found("product", product["id"], "mapped", here)
        else:
            why = "None of its prices can be adopted." if its else "It has no active price."
            yield Found("product", product["id"], "not", why=why)


def _prices(
    prices: list[dict[str, Any]],
    known: dict[str, tuple[str, str]],
    coming: dict[str, tuple[str, str]],
    skipped: dict[str, str],
) -> Iterator[Found]:
    for price in reversed(prices):
        price_id = price["id"]
        if price_id in known:
            yield Found("price", price_id, "mapped", ".".join(known[price_id]))
        elif price_id in coming:
            yield Found("price", price_id, "mappable", ".".join(coming[price_id]))
        else:
            yield Found("price", price_id, "not", why=skipped.get(price_id, "Its product is archived at Stripe."))
