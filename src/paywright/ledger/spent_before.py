"""
What a guest had spent before their purchases moved to an account.

Only what was left came along. When the money goes back and everything is to be taken (`all`), the spent part is owed by the account: as if it had
never been granted, to whoever has the purchase now.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from paywright.kernel.model import Customer
from paywright.ledger.account import Account, Fact, fact_of
from paywright.ledger.model import NEVER, TakenBack
from paywright.ledger.store import has_entry, open_account, save
from paywright.ledger.tables import item_grants, ledger_entries
from paywright.storage.work import Work

GRANTS_MAX = 10_000


def take_back(
    work: Work,
    customer: Customer,
    guest: Customer,
    owned_product_id: str,
    *,
    source: str,
    refunded: int,
    paid: int,
    granted_from: int | None = None,
    granted_until: int | None = None,
) -> list[TakenBack]:
    """
    Of each grant the guest had of the purchase the share `refunded / paid` of its spent units, as debt. Once for each `source`.

    Entries are `{source}:{grant id}`, as those of `taking.take_back`; they name no grant of the customer's.
    """
    since = -NEVER if granted_from is None else granted_from
    until = NEVER if granted_until is None else granted_until
    by_item: dict[str, list[Any]] = {}
    for row in _spent(work, guest, owned_product_id):
        if since <= row.granted_at < until:
            by_item.setdefault(row.item_id, []).append(row)
    taken = []
    for item_id, grants in by_item.items():
        opened = open_account(work, customer, item_id)
        facts: list[Fact] = []
        for grant in grants:
            name = f"{source}:{grant.id}"
            target = grant.spent * refunded // paid - _owed_already(work, customer, item_id, grant.id)
            if target > 0 and not has_entry(work, customer, item_id, name):
                facts.append(_owe(opened.account, target, name))
        if facts:
            opened.facts += facts
            save(work, opened, noted=facts)
            taken.append(TakenBack(item_id, sum(fact.quantity for fact in facts), source))
    return taken


def _owe(account: Account, units: int, source: str) -> Fact:
    account.balance -= units
    account.spent += units
    return fact_of(account, "take_back", units, -units, account.at, source)


def _spent(work: Work, guest: Customer, owned_product_id: str) -> Sequence[Any]:
    """What is still live there is covered by spending that stayed there: what was left has moved."""
    grants = item_grants.c
    spent = (grants.absorbed + grants.paid + grants.live).label("spent")
    mine = (grants.environment_id == work.environment_id, grants.customer == guest.key)
    found = sa.select(grants.item_id, grants.id, grants.granted_at, spent)
    found = found.where(*mine, grants.owned_product_id == owned_product_id)
    return work.execute(found.order_by(grants.item_id, grants.sequence, grants.id).limit(GRANTS_MAX)).all()


def _owed_already(work: Work, customer: Customer, item_id: str, grant_id: str) -> int:
    """By earlier returns. What was given back when one of them failed is a grant of the customer's own since, and taken back as such."""
    entries = ledger_entries.c
    mine = (entries.environment_id == work.environment_id, entries.customer == customer.key, entries.item_id == item_id)
    here = (entries.kind == "take_back") & entries.source.like(f"%:{grant_id}")
    found = sa.select(sa.func.coalesce(sa.func.sum(entries.quantity), 0)).where(*mine, here)
    return int(work.execute(found).scalar_one())
