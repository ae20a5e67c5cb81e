"""
From a subscription's items to what is sold by them.

A price of the catalog says which product it is, whatever the metadata says: that still names the old plan after a switch in the portal. An item at
a price that is not of the catalog is an inline product, if the metadata pins one for it.
"""

from paywright.catalog import queries as catalog_queries
from paywright.catalog.model import Product, ProductVersion
from paywright.catalog.queries import SoldPrice
from paywright.ownership.model import OwnedProduct, ResolvedLine
from paywright.storage.work import Work
from paywright.stripe import metadata
from paywright.subscriptions.model import SubscriptionFacts, SubscriptionItem


def key_of(thing: OwnedProduct | ResolvedLine) -> str:
    """What tells the products of one subscription apart: inline ones have no id."""
    return thing.version_id if thing.product_id is None else thing.product_id


def lines_of(
    work: Work, facts: SubscriptionFacts, items: tuple[SubscriptionItem, ...], sold: dict[str, SoldPrice]
) -> list[ResolvedLine]:
    """`items` of `facts`, now or to come, as lines; each with the version that was sold: the one the metadata pins, else the newest."""
    pinned = [each for each in facts.metadata.get(metadata.PRODUCT_VERSION, "").split(",") if each]
    wanted = sorted({*pinned, *(each.product_version for each in sold.values())})
    versions = catalog_queries.product_versions_of(work.connection, work.environment_id, wanted)
    known = [versions[each] for each in pinned if each in versions]
    inline = _inline(facts, sold, [each for each in known if each.product_id is None])
    lines: dict[str, ResolvedLine] = {}
    for item in items:
        line = None
        found = sold.get(item.stripe_price_id)
        if found is not None:
            version = next((each for each in known if each.product_id == found.product_id), None)
            if version is None or found.price_id not in version.product.prices:
                version = versions[found.product_version]
            line = _line(found.product_id, version, found.price_id, item)
        elif item.stripe_price_id in inline:
            version, price_id = inline[item.stripe_price_id]
            line = _line(None, version, price_id, item)
        if line is not None:
            lines.setdefault(key_of(line), line)
    return list(lines.values())


def _line(product_id: str | None, version: ProductVersion, price_id: str, item: SubscriptionItem) -> ResolvedLine:
    price = version.product.prices.get(price_id)
    return ResolvedLine(product_id, version.id, version.product, price_id, price, item.quantity)


def _inline(
    facts: SubscriptionFacts, sold: dict[str, SoldPrice], versions: list[ProductVersion]
) -> dict[str, tuple[ProductVersion, str]]:
    """Stripe price → inline product and its price. By amount and interval where they agree; what is left in the order of the checkout's lines."""
    strange = [item for item in facts.items if item.stripe_price_id not in sold]
    left = list(versions)
    found: dict[str, tuple[ProductVersion, str]] = {}
    for by_amount in (True, False):
        for item in strange:
            if item.stripe_price_id in found:
                continue
            for version in left:
                price_id = _price_of(version.product, item, by_amount=by_amount)
                if price_id is not None:
                    found[item.stripe_price_id] = version, price_id
                    left.remove(version)
                    break
    return found


def _price_of(product: Product, item: SubscriptionItem, *, by_amount: bool) -> str | None:
    for price_id, price in product.prices.items():
        if not price.is_recurring:
            continue
        is_it = price.interval == item.interval and price.amounts.get(item.currency or "") == item.unit_amount
        if is_it or not by_amount:
            return price_id
    return None
