"""
Omit, don't fail: a caller without the entitlement gets the object without its protected fields, and everything else intact. Pure.

A condition that names a product or an item there is not is a programming error and raises at once, before anybody's state is looked at.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any, Literal

import msgspec

from paywright.catalog.model import Catalog
from paywright.gates.model import AllOf, AnyOf, Condition, HasClaim, HasItem, Held, OwnsAny


class UnknownEntitlement(LookupError):
    """A gate asks for a product or an item that the catalog does not have: `kind` says which, `name` is its id."""

    def __init__(self, kind: Literal["product", "item"], name: str) -> None:
        super().__init__(f"the catalog has no {kind} `{name}`")
        self.kind, self.name = kind, name


def condition(written: "Condition | str | Iterable[str]") -> Condition:
    """`"pro"` is that product, `["pro", "team"]` any of them; a condition is itself."""
    if isinstance(written, OwnsAny | HasItem | HasClaim | AllOf | AnyOf):
        return written
    if isinstance(written, str):
        return OwnsAny((written,))
    return OwnsAny(tuple(written))


def check_known(
    asked: Condition, catalog: Catalog, sold_before: frozenset[str] = frozenset(), *, hidden: bool = False
) -> None:
    """
    Raises `UnknownEntitlement`. Archived items and products somebody still owns (`sold_before`) are known.

    `hidden`: for somebody who may not see that server-only products exist.
    """
    for product_id in sorted(products_in(asked)):
        product = catalog.products.get(product_id)
        if product is None and (hidden or product_id not in sold_before):
            raise UnknownEntitlement("product", product_id)
        if hidden and product is not None and product.server_only:
            raise UnknownEntitlement("product", product_id)
    for item_id in sorted(items_in(asked)):
        if catalog.item(item_id) is None:
            raise UnknownEntitlement("item", item_id)


def is_open(asked: Condition, held: Held) -> bool:
    match asked:
        case OwnsAny(product_ids):
            return any(product_id in held.product_ids for product_id in product_ids)
        case HasItem(item_id, quantity):
            return held.quantities.get(item_id, 0) >= quantity
        case HasClaim(claim_token, product_ids):
            bought = held.claimed.get(claim_token, frozenset())
            return bool(bought.intersection(product_ids) if product_ids else bought)
        case AllOf(conditions):
            return all(is_open(each, held) for each in conditions)
        case AnyOf(conditions):
            return any(is_open(each, held) for each in conditions)


def gated(record: Any, fields: Mapping[str, Condition], held: Held) -> dict[str, Any]:
    """A copy of the record without the fields whose condition is not met: absent, not null."""
    return without(record, {name for name, asked in fields.items() if not is_open(asked, held)})


def without(record: Any, shut: Set[str]) -> dict[str, Any]:
    """A copy of the record, a mapping, a dataclass or a struct, without these fields."""
    shown: Any = dict(record) if isinstance(record, Mapping) else msgspec.to_builtins(record)
    assert isinstance(shown, dict), "a gate takes a mapping, a dataclass or a struct"
    return {name: value for name, value in shown.items() if name not in shut}


def products_in(asked: Condition) -> frozenset[str]:
    named = (each.product_ids for each in leaves(asked) if isinstance(each, OwnsAny | HasClaim))
    return frozenset().union(*named)


def items_in(asked: Condition) -> frozenset[str]:
    return frozenset(each.item_id for each in leaves(asked) if isinstance(each, HasItem))


def claims_in(asked: Condition) -> frozenset[str]:
    """The claim tokens."""
    return frozenset(each.claim_token for each in leaves(asked) if isinstance(each, HasClaim))


def leaves(asked: Condition) -> Iterator[OwnsAny | HasItem | HasClaim]:
    if isinstance(asked, AllOf | AnyOf):
        for each in asked.conditions:
            yield from leaves(each)
    else:
        yield asked
