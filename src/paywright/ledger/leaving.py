"""
Units that refunds and lost disputes take back, rules.md 2.5. Pure.

Money that went back must never give units again. So what a take-back cannot take, because it was spent, is closed together with its spending: the
spending stays with the grant it lies on and is not laid over another one later, which would set these units free.
"""

from paywright.ledger.account import Account, Fact, ItemGrant, fact_of
from paywright.ledger.laying import remaining


def take_unspent(
    account: Account, grant: ItemGrant, target: int, *, source: str, effective_at: int, closes: bool = True
) -> list[Fact]:
    """
    Takes up to `target` units of what remains of a grant; never held units, never into debt. The rest of `target` closes spent units of it.

    A fact of quantity 0 only closes. `closes` False: spent units stay as they are, for a purchase that goes on.
    """
    assert account.forever == 0, "the breakdown needs every live grant"
    position = next(place for place, known in enumerate(account.grants) if known is grant)
    rest = remaining(account)[position]
    spent = grant.live - rest
    taken = max(0, min(target, rest, account.quantity))
    # Of a grant that is alive, only what was closed before is absorbed.
    closed = max(0, min(target - taken - grant.absorbed, spent)) if closes else 0
    if taken == 0 and closed == 0:
        return []
    account.balance -= taken
    account.spent -= closed
    grant.live -= taken + closed
    grant.taken += taken
    grant.absorbed += closed
    return [fact_of(account, "take_back", taken, -taken, effective_at, source, grant.key, grant=grant)]


def take_all(account: Account, grant: ItemGrant, target: int, *, source: str, effective_at: int) -> list[Fact]:
    """Takes up to `target` units as if they had never been granted: what was spent of them may leave debt. What was lost stays lost."""
    from_live = min(target, grant.live)
    from_absorbed = min(target - from_live, grant.absorbed)
    from_paid = min(target - from_live - from_absorbed, grant.paid)
    taken = from_live + from_absorbed + from_paid
    if taken == 0:
        return []
    grant.live -= from_live
    grant.absorbed -= from_absorbed
    grant.paid -= from_paid
    grant.taken += taken
    account.balance -= taken
    account.spent += from_absorbed + from_paid
    return [fact_of(account, "take_back", taken, -taken, effective_at, source, grant.key, grant=grant)]
