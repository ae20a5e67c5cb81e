"""Loading a balance into memory and writing back what the rules made of it, with its entries and events."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from paywright.kernel.ids import new_id
from paywright.kernel.instants import rfc3339
from paywright.kernel.model import Customer
from paywright.kernel.periods import parse_period
from paywright.kernel.refusals import Refusal
from paywright.ledger import rules
from paywright.ledger.account import FOREVER, Account, Fact, Included, ItemGrant, OpenHold
from paywright.ledger.model import NEVER, Expiring, ItemState
from paywright.ledger.tables import balances, holds, included_items, item_grants, ledger_entries
from paywright.outbox.actions import head, record, take_sequence
from paywright.storage.statements import upsert
from paywright.storage.work import Work

_GRANT = (
    item_grants.c.source,
    item_grants.c.kind,
    item_grants.c.item_key,
    item_grants.c.due,
    item_grants.c.granted_at,
    item_grants.c.quantity,
    item_grants.c.paid,
    item_grants.c.live,
    item_grants.c.owned_product_id,
    item_grants.c.absorbed,
    item_grants.c.expired,
    item_grants.c.taken,
    item_grants.c.sequence,
    item_grants.c.id,
    item_grants.c.warned,
)
_HOLD = (
    holds.c.id,
    holds.c.quantity,
    holds.c.due,
    holds.c.kind,
    holds.c.source,
    holds.c.opened_at,
    holds.c.sequence,
    holds.c.carried,
    holds.c.captured,
    holds.c.owned_product_id,
    holds.c.status,
)
_INCLUDED = (
    included_items.c.owned_product_id,
    included_items.c.quantity,
    included_items.c.repeat,
    included_items.c.expires,
    included_items.c.anchor,
    included_items.c.starts_at,
    included_items.c.ends_at,
    included_items.c.next_repeat,
    included_items.c.next_repeat_at,
    included_items.c.paused,
    included_items.c.ended,
    included_items.c.later_quantity,
    included_items.c.later_at,
    included_items.c.pauses_at,
    included_items.c.turns_before,
)


def load(
    connection: sa.Connection,
    environment_id: str,
    customer: str,
    item_id: str,
    *,
    owned_product_id: str | None = None,
    whole: bool = False,
) -> Account:
    """
    The balance with all that is still to come; a fresh one where there is no row.

    `owned_product_id`: its included items and grants too, dead ones as well. `whole`: every live grant, also those that never expire.
    """
    mine = {"environment_id": environment_id, "customer": customer, "item_id": item_id}
    columns = (
        balances.c.balance,
        balances.c.spent,
        balances.c.held,
        balances.c.carried,
        balances.c.at,
        balances.c.live,
        balances.c.entries,
    )
    row = connection.execute(sa.select(*columns).where(*_is(balances, mine))).one_or_none()
    account = Account(item_id=item_id)
    if row is None:
        return account
    account.balance, account.spent, account.held, account.carried, account.at, live, account.entries = row
    account.included = [_included(item) for item in connection.execute(_live_included(mine, owned_product_id))]
    # A quantity that will fall takes units back, and that needs to know where every one of them lies.
    whole = whole or any(item.later_at < NEVER for item in account.included)
    account.grants = _grants(connection, mine, owned_product_id, whole)
    account.forever = live - sum(grant.live for grant in account.grants)
    account.holds = [OpenHold(*hold) for hold in connection.execute(_open_holds(mine))] if account.held else []
    return account


def _grants(
    connection: sa.Connection, mine: dict[str, str], owned_product_id: str | None, whole: bool
) -> list[ItemGrant]:
    alive = item_grants.c.live > 0
    wanted = alive if whole else sa.and_(alive, item_grants.c.due < FOREVER)
    rows = list(connection.execute(sa.select(*_GRANT).where(*_is(item_grants, mine), wanted)))
    if owned_product_id is not None:
        of_product = item_grants.c.owned_product_id == owned_product_id
        rows += connection.execute(sa.select(*_GRANT).where(*_is(item_grants, mine), of_product, sa.not_(wanted)))
    return sorted((ItemGrant(*row) for row in rows), key=lambda grant: grant.age)


def _open_holds(mine: dict[str, str]) -> sa.Select[Any]:
    return (
        sa.select(*_HOLD)
        .where(*_is(holds, mine), holds.c.status == "open")
        .order_by(holds.c.opened_at, holds.c.sequence, holds.c.id)
    )


def _live_included(mine: dict[str, str], owned_product_id: str | None) -> sa.Select[Any]:
    # What was given once and for good has nothing to come; a thousand packs are not loaded to expire a day pass.
    matters = sa.or_(
        included_items.c.repeat.is_not(None),
        included_items.c.expires != "never",
        included_items.c.next_repeat == 0,
        included_items.c.later_at < NEVER,
        included_items.c.owned_product_id == (owned_product_id or ""),
    )
    return (
        sa.select(*_INCLUDED)
        .where(*_is(included_items, mine), included_items.c.ended == 0, matters)
        .order_by(included_items.c.owned_product_id)
    )


def _included(row: Any) -> Included:
    return Included(
        owned_product_id=row.owned_product_id,
        quantity=row.quantity,
        repeat=None if row.repeat is None else parse_period(row.repeat),
        expires=row.expires,
        anchor=row.anchor,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        next_repeat=row.next_repeat,
        next_repeat_at=row.next_repeat_at,
        is_paused=bool(row.paused),
        has_ended=bool(row.ended),
        later_quantity=row.later_quantity,
        later_at=row.later_at,
        pauses_at=row.pauses_at,
        turns_before=row.turns_before,
    )


def _is(table: sa.Table, mine: dict[str, str]) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == value for name, value in mine.items()]


class Opened(msgspec.Struct):
    """A balance in a work: as it was loaded, and as the rules move it. Made by `open_account`, ended by `save`."""

    customer: Customer
    account: Account
    grants_before: dict[str, ItemGrant]
    included_before: dict[str, Included]
    holds_before: dict[str, OpenHold]
    facts: list[Fact]


def open_account(
    work: Work, customer: Customer, item_id: str, *, owned_product_id: str | None = None, whole: bool = False
) -> Opened:
    """Loads and settles up to t = max(now, what the balance has seen). The customer is locked, which protects its balances."""
    head(work, customer)
    account = load(
        work.connection, work.environment_id, customer.key, item_id, owned_product_id=owned_product_id, whole=whole
    )
    opened = Opened(
        customer,
        account,
        {grant.id: msgspec.structs.replace(grant) for grant in account.grants},
        {item.owned_product_id: msgspec.structs.replace(item) for item in account.included},
        {hold.id: msgspec.structs.replace(hold) for hold in account.holds},
        [],
    )
    opened.facts = rules.settle(account, max(work.now, account.at))
    return opened


def save(
    work: Work, opened: Opened, *, note: str | None = None, actor: str | None = None, noted: Sequence[Fact] = ()
) -> ItemState:
    """Writes entries for `facts`, then what changed. `note` and `actor` belong to the facts in `noted`, not to what settling did."""
    account, customer = opened.account, opened.customer
    account.check()
    mine = {"environment_id": work.environment_id, "customer": customer.key, "item_id": account.item_id}
    before = _quantity_before(opened)
    for fact in opened.facts:
        is_noted = any(fact is one for one in noted)
        _enter(work, opened, mine, fact, note if is_noted else None, actor if is_noted else None)
        after = fact.balance_after - fact.held_after
        if before > 0 >= after:
            _record_depleted(work, customer, account.item_id, after)
        before = after
    _save_parts(work, opened, mine)
    _save_balance(work, account, mine)
    opened.facts = []
    return state_of(account, head(work, customer).version + 1)


def finish(
    work: Work, opened: Opened, facts: list[Fact] | Refusal, *, note: str | None = None, actor: str | None = None
) -> ItemState | Refusal:
    """Saves what a rule answered. A refusal changes nothing: what settling found stays due, and the next action or read finds it again."""
    if isinstance(facts, Refusal):
        return facts
    if not facts and not opened.facts:
        return state_of(opened.account, head(work, opened.customer).version)
    opened.facts += facts
    return save(work, opened, note=note, actor=actor, noted=facts)


def _quantity_before(opened: Opened) -> int:
    """Before the first fact: what the first one shows, less what it did."""
    if not opened.facts:
        return 0
    first = opened.facts[0]
    held = {"hold": -first.quantity, "capture": first.quantity, "release": first.quantity}.get(first.kind, 0)
    return first.balance_after - first.delta - (first.held_after + held)


def _record_depleted(work: Work, customer: Customer, item_id: str, quantity: int) -> None:
    record(
        work, "item.depleted", {"item_id": item_id, "quantity": quantity}, customer=customer, change=f"items.{item_id}"
    )


def _enter(work: Work, opened: Opened, mine: dict[str, str], fact: Fact, note: str | None, actor: str | None) -> None:
    account, customer = opened.account, opened.customer
    account.entries += 1
    entry_id, sequence = new_id("ent"), take_sequence(work, customer, f"items.{account.item_id}")
    work.execute(
        ledger_entries.insert().values(
            **mine,
            id=entry_id,
            seq=account.entries,
            sequence=sequence,
            version=head(work, customer).version + 1,
            kind=fact.kind,
            quantity=fact.quantity,
            delta=fact.delta,
            balance_after=fact.balance_after,
            held_after=fact.held_after,
            spent_after=fact.spent_after,
            at=account.at,
            effective_at=fact.effective_at,
            expires_at=fact.expires_at,
            item_key=fact.key,
            grant_id=_taken_from(fact),
            source=fact.source,
            note=note,
            actor=actor,
        )
    )
    if fact.grant is not None and not fact.grant.id:
        fact.grant.id, fact.grant.sequence = entry_id, sequence
    if fact.hold is not None and not fact.hold.sequence:
        fact.hold.sequence = sequence
    if fact.hold is not None and fact.hold.status == "timed_out":
        hold = {
            "id": fact.hold.id,
            "item_id": account.item_id,
            "quantity": fact.hold.quantity,
            "expires_at": rfc3339(fact.hold.due),
        }
        record(work, "hold.timed_out", hold, customer=customer, change=f"items.{account.item_id}")


def _taken_from(fact: Fact) -> str | None:
    leaves = fact.delta < 0 or fact.kind == "take_back"
    return fact.grant.id if fact.grant is not None and leaves else None


def _save_parts(work: Work, opened: Opened, mine: dict[str, str]) -> None:
    for grant in opened.account.grants:
        if opened.grants_before.get(grant.id) != grant:
            assert grant.id, "a grant without an entry"
            values = msgspec.structs.asdict(grant)
            values["item_key"] = values.pop("key")
            upsert(
                work,
                item_grants,
                {**mine, **values},
                key=("environment_id", "customer", "item_id", "id"),
            )
    for item in opened.account.included:
        if opened.included_before.get(item.owned_product_id) != item:
            values = msgspec.structs.asdict(item)
            values["repeat"] = None if item.repeat is None else str(item.repeat)
            values["paused"], values["ended"] = int(values.pop("is_paused")), int(values.pop("has_ended"))
            upsert(
                work,
                included_items,
                {**mine, **values},
                key=("environment_id", "customer", "item_id", "owned_product_id"),
            )
    for hold in opened.account.holds:
        if opened.holds_before.get(hold.id) != hold:
            upsert(work, holds, {**mine, **msgspec.structs.asdict(hold)}, key=("environment_id", "id"))


def _save_balance(work: Work, account: Account, mine: dict[str, str]) -> None:
    values = {
        "balance": account.balance,
        "spent": account.spent,
        "live": account.live,
        "carried": account.carried,
        "held": account.held,
        "entries": account.entries,
        "at": account.at,
        "next_due": account.next_due(),
    }
    upsert(work, balances, {**mine, **values}, key=("environment_id", "customer", "item_id"))


def state_of(account: Account, version: int) -> ItemState:
    lost_then = tuple(Expiring(quantity, instant) for instant, quantity in rules.expiring(account))
    return ItemState(account.item_id, account.quantity, account.held, version, lost_then)


def has_entry(work: Work, customer: Customer, item_id: str, source: str) -> bool:
    """Whether this fact was entered already, ever."""
    mine = {"environment_id": work.environment_id, "customer": customer.key, "item_id": item_id, "source": source}
    return work.execute(sa.select(ledger_entries.c.seq).where(*_is(ledger_entries, mine))).one_or_none() is not None


def items_of_product(work: Work, customer: Customer, owned_product_id: str) -> list[str]:
    """The items that a purchase included, sorted: balances are always taken in one order."""
    rows = work.execute(
        sa.select(included_items.c.item_id)
        .where(
            included_items.c.environment_id == work.environment_id,
            included_items.c.customer == customer.key,
            included_items.c.owned_product_id == owned_product_id,
        )
        .order_by(included_items.c.item_id)
    )
    return [row.item_id for row in rows]
