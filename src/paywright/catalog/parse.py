"""
From a document (JSON, TOML or Python, as dicts) to a catalog in its normal form, or to every problem it has. Pure.

`parse` is the one way in for PUT, files and the dashboard; `parse_inline` reads a product that is sold without being in the catalog.
"""

from typing import Any

from paywright.catalog import fields
from paywright.catalog.checks import check_catalog, check_inline
from paywright.catalog.fields import INTERVAL_MAX, REPEAT_MAX, TRIAL_MAX, Table, joined
from paywright.catalog.model import EXPIRES, Catalog, Expires, IncludedItem, Item, Price, Product, ProductLine
from paywright.catalog.report import Report
from paywright.kernel.model import Mode
from paywright.kernel.refusals import Refusal

_CATALOG_FIELDS = frozenset(("version", "items", "product_lines", "products"))
_NAMED_FIELDS = frozenset(("display_name", "customer_type"))
_PRICE_FIELDS = frozenset(("amounts", "interval", "trial", "server_only", "stripe_price_id"))
_INCLUDED_FIELDS = frozenset(("quantity", "repeat", "expires"))
_INLINE_FIELDS = frozenset(
    ("display_name", "customer_type", "stackable", "trial", "prices", "included_items", "metadata")
)
_PRODUCT_FIELDS = _INLINE_FIELDS | {"product_line", "add_on_to", "ends_with_base", "include_by_default", "server_only"}


def parse(document: Any, *, mode: Mode) -> Catalog | Refusal:
    """
    The catalog with `version` 0 (the version is ours to set), or `invalid_catalog` with all problems.

    `mode` picks from a `stripe_price_id` written as `{"test": …, "live": …}`.
    """
    report = Report()
    top = fields.as_table(report, document, "catalog")
    fields.known_fields(report, top, "", _CATALOG_FIELDS)
    catalog = Catalog(
        items=_items(report, top),
        product_lines=_product_lines(report, top),
        products=_products(report, top, mode),
    )
    check_catalog(report, catalog)
    return report.refusal() or catalog


def parse_inline(document: Any, catalog: Catalog, *, mode: Mode) -> Product | Refusal:
    """A product written into a request. Its items must be in the catalog; `invalid_catalog` with paths beginning `product`."""
    report = Report()
    written = fields.as_table(report, document, "product")
    product = _product(report, written, "product", "Product", mode, _INLINE_FIELDS)
    check_inline(report, catalog, product)
    return report.refusal() or product


def sent_version(document: Any) -> int | Refusal | None:
    """The `version` a document claims to replace; None when it claims none."""
    value = document.get("version") if isinstance(document, dict) else None
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    report = Report()
    report.malformed("version", "`version` is the integer that GET answered, or left out.")
    refusal = report.refusal()
    assert refusal is not None
    return refusal


def _items(report: Report, top: Table) -> dict[str, Item]:
    read = {}
    for item_id, written, path in _entries(report, top, "items", ""):
        fields.known_fields(report, written, path, _NAMED_FIELDS)
        read[item_id] = Item(
            fields.display_name(report, written, path, item_id), fields.customer_type(report, written, path)
        )
    return read


def _product_lines(report: Report, top: Table) -> dict[str, ProductLine]:
    read = {}
    for line_id, written, path in _entries(report, top, "product_lines", ""):
        fields.known_fields(report, written, path, _NAMED_FIELDS)
        read[line_id] = ProductLine(
            fields.display_name(report, written, path, line_id), fields.customer_type(report, written, path)
        )
    return read


def _products(report: Report, top: Table, mode: Mode) -> dict[str, Product]:
    return {
        product_id: _product(report, written, path, product_id, mode, _PRODUCT_FIELDS)
        for product_id, written, path in _entries(report, top, "products", "")
    }


def _product(
    report: Report, written: Table, path: str, default_name: str, mode: Mode, known: frozenset[str]
) -> Product:
    fields.known_fields(report, written, path, known)
    written = {name: value for name, value in written.items() if name in known}
    return Product(
        display_name=fields.display_name(report, written, path, default_name),
        customer_type=fields.customer_type(report, written, path),
        product_line=fields.text_or_none(report, written, "product_line", path),
        add_on_to=fields.ids(report, written, "add_on_to", path),
        ends_with_base=fields.flag(report, written, "ends_with_base", path, default=True),
        include_by_default=fields.flag(report, written, "include_by_default", path),
        server_only=fields.flag(report, written, "server_only", path),
        stackable=fields.flag(report, written, "stackable", path),
        trial=fields.period(report, written, "trial", path, TRIAL_MAX),
        prices={
            price_id: _price(report, price, where, mode)
            for price_id, price, where in _entries(report, written, "prices", path)
        },
        included_items={
            item_id: _included(report, item, where)
            for item_id, item, where in _entries(report, written, "included_items", path)
        },
        metadata=fields.metadata(report, written, path),
    )


def _price(report: Report, written: Table, path: str, mode: Mode) -> Price:
    fields.known_fields(report, written, path, _PRICE_FIELDS)
    return Price(
        amounts=fields.amounts(report, written, path),
        interval=fields.period(report, written, "interval", path, INTERVAL_MAX),
        trial=fields.period(report, written, "trial", path, TRIAL_MAX),
        server_only=fields.flag(report, written, "server_only", path),
        stripe_price_id=_stripe_price_id(report, written, path, mode),
    )


def _stripe_price_id(report: Report, written: Table, path: str, mode: Mode) -> str | None:
    value = written.get("stripe_price_id")
    if not isinstance(value, dict):
        return fields.text_or_none(report, written, "stripe_price_id", path)
    where = joined(path, "stripe_price_id")
    fields.known_fields(report, value, where, frozenset(("test", "live")))
    fields.text_or_none(report, value, "live" if mode == "test" else "test", where)
    return fields.text_or_none(report, value, mode, where)


def _included(report: Report, written: Table, path: str) -> IncludedItem:
    fields.known_fields(report, written, path, _INCLUDED_FIELDS)
    repeat = (
        "never"
        if written.get("repeat") == "never"
        else fields.period(report, written, "repeat", path, REPEAT_MAX) or "never"
    )
    return IncludedItem(fields.quantity(report, written, path), repeat, _expires(report, written, path))


def _expires(report: Report, written: Table, path: str) -> Expires:
    value = written.get("expires")
    if value is None:
        return "when_repeated"
    if value not in EXPIRES:
        report.malformed(joined(path, "expires"), f"`expires` is one of {', '.join(EXPIRES)}.")
        return "when_repeated"
    return value  # type: ignore[no-any-return]


def _entries(report: Report, parent: Table, name: str, path: str) -> list[tuple[str, Table, str]]:
    """The named things of one table: id, fields, path. An id in `included_items` is a reference and judged as one."""
    entries = []
    for entry_id, value in fields.table(report, parent, name, path).items():
        where = joined(joined(path, name), entry_id)
        if name != "included_items":
            fields.check_id(report, entry_id, where)
        entries.append((str(entry_id), fields.as_table(report, value, where), where))
    return entries
