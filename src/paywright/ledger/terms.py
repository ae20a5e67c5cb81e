"""
An included item goes on with other terms, because the owner of its product is migrated to a newer version. Pure.

What was given stays as it was given. From now on turns give the new number, at the new rhythm; what is given once is topped up, never taken. An
item that is left out gives nothing any more: its turns go by without an entry, and what was given lives as long as it was sold to.
"""

from paywright.kernel.model import QUANTITY_MAX
from paywright.kernel.periods import Period, boundaries_passed
from paywright.ledger.account import Account, Fact, Included, ItemGrant
from paywright.ledger.model import NEVER, Expires
from paywright.ledger.rules import add_grant, settle


def go_on(
    account: Account, item: Included, quantity: int, *, repeat: Period | None, expires: Expires, source: str
) -> list[Fact]:
    """The account was settled before. `quantity` is included quantity × purchase quantity."""
    if item.has_ended:
        return []
    was_left_out = item.repeat is not None and item.quantity == 0
    given, item.expires = item.quantity, expires
    if repeat != item.repeat:
        _count_anew(account, item, repeat)
    if repeat is None:
        item.quantity = max(given, quantity)
        facts = _give(account, item, quantity - given, 0, source)
    else:
        item.quantity = quantity
        facts = _give(account, item, quantity if was_left_out else 0, item.next_repeat - 1, source)
    return facts + settle(account, account.at)


def leave_out(item: Included) -> None:
    """Twice is once. What was given once is remembered, so that it is not given again should the item come back."""
    if item.repeat is not None:
        item.quantity = 0


def _give(account: Account, item: Included, quantity: int, turn: int, source: str) -> list[Fact]:
    units = min(quantity, QUANTITY_MAX - account.balance)
    if units <= 0:
        return []
    key, due = item.key_of_turn(turn)
    return add_grant(account, ItemGrant(source, "included", key, due, account.at, units, 0, 0, item.owned_product_id))


def _count_anew(account: Account, item: Included, repeat: Period | None) -> None:
    """Another rhythm from the same anchor: the turn that runs lasts until the next boundary of the new one, or for good if there is none."""
    missed = (item.is_paused or item.pauses_at <= account.at) and item.next_repeat_at <= account.at
    item.repeat = repeat
    if repeat is None:
        item.next_repeat, item.next_repeat_at = item.next_repeat + 1, NEVER
    else:
        passed = boundaries_passed(item.anchor, repeat, account.at)
        item.turns_before = item.next_repeat - (passed if missed else passed + 1)
        item.next_repeat_at = item.boundary(item.next_repeat)
    for grant in account.grants:
        if grant.owned_product_id == item.owned_product_id and grant.live and grant.key.startswith("repeat:"):
            turn = int(grant.key.rpartition(":")[2])
            grant.due = min(item.runs_out(turn), item.ends_at)
