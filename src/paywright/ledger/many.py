"""Balances of a customer that were read along with everything else. What is due, which is rare, is read item by item, by the rules."""

from collections.abc import Callable, Collection, Sequence

import msgspec

from paywright.ledger.calls import laid
from paywright.ledger.model import ItemState


class BalanceRow(msgspec.Struct, frozen=True, array_like=True):
    """Of `balances`, in the order of its fields."""

    item_id: str
    balance: int
    spent: int
    held: int
    carried: int
    next_due: int


class LiveGrant(msgspec.Struct, frozen=True, array_like=True):
    """Of `item_grants`, in the order of its fields: units that will be lost at `due`."""

    item_id: str
    due: int
    live: int


def item_states(
    item_ids: Collection[str],
    version: int,
    rows: Sequence[BalanceRow],
    grants: Sequence[LiveGrant],
    now: int,
    *,
    by_rules: Callable[[str], ItemState],
) -> list[ItemState]:
    """The items named, in their order, untouched ones too. `by_rules` reads one to which something happens by now."""
    standing = {row.item_id: row for row in rows}
    states = []
    for item_id in item_ids:
        row = standing.get(item_id)
        if row is None:
            states.append(ItemState(item_id, 0, 0, version))
        elif row.next_due <= now:
            states.append(by_rules(item_id))
        else:
            left = laid(row.spent + row.held - row.carried, _dying(item_id, grants)) if grants else ()
            states.append(ItemState(item_id, row.balance - row.held, row.held, version, left))
    return states


def _dying(item_id: str, grants: Sequence[LiveGrant]) -> list[tuple[int, int]]:
    """Instant and live units, soonest first."""
    units: dict[int, int] = {}
    for grant in grants:
        if grant.item_id == item_id:
            units[grant.due] = units.get(grant.due, 0) + grant.live
    return sorted(units.items())
