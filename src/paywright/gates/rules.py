"""
Omit, don't fail: a caller without the entitlement gets the object without its protected fields, and everything else intact. Pure.

A condition that names a product or an item there is not is a programming error and raises at once, before anybody's state is looked at.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from paywright.catalog.model import Catalog
from paywright.gates.model import AllOf, AnyOf, Condition, HasItem, Held, OwnsAny


class UnknownEntitlement(LookupError):
    """A gate asks for a product or an item that the catalog does not have."""


def condition(written: "Condition | str | Iterable[str]") -> Condition:
    """`"pro"` is that product, `["pro", "team"]` any of them; a condition is itself."""
    if isinstance(written, OwnsAny | HasItem | AllOf | AnyOf):
        return written
    if isinstance(written, str):
        return OwnsAny((written,))
    return OwnsAny(tuple(written))


def check_known(asked: Condition, catalog: Catalog, sold_before: frozenset[str] = frozenset()) -> None:
    """Raises `UnknownEntitlement`. Archived items and products somebody still owns (`sold_before`) are known."""
    for product_id in products_in(asked):
        if product_id not in catalog.products and product_id not in sold_before:
            raise UnknownEntitlement(f"the catalog has no product `{product_id}`")
    for item_id in items_in(asked):
        if catalog.item(item_id) is None:
            raise UnknownEntitlement(f"the catalog has no item `{item_id}`")


def is_open(asked: Condition, held: Held) -> bool:
    match asked:
        case OwnsAny(product_ids):
            return any(product_id in held.product_ids for product_id in product_ids)
        case HasItem(item_id, quantity):
            return held.quantities.get(item_id, 0) >= quantity
        case AllOf(conditions):
            return all(is_open(each, held) for each in conditions)
        case AnyOf(conditions):
            return any(is_open(each, held) for each in conditions)


def gated(record: Any, fields: Mapping[str, Condition], held: Held) -> dict[str, Any]:
    """A copy of the record without the fields whose condition is not met: absent, not null."""
    shown: dict[str, Any] = dict(record) if isinstance(record, Mapping) else msgspec.to_builtins(record)
    assert isinstance(shown, dict), "a gate takes a mapping, a dataclass or a struct"
    shut = {name for name, asked in fields.items() if not is_open(asked, held)}
    return {name: value for name, value in shown.items() if name not in shut}


def products_in(asked: Condition) -> frozenset[str]:
    match asked:
        case OwnsAny(product_ids):
            return frozenset(product_ids)
        case AllOf(conditions) | AnyOf(conditions):
            return frozenset().union(*(products_in(each) for each in conditions))
        case _:
            return frozenset()


def items_in(asked: Condition) -> frozenset[str]:
    match asked:
        case HasItem(item_id):
            return frozenset({item_id})
        case AllOf(conditions) | AnyOf(conditions):
            return frozenset().union(*(items_in(each) for each in conditions))
        case _:
            return frozenset()
