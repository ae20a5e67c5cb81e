"""The version of a product is a hash of its normal form: the same product is the same version, on every server and for ever. Pure."""

import hashlib

import msgspec

from paywright.catalog.model import Catalog, Price, Product


def product_version_id(product_id: str | None, product: Product) -> str:
    """`pv_` and 32 hex digits. The order of prices and items counts, the order of currencies and of metadata keys does not."""
    prices = {
        price_id: msgspec.structs.replace(price, amounts=dict(sorted(price.amounts.items())))
        for price_id, price in product.prices.items()
    }
    normal = msgspec.json.encode([product_id, msgspec.structs.replace(product, prices=prices)])
    return f"pv_{hashlib.sha256(normal).hexdigest()[:32]}"


def price_hash(price: Price) -> str:
    """What Stripe keeps unchangeable about a price: its amounts and its interval. Sixteen hex digits."""
    normal = msgspec.json.encode([sorted(price.amounts.items()), price.interval])
    return hashlib.sha256(normal).hexdigest()[:16]


def catalog_hash(catalog: Catalog) -> str:
    """Of everything that is written in a catalog, order included; equal catalogs have equal hashes."""
    versions = [
        (product_id, product_version_id(product_id, product)) for product_id, product in catalog.products.items()
    ]
    normal = msgspec.json.encode([list(catalog.items.items()), list(catalog.product_lines.items()), versions])
    return hashlib.sha256(normal).hexdigest()
