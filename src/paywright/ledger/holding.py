"""Holds: units set aside until it is known how many are needed. A captured hold equals spending when it was opened; a released one never happened."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from paywright.kernel.ids import new_id
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ledger import rules
from paywright.ledger.account import Fact, OpenHold
from paywright.ledger.model import Hold, ItemState
from paywright.ledger.opening import Opening, open_customer
from paywright.ledger.queries import hold_of
from paywright.ledger.store import Opened, finish, open_account, save, state_of
from paywright.ledger.tables import holds
from paywright.outbox.actions import head, lock_customers
from paywright.storage.work import Work

EXPIRES_IN_S_DEFAULT = 600
EXPIRES_IN_S_MAX = 604_800


class HeldItem(msgspec.Struct, frozen=True):
    """A hold, and the item as the commit left it."""

    hold: Hold
    item: ItemState


class DecreaseLine(msgspec.Struct, frozen=True):
    """One line of a batch of decreases."""

    customer: Customer
    item_id: str
    quantity: int


def open_hold(
    work: Work,
    opening: Opening,
    customer: Customer,
    item_id: str,
    quantity: int,
    *,
    expires_in_s: int = EXPIRES_IN_S_DEFAULT,
    note: str | None = None,
    actor: str | None = None,
) -> HeldItem | Refusal:
    """Sets units aside for 1 … 604 800 seconds, or `insufficient_quantity` `{requested, available}`. Locks the customer."""
    assert 1 <= expires_in_s <= EXPIRES_IN_S_MAX, expires_in_s
    _lock(work, opening, [customer])
    opened = open_account(work, customer, item_id)
    hold_id, at = new_id("hold"), opened.account.at
    hold = OpenHold(hold_id, quantity, at + expires_in_s * 1000, "app", hold_id, at)
    return _held(opened, hold, finish(work, opened, rules.open_hold(opened.account, hold), note=note, actor=actor))


def capture_hold(
    work: Work, hold_id: str, quantity: int | None = None, *, note: str | None = None, actor: str | None = None
) -> HeldItem | Refusal:
    """
    Spends `quantity` of the hold (None: all of it) and releases the rest; 0 is a release. Locks the customer.

    Refuses `hold_not_found`, `hold_not_open` `{status}`, `capture_too_large`.
    """
    found = _find(work, hold_id)
    if isinstance(found, Refusal):
        return found
    opened, hold = found
    wanted = hold.quantity if quantity is None else quantity
    facts = rules.capture(opened.account, hold, wanted, effective_at=opened.account.at)
    return _held(opened, hold, finish(work, opened, facts, note=note, actor=actor))


def release_hold(work: Work, hold_id: str, *, actor: str | None = None) -> HeldItem | Refusal:
    """Sets the units free. Again, or after its time was over: no effect. Refuses `hold_not_found`, and `hold_not_open` after a capture."""
    found = _find(work, hold_id)
    if isinstance(found, Refusal):
        return found
    opened, hold = found
    if hold.status == "captured":
        return Refusal("hold_not_open", {"status": hold.status})
    facts = (
        []
        if hold.status != "open"
        else rules.end_hold(opened.account, hold, "released", effective_at=opened.account.at)
    )
    return _held(opened, hold, finish(work, opened, facts, actor=actor))


def _lock(work: Work, opening: Opening, customers: Sequence[Customer]) -> None:
    lock_customers(work, customers)
    for customer in sorted(set(customers)):
        open_customer(work, opening, customer)


def _find(work: Work, hold_id: str) -> tuple[Opened, OpenHold] | Refusal:
    """The hold and its settled balance. A dispute's hold is found by nobody."""
    known = hold_of(work.connection, work.environment_id, hold_id)
    if known is None:
        return Refusal("hold_not_found")
    customer = Customer.of_key(known.customer)
    lock_customers(work, [customer])
    opened = open_account(work, customer, known.item_id)
    hold = next((hold for hold in opened.account.holds if hold.id == hold_id), None)
    return opened, hold if hold is not None else _ended(work, hold_id)


def _ended(work: Work, hold_id: str) -> OpenHold:
    columns = (
        holds.c.id,
        holds.c.quantity,
        holds.c.due,
        holds.c.kind,
        holds.c.source,
        holds.c.opened_at,
        holds.c.captured,
        holds.c.status,
    )
    row = work.execute(
        sa.select(*columns).where(holds.c.environment_id == work.environment_id, holds.c.id == hold_id)
    ).one()
    return OpenHold(
        row.id, row.quantity, row.due, row.kind, row.source, row.opened_at, captured=row.captured, status=row.status
    )


def _held(opened: Opened, hold: OpenHold, state: ItemState | Refusal) -> HeldItem | Refusal:
    if isinstance(state, Refusal):
        return state
    shown = Hold(
        hold.id, opened.customer.key, opened.account.item_id, hold.quantity, hold.captured, hold.status, hold.due
    )
    return HeldItem(shown, state)


def decrease_many(
    work: Work, opening: Opening, lines: Sequence[DecreaseLine], *, note: str | None = None, actor: str | None = None
) -> list[ItemState] | Refusal:
    """
    Spends on several balances, all or nothing; lines on one balance are added up. Locks the customers, in one order.

    Answers the state per line. Refuses `insufficient_quantity` with `lines` `[{index, requested, available}]`, `available` being what earlier
    lines leave; and `balance_out_of_range`.
    """
    _lock(work, opening, [line.customer for line in lines])
    balances: dict[tuple[Customer, str], Opened] = {}
    for customer, item_id in sorted({(line.customer, line.item_id) for line in lines}):
        balances[customer, item_id] = open_account(work, customer, item_id)
    facts, short = {key: list[Fact]() for key in balances}, []
    for index, line in enumerate(lines):
        account = balances[line.customer, line.item_id].account
        spent = rules.decrease(account, line.quantity, allow_negative=False, source=None, effective_at=account.at)
        if isinstance(spent, Refusal):
            if spent.code != "insufficient_quantity":
                return spent
            short.append({"index": index, **spent.facts})
        else:
            facts[line.customer, line.item_id] += spent
    if short:
        first = short[0]
        return Refusal(
            "insufficient_quantity", {"requested": first["requested"], "available": first["available"], "lines": short}
        )
    for key, opened in balances.items():
        opened.facts += facts[key]
        save(work, opened, note=note, actor=actor, noted=facts[key])
    return [
        state_of(balances[line.customer, line.item_id].account, head(work, line.customer).version + 1) for line in lines
    ]
