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


class HasClaim(msgspec.Struct, frozen=True, tag="claim"):
    """What was bought with this claim token is there, with access: any of the products, or anything at all if none is named."""

    claim_token: str
    product_ids: tuple[str, ...] = ()


class AllOf(msgspec.Struct, frozen=True, tag="all"):
    conditions: "tuple[Condition, ...]"


class AnyOf(msgspec.Struct, frozen=True, tag="any"):
    conditions: "tuple[Condition, ...]"


Condition = OwnsAny | HasItem | HasClaim | AllOf | AnyOf


class Held(msgspec.Struct, frozen=True):
    """Products owned with access, what can be spent of each item that was asked about, and what each claim token opens."""

    product_ids: frozenset[str]
    quantities: dict[str, int]
    claimed: dict[str, frozenset[str]] = {}


NOTHING = Held(frozenset(), {})


class Explanation(msgspec.Struct, frozen=True):
    """The decision, why, through what, and what would change it. `remaining` and `resets_at` (milliseconds) are for items."""

    allowed: bool
    reason: str
    through: dict[str, Any] | None = None
    remaining: int | None = None
    resets_at: int | None = None
    upgrade_options: list[dict[str, Any]] = []
