"""
Following the entries of one balance, without looking at anything else the database remembers of it.

`ledger verify` compares what comes out with the stored rows; a look into the past stops half-way. Pure: rows in, an account out.
"""

from typing import Any

from paywright.ledger import rules
from paywright.ledger.account import FOREVER, NEVER_KEY, Account, ItemGrant, OpenHold
from paywright.ledger.model import NEVER

_GIVES = frozenset({"grant", "included", "repeat", "give_back"})


class Replay:
    """
    `follow` the entries in order of `seq`; `account` is then the balance as it stood after the last of them.

    `whole` keeps every live grant; without it those that never expire are one number, so that memory stays flat over millions of top-ups.
    """

    def __init__(self, item_id: str, *, whole: bool) -> None:
        self.account = Account(item_id=item_id)
        self._whole = whole
        self._grants: dict[str, ItemGrant] = {}
        self._holds: dict[str, OpenHold] = {}

    def follow(self, row: Any) -> list[str]:
        """Applies one entry and answers what is wrong with it, in words; an empty list when nothing is."""
        account, wrong = self.account, list[str]()
        if row.seq != account.entries + 1:
            wrong.append(f"seq {row.seq} follows {account.entries}")
        if row.at < account.at:
            wrong.append(f"at {row.at} lies before {account.at}")
        if row.balance_after != account.balance + row.delta:
            wrong.append(
                f"balance_after is {row.balance_after}, {account.balance} {row.delta:+d} makes {account.balance + row.delta}"
            )
        account.entries, account.at = row.seq, row.at
        wrong += self._apply(row)
        wrong += _compared(account, row)
        account.balance, account.spent = row.balance_after, row.spent_after
        return wrong

    def _apply(self, row: Any) -> list[str]:
        if row.kind in _GIVES or (row.kind == "transfer" and row.delta > 0):
            self._give(row)
        elif row.kind == "decrease" or (row.kind == "transfer" and row.grant_id is None):
            self.account.balance += row.delta
            self.account.spent -= row.delta
        elif row.kind in ("take_back", "transfer"):
            return self._take(row)
        elif row.kind in ("expiry", "end"):
            return self._expire(row)
        elif row.kind == "hold":
            self._hold(row)
        elif row.kind in ("capture", "release"):
            return self._end_hold(row)
        else:
            return [f"kind {row.kind} is unknown"]
        return []

    def _give(self, row: Any) -> None:
        key = row.item_key or NEVER_KEY
        due = FOREVER if key == NEVER_KEY else (row.expires_at or NEVER)
        new = ItemGrant(
            row.source, row.kind, key, due, row.effective_at, row.quantity, 0, 0, sequence=row.sequence, id=row.id
        )
        rules.add_grant(self.account, new)
        if key == NEVER_KEY and not self._whole:
            self.account.grants.pop()
            self.account.forever += new.live
        else:
            self._grants[row.id] = new

    def _take(self, row: Any) -> list[str]:
        """What leaves the grant follows from `balance = live + carried - spent`."""
        change = row.delta + row.spent_after - self.account.spent
        self.account.balance += row.delta
        self.account.spent = row.spent_after
        if row.item_key == NEVER_KEY and not self._whole:
            self.account.forever += change
            return [] if self.account.forever >= 0 else [f"takes more than there ever was from {row.grant_id}"]
        grant = self._grants.get(row.grant_id)
        if grant is None:  # Dead, or never there: then nothing of it can be live.
            return [] if change == 0 else [f"takes {-change} live units of {row.grant_id}, which has none"]
        if grant.live + change < 0 or change > 0:
            return [f"takes {-change} of the {grant.live} live units of {grant.id}"]
        grant.live += change
        grant.quantity = grant.paid + grant.live + grant.absorbed + grant.expired + grant.taken
        return []

    def _expire(self, row: Any) -> list[str]:
        facts = rules.expire_key(self.account, row.item_key, row.kind, effective_at=row.effective_at)
        for grant in self.account.grants:
            if not grant.live:
                self._grants.pop(grant.id, None)
        self.account.grants = [grant for grant in self.account.grants if grant.live]
        if not facts:
            return [f"{row.item_key} has no live units that could expire"]
        return (
            []
            if facts[0].quantity == row.quantity
            else [f"{row.quantity} units of {row.item_key} expired, {facts[0].quantity} were live"]
        )

    def _hold(self, row: Any) -> None:
        hold = OpenHold(row.item_key, row.quantity, NEVER, "app", row.item_key, row.effective_at, row.sequence)
        self._holds[row.item_key] = hold
        self.account.holds.append(hold)
        self.account.held += row.quantity

    def _end_hold(self, row: Any) -> list[str]:
        hold = self._holds.get(row.item_key)
        if hold is None or hold.status != "open":
            return [f"{row.item_key} is not open"]
        account = self.account
        if row.kind == "release":
            rest = hold.quantity - hold.captured
            rules.end_hold(account, hold, "released", effective_at=row.effective_at)
            self._forget(hold)
            return (
                [] if rest == row.quantity else [f"{row.quantity} units of {row.item_key} released, {rest} were held"]
            )
        carried = min(row.quantity, hold.carried)
        hold.carried -= carried
        hold.captured = row.quantity
        account.carried -= carried
        account.balance -= row.quantity
        account.spent += row.quantity - carried
        account.held -= row.quantity
        if hold.captured == hold.quantity:
            hold.status = "captured"
            self._forget(hold)
        return []

    def _forget(self, hold: OpenHold) -> None:
        self.account.holds.remove(hold)
        del self._holds[hold.id]


def _compared(account: Account, row: Any) -> list[str]:
    wrong = []
    if account.balance != row.balance_after:
        wrong.append(f"balance_after is {row.balance_after}, the rules make {account.balance}")
    if account.held != row.held_after:
        wrong.append(f"held_after is {row.held_after}, open holds sum up to {account.held}")
    if account.spent != row.spent_after:
        wrong.append(f"spent_after is {row.spent_after}, the rules make {account.spent}")
    if account.balance != account.live + account.carried - account.spent:
        wrong.append(
            f"balance {account.balance} is not live {account.live} + carried {account.carried} - spent {account.spent}"
        )
    return wrong
