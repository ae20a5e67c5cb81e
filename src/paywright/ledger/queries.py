"""Reading the ledger. Nothing here writes: what is due is applied in memory, so a read at any time is right with no job having run."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.kernel.model import Customer
from paywright.kernel.periods import DAY_MS
from paywright.kernel.refusals import Refusal
from paywright.ledger import rules
from paywright.ledger.account import Account, Included
from paywright.ledger.calls import laid
from paywright.ledger.model import NEVER, Entry, GrantShown, Hold, ItemState
from paywright.ledger.opening import IncludedByDefault, nothing_included
from paywright.ledger.replay import Replay
from paywright.ledger.store import load, state_of
from paywright.ledger.tables import balances, holds, item_grants, ledger_entries
from paywright.outbox.tables import customers

AS_OF_DAYS_MAX = 3653
"""Ten years ahead."""

ITEMS_MAX = 10_000
"""Of one customer. A catalog has fewer."""

_ENTRY = (
    ledger_entries.c.id,
    ledger_entries.c.customer,
    ledger_entries.c.item_id,
    ledger_entries.c.seq,
    ledger_entries.c.sequence,
    ledger_entries.c.kind,
    ledger_entries.c.quantity,
    ledger_entries.c.delta,
    ledger_entries.c.balance_after,
    ledger_entries.c.held_after,
    ledger_entries.c.at,
    ledger_entries.c.effective_at,
    ledger_entries.c.expires_at,
    ledger_entries.c.source,
    ledger_entries.c.note,
    ledger_entries.c.actor,
)


def items_with_balance(
    connection: Connection, environment_id: str, customer: str, *, due_until: int | None = None
) -> list[str]:
    """Items the customer has a balance of, sorted; with `due_until` only those where something is due by then."""
    statement = (
        sa.select(balances.c.item_id)
        .where(balances.c.environment_id == environment_id, balances.c.customer == customer)
        .order_by(balances.c.item_id)
        .limit(ITEMS_MAX)
    )
    if due_until is not None:
        statement = statement.where(balances.c.next_due <= due_until)
    return list(connection.execute(statement).scalars())


def customers_due(connection: Connection, environment_id: str, now: int, *, limit: int) -> list[Customer]:
    """Customers for whom something is due before `now`, soonest first: what the background tick settles."""
    rows = connection.execute(
        sa.select(balances.c.customer)
        .where(balances.c.environment_id == environment_id, balances.c.next_due < now)
        .order_by(balances.c.next_due, balances.c.customer, balances.c.item_id)
        .limit(limit)
    )
    return [Customer.of_key(key) for key in dict.fromkeys(rows.scalars())]


def account_of_customer(
    connection: Connection,
    environment_id: str,
    customer: Customer,
    item_id: str,
    now: int,
    *,
    included: IncludedByDefault = nothing_included,
    whole: bool = False,
) -> Account:
    """The balance as a read at `now` shows it: what is due at that very instant is applied too, and what defaults include that are no rows yet."""
    account = load(connection, environment_id, customer.key, item_id, whole=whole)
    _apply_until(account, max(now, account.at), included(connection, environment_id, customer, item_id, now))
    return account


def _apply_until(account: Account, t: int, unwritten: list[Included]) -> None:
    for item in unwritten:
        rules.settle(account, max(account.at, item.starts_at))
        rules.start(account, item, None)
    rules.settle(account, max(t, account.at), is_read=True)


def item_state(
    connection: Connection,
    environment_id: str,
    customer: Customer,
    item_id: str,
    now: int,
    version: int | None = None,
    *,
    included: IncludedByDefault = nothing_included,
) -> ItemState:
    """
    One item of a customer; 0 when it was never touched, unless a default product includes it (`included`).

    `version` saves a query where it is known.
    """
    shown = version_of(connection, environment_id, customer) if version is None else version
    return state_of(account_of_customer(connection, environment_id, customer, item_id, now, included=included), shown)


def item_states(
    connection: Connection,
    environment_id: str,
    customer: Customer,
    item_ids: Sequence[str],
    now: int,
    *,
    included: IncludedByDefault = nothing_included,
) -> list[ItemState]:
    """The items named, in their order, untouched ones too."""
    version = version_of(connection, environment_id, customer)
    return [
        item_state(connection, environment_id, customer, item_id, now, version, included=included)
        for item_id in item_ids
    ]


def version_of(connection: Connection, environment_id: str, customer: Customer) -> int:
    """Rises with every commit that changes the customer; 0 before the first."""
    mine = (customers.c.environment_id == environment_id, customers.c.customer == customer.key)
    return connection.execute(sa.select(customers.c.version).where(*mine)).scalar_one_or_none() or 0


def item_state_as_of(
    connection: Connection, environment_id: str, customer: Customer, item_id: str, now: int, as_of: int
) -> ItemState | Refusal:
    """
    The past: what the ledger said then. The future: what there will be if nothing else happens; holds are left out.

    `as_of_too_far` beyond ten years ahead.
    """
    version = version_of(connection, environment_id, customer)
    if as_of >= now:
        account = _future(connection, environment_id, customer, item_id, now, as_of)
        return account if isinstance(account, Refusal) else state_of(account, version)
    row = _last_entry(connection, environment_id, customer, item_id, as_of)
    if row is None:
        return ItemState(item_id, 0, 0, version)
    return ItemState(item_id, row.balance_after, 0, row.version, ())


def answer_of_entry(connection: Connection, environment_id: str, entry_id: str) -> ItemState | None:
    """The item as the commit of an entry left it: what the call that wrote it was answered. None when there is no such entry."""
    e = ledger_entries.c
    columns = (e.customer, e.item_id, e.sequence, e.version, e.balance_after, e.held_after, e.spent_after, e.at)
    row = connection.execute(
        sa.select(*columns).where(e.environment_id == environment_id, e.id == entry_id)
    ).one_or_none()
    if row is None:
        return None
    mine = (
        item_grants.c.environment_id == environment_id,
        item_grants.c.customer == row.customer,
        item_grants.c.item_id == row.item_id,
    )
    known = sa.select(item_grants.c.due, sa.func.sum(item_grants.c.quantity - item_grants.c.paid).label("live")).where(
        *mine, item_grants.c.due.between(row.at, NEVER - 1), item_grants.c.sequence <= row.sequence
    )
    pending = [(grant.due, int(grant.live)) for grant in connection.execute(known.group_by(item_grants.c.due))]
    lost_then = laid(row.spent_after + row.held_after, sorted(pending))
    return ItemState(row.item_id, row.balance_after - row.held_after, row.held_after, row.version, lost_then)


def _future(
    connection: Connection,
    environment_id: str,
    customer: Customer,
    item_id: str,
    now: int,
    as_of: int,
    whole: bool = False,
) -> Account | Refusal:
    if as_of > now + AS_OF_DAYS_MAX * DAY_MS:
        return Refusal("as_of_too_far")
    account = load(connection, environment_id, customer.key, item_id, whole=whole)
    _leave_holds_out(account)
    rules.settle(account, max(as_of, account.at), is_read=True)
    return account


def _leave_holds_out(account: Account) -> None:
    """As if no hold had been opened: held units are free, and what they carried was lost on time."""
    account.balance -= account.carried
    account.held, account.carried, account.holds = 0, 0, []


def _last_entry(connection: Connection, environment_id: str, customer: Customer, item_id: str, as_of: int) -> Any:
    """The last entry taken in at or before an instant. `at` never falls along `sequence`."""
    mine = (
        ledger_entries.c.environment_id == environment_id,
        ledger_entries.c.customer == customer.key,
        ledger_entries.c.item_id == item_id,
    )
    columns = (ledger_entries.c.seq, ledger_entries.c.balance_after, ledger_entries.c.version)
    newest = (
        sa.select(*columns)
        .where(*mine, ledger_entries.c.at <= as_of)
        .order_by(ledger_entries.c.sequence.desc())
        .limit(1)
    )
    return connection.execute(newest).one_or_none()


def breakdown(
    connection: Connection, environment_id: str, customer: Customer, item_id: str, now: int, as_of: int | None = None
) -> list[GrantShown] | Refusal:
    """Live grants with what remains of each, soonest lost first. A past `as_of` is answered from the entries up to then."""
    if as_of is not None and as_of < now:
        account = past_account(connection, environment_id, customer, item_id, as_of)
    else:
        future = (
            _future(connection, environment_id, customer, item_id, now, as_of or now, whole=True) if as_of else None
        )
        if isinstance(future, Refusal):
            return future
        account = future or load(connection, environment_id, customer.key, item_id, whole=True)
        rules.settle(account, max(as_of or now, account.at), is_read=True)
    left = rules.remaining(account)
    order = sorted(left, key=lambda place: account.grants[place].age)
    return [_shown(account, place, left[place]) for place in order if account.grants[place].live]


def _shown(account: Account, place: int, units: int) -> GrantShown:
    grant = account.grants[place]
    expires_at = grant.due if grant.due < NEVER else None
    return GrantShown(grant.id, grant.source or f"call:{grant.id}", grant.quantity, units, grant.granted_at, expires_at)


def past_account(connection: Connection, environment_id: str, customer: Customer, item_id: str, as_of: int) -> Account:
    """The balance as it stood, found by following its entries from the first: the price is paid by whoever looks back, never by who spends."""
    replay = Replay(item_id, whole=True)
    mine = (
        ledger_entries.c.environment_id == environment_id,
        ledger_entries.c.customer == customer.key,
        ledger_entries.c.item_id == item_id,
    )
    columns = (ledger_entries.c.item_key, ledger_entries.c.spent_after, ledger_entries.c.grant_id)
    statement = (
        sa.select(*_ENTRY, *columns).where(*mine, ledger_entries.c.at <= as_of).order_by(ledger_entries.c.sequence)
    )
    for row in connection.execute(statement.execution_options(stream_results=True, yield_per=1000)):
        replay.follow(row)
    return replay.account


def entries(
    connection: Connection,
    environment_id: str,
    customer: Customer,
    item_id: str,
    *,
    before_sequence: int | None = None,
    as_of: int | None = None,
    limit: int = 10,
) -> list[Entry]:
    """Newest first, those with a `sequence` below `before_sequence`. `as_of` leaves out what the ledger learned later."""
    statement = (
        sa.select(*_ENTRY)
        .where(
            ledger_entries.c.environment_id == environment_id,
            ledger_entries.c.customer == customer.key,
            ledger_entries.c.item_id == item_id,
        )
        .order_by(ledger_entries.c.sequence.desc())
        .limit(limit)
    )
    if before_sequence is not None:
        statement = statement.where(ledger_entries.c.sequence < before_sequence)
    if as_of is not None:
        statement = statement.where(ledger_entries.c.at <= as_of)
    return [_entry(row) for row in connection.execute(statement)]


def events_of_entries(
    connection: Connection,
    environment_id: str,
    *,
    customer: Customer | None = None,
    customer_type: str | None = None,
    before_id: str | None = None,
    limit: int = 10,
) -> list[Entry]:
    """
    Entries as a page of `item.balance_changed` events, newest first.

    An entry `ent_X` is the event `evt_X`: ids of both sort by time, so the two tables merge into one list by the part after the prefix.
    `before_id` is that part. For one customer the order is `sequence`, which agrees with it.
    """
    statement = sa.select(*_ENTRY).where(ledger_entries.c.environment_id == environment_id)
    if customer is not None:
        statement = statement.where(ledger_entries.c.customer == customer.key)
    if customer_type is not None:
        # Everything that begins with `user:`; `;` is the byte after `:`.
        statement = statement.where(
            ledger_entries.c.customer > f"{customer_type}:", ledger_entries.c.customer < f"{customer_type};"
        )
    if before_id is not None:
        statement = statement.where(ledger_entries.c.id < f"ent_{before_id}")
    return [_entry(row) for row in connection.execute(statement.order_by(ledger_entries.c.id.desc()).limit(limit))]


def entries_since(
    connection: Connection, environment_id: str, customer: Customer, sequence: int, *, limit: int
) -> list[Entry]:
    """The customer's entries past a delivered `sequence`, in order: item by item through the index, however long the history is."""
    found: list[Entry] = []
    for item_id in items_with_balance(connection, environment_id, customer.key):
        newest = (
            sa.select(*_ENTRY)
            .where(
                ledger_entries.c.environment_id == environment_id,
                ledger_entries.c.customer == customer.key,
                ledger_entries.c.item_id == item_id,
                ledger_entries.c.sequence > sequence,
            )
            .order_by(ledger_entries.c.sequence)
            .limit(limit)
        )
        found += [_entry(row) for row in connection.execute(newest)]
    return sorted(found, key=lambda entry: entry.sequence)[:limit]


