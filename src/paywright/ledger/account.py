"""
One balance in memory: what the rules work on, and what an action loads and saves.

Always true: `balance = live + carried - spent`, where `live` is the sum over live grants (those that never expire are kept as one number,
`forever`, unless somebody asks for them one by one).
"""

import msgspec

from paywright.kernel.periods import Period, boundary
from paywright.ledger.model import NEVER, EntryKind, Expires, HoldStatus

FOREVER = NEVER + 1
"""The `due` of units that stay for good: after every instant, and after ends not yet known."""

NEVER_KEY = "never"


class ItemGrant(msgspec.Struct):
    """Units handed over together. `quantity = paid + live + absorbed + expired + taken`. `id` is empty until its entry is written."""

    source: str | None
    kind: EntryKind
    key: str
    due: int
    granted_at: int
    quantity: int
    paid: int
    live: int
    owned_product_id: str | None = None
    absorbed: int = 0
    expired: int = 0
    taken: int = 0
    sequence: int = 0
    id: str = ""
    warned: int = 0

    @property
    def age(self) -> tuple[int, int, int, str]:
        """The order in which spending is laid over grants: soonest lost first, ties by age."""
        return self.due, self.granted_at, self.sequence or NEVER, self.id


class OpenHold(msgspec.Struct):
    """`carried`: units past their expiry that this hold keeps alive. `kind` `app` or `dispute`."""

    id: str
    quantity: int
    due: int
    kind: str
    source: str
    opened_at: int
    sequence: int = 0
    carried: int = 0
    captured: int = 0
    owned_product_id: str | None = None
    status: HoldStatus = "open"


class Included(msgspec.Struct):
    """
    An included item of one owned product. Repeat n is at `anchor + n × repeat`, while it lives and is not paused.

    `next_repeat` 0: planned, its first units come at `starts_at`. From `later_at` on a turn gives `later_quantity`. `pauses_at` is the known
    instant at which access will be lost. `turns_before`: turns are numbered without a gap when the period changes, so that no number comes twice.
    """

    owned_product_id: str
    quantity: int
    repeat: Period | None
    expires: Expires
    anchor: int
    starts_at: int
    ends_at: int = NEVER
    next_repeat: int = 1
    next_repeat_at: int = NEVER
    is_paused: bool = False
    has_ended: bool = False
    later_quantity: int = 0
    later_at: int = NEVER
    pauses_at: int = NEVER
    turns_before: int = 0

    @property
    def is_repeating(self) -> bool:
        return not self.is_paused and not self.has_ended and self.next_repeat_at < min(self.ends_at, self.pauses_at)

    @property
    def has_turns(self) -> bool:
        """It repeats, or did so before its terms changed."""
        return self.repeat is not None or self.next_repeat > 1

    def boundary(self, n: int) -> int:
        assert self.repeat is not None
        return boundary(self.anchor, self.repeat, n - self.turns_before)

    def runs_out(self, n: int) -> int:
        """When what turn n gave is replaced; never by itself, if it does not repeat any more."""
        return NEVER if self.repeat is None else self.boundary(n + 1)

    def key_of_turn(self, n: int) -> tuple[str, int]:
        """The key of the units given at turn n (0 is the start), and when it is due."""
        if self.expires == "never":
            return NEVER_KEY, FOREVER
        if self.expires == "when_repeated" and self.repeat is not None:
            return f"repeat:{self.owned_product_id}:{n}", min(self.boundary(n + 1), self.ends_at)
        return f"end:{self.owned_product_id}", self.ends_at


class Fact(msgspec.Struct):
    """An entry to be: what happened, before it has an id and a sequence."""

    kind: EntryKind
    quantity: int
    delta: int
    balance_after: int
    held_after: int
    spent_after: int
    effective_at: int
    source: str | None
    key: str | None = None
    expires_at: int | None = None
    grant: ItemGrant | None = None
    hold: OpenHold | None = None


class Account(msgspec.Struct):
    """`live` grants oldest first are in `grants`; `forever` counts the live units of never-expiring grants that are not in the list."""

    balance: int = 0
    spent: int = 0
    held: int = 0
    carried: int = 0
    at: int = 0
    forever: int = 0
    entries: int = 0
    item_id: str = ""
    grants: list[ItemGrant] = []
    holds: list[OpenHold] = []
    included: list[Included] = []

    @property
    def quantity(self) -> int:
        """What can be spent now."""
        return self.balance - self.held

    @property
    def live(self) -> int:
        return self.forever + sum(grant.live for grant in self.grants)

    def next_due(self) -> int:
        """The first instant at which something happens by itself; NEVER if nothing is to come."""
        repeats = (item.next_repeat_at for item in self.included if item.is_repeating)
        expiries = (grant.due for grant in self.grants if grant.live and grant.due < NEVER)
        timeouts = (hold.due for hold in self.holds if hold.status == "open")
        changes = (item.later_at for item in self.included if not item.has_ended)
        return min((*repeats, *expiries, *timeouts, *changes), default=NEVER)

    def check(self) -> None:
        """Asserts what is always true."""
        assert self.balance == self.live + self.carried - self.spent, self
        assert self.spent >= 0, self
        assert self.held >= self.carried >= 0, self
        assert self.held == sum(hold.quantity for hold in self.holds if hold.status == "open"), self
        assert self.carried == sum(hold.carried for hold in self.holds if hold.status == "open"), self
        for grant in self.grants:
            assert grant.quantity == grant.paid + grant.live + grant.absorbed + grant.expired + grant.taken, grant


def fact_of(
    account: Account,
    kind: EntryKind,
    quantity: int,
    delta: int,
    effective_at: int,
    source: str | None,
    key: str | None = None,
    *,
    expires_at: int | None = None,
    grant: ItemGrant | None = None,
    hold: OpenHold | None = None,
) -> Fact:
    return Fact(
        kind,
        quantity,
        delta,
        account.balance,
        account.held,
        account.spent,
        effective_at,
        source,
        key,
        expires_at,
        grant,
        hold,
    )
