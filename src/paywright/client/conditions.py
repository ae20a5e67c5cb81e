"""
What opens a gate: `"pro"` is that product, `["pro", "team"]` any of them, and these functions say the rest.

    user.gate(post, content=any_of("pro", has_item("credits", 3), has_claim(token)))
"""

from collections.abc import Mapping, Sequence, Set
from typing import Any

import msgspec


class HasItem(msgspec.Struct, frozen=True, omit_defaults=True):
    item: str
    quantity: int = 1


class HasClaim(msgspec.Struct, frozen=True, omit_defaults=True):
    claim_token: str
    products: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        return f"HasClaim(products={self.products!r})"


class OwnsAny(msgspec.Struct, frozen=True):
    products: tuple[str, ...]


class AnyOf(msgspec.Struct, frozen=True):
    any: "tuple[Written, ...]"


class AllOf(msgspec.Struct, frozen=True):
    all: "tuple[Written, ...]"


Written = HasItem | HasClaim | OwnsAny | AnyOf | AllOf
Condition = Written | str | Sequence[str]


def any_of(*conditions: Condition) -> AnyOf:
    return AnyOf(tuple(written(each) for each in conditions))


def all_of(*conditions: Condition) -> AllOf:
    return AllOf(tuple(written(each) for each in conditions))


def has_item(item_id: str, quantity: int = 1) -> HasItem:
    """At least so many units that can be spent now. They are looked at, not spent."""
    return HasItem(item_id, quantity)


def has_claim(claim_token: str, *product_ids: str) -> HasClaim:
    """What a guest bought with this token is theirs: any of the products, or anything at all if none is named. Shut again after a refund."""
    return HasClaim(claim_token, product_ids or None)


def written(condition: Condition) -> Written:
    if isinstance(condition, Written):
        return condition
    return OwnsAny((condition,) if isinstance(condition, str) else tuple(condition))


def without(record: Any, shut: Set[str]) -> dict[str, Any]:
    """A copy of the record, a mapping, a dataclass or a struct, without these fields."""
    shown: Any = dict(record) if isinstance(record, Mapping) else msgspec.to_builtins(record)
    assert isinstance(shown, dict), "a gate takes a mapping, a dataclass or a struct"
    return {name: value for name, value in shown.items() if name not in shut}