def _entry(row: Any) -> Entry:
    return Entry(
        id=row.id,
        customer=row.customer,
        item_id=row.item_id,
        seq=row.seq,
        sequence=row.sequence,
        kind=row.kind,
        quantity=row.quantity,
        delta=row.delta,
        balance_after=row.balance_after,
        held_after=row.held_after,
        at=row.at,
        effective_at=row.effective_at,
        expires_at=row.expires_at,
        source=row.source or f"call:{row.id}",
        note=row.note,
        actor=row.actor,
    )


def hold_of(connection: Connection, environment_id: str, hold_id: str) -> Hold | None:
    """A hold as its row stands. One whose time is over may still be `open` here until the balance is settled."""
    columns = (
        holds.c.id,
        holds.c.customer,
        holds.c.item_id,
        holds.c.quantity,
        holds.c.captured,
        holds.c.status,
        holds.c.due,
    )
    row = connection.execute(
        sa.select(*columns).where(
            holds.c.environment_id == environment_id, holds.c.id == hold_id, holds.c.kind == "app"
        )
    ).one_or_none()
    if row is None:
        return None
    return Hold(row.id, row.customer, row.item_id, row.quantity, row.captured, row.status, row.due)


def has_entries(connection: Connection, environment_id: str, item_id: str) -> bool:
    """Whether anybody ever touched an item: its customer type is fixed from then on."""
    known = (
        sa.select(balances.c.item_id)
        .where(balances.c.environment_id == environment_id, balances.c.item_id == item_id)
        .limit(1)
    )
    return connection.execute(known).one_or_none() is not None
