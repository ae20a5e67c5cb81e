"""Quotes of switches, as the wire shows them."""

from datetime import datetime
from typing import Literal

import msgspec

from paywright.kernel.model import Money


class SwitchQuoteLine(msgspec.Struct, frozen=True):
    """A line of the invoice that the switch would make; below zero it gives back."""

    description: str | None
    amount: Money


class NextInvoice(msgspec.Struct, frozen=True):
    amount: Money
    at: datetime


class UnitsChange(msgspec.Struct, frozen=True):
    """`change`: how many more (or fewer) units a turn gives afterwards."""

    item_id: str
    change: int


class SwitchQuote(msgspec.Struct, frozen=True):
    """Confirming it before `expires_at` charges exactly `due_now`. `at` says whether it happens now or at the end of the period."""

    id: str
    from_product_id: str
    to_product_id: str
    price_id: str
    quantity: int
    direction: Literal["up", "down"]
    at: Literal["now", "period_end"]
    effective_at: datetime
    due_now: Money
    expires_at: datetime
    lines: list[SwitchQuoteLine] = []
    next_invoice: NextInvoice | None = None
    items: list[UnitsChange] = []
