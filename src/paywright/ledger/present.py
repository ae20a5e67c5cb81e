"""Balances as the wire shows them."""

from typing import Any

from paywright.catalog.model import Item
from paywright.kernel.instants import rfc3339
from paywright.ledger.model import ItemState


def item_shown(state: ItemState, item: Item) -> dict[str, Any]:
    return {
        "id": state.item_id,
        "display_name": item.display_name,
        "quantity": state.quantity,
        "non_negative_quantity": state.non_negative_quantity,
        "held": state.held,
        "expiring": [{"quantity": each.quantity, "expires_at": rfc3339(each.expires_at)} for each in state.expiring],
        "version": state.version,
    }
