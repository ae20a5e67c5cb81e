"""A catalog as others see it: the whole for a secret key, the public part for everybody. Pure."""

from typing import Any

import msgspec

from paywright.catalog.model import Catalog, Item, Product, ProductLine


def wire(catalog: Catalog) -> dict[str, Any]:
    """`GET /v1/catalog`: everything, `metadata.server` included. Secret keys only."""
    return {
        "version": catalog.version,
        "items": msgspec.to_builtins(catalog.items),
        "product_lines": msgspec.to_builtins(catalog.product_lines),
        "products": msgspec.to_builtins(catalog.products),
    }


def public_products(catalog: Catalog) -> list[dict[str, Any]]:
    """`GET /v1/products`, in catalog order: no server-only product, no server-only price, no `server` metadata."""
    return [
        public_product(catalog, product_id)
        for product_id, product in catalog.products.items()
        if not product.server_only
    ]


def public_product(catalog: Catalog, product_id: str) -> dict[str, Any]:
    """One product of the public catalog; the caller has checked that it exists and is not server-only."""
    product = catalog.products[product_id]
    assert not product.server_only, product_id
    bases = [base for base in product.add_on_to if not catalog.products[base].server_only]
    return {
        "id": product_id,
        "display_name": product.display_name,
        "customer_type": product.customer_type,
        "product_line": product.product_line,
        "add_on_to": bases,
        "include_by_default": product.include_by_default,
        "stackable": product.stackable,
        "trial": product.trial,
        "prices": public_prices(product),
        "included_items": [
            {"item_id": item_id, "quantity": included.quantity, "repeat": included.repeat, "expires": included.expires}
            for item_id, included in product.included_items.items()
        ],
        "metadata": {"client": product.metadata.client, "client_read_only": product.metadata.client_read_only},
    }


def public_prices(product: Product) -> list[dict[str, Any]]:
    """Prices anybody may use, in catalog order. `trial` is the one that comes with the price: its own or the product's."""
    return [
        {
            "id": price_id,
            "amounts": [{"amount": amount, "currency": currency} for currency, amount in price.amounts.items()],
            "interval": price.interval,
            "trial": None if (trial := product.trial_of(price)) is None else str(trial),
        }
        for price_id, price in product.prices.items()
        if not price.server_only
    ]


def public_named(things: dict[str, Item] | dict[str, ProductLine]) -> list[dict[str, Any]]:
    """`GET /v1/items` and `GET /v1/product-lines`, in catalog order."""
    return [
        {"id": each, "display_name": thing.display_name, "customer_type": thing.customer_type}
        for each, thing in things.items()
    ]
