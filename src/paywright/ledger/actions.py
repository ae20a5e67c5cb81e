"""
What may be done to balances inside a work.

Every function here needs the customer's row locked by the caller (`outbox.actions.lock_customers`), settles time up to t = max(work.now, what the
balance has seen), and then does its one thing. Each `source` is one fact for ever: the same source on the same balance a second time changes
nothing and is not an error. Entries take the customer's next sequence, so the order of calls in a work is the order of events.
"""

from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ledger import rules
from paywright.ledger.account import FOREVER, NEVER_KEY, ItemGrant
from paywright.ledger.disputed import freeze, unfreeze
from paywright.ledger.included import (
    change_included,
    end_included,
    leave_out_included,
    move_included,
    pause_repeats,
    plan_included,
    plan_pause,
    plan_quantity,
    resume_repeats,
    set_end,
    start_included,
)
from paywright.ledger.model import EntryKind, ItemState
from paywright.ledger.queries import account_of_customer, items_with_balance
from paywright.ledger.store import finish, has_entry, open_account, save, state_of
from paywright.ledger.taking import give_back, take_back, transfer
from paywright.outbox.actions import head
from paywright.storage.work import Work

__all__ = [
    "change_included",
    "decrease",
    "end_included",
    "freeze",
    "give_back",
    "grant",
    "leave_out_included",
    "move_included",
    "pause_repeats",
    "plan_included",
    "plan_pause",
    "plan_quantity",
    "resume_repeats",
    "set_end",
    "settle",
    "start_included",
    "take_back",
    "transfer",
    "unfreeze",
]


def grant(
    work: Work,
    customer: Customer,
    item_id: str,
    quantity: int,
    *,
    source: str | None,
    expires_at: int | None = None,
    kind: EntryKind = "grant",
    effective_at: int | None = None,
    note: str | None = None,
    actor: str | None = None,
) -> ItemState | Refusal:
    """
    Hands over units; debt is paid first. An expiry at or before t has no effect. `balance_out_of_range` when it does not fit.

    `source` None: a call, which is its own fact.
    """
    if source is not None and has_entry(work, customer, item_id, source):
        return read(work, customer, item_id)
    opened = open_account(work, customer, item_id)
    account = opened.account
    key, due = (NEVER_KEY, FOREVER) if expires_at is None else (f"at:{expires_at}", expires_at)
    new = ItemGrant(source, kind, key, due, account.at if effective_at is None else effective_at, quantity, 0, 0)
    return finish(work, opened, rules.grant(account, new), note=note, actor=actor)


def decrease(
    work: Work,
    customer: Customer,
    item_id: str,
    quantity: int,
    *,
    source: str | None,
    allow_negative: bool = False,
    note: str | None = None,
    actor: str | None = None,
) -> ItemState | Refusal:
    """Spends units, or `insufficient_quantity` `{requested, available}` with nothing changed. `source` None: a call, which is its own fact."""
    if source is not None and has_entry(work, customer, item_id, source):
        return read(work, customer, item_id)
    opened = open_account(work, customer, item_id)
    facts = rules.decrease(
        opened.account, quantity, allow_negative=allow_negative, source=source, effective_at=opened.account.at
    )
    return finish(work, opened, facts, note=note, actor=actor)


def read(work: Work, customer: Customer, item_id: str) -> ItemState:
    """The state as this work sees it. Nothing is written: what is due is applied in memory."""
    account = account_of_customer(work.connection, work.environment_id, customer, item_id, work.now)
    return state_of(account, head(work, customer).version)


def settle(work: Work, customer: Customer) -> None:
    """Applies everything due by now to all balances of the customer, so that pushes come on time. Reads are right without it."""
    for item_id in items_with_balance(work.connection, work.environment_id, customer.key, due_until=work.now):
        save(work, open_account(work, customer, item_id))
