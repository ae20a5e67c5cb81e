"""Included items of owned products: they start, repeat, pause, end, and change in number. Ownership says when; the ledger knows what follows."""

from collections.abc import Callable

from paywright.kernel.model import Customer
from paywright.kernel.periods import Period
from paywright.ledger import rules, terms
from paywright.ledger.account import Account, Fact, Included
from paywright.ledger.model import NEVER, Expires
from paywright.ledger.store import finish, has_entry, items_of_product, open_account, save
from paywright.storage.work import Work


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

    `quantity` is included quantity × purchase quantity. `starts_at` (default: now) may lie in the past (a start heard late):
    repeats due since follow in order. `anchor` differs from `starts_at` after a switch that keeps the old one: only
    boundaries after `starts_at` are repeats. `ends_at` is the known end, if there is one; a start and end both past grant nothing. Sources are
    `purchase:{owned_product_id}:{item_id}:start` (or `source`) and `…:repeat:{n}`; starting the same one twice changes nothing.
    """
    if item_id in items_of_product(work, customer, owned_product_id):
        return
    if source is not None and has_entry(work, customer, item_id, source):
        return
    opened = open_account(work, customer, item_id)
    starts = opened.account.at if starts_at is None else starts_at
    item = Included(owned_product_id, quantity, repeat, expires, anchor, starts, NEVER if ends_at is None else ends_at)
    finish(work, opened, rules.start(opened.account, item, source), actor=actor)


def change_included(
    work: Work,
    customer: Customer,
    owned_product_id: str,
    item_id: str,
    quantity: int,
    *,
    source: str,
    actor: str | None = None,
) -> None:
    """The units per turn become `quantity`. Without a repeat the difference is given or taken (unspent first) now; with one, from the next repeat."""
    opened = open_account(work, customer, item_id, owned_product_id=owned_product_id, whole=True)
    account = opened.account
    item = next((one for one in account.included if one.owned_product_id == owned_product_id), None)
    if item is None or item.quantity == quantity or has_entry(work, customer, item_id, source):
        return
    facts = rules.change(account, item, quantity, source)
    opened.facts += facts
    save(work, opened, actor=actor, noted=facts)


def move_included(
    work: Work,
    customer: Customer,
    owned_product_id: str,
    item_id: str,
    quantity: int,
    *,
    repeat: Period | None,
    expires: Expires,
    source: str,
    actor: str | None = None,
) -> None:
    """
    The purchase includes this item under other terms from now on: repeats use them, what is given once is topped up, what was given stays.

    One that was left out before (`leave_out_included`) is given anew. Nothing happens when the purchase never included it.
    """

    def go_on(account: Account) -> list[Fact]:
        for item in account.included:
            if item.owned_product_id == owned_product_id:
                return terms.go_on(account, item, quantity, repeat=repeat, expires=expires, source=source)
        return []

    _on_each_item(work, customer, owned_product_id, go_on, actor=actor, only=item_id)


def leave_out_included(work: Work, customer: Customer, owned_product_id: str, item_id: str) -> None:
    """The purchase gives no more of this item; what it gave stays as it was given. `end_included` still ends that."""

    def leave_out(account: Account) -> list[Fact]:
        for item in account.included:
            if item.owned_product_id == owned_product_id:
                terms.leave_out(item)
        return []

    _on_each_item(work, customer, owned_product_id, leave_out, only=item_id)


def plan_included(
    work: Work,
    customer: Customer,
    owned_product_id: str,
    item_id: str,
    quantity: int,
    *,
    repeat: Period | None,
    expires: Expires,
    anchor: int,
    starts_at: int,
) -> None:
    """As `start_included`, at an instant still to come: the first units are there on time, whether or not anybody looks. `end_included` undoes it."""
    opened = open_account(work, customer, item_id)
    assert starts_at >= opened.account.at, "planned for the past"
    rules.plan(opened.account, Included(owned_product_id, quantity, repeat, expires, anchor, starts_at))
    save(work, opened)


def plan_quantity(
    work: Work, customer: Customer, owned_product_id: str, item_id: str, quantity: int | None, at: int | None
) -> None:
    """From `at` on a turn gives `quantity`, applied on time by settling as `change_included` would. None takes it back."""

    def note(account: Account) -> list[Fact]:
        for item in account.included:
            if item.owned_product_id == owned_product_id:
                item.later_quantity, item.later_at = (0, NEVER) if quantity is None or at is None else (quantity, at)
        return []

    _on_each_item(work, customer, owned_product_id, note, only=item_id)


def plan_pause(work: Work, customer: Customer, owned_product_id: str, at: int | None) -> None:
    """Access will be lost at `at`: no repeat from then on, as after `pause_repeats`. None: no such end of access is known any more."""

    def note(account: Account) -> list[Fact]:
        for item in account.included:
            if item.owned_product_id == owned_product_id:
                item.pauses_at = NEVER if at is None else at
        return []

    _on_each_item(work, customer, owned_product_id, note)


def set_end(work: Work, customer: Customer, owned_product_id: str, ends_at: int | None) -> None:
    """The end of the purchase becomes known, moves, or (None) is taken back; applied on time by settling, whether or not anybody looks."""

    def move(account: Account) -> list[Fact]:
        rules.set_end(account, owned_product_id, NEVER if ends_at is None else ends_at)
        return rules.settle(account, account.at)

    _on_each_item(work, customer, owned_product_id, move)


def end_included(
    work: Work, customer: Customer, owned_product_id: str, *, at: int | None = None, actor: str | None = None
) -> None:
    """
    The purchase is over, now or at `at` in the past (an end heard late): repeats stop, units that live until its end are lost.

    Heard late, unspent units of repeats given at or after `at` are taken back too.
    """
    _on_each_item(
        work,
        customer,
        owned_product_id,
        lambda account: rules.end(account, owned_product_id, account.at if at is None else min(at, account.at)),
        whole=at is not None,
        actor=actor,
    )


def pause_repeats(work: Work, customer: Customer, owned_product_id: str) -> None:
    """Access is lost: units stay (a resetting one still runs out on time), repeats stand still. Twice is once."""

    def pause(account: Account) -> list[Fact]:
        for item in account.included:
            if item.owned_product_id == owned_product_id:
                item.is_paused = True
        return []

    _on_each_item(work, customer, owned_product_id, pause)


def resume_repeats(work: Work, customer: Customer, owned_product_id: str) -> None:
    """Access is back: of the repeats missed since `pause_repeats` the latest is given now, earlier ones are not."""
    _on_each_item(work, customer, owned_product_id, lambda account: rules.resume(account, owned_product_id))


def _on_each_item(
    work: Work,
    customer: Customer,
    owned_product_id: str,
    change: Callable[[Account], list[Fact]],
    *,
    whole: bool = False,
    actor: str | None = None,
    only: str | None = None,
) -> None:
    """Runs `change` on the balance of each item the purchase included, in one order, and saves what it made of it."""
    for item_id in items_of_product(work, customer, owned_product_id):
        if only not in (None, item_id):
            continue
        opened = open_account(work, customer, item_id, owned_product_id=owned_product_id, whole=whole)
        facts = change(opened.account)
        opened.facts += facts
        save(work, opened, actor=actor, noted=facts)
