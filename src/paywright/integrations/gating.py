"""
What every framework's `require_product` and `require_item` do, and how an error of ours looks as an answer.

They are for actions: whoever is not entitled is refused, with what would open it. To leave fields out instead, use `user.gate`.
"""

import logging
from collections.abc import Sequence
from typing import Any

import msgspec

from paywright.client.async_customer import AsyncCustomerHandle
from paywright.client.async_surface import AsyncSurface
from paywright.client.customer import OPENS_NOTHING, CustomerHandle
from paywright.client.errors import (
    AuthenticationFailed,
    Conflict,
    NotFound,
    PaymentRequired,
    PaywrightError,
    PermissionDenied,
)
from paywright.client.model import Access
from paywright.client.surface import Surface
from paywright.gates.rules import UnknownEntitlement
from paywright.kernel.ids import new_id
from paywright.kernel.model import Customer
from paywright.kernel.refusals import REFUSALS

log = logging.getLogger("paywright.integrations")

Who = str | Customer | CustomerHandle | AsyncCustomerHandle | None
"""What the app's `customer_of(request)` answers: a user's id, any customer, or None for somebody it does not know."""


class NotSignedIn(AuthenticationFailed):
    """`customer_of` knows nobody. 401 `unauthenticated`."""

    def __init__(self) -> None:
        super().__init__("unauthenticated", "Sign in first: only somebody we know can own what opens this.", status=401)


class Wanted(msgspec.Struct, frozen=True):
    """Any of the products, or so many units of the item. The units are looked at, not spent."""

    product_ids: tuple[str, ...] = ()
    item_id: str | None = None
    quantity: int = 1

    def __post_init__(self) -> None:
        assert bool(self.product_ids) != (self.item_id is not None), "name products, or an item"
        assert self.quantity >= 1, "at least one unit"

    @property
    def as_facts(self) -> dict[str, Any]:
        if self.item_id is None:
            return {"products": list(self.product_ids)}
        return {"item": self.item_id, "quantity": self.quantity}


def customer(surface: Surface, who: Who) -> CustomerHandle:
    """The handle of whoever asks. Raises `NotSignedIn`."""
    if isinstance(who, CustomerHandle):
        return who
    if who is None or isinstance(who, AsyncCustomerHandle):
        raise NotSignedIn
    named = Customer("user", who) if isinstance(who, str) else who
    reach = {"user": surface.user, "team": surface.team, "custom": surface.custom, "guest": surface.guest}
    return reach[named.type](named.id)


def async_customer(surface: AsyncSurface, who: Who) -> AsyncCustomerHandle:
    if isinstance(who, AsyncCustomerHandle):
        return who
    if who is None or isinstance(who, CustomerHandle):
        raise NotSignedIn
    named = Customer("user", who) if isinstance(who, str) else who
    reach = {"user": surface.user, "team": surface.team, "custom": surface.custom, "guest": surface.guest}
    return reach[named.type](named.id)


def require(owner: CustomerHandle, wanted: Wanted) -> None:
    """
    Raises `PaymentRequired` `not_entitled`; `UnknownEntitlement` at once for what the catalog does not have.

    State that can't be read is `Unavailable`: the gate stays shut.
    """
    try:
        if wanted.item_id is not None:
            found = [owner.get_item_access(wanted.item_id, wanted.quantity)]
        else:
            found = [owner.get_product_access(product_id) for product_id in wanted.product_ids]
    except (NotFound, Conflict) as error:
        found = [nothing(error, wanted)]
    judge(wanted, found)


async def require_async(owner: AsyncCustomerHandle, wanted: Wanted) -> None:
    try:
        if wanted.item_id is not None:
            found = [await owner.get_item_access(wanted.item_id, wanted.quantity)]
        else:
            found = [await owner.get_product_access(product_id) for product_id in wanted.product_ids]
    except (NotFound, Conflict) as error:
        found = [nothing(error, wanted)]
    judge(wanted, found)


def judge(wanted: Wanted, found: Sequence[Access]) -> None:
    if any(each.allowed for each in found):
        return
    options = {option["product_id"]: option for each in found for option in each.upgrade_options}
    first = found[0]
    facts: dict[str, Any] = {"required": wanted.as_facts, "reason": first.reason}
    if wanted.item_id is not None:
        facts |= {"remaining": first.remaining, "resets_at": first.resets_at}
    facts["upgrade_options"] = list(options.values())
    raise PaymentRequired("not_entitled", REFUSALS["not_entitled"][1], status=402, facts=facts)


def nothing(error: NotFound | Conflict, wanted: Wanted) -> Access:
    """A claim token that opens nothing is a stranger's. A gate on what there is not is the programmer's mistake, not the visitor's."""
    if error.code in OPENS_NOTHING:
        return Access(False, error.code)
    if error.code == "item_not_found" and wanted.item_id is not None:
        raise UnknownEntitlement("item", wanted.item_id) from error
    if error.code == "product_not_found":
        raise UnknownEntitlement("product", error.facts.get("product_id", wanted.product_ids[0])) from error
    raise error


class Shown(msgspec.Struct, frozen=True):
    """An answer to the visitor, in the shape of the HTTP API's errors."""

    status: int
    body: bytes
    headers: dict[str, str]


def shown(error: PaywrightError) -> Shown:
    """
    The refusal as an answer. What the app itself did wrong, such as a bad key of its own, is none of the visitor's business: 500, and the log says
    what.
    """
    if isinstance(error, AuthenticationFailed | PermissionDenied) and not isinstance(error, NotSignedIn):
        log.error("the app may not do this: %s", error)
        status, message = REFUSALS["internal_error"]
        error = PaywrightError("internal_error", message, status=status, request_id=error.request_id)
    written: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.param is not None:
        written["param"] = error.param
    if error.facts:
        written["facts"] = error.facts
    written["request_id"] = error.request_id or new_id("req")
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    if error.status in (429, 503):
        headers["Retry-After"] = "1"
    return Shown(error.status, msgspec.json.encode({"error": written}), headers)
