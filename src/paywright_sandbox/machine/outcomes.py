"""
Who hears what became of a payment.

An intent made for something else names it in `_owner` (the id of a Checkout Session, an invoice). Whatever happens to the intent is told to the
machine registered for that kind of owner, right after the intent's own event, so that events stand in causal order.
"""

from collections.abc import Callable
from typing import Literal

from ..errors import Json
from ..work import Work

Outcome = Literal[
    "charged", "succeeded", "payment_failed", "processing", "requires_action", "requires_capture", "canceled"
]
"""
Of a Payment Intent; `charged` comes just before `succeeded`, when the method is saved and the intent has not spoken yet.
A Setup Intent tells `succeeded`, `payment_failed`, `requires_action` and `canceled` too.
"""

Hearer = Callable[[Work, Json, Json, Outcome], None]
HEARERS: dict[str, Hearer] = {}


def hears_of_payments(owner_kind: str) -> Callable[[Hearer], Hearer]:
    """The decorated function takes (work, owner, intent, outcome), the first two being this work's copies."""

    def register(hearer: Hearer) -> Hearer:
        HEARERS[owner_kind] = hearer
        return hearer

    return register


def tell_owner(work: Work, intent: Json, outcome: Outcome) -> None:
    owner = work.any(intent["_owner"]) if intent.get("_owner") else None
    if owner is not None:
        HEARERS[owner["object"]](work, owner, intent, outcome)
