"""Units that leave again: refunds and lost disputes take back, a failed refund gives back, a guest's balances move to an account."""

import sqlalchemy as sa

from paywright.kernel.model import Customer
from paywright.ledger import moving, rules
from paywright.ledger.account import NEVER_KEY, Fact, ItemGrant
from paywright.ledger.model import NEVER, TakeBackPolicy, TakenBack
from paywright.ledger.reopening import key_again, life
from paywright.ledger.store import Opened, has_entry, open_account, save
from paywright.ledger.tables import balances, item_grants, ledger_entries
from paywright.storage.work import Work

GRANTS_MAX = 10_000
"""Of one purchase. Ten thousand repeats are 27 years of days."""


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
    Entries are `{source}:{grant id}`; asking twice with one source takes nothing twice.
    """
    if policy == "none":
        return []
    assert 0 <= refunded <= paid, (refunded, paid)
    take = rules.take_unspent if policy == "unspent" else rules.take_all
    since, until = (
        granted_from if granted_from is not None else -NEVER,
        granted_until if granted_until is not None else NEVER,
    )
    taken: list[TakenBack] = []
    for item_id in _items_granted(work, customer, owned_product_id):
        opened = _written(work, customer, item_id, owned_product_id)
        account, facts = opened.account, list[Fact]()
        mine = [
            grant
            for grant in account.grants
            if grant.owned_product_id == owned_product_id and since <= grant.granted_at < until
        ]
        for family in _families(mine):
            wanted = family[0].quantity * refunded // paid - _taken_of(family)
            for grant in family:
                name = f"{source}:{grant.id}"
                target = min(wanted, grant.quantity - grant.taken)
                if target > 0 and not has_entry(work, customer, item_id, name):
                    facts += (now := take(account, grant, target, source=name, effective_at=account.at))
                    wanted -= sum(fact.quantity for fact in now)
        if facts:
            opened.facts += facts
            save(work, opened, actor=actor, noted=facts)
            taken.append(TakenBack(item_id, sum(fact.quantity for fact in facts), source))
    return [each for each in taken if each.quantity]  # None of an item of which all was spent: that is closed.


def _written(work: Work, customer: Customer, item_id: str, owned_product_id: str) -> Opened:
    """The balance with what was due written down first: a take-back names grants by their entries, and a repeat just found has none yet."""
    opened = open_account(work, customer, item_id, owned_product_id=owned_product_id, whole=True)
    if not opened.facts:
        return opened
    save(work, opened)
    return open_account(work, customer, item_id, owned_product_id=owned_product_id, whole=True)


def _families(grants: list[ItemGrant]) -> list[list[ItemGrant]]:
    """Each grant with what was given back of it: together they are the units that were granted once."""
    firsts = {grant.id: [grant] for grant in grants if grant.kind != "give_back"}
    for grant in grants:
        if grant.kind == "give_back":
            first = (grant.source or "").rpartition(":")[2]
            firsts.setdefault(first if first in firsts else grant.id, []).append(grant)
    return list(firsts.values())


def _taken_of(family: list[ItemGrant]) -> int:
    """Taken, and not given back since."""
    return sum(grant.taken for grant in family) - sum(grant.quantity for grant in family[1:])


def _items_granted(work: Work, customer: Customer, owned_product_id: str) -> list[str]:
    mine = (
        item_grants.c.environment_id == work.environment_id,
        item_grants.c.customer == customer.key,
        item_grants.c.owned_product_id == owned_product_id,
    )
    rows = work.execute(sa.select(item_grants.c.item_id).where(*mine).distinct().order_by(item_grants.c.item_id))
    return [row.item_id for row in rows]


def give_back(
    work: Work,
    customer: Customer,
    *,
    source_taken: str,
    source: str,
    taken_from: Customer | None = None,
    actor: str | None = None,
) -> list[TakenBack]:
    """
    A refund failed after all: what the take-back `source_taken` removed is given back, with the life it had. What has expired since stays lost.

    `taken_from`: the guest it was taken from, whose purchases are the customer's by now.
    """
    given: list[TakenBack] = []
    for holder in [customer] if taken_from is None else [taken_from, customer]:
        for item_id, grant_id, quantity in _taken(work, holder, source_taken):
            name = f"{source}:{grant_id}"
            if has_entry(work, customer, item_id, name):
                continue
            opened = open_account(work, customer, item_id, whole=True)
            facts = _give(work, opened, (customer, taken_from or customer), grant_id, quantity, name)
            if facts:
                opened.facts += facts
                save(work, opened, actor=actor, noted=facts)
                given.append(TakenBack(item_id, quantity, source))
    return given


def _taken(work: Work, customer: Customer, source: str) -> list[tuple[str, str, int]]:
    """
    (item, grant, quantity) of a take-back's entries, in the order in which they were taken. Spending that was closed stays settled.

    One that names no grant took what a guest had spent of theirs (`spent_before`). Sources compare by bytes: `;` follows `:`.
    """
    rows = work.execute(
        sa.select(
            ledger_entries.c.item_id, ledger_entries.c.grant_id, ledger_entries.c.quantity, ledger_entries.c.source
        )
        .where(ledger_entries.c.environment_id == work.environment_id, ledger_entries.c.customer == customer.key)
        .where(
            ledger_entries.c.kind == "take_back",
            ledger_entries.c.quantity > 0,
            ledger_entries.c.source > f"{source}:",
            ledger_entries.c.source < f"{source};",
        )
        .order_by(ledger_entries.c.item_id, ledger_entries.c.sequence)
        .limit(GRANTS_MAX)
    )
    return [(row.item_id, row.grant_id or row.source.rpartition(":")[2], row.quantity) for row in rows]


def _give(
    work: Work, opened: Opened, holders: tuple[Customer, Customer], grant_id: str, quantity: int, source: str
) -> list[Fact]:
    """A grant like the one that was taken from, whichever of `holders` had it; nothing when its time is over."""
    mine = (
        item_grants.c.environment_id == work.environment_id,
        item_grants.c.customer.in_([holder.key for holder in holders]),
        item_grants.c.id == grant_id,
    )
    columns = (item_grants.c.item_key, item_grants.c.due, item_grants.c.granted_at, item_grants.c.owned_product_id)
    row = work.execute(sa.select(*columns).where(*mine, item_grants.c.item_id == opened.account.item_id)).one()
    key, due = row.item_key, row.due
    if row.owned_product_id is not None and key.startswith(("end:", "repeat:")):
        due = life(opened.account, row.owned_product_id, key)
        if _has_ended(work, opened, key):
            key = key_again(key, source)  # The purchase had ended and goes on: the old key has had its end.
    if due <= opened.account.at:
        return []
    again = ItemGrant(source, "give_back", key, due, row.granted_at, quantity, 0, 0, row.owned_product_id)
    return rules.add_grant(opened.account, again)


def _has_ended(work: Work, opened: Opened, key: str) -> bool:
    entries = ledger_entries.c
    mine = (entries.environment_id == work.environment_id, entries.customer == opened.customer.key)
    ended = (entries.item_id == opened.account.item_id) & (entries.kind == "end") & (entries.item_key == key)
    found = sa.select(entries.id).where(*mine, ended).order_by(entries.sequence).limit(1)
    return work.execute(found).one_or_none() is not None


def transfer(work: Work, giver: Customer, taker: Customer, *, source: str, actor: str | None = None) -> None:
    """
    All balances, debts included, of `giver` (a guest) move to `taker`. Both rows are locked. The giver's become 0.

    Each live grant arrives as what remains of it, with the life it had; units that the giver holds are released first.
    """
    rows = work.execute(
        sa.select(balances.c.item_id)
        .where(balances.c.environment_id == work.environment_id, balances.c.customer == giver.key)
        .order_by(balances.c.item_id)
    )
    for item_id in [row.item_id for row in rows]:
        if not has_entry(work, taker, item_id, f"{source}:{item_id}:0") and not has_entry(
            work, giver, item_id, f"{source}:{item_id}:0"
        ):
            _transfer_item(work, giver, taker, item_id, source, actor)


def _transfer_item(work: Work, giver: Customer, taker: Customer, item_id: str, source: str, actor: str | None) -> None:
    left = open_account(work, giver, item_id, whole=True)
    right = open_account(work, taker, item_id)
    for hold in [hold for hold in left.account.holds if hold.status == "open"]:
        left.facts += rules.end_hold(left.account, hold, "released", effective_at=left.account.at)
    moved = [(left.account.grants[place], units) for place, units in rules.remaining(left.account).items() if units]
    debt = max(0, -left.account.balance)
    gone, come = list[Fact](), list[Fact]()
    for number, (grant, units) in enumerate(moved):
        gone += moving.move_out(left.account, grant, units, source=f"{source}:{item_id}:{number}")
        again = ItemGrant(
            f"{source}:{item_id}:{number}",
            "transfer",
            grant.key,
            grant.due,
            grant.granted_at,
            units,
            0,
            0,
            grant.owned_product_id,
        )
        come += rules.add_grant(right.account, again)
    if debt:
        gone += rules.add_grant(
            left.account,
            ItemGrant(f"{source}:{item_id}:0", "transfer", NEVER_KEY, NEVER + 1, left.account.at, debt, 0, 0),
        )
        come += moving.owe(right.account, debt, source=f"{source}:{item_id}:0")
    right.account.included += moving.move_included(left.account)
    left.facts += gone
    right.facts += come
    save(work, left, actor=actor, noted=gone)
    save(work, right, actor=actor, noted=come)
