"""Units that leave one customer's balance for another's: a guest's, attached to an account. Pure."""

import msgspec

from paywright.ledger.account import Account, Fact, Included, ItemGrant, fact_of


def move_out(account: Account, grant: ItemGrant, units: int, *, source: str) -> list[Fact]:
    """Unspent units of a grant go to another customer's balance; what was spent of it stays here and is closed with it."""
    account.balance -= units
    account.spent -= grant.live - units
    grant.absorbed += grant.live - units
    grant.taken += units
    grant.live = 0
    return [fact_of(account, "transfer", units, -units, account.at, source, grant.key, grant=grant)]


def owe(account: Account, units: int, *, source: str) -> list[Fact]:
    """A debt arrives from another customer's balance."""
    account.balance -= units
    account.spent += units
    return [fact_of(account, "transfer", units, -units, account.at, source)]


def move_included(account: Account) -> list[Included]:
    """Included items leave for another customer's balance; here they have ended."""
    moving = [msgspec.structs.replace(item) for item in account.included if not item.has_ended]
    for item in account.included:
        item.has_ended = True
    return moving
