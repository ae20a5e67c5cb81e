"""Units bought with disputed money: set aside until the dispute is over, by holds that no app call can touch and that never time out."""

import sqlalchemy as sa

from paywright.kernel.model import Customer
from paywright.ledger import rules
from paywright.ledger.account import OpenHold
from paywright.ledger.included import pause_repeats, resume_repeats
from paywright.ledger.model import NEVER
from paywright.ledger.store import has_entry, open_account, save
from paywright.ledger.tables import holds, item_grants
from paywright.storage.work import Work

HOLDS_MAX = 1_000


def freeze(work: Work, customer: Customer, owned_product_id: str, *, source: str) -> None:
    """Repeats stand still and what is unspent is set aside. `source` names the dispute."""
    pause_repeats(work, customer, owned_product_id)
    set_aside(work, customer, owned_product_id, source=source)


def unfreeze(work: Work, customer: Customer, owned_product_id: str, *, resumes: bool = True) -> None:
    """No dispute is open any more: units are free, and with `resumes` repeats go on. When it is lost, take back and end after this."""
    set_free(work, customer, owned_product_id)
    if resumes:
        resume_repeats(work, customer, owned_product_id)


def set_aside(work: Work, customer: Customer, owned_product_id: str, *, source: str) -> None:
    """What is unspent of a purchase is held, as far as nothing else holds it. `source` names the dispute; once for ever per balance."""
    for item_id in _items_granted(work, customer, owned_product_id):
        opened = open_account(work, customer, item_id, owned_product_id=owned_product_id, whole=True)
        account = opened.account
        left = rules.remaining(account)
        mine = sum(
            left[place] for place, grant in enumerate(account.grants) if grant.owned_product_id == owned_product_id
        )
        quantity = min(mine, max(0, account.quantity))
        name = f"{source}:{owned_product_id}:{item_id}"
        if quantity == 0 or has_entry(work, customer, item_id, f"hold:{name}"):
            continue
        held = rules.open_hold(
            account, OpenHold(name, quantity, NEVER, "dispute", name, account.at, owned_product_id=owned_product_id)
        )
        assert isinstance(held, list), "no more than is there"
        opened.facts += held
        save(work, opened)


def set_free(work: Work, customer: Customer, owned_product_id: str) -> None:
    """No dispute about the purchase is open any more: all that was set aside is released. What had expired meanwhile is lost."""
    for item_id in _items_set_aside(work, customer, owned_product_id):
        opened = open_account(work, customer, item_id, owned_product_id=owned_product_id)
        for hold in [each for each in opened.account.holds if each.owned_product_id == owned_product_id]:
            if hold.kind == "dispute" and hold.status == "open":
                opened.facts += rules.end_hold(opened.account, hold, "released", effective_at=opened.account.at)
        save(work, opened)


def _items_granted(work: Work, customer: Customer, owned_product_id: str) -> list[str]:
    """By its grants: a purchase that moved to an account brought those, and not always its included items."""
    mine = (
        item_grants.c.environment_id == work.environment_id,
        item_grants.c.customer == customer.key,
        item_grants.c.owned_product_id == owned_product_id,
    )
    rows = work.execute(sa.select(item_grants.c.item_id).where(*mine).distinct().order_by(item_grants.c.item_id))
    return [row.item_id for row in rows]


def _items_set_aside(work: Work, customer: Customer, owned_product_id: str) -> list[str]:
    mine = (
        holds.c.environment_id == work.environment_id,
        holds.c.customer == customer.key,
        holds.c.status == "open",
        holds.c.kind == "dispute",
        holds.c.owned_product_id == owned_product_id,
    )
    rows = work.execute(sa.select(holds.c.item_id).where(*mine).distinct().order_by(holds.c.item_id).limit(HOLDS_MAX))
    return [row.item_id for row in rows]
