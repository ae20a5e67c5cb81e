"""
Spending inside the app's own database transaction: `with user.transaction(connection) as work: …`, on the handles of a `Paywright`.

It needs the engine in the process, so the HTTP clients don't have it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

import sqlalchemy as sa

from paywright.api.errors import refused
from paywright.api.items import NearCatalogs
from paywright.claims.queries import guest_of
from paywright.client.customer import Custom, CustomerHandle, Guest, Team, User
from paywright.client.errors import InsufficientQuantity, of_answer
from paywright.engine.app import App
from paywright.inprocess.transport import ACTOR
from paywright.kernel.ids import new_id
from paywright.kernel.instants import of_datetime
from paywright.kernel.model import QUANTITY_MAX, Customer
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.ledger.model import ItemState
from paywright.ledger.transaction import SharedWork, transaction

if TYPE_CHECKING:
    from paywright.inprocess import Paywright


class Spending:
    """
    One customer's balances inside a transaction. What it raises changed nothing; let it leave the block, and all the block did to the balances
    is undone.
    """

    def __init__(self, app: App, inner: SharedWork) -> None:
        self._app = app
        self._inner = inner

    @property
    def connection(self) -> sa.Connection:
        """The transaction, for what the app writes itself: yours, if you gave one; ours otherwise, and then it commits with the block."""
        return self._inner.work.connection

    def get_quantity(self, item_id: str) -> int:
        """What can be spent, as this transaction sees it."""
        self._check(item_id)
        return self._inner.read(item_id).quantity

    def decrease_quantity(
        self, item_id: str, quantity: int, *, allow_negative: bool = False, note: str | None = None
    ) -> int:
        """Spends units; answers what is left. `InsufficientQuantity` when there are too few, unless debt is allowed."""
        self._check(item_id, quantity)
        return _left(
            self._inner.decrease(item_id, quantity, allow_negative=allow_negative, note=note, actor=ACTOR),
        )

    def try_decrease_quantity(self, item_id: str, quantity: int, *, note: str | None = None) -> bool:
        """False when there were too few, and then nothing has changed."""
        try:
            self.decrease_quantity(item_id, quantity, note=note)
        except InsufficientQuantity:
            return False
        return True

    def increase_quantity(
        self, item_id: str, quantity: int, *, expires_at: datetime | None = None, note: str | None = None
    ) -> int:
        """Hands over units; answers what can be spent."""
        self._check(item_id, quantity)
        expires = None if expires_at is None else of_datetime(expires_at)
        return _left(self._inner.increase(item_id, quantity, expires_at=expires, note=note, actor=ACTOR))

    def _check(self, item_id: str, quantity: int = 1) -> None:
        if isinstance(quantity, bool) or not isinstance(quantity, int) or not 1 <= quantity <= QUANTITY_MAX:
            raise_refusal(invalid_request("quantity", f"`quantity` is an integer from 1 to {QUANTITY_MAX}."))
        customer, environment_id = self._inner.customer, self._inner.work.environment_id
        item = self._app.resource(NearCatalogs).item(environment_id, item_id, customer)
        if isinstance(item, Refusal):
            raise_refusal(item)


class InProcessHandle(CustomerHandle):
    """A handle that reaches the engine's database."""

    _surface: "Paywright"

    @contextmanager
    def transaction(self, connection: Any = None) -> Iterator[Spending]:
        """
        Spends, and writes the app's own rows, in one database transaction: both become true, or neither does.

        `connection` is the app's own, to the database Paywright runs on: Django's (`django.db.connection`, inside `transaction.atomic()`),
        SQLAlchemy's, psycopg's or sqlite3's. The app commits it, or rolls it back. Without one the transaction is Paywright's own, committed at
        the end of the block. The customer is locked until then, so keep it short.
        """
        app = self._surface.app
        environment_id = app.settings.environment
        with transaction(app, environment_id, self._owner(app, environment_id), connection) as inner:
            yield Spending(app, inner)

    def _owner(self, app: App, environment_id: str) -> Customer:
        """A guest's balances go by the guest, not by the token."""
        if self.customer.type != "guest":
            return self.customer
        with app.database.read() as reading:
            found = guest_of(reading, environment_id, self.customer.id)
        if found is None:
            raise_refusal(Refusal("claim_not_found"))
        if found.attached_to is not None:
            raise_refusal(Refusal("claim_taken"))
        return found.customer


class InProcessUser(InProcessHandle, User):
    """One of your users."""


class InProcessTeam(InProcessHandle, Team):
    """One of your teams."""


class InProcessCustom(InProcessHandle, Custom):
    """Anything else that may own something."""


class InProcessGuest(InProcessHandle, Guest):
    """Somebody known by a claim token only."""


def _left(outcome: ItemState | Refusal) -> int:
    if isinstance(outcome, Refusal):
        raise_refusal(outcome)
    return outcome.quantity


def raise_refusal(refusal: Refusal) -> NoReturn:
    """As the exception it would be over HTTP."""
    answer = refused(refusal, new_id("req"))
    raise of_answer(answer.status, answer.body)
