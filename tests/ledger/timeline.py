"""A balance in memory and a few words to move it, for tests of the pure rules. Instants are small integers."""

import msgspec

from paywright.kernel.periods import parse_period
from paywright.kernel.refusals import Refusal
from paywright.ledger import rules
from paywright.ledger.account import FOREVER, NEVER_KEY, Account, Fact, Included, ItemGrant, OpenHold
from paywright.ledger.model import NEVER, Expires


class Timeline:
    """Every action settles first, as `store.open_account` does; reads work on a copy."""

    def __init__(self) -> None:
        self.account = Account(item_id="credits")
        self.facts: list[Fact] = []
        self._made = 0

    def at(self, t: int) -> "Timeline":
        self._take(rules.settle(self.account, max(t, self.account.at)))
        return self

    def _take(self, facts: list[Fact] | Refusal) -> Refusal | None:
        if isinstance(facts, Refusal):
            return facts
        for fact in facts:
            self._made += 1
            if fact.grant is not None and not fact.grant.id:
                fact.grant.id, fact.grant.sequence = f"ent_{self._made:06d}", self._made
            if fact.hold is not None and not fact.hold.sequence:
                fact.hold.sequence = self._made
        self.facts += facts
        self.account.check()
        return None

    def grant(self, quantity: int, expires_at: int | None = None, *, source: str | None = None) -> Refusal | None:
        key, due = (NEVER_KEY, FOREVER) if expires_at is None else (f"at:{expires_at}", expires_at)
        return self._take(
            rules.grant(self.account, ItemGrant(source, "grant", key, due, self.account.at, quantity, 0, 0))
        )

    def pack(self, own: str, quantity: int) -> None:
        """A one-time purchase whose units stay for good."""
        self.included(own, quantity, expires="never")

    def included(
        self,
        own: str,
        quantity: int,
        *,
        repeat: str | None = None,
        expires: Expires = "when_repeated",
        anchor: int | None = None,
        starts_at: int | None = None,
        ends_at: int = NEVER,
    ) -> None:
        period = None if repeat is None else parse_period(repeat)
        starts = self.account.at if starts_at is None else starts_at
        item = Included(own, quantity, period, expires, starts if anchor is None else anchor, starts, ends_at)
        self._take(rules.start(self.account, item, None))

    def end(self, own: str, at: int | None = None) -> None:
        self._take(rules.end(self.account, own, self.account.at if at is None else at))

    def decrease(self, quantity: int, *, allow_negative: bool = True) -> Refusal | None:
        facts = rules.decrease(
            self.account, quantity, allow_negative=allow_negative, source=None, effective_at=self.account.at
        )
        return self._take(facts)

    def hold(self, hold_id: str, quantity: int, due: int = NEVER) -> Refusal | None:
        hold = OpenHold(hold_id, quantity, due, "app", hold_id, self.account.at)
        return self._take(rules.open_hold(self.account, hold))

    def capture(self, hold_id: str, quantity: int) -> Refusal | None:
        hold = next(hold for hold in self.account.holds if hold.id == hold_id)
        return self._take(rules.capture(self.account, hold, quantity, effective_at=self.account.at))

    def release(self, hold_id: str) -> None:
        hold = next(hold for hold in self.account.holds if hold.id == hold_id)
        self._take(rules.end_hold(self.account, hold, "released", effective_at=self.account.at))

    def take_back(self, own: str, policy: str, *, refunded: int = 1, paid: int = 1) -> None:
        take = rules.take_unspent if policy == "unspent" else rules.take_all
        for grant in [grant for grant in self.account.grants if grant.owned_product_id == own]:
            target = grant.quantity * refunded // paid - grant.taken
            self._take(take(self.account, grant, target, source="refund", effective_at=self.account.at))

    def take_back_whole(self, own: str) -> None:
        """Unspent units of all grants of a purchase, soonest lost first."""
        for grant in sorted(self.account.grants, key=lambda grant: grant.age):
            if grant.owned_product_id == own and grant.live:
                target = grant.quantity - grant.taken
                self._take(rules.take_unspent(self.account, grant, target, source="r", effective_at=self.account.at))

    def read(self, t: int) -> tuple[int, int]:
        """(quantity, held) as a read at t shows it."""
        account = self._seen_at(t)
        return account.quantity, account.held

    def expiring(self, t: int) -> list[tuple[int, int]]:
        return rules.expiring(self._seen_at(t))

    def remaining(self, t: int) -> list[int]:
        account = self._seen_at(t)
        left = rules.remaining(account)
        order = sorted(left, key=lambda place: account.grants[place].age)
        return [left[place] for place in order if account.grants[place].live]

    def _seen_at(self, t: int) -> Account:
        account = msgspec.structs.replace(
            self.account,
            grants=[msgspec.structs.replace(grant) for grant in self.account.grants],
            holds=[msgspec.structs.replace(hold) for hold in self.account.holds],
            included=[msgspec.structs.replace(item) for item in self.account.included],
        )
        rules.settle(account, max(t, account.at), is_read=True)
        account.check()
        return account
