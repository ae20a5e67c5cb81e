"""How spending lies over the grants of a balance: soonest lost first. Pure."""

from paywright.ledger.account import Account
from paywright.ledger.model import NEVER


def remaining(account: Account) -> dict[int, int]:
    """What is left of each live grant once spending is laid over them soonest-expiring first, by position in `grants`."""
    return _laid(account, account.spent)


def unheld(account: Account) -> dict[int, int]:
    """The same with held units counted as spent; those carried past their expiry lie on nothing any more."""
    return _laid(account, account.spent + account.held - account.carried)


def _laid(account: Account, spent: int) -> dict[int, int]:
    left: dict[int, int] = {}
    for position in sorted(range(len(account.grants)), key=lambda position: account.grants[position].age):
        live = account.grants[position].live
        covered = min(spent, live)
        spent -= covered
        left[position] = live - covered
    return left


def expiring(account: Account) -> list[tuple[int, int]]:
    """(instant, unspent and unheld units lost then), soonest first. Needs the grants with a known instant only."""
    sums: dict[int, int] = {}
    left = unheld(account)
    for position, grant in enumerate(account.grants):
        if grant.due < NEVER and left[position]:
            sums[grant.due] = sums.get(grant.due, 0) + left[position]
    return sorted(sums.items())
