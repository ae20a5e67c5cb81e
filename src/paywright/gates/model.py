"""What opens a gate, and what a customer holds."""

from typing import Any

import msgspec


class OwnsAny(msgspec.Struct, frozen=True, tag="products"):
    """Any of these products, owned with access."""

    product_ids: tuple[str, ...]


class HasItem(msgspec.Struct, frozen=True, tag="item"):
    """At least so many units that can be spent now: looked at, not spent."""

    item_id: str
    quantity: int = 1


class AllOf(msgspec.Struct, frozen=True, tag="all"):
    conditions: "tuple[Condition, ...]"


class AnyOf(msgspec.Struct, frozen=True, tag="any"):
    conditions: "tuple[Condition, ...]"


Condition = OwnsAny | HasItem | AllOf | AnyOf


class Held(msgspec.Struct, frozen=True):
    """Products owned with access, and what can be spent of each item that was asked about."""

    product_ids: frozenset[str]
    quantities: dict[str, int]


NOTHING = Held(frozenset(), {})


class Explanation(msgspec.Struct, frozen=True):
    """The decision, why, through what, and what would change it. `remaining` and `resets_at` (milliseconds) are for items."""

    allowed: bool
    reason: str
    through: dict[str, Any] | None = None
    remaining: int | None = None
    resets_at: int | None = None
    upgrade_options: list[dict[str, Any]] = []
