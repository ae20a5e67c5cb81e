"""
Rules that look at several things of a catalog at once: references, customer types, trials, defaults, add-ons. Pure.

Each check reports and goes on. A reference to nothing is reported once and then ignored by the other checks.
"""

from collections.abc import Iterator

from paywright.catalog.fields import joined
from paywright.catalog.model import Catalog, Price, Product
from paywright.catalog.report import Report


def check_catalog(report: Report, catalog: Catalog) -> None:
    for product_id, product in catalog.products.items():
        path = f"products.{product_id}"
        _check_references(report, catalog, product, path)
        _check_trials(report, product, path)
        _check_default(report, product, path)
    _check_one_default_a_line(report, catalog)
    _check_cycles(report, catalog)
    _check_adopted(report, catalog)


def check_inline(report: Report, catalog: Catalog, product: Product) -> None:
    _check_references(report, catalog, product, "product")
    _check_trials(report, product, "product")
    _check_unique(report, ((f"product.prices.{price_id}", price) for price_id, price in product.prices.items()))


def _check_references(report: Report, catalog: Catalog, product: Product, path: str) -> None:
    if product.product_line is not None:
        line = catalog.product_lines.get(product.product_line)
        where = joined(path, "product_line")
        if line is None:
            report.add("unknown_product_line", where, f"There is no product line `{product.product_line}`.")
        else:
            _check_type(report, product, line.customer_type, f"the product line `{product.product_line}`", where)
    for base_id in product.add_on_to:
        base = catalog.products.get(base_id)
        where = joined(joined(path, "add_on_to"), base_id)
        if base is None:
            report.add("unknown_product", where, f"There is no product `{base_id}`.")
        else:
            _check_type(report, product, base.customer_type, f"the base `{base_id}`", where)
    for item_id in product.included_items:
        item = catalog.items.get(item_id)
        where = joined(joined(path, "included_items"), item_id)
        if item is None:
            report.add("unknown_item", where, f"There is no item `{item_id}`.")
        else:
            _check_type(report, product, item.customer_type, f"the item `{item_id}`", where)


def _check_type(report: Report, product: Product, other: str, what: str, where: str) -> None:
    if product.customer_type != other:
        report.add(
            "customer_type_mismatch",
            where,
            f"The product is for customers of type {product.customer_type}, {what} for {other}.",
        )


def _check_trials(report: Report, product: Product, path: str) -> None:
    for price_id, price in product.prices.items():
        if price.trial is not None and not (price.is_recurring and price.is_paid):
            report.add(
                "trial_not_allowed",
                f"{path}.prices.{price_id}.trial",
                "Only a recurring price above zero can have a trial.",
            )
    if product.trial is not None and not any(price.is_recurring and price.is_paid for price in product.prices.values()):
        report.add(
            "trial_not_allowed", joined(path, "trial"), "A trial needs a recurring price above zero to come after it."
        )


def _check_default(report: Report, product: Product, path: str) -> None:
    if not product.include_by_default:
        return
    reasons = {
        "prices": bool(product.prices),
        "a trial": product.trial is not None,
        "bases": product.is_add_on,
        "`stackable`": product.stackable,
    }
    if any(reasons.values()):
        named = ", ".join(name for name, present in reasons.items() if present)
        report.add(
            "default_not_free", path, f"A product included by default is free and owned once: it can't have {named}."
        )
    for item_id, included in product.included_items.items():
        if included.expires == "never":
            where = f"{path}.included_items.{item_id}"
            report.add(
                "default_item_never_expires",
                where,
                "A default product would give units that never expire again after every lapse.",
            )


def _check_one_default_a_line(report: Report, catalog: Catalog) -> None:
    first_of: dict[str, str] = {}
    for product_id, product in catalog.products.items():
        if not product.include_by_default or product.product_line is None:
            continue
        first = first_of.setdefault(product.product_line, product_id)
        if first != product_id:
            message = f"`{first}` is already the default of the line `{product.product_line}`."
            report.add("two_defaults_in_line", f"products.{product_id}", message)


def _check_cycles(report: Report, catalog: Catalog) -> None:
    for product_id, product in catalog.products.items():
        if product_id in _bases_of(catalog, product):
            report.add(
                "add_on_cycle",
                f"products.{product_id}.add_on_to",
                "A product can't be its own base, directly or through others.",
            )


def _bases_of(catalog: Catalog, product: Product) -> set[str]:
    """Every base, bases of bases included."""
    found: set[str] = set()
    waiting = list(product.add_on_to)
    while waiting:
        base_id = waiting.pop()
        if base_id in found or base_id not in catalog.products:
            continue
        found.add(base_id)
        waiting.extend(catalog.products[base_id].add_on_to)
    return found


def _check_adopted(report: Report, catalog: Catalog) -> None:
    _check_unique(report, _prices(catalog))


def _prices(catalog: Catalog) -> Iterator[tuple[str, Price]]:
    for product_id, product in catalog.products.items():
        for price_id, price in product.prices.items():
            yield f"products.{product_id}.prices.{price_id}", price


def _check_unique(report: Report, prices: Iterator[tuple[str, Price]]) -> None:
    first_of: dict[str, str] = {}
    for path, price in prices:
        if price.stripe_price_id is None:
            continue
        first = first_of.setdefault(price.stripe_price_id, path)
        if first != path:
            report.add("duplicate_stripe_price", path, f"`{price.stripe_price_id}` is adopted by `{first}` already.")
