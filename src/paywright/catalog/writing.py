"""A catalog as a file a person would write: defaults left out, amounts as text in major units. Pure."""

import json
import pprint
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from paywright.catalog.model import Catalog
from paywright.catalog.views import wire
from paywright.kernel.money import decimals

FORMATS = ("toml", "json", "py")

_DEFAULTS: dict[str, Any] = {
    "customer_type": "user",
    "product_line": None,
    "add_on_to": [],
    "ends_with_base": True,
    "include_by_default": False,
    "server_only": False,
    "stackable": False,
    "trial": None,
    "interval": None,
    "stripe_price_id": None,
    "repeat": "never",
    "expires": "when_repeated",
    "prices": {},
    "included_items": {},
    "metadata": {},
}


class NotWritable(Exception):
    """TOML has no null; write JSON or Python instead."""


def document_of(catalog: Catalog) -> dict[str, Any]:
    """The shortest document that reads back as this catalog; without its version, so that it may be applied anywhere."""
    written = wire(catalog)
    return {
        "items": {each: _short(each, item) for each, item in written["items"].items()},
        "product_lines": {each: _short(each, line) for each, line in written["product_lines"].items()},
        "products": {each: _short_product(each, product) for each, product in written["products"].items()},
    }


def text_of(document: Mapping[str, Any], written_as: str) -> str:
    """The text of a file; `written_as` is one of `FORMATS`. Raises `NotWritable` for a null in the metadata of a TOML file."""
    if written_as == "json":
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if written_as == "py":
        return f"catalog = {pprint.pformat(document, sort_dicts=False, width=110)}\n"
    assert written_as == "toml", written_as
    return "\n".join(_tables("", document)).strip() + "\n"


def _short(thing_id: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Without what the reader of the file would fill in again."""
    kept = {name: value for name, value in fields.items() if name not in _DEFAULTS or value != _DEFAULTS[name]}
    if kept.get("display_name") == thing_id:
        del kept["display_name"]
    return kept


def _short_product(product_id: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {name: value for name, value in fields["metadata"].items() if value}
    prices = {each: _short_price(price) for each, price in fields["prices"].items()}
    included = {each: _short("", item) for each, item in fields["included_items"].items()}
    return _short(product_id, {**fields, "prices": prices, "included_items": included, "metadata": metadata})


def _short_price(fields: Mapping[str, Any]) -> dict[str, Any]:
    amounts = {currency: major_units(amount, currency) for currency, amount in fields["amounts"].items()}
    return _short("", {**fields, "amounts": amounts})


def major_units(amount: int, currency: str) -> str:
    """`"19.99"`: minor units as a file says them."""
    return str(Decimal(amount).scaleb(-decimals(currency)))


def _tables(path: str, table: Mapping[str, Any]) -> list[str]:
    """The lines of a table whose header is written already."""
    lines: list[str] = []
    for name, value in table.items():
        where = f"{path}.{_key(name)}" if path else _key(name)
        if not isinstance(value, Mapping):
            lines.append(f"{_key(name)} = {_value(value)}")
        elif where.count(".") % 2:  # products.pro, products.pro.prices.monthly: what has an id has a header.
            lines += ["", f"[{where}]", *_ordered(where, value)]
        elif name in ("amounts", "metadata"):
            lines.extend(f"{_key(name)}.{_key(each)} = {_value(inner)}" for each, inner in value.items())
        else:
            lines += _tables(where, value)
    return lines


def _ordered(path: str, table: Mapping[str, Any]) -> list[str]:
    """Plain fields before tables: in TOML whatever follows a table header belongs to it."""
    nested = ("prices", "included_items")
    plain = {name: value for name, value in table.items() if name not in nested}
    tables = {name: value for name, value in table.items() if name in nested}
    return _tables(path, plain) + _tables(path, tables)


def _key(name: str) -> str:
    bare = name and all(each.isascii() and (each.isalnum() or each in "-_") for each in name)
    return name if bare else _text(name)


def _value(value: Any) -> str:
    if value is None:
        raise NotWritable("TOML has no null, and this catalog's metadata has one: write a .json or .py file instead")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(name)} = {_value(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    return repr(value)


def _text(value: str) -> str:
    """A basic string of TOML: JSON's escapes, and DEL, which JSON leaves alone."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
