"""
What a newer version of a product means for somebody who bought an older one, once they are migrated to it. Pure.

Name, included items and metadata move. Prices do not: the owner goes on paying what they bought, and with them stays all that decides what may be
bought beside it (product line, bases, stackable, trial, server-only).
"""

from typing import Literal

import msgspec

from paywright.catalog.model import IncludedItem, Product
from paywright.kernel.model import QUANTITY_MAX


class ItemMove(msgspec.Struct, frozen=True):
    """What becomes of one included item; `before` None: new, `after` None: left out."""

    item_id: str
    change: Literal["added", "changed", "removed"]
    before: IncludedItem | None = None
    after: IncludedItem | None = None


def migrated(sold: Product, newer: Product) -> Product:
    """The product as this owner has it afterwards; equal to `sold` when there is nothing to do."""
    return msgspec.structs.replace(
        sold, display_name=newer.display_name, included_items=newer.included_items, metadata=newer.metadata
    )


def item_moves(sold: Product, newer: Product) -> list[ItemMove]:
    """By item id; items that stay as they are are left out."""
    moves = []
    for item_id in sorted(sold.included_items.keys() | newer.included_items.keys()):
        before, after = sold.included_items.get(item_id), newer.included_items.get(item_id)
        if before != after:
            change: Literal["added", "changed", "removed"] = (
                "added" if before is None else "removed" if after is None else "changed"
            )
            moves.append(ItemMove(item_id, change, before, after))
    return moves


def units(included: IncludedItem, quantity: int) -> int:
    """Units a turn, for a purchase of `quantity`; what a balance can't hold is left out."""
    return min(included.quantity * quantity, QUANTITY_MAX)
