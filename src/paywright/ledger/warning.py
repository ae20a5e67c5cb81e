"""`item.expiring_soon`: told once per instant, some days before unspent units are lost. A resetting allowance is no news."""

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.kernel.instants import rfc3339
from paywright.kernel.model import Customer
from paywright.ledger import rules
from paywright.ledger.account import Account
from paywright.ledger.model import NEVER
from paywright.ledger.store import open_account, save
from paywright.ledger.tables import item_grants
from paywright.outbox.actions import record
from paywright.storage.work import Work


def customers_expiring(connection: Connection, environment_id: str, until: int, *, limit: int) -> list[Customer]:
    """Customers with units that are lost by `until` and of whom nobody was told, soonest first."""
    g = item_grants.c
    rows = connection.execute(
        sa.select(g.customer)
        .where(g.environment_id == environment_id, g.warned == 0, g.live > 0, g.due < NEVER, g.due <= until)
        .order_by(g.due, g.customer, g.item_id, g.id)
        .limit(limit)
    )
    return [Customer.of_key(key) for key in dict.fromkeys(rows.scalars())]


def warn_of_expiry(work: Work, customer: Customer, *, until: int) -> int:
    """Tells of each instant up to `until` at which the customer loses unspent units; answers how many. The customer is locked."""
    told = 0
    for item_id in _items(work, customer, until):
        opened = open_account(work, customer, item_id)
        for instant, quantity in _news(opened.account, until):
            facts = {"item_id": item_id, "quantity": quantity, "expires_at": rfc3339(instant)}
            record(work, "item.expiring_soon", facts, customer=customer, change=f"items.{item_id}")
            told += 1
        for grant in opened.account.grants:
            if grant.due <= until:
                grant.warned = 1
        save(work, opened)
    return told


def _items(work: Work, customer: Customer, until: int) -> list[str]:
    g = item_grants.c
    mine = (g.environment_id == work.environment_id, g.customer == customer.key)
    statement = sa.select(g.item_id).where(*mine, g.warned == 0, g.live > 0, g.due < NEVER, g.due <= until)
    return list(work.execute(statement.distinct().order_by(g.item_id)).scalars())


def _news(account: Account, until: int) -> Iterator[tuple[int, int]]:
    """(instant, unspent units) nobody was told of yet."""
    left = rules.unheld(account)
    sums: dict[int, int] = {}
    known = {grant.due for grant in account.grants if grant.warned}
    for place, grant in enumerate(account.grants):
        if grant.due <= until and grant.due not in known and not grant.key.startswith("repeat:"):
            sums[grant.due] = sums.get(grant.due, 0) + left[place]
    return ((instant, quantity) for instant, quantity in sorted(sums.items()) if quantity)
