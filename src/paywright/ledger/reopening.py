"""
A purchase that had ended goes on: its included items live again, and what the end took is given back.

What comes back gets a key of its own, because the old key has had its expiry, and each fact is entered once.
"""

import sqlalchemy as sa

from paywright.kernel.model import Customer
from paywright.ledger import rules
from paywright.ledger.account import Account, Fact, ItemGrant
from paywright.ledger.model import NEVER
from paywright.ledger.store import has_entry, items_of_product, open_account, save
from paywright.ledger.tables import included_items, ledger_entries
from paywright.storage.work import Work

KEYS_MAX = 10_000


def reopen_included(work: Work, customer: Customer, owned_product_id: str, *, ended_at: int, source: str) -> None:
    """The opposite of `end_included` at `ended_at`. Of repeats missed since the latest is given. `source` names the fact, once for ever."""
    mine = (
        included_items.c.environment_id == work.environment_id,
        included_items.c.customer == customer.key,
        included_items.c.owned_product_id == owned_product_id,
    )
    # Paused until it is resumed below, so that loading the balance gives no missed repeat twice.
    work.execute(included_items.update().where(*mine).values(ended=0, ends_at=NEVER, paused=1))
    for item_id in items_of_product(work, customer, owned_product_id):
        opened = open_account(work, customer, item_id, owned_product_id=owned_product_id, whole=True)
        for key, units in _lost(work, customer, item_id, owned_product_id, ended_at):
            name = f"{source}:{key}"
            if not has_entry(work, customer, item_id, name):
                opened.facts += _again(opened.account, owned_product_id, key, units, name)
        opened.facts += rules.resume(opened.account, owned_product_id)
        save(work, opened)


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


def _lost(work: Work, customer: Customer, item_id: str, owned_product_id: str, ended_at: int) -> list[tuple[str, int]]:
    """Key and units of what that end took."""
    entries = ledger_entries.c
    rows = work.execute(
        sa.select(entries.item_key, entries.delta)
        .where(
            entries.environment_id == work.environment_id,
            entries.customer == customer.key,
            entries.item_id == item_id,
            entries.kind == "end",
            entries.effective_at == ended_at,
            entries.delta < 0,
        )
        .order_by(entries.sequence)
        .limit(KEYS_MAX)
    )
    return [(row.item_key, -row.delta) for row in rows if f":{owned_product_id}" in (row.item_key or "")]


def _again(account: Account, owned_product_id: str, key: str, units: int, source: str) -> list[Fact]:
    due = life(account, owned_product_id, key)
    if due <= account.at:
        return []
    new_key = key_again(key, source)
    given = ItemGrant(source, "give_back", new_key, due, account.at, units, 0, 0, owned_product_id)
    return rules.add_grant(account, given)
