"""Made from `balance.py` by `scripts/make_async_surface.py`. Change that file, and run the script."""

from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from paywright.client import model
from paywright.client.errors import InsufficientQuantity
from paywright.client.transport import segment, without_none

if TYPE_CHECKING:
    from paywright.client.async_customer import AsyncCustomerHandle


class AsyncItemHandle:
    """One customer's balance of one item, as the last answer showed it. Each call brings it up to date."""

    def __init__(self, owner: "AsyncCustomerHandle", balance: model.ItemBalance) -> None:
        self._owner = owner
        self.balance = balance

    @property
    def id(self) -> str:
        """The id of the item."""
        return self.balance.id

    @property
    def display_name(self) -> str:
        """As the catalog calls it."""
        return self.balance.display_name

    @property
    def quantity(self) -> int:
        """What can be spent now; below zero when there is debt."""
        return self.balance.quantity

    @property
    def non_negative_quantity(self) -> int:
        """`quantity`, or 0 when there is debt."""
        return self.balance.non_negative_quantity

    @property
    def held(self) -> int:
        """Units set aside by open holds."""
        return self.balance.held

    @property
    def expiring(self) -> list[model.ExpiringUnits]:
        """Unspent units that will be lost, by instant."""
        return self.balance.expiring

    async def refresh(self) -> "AsyncItemHandle":
        """Asks again."""
        self.balance = await self._owner._call("GET", f"/items/{segment(self.id)}", model.ItemBalance)
        return self

    async def increase_quantity(
        self,
        quantity: int,
        *,
        expires_at: datetime | None = None,
        note: str | None = None,
        idempotency_key: str | None = None,
    ) -> int:
        """Hands over units; answers what can be spent now."""
        body = without_none({"quantity": quantity, "expires_at": expires_at, "note": note})
        return await self._change("increase", body, idempotency_key)

    async def decrease_quantity(
        self,
        quantity: int,
        *,
        allow_negative: bool = False,
        note: str | None = None,
        idempotency_key: str | None = None,
    ) -> int:
        """Spends units; answers what is left. `InsufficientQuantity` when there are too few, unless debt is allowed."""
        body = without_none({"quantity": quantity, "allow_negative": allow_negative or None, "note": note})
        return await self._change("decrease", body, idempotency_key)

    async def try_decrease_quantity(
        self, quantity: int, *, note: str | None = None, idempotency_key: str | None = None
    ) -> bool:
        """True once the units are spent for good; False when there were too few, and then nothing has changed. Never goes below zero."""
        try:
            await self.decrease_quantity(quantity, note=note, idempotency_key=idempotency_key)
        except InsufficientQuantity:
            return False
        return True

    async def hold(
        self, quantity: int, *, expires_in_s: int | None = None, idempotency_key: str | None = None
    ) -> "AsyncHoldHandle":
        """
        Sets units aside, to be captured or released: `with credits.hold(20) as hold: …; hold.capture(used)`. Left without a capture, all go back.

        `InsufficientQuantity` when there are too few. Nobody else can spend them meanwhile, 600 seconds unless told otherwise, a week at most.
        """
        path, body = f"/items/{segment(self.id)}/holds", {"quantity": quantity, "expires_in_s": expires_in_s}
        hold = await self._owner._call(
            "POST", path, model.Hold, body=without_none(body), idempotency_key=idempotency_key
        )
        self.balance = hold.item
        return AsyncHoldHandle(self, hold)

    async def list_grants(self, *, as_of: datetime | None = None) -> list[model.ItemGrant]:
        """What is left of each grant, soonest lost first."""
        path, query = f"/items/{segment(self.id)}/grants", {"as_of": None if as_of is None else as_of.isoformat()}
        return (await self._owner._call("GET", path, model.Page[model.ItemGrant], query=query)).data

    async def list_entries(
        self, *, as_of: datetime | None = None, limit: int | None = None, cursor: str | None = None
    ) -> model.Page[model.LedgerEntry]:
        """Why the balance is what it is, newest first; with `as_of` without what came later."""
        path = f"/items/{segment(self.id)}/entries"
        query = {"as_of": None if as_of is None else as_of.isoformat(), "limit": limit, "cursor": cursor}
        return await self._owner._call("GET", path, model.Page[model.LedgerEntry], query=query)

    async def _change(self, verb: str, body: dict[str, Any], idempotency_key: str | None) -> int:
        path = f"/items/{segment(self.id)}/{verb}"
        self.balance = await self._owner._call(
            "POST", path, model.ItemBalance, body=body, idempotency_key=idempotency_key
        )
        return self.balance.quantity


class AsyncHoldHandle:
    """Units set aside, as the last answer showed them. As a context manager it gives back what nobody captured."""

    def __init__(self, item: AsyncItemHandle, hold: model.Hold) -> None:
        self._item = item
        self._surface = item._owner._surface
        self.state = hold

    @property
    def id(self) -> str:
        """The id of the hold, to capture it from elsewhere: `pay.capture_hold`."""
        return self.state.id

    @property
    def quantity(self) -> int:
        """Units set aside."""
        return self.state.quantity

    @property
    def captured(self) -> int:
        """Units spent of them."""
        return self.state.captured

    @property
    def status(self) -> str:
        """`open`, `captured`, `released` or `timed_out`."""
        return self.state.status

    async def capture(self, quantity: int | None = None, *, idempotency_key: str | None = None) -> int:
        """
        Spends the units, or fewer of them, as if it had been when they were set aside; the rest goes back. Answers how many.

        `RuleBroken` for more than are held, `Conflict` when the hold is not open any more.
        """
        self.state = await self._surface.capture_hold(self.id, quantity, idempotency_key=idempotency_key)
        self._item.balance = self.state.item
        return self.state.captured

    async def release(self) -> None:
        """Gives the units back. Again, or after its time was over, nothing happens."""
        self.state = await self._surface.release_hold(self.id)
        self._item.balance = self.state.item

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.status == "open":
            await self.release()
