"""
The seam to ownership, which stands to the right: customers own default products without anybody having written it down.

`app` hands the two functions in. `align` opens a customer under the defaults in force, inside a work that holds the customer's lock; it runs with the
first write, and with the next one after the defaults changed. `included` are the included items a reader should see before that.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.catalog.tables import catalogs
from paywright.kernel.model import Customer
from paywright.ledger.account import Included
from paywright.outbox.actions import head
from paywright.storage.work import Work

if TYPE_CHECKING:
    from paywright.engine.app import App

Align = Callable[[Work, Customer], None]
IncludedByDefault = Callable[[Connection, str, Customer, str, int], list[Included]]
"""(connection, environment, customer, item, now)"""


def nobody_opens(_work: Work, _customer: Customer) -> None:
    """Where there is no ownership there are no defaults."""


def nothing_included(
    _connection: Connection, _environment_id: str, _customer: Customer, _item_id: str, _now: int
) -> list[Included]:
    return []


class Opening:
    """One per App: `app.resource(Opening)`."""

    def __init__(self, _app: "App") -> None:
        self.align: Align = nobody_opens
        self.included: IncludedByDefault = nothing_included

    def close(self) -> None:
        """There is nothing to close; resources of an App have this method."""


def open_customer(work: Work, opening: Opening, customer: Customer) -> None:
    """Opens the customer under the defaults in force; the customer is locked."""
    current = sa.select(catalogs.c.defaults_version).where(catalogs.c.environment_id == work.environment_id)
    version, locked = work.execute(current).scalar_one_or_none() or 0, head(work, customer)
    if locked.defaults_version != version:
        opening.align(work, customer)
        locked.defaults_version = version
