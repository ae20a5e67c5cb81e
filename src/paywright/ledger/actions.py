"""
What may be done to balances inside a work.

Every function here needs the customer's row locked by the caller (`outbox.actions.lock_customers`), settles time up to t = max(work.now, what the
balance has seen), and then does its one thing. Each `source` is one fact for ever: the same source on the same balance a second time changes
nothing and is not an error. Entries take the customer's next sequence, so the order of calls in a work is the order of events.
"""

from paywright.kernel.model import Customer
from paywright.kernel.periods import Period
from paywright.kernel.refusals import Refusal
from paywright.ledger.model import EntryKind, Expires, ItemState, TakeBackPolicy, TakenBack
from paywright.storage.work import Work


def grant(
    work: Work,
    customer: Customer,
    item_id: str,
    quantity: int,
    *,
    source: str,
    expires_at: int | None = None,
    kind: EntryKind = "grant",
    effective_at: int | None = None,
    note: str | None = None,
    actor: str | None = None,
) -> ItemState | Refusal:
    """Hands over units; debt is paid first. An expiry at or before t has no effect. `balance_out_of_range` when it does not fit."""
    raise NotImplementedError


def decrease(
    work: Work,
    customer: Customer,
    item_id: str,
    quantity: int,
    *,
    source: str,
    allow_negative: bool = False,
    note: str | None = None,
    actor: str | None = None,
) -> ItemState | Refusal:
    """Spends units, or `insufficient_quantity` `{requested, available}` with nothing changed."""
    raise NotImplementedError


def start_included(
    work: Work,
    customer: Customer,
    owned_product_id: str,
    item_id: str,
    quantity: int,
    *,
    repeat: Period | None,
    expires: Expires,
    anchor: int,
    starts_at: int | None = None,
    ends_at: int | None = None,
    source: str | None = None,
    actor: str | None = None,
) -> None:
    """
    An included item of an owned product begins: its first units now, repeats at anchor + n × period as long as it lives.

    `quantity` is included quantity × purchase quantity. `starts_at` (default: now) may lie in the past (a start heard late): repeats due since follow in
    order. `anchor` differs from `starts_at` after a switch that keeps the old one: only boundaries after `starts_at` are repeats.
    `ends_at` is the known end, if there is one; a start and end both past grant nothing. Sources are
    `purchase:{owned_product_id}:{item_id}:start` (or `source`) and `…:repeat:{n}`; starting the same one twice changes nothing.
    """
    raise NotImplementedError


def change_included(
    work: Work, customer: Customer, owned_product_id: str, item_id: str, quantity: int, *, source: str, actor: str | None = None
) -> None:
    """The units per turn become `quantity`. Without a repeat the difference is given or taken (unspent first) now; with one, from the next repeat."""
    raise NotImplementedError


def set_end(work: Work, customer: Customer, owned_product_id: str, ends_at: int | None) -> None:
    """The end of the purchase becomes known, moves, or (None) is taken back; applied on time by settling, whether or not anybody looks."""
    raise NotImplementedError


def end_included(work: Work, customer: Customer, owned_product_id: str, *, at: int | None = None, actor: str | None = None) -> None:
    """
    The purchase is over, now or at `at` in the past (an end heard late): repeats stop, units that live until its end are lost.

    Heard late, unspent units of repeats given at or after `at` are taken back too.
    """
    raise NotImplementedError


def pause_repeats(work: Work, customer: Customer, owned_product_id: str) -> None:
    """Access is lost: units stay (a resetting one still runs out on time), repeats stand still. Twice is once."""
    raise NotImplementedError


def resume_repeats(work: Work, customer: Customer, owned_product_id: str) -> None:
    """Access is back: of the repeats missed since `pause_repeats` the latest is given now, earlier ones are not."""
    raise NotImplementedError


def take_back(
    work: Work,
    customer: Customer,
    owned_product_id: str,
    policy: TakeBackPolicy,
    *,
    source: str,
    refunded: int = 1,
    paid: int = 1,
    granted_from: int | None = None,
    granted_until: int | None = None,
    actor: str | None = None,
) -> list[TakenBack]:
    """
    Takes the units of one payment back, rules.md 2.5. `source` names the refund or dispute, e.g. `refund:re_…`.

    `refunded` of `paid` minor units so far: the target per grant is `floor(granted × refunded / paid)` less what was taken before.
    `granted_from` (inclusive) and `granted_until` (exclusive) narrow a subscription's grants to those of the paid period.
    """
    raise NotImplementedError


def give_back(work: Work, customer: Customer, *, source_taken: str, source: str, actor: str | None = None) -> list[TakenBack]:
    """A refund failed after all: what the take-back `source_taken` removed is given back, with the life it had. What has expired since stays lost."""
    raise NotImplementedError


def freeze(work: Work, customer: Customer, owned_product_id: str, *, source: str) -> None:
    """A dispute: repeats pause, unspent units are set aside by a hold that no app call can touch and that never times out."""
    raise NotImplementedError


def unfreeze(work: Work, customer: Customer, owned_product_id: str, *, source: str) -> None:
    """The dispute `source` of `freeze` is over: its holds are released and repeats resume. When lost, take back and end after this."""
    raise NotImplementedError


def transfer(work: Work, giver: Customer, taker: Customer, *, source: str, actor: str | None = None) -> None:
    """All balances, live grants, included items and debts of `giver` (a guest) move to `taker`. Both rows are locked. The giver's become 0."""
    raise NotImplementedError


def settle(work: Work, customer: Customer) -> None:
    """Applies everything due by now to all balances of the customer, so that pushes come on time. Reads are right without it."""
    raise NotImplementedError
