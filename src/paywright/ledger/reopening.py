"""
A purchase that had ended goes on: its included items live again, and what the end took is given back.

What comes back gets a key of its own, because the old key has had its expiry, and each fact is entered once.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from paywright.kernel.model import Customer
from paywright.ledger import rules
from paywright.ledger.account import Account, Fact, ItemGrant
from paywright.ledger.model import NEVER
from paywright.ledger.store import has_entry, items_of_product, open_account, save
from paywright.ledger.tables import included_items, ledger_entries
from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work

KEYS_MAX = 10_000


def reopen_included(
    work: Work,
    customer: Customer,
    owned_product_id: str,
    *,
    source: str,
    given_by: Customer | None = None,
    resumes: bool = True,
) -> None:
    """
    The opposite of `end_included`. Of repeats missed since the latest is given. `source` names the fact, once for ever.

    `given_by`: the guest whose purchase it was when it ended; its units come to `customer`. With `resumes` False repeats stand still.
    """
    if given_by is not None:
        _adopt(work, given_by, customer, owned_product_id)
    mine = (
        included_items.c.environment_id == work.environment_id,
        included_items.c.customer == customer.key,
        included_items.c.owned_product_id == owned_product_id,
    )
    # Paused until it is resumed below, so that loading the balance gives no missed repeat twice.
    work.execute(included_items.update().where(*mine).values(ended=0, ends_at=NEVER, paused=1))
    holders = [customer] if given_by is None else [given_by, customer]
    for item_id in items_of_product(work, customer, owned_product_id):
        opened = open_account(work, customer, item_id, owned_product_id=owned_product_id, whole=True)
        for holder in holders:
            for key, units in _lost(work, holder, customer, item_id, owned_product_id):
                name = f"{source}:{key}"
                if not has_entry(work, customer, item_id, name):
                    opened.facts += _again(opened.account, owned_product_id, key, units, name)
        if resumes:
            opened.facts += rules.resume(opened.account, owned_product_id)
        save(work, opened)


def _adopt(work: Work, giver: Customer, taker: Customer, owned_product_id: str) -> None:
    """What had ended before the guest's balances moved stayed behind; the account includes it from now on."""
    of_giver = (
        included_items.c.environment_id == work.environment_id,
        included_items.c.customer == giver.key,
        included_items.c.owned_product_id == owned_product_id,
    )
    columns = list(included_items.c)
    for row in work.execute(sa.select(*columns).where(*of_giver).order_by(included_items.c.item_id)).mappings().all():
        insert_if_absent(work, included_items, {**row, "customer": taker.key})


def life(account: Account, owned_product_id: str, key: str) -> int:
    """When units under a key of this purchase are due by now: it may have been reopened since they were given."""
    item = next((each for each in account.included if each.owned_product_id == owned_product_id), None)
    if item is None or item.has_ended:
        return account.at
    if key.startswith("repeat:"):
        replaced_at = NEVER if item.repeat is None else item.boundary(int(key.rpartition(":")[2]) + 1)
        return min(replaced_at, item.ends_at)
    return item.ends_at


def key_again(key: str, source: str) -> str:
    """`end:own_1` becomes `end:own_1:…`, and a repeat's key still ends in its number."""
    if not key.startswith("repeat:"):
        return f"{key}:{source}"
    before, _, turn = key.rpartition(":")
    return f"{before}:{source}:{turn}"


def _lost(work: Work, holder: Customer, taker: Customer, item_id: str, owned_product_id: str) -> list[tuple[str, int]]:
    """(key, units) that the purchase's end took from `holder` and that was not given back yet: it may have ended and come back before."""
    given = _entries_of(work, taker, item_id, "give_back")
    lost = []
    for row in _entries_of(work, holder, item_id, "end"):
        since = [one.source for one in given if holder != taker or one.sequence > row.sequence]
        is_mine = f":{owned_product_id}" in (row.item_key or "")
        if row.delta < 0 and is_mine and not any(source.endswith(f":{row.item_key}") for source in since):
            lost.append((row.item_key, -row.delta))
    return lost


def _entries_of(work: Work, customer: Customer, item_id: str, kind: str) -> Sequence[Any]:
    """Oldest first."""
    entries = ledger_entries.c
    mine = (entries.environment_id == work.environment_id, entries.customer == customer.key, entries.item_id == item_id)
    columns = (entries.sequence, entries.item_key, entries.delta, entries.source)
    found = sa.select(*columns).where(*mine, entries.kind == kind).order_by(entries.sequence)
    return work.execute(found.limit(KEYS_MAX)).all()


def _again(account: Account, owned_product_id: str, key: str, units: int, source: str) -> list[Fact]:
    due = life(account, owned_product_id, key)
    if due <= account.at:
        return []
    new_key = key_again(key, source)
    given = ItemGrant(source, "give_back", new_key, due, account.at, units, 0, 0, owned_product_id)
    return rules.add_grant(account, given)
