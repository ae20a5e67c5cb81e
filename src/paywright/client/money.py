"""What the API answers about money, as values: payments, what became of them, and the sums."""

from datetime import datetime
from typing import Literal

import msgspec

from paywright.kernel.model import Customer, Money


class PaymentFailure(msgspec.Struct, frozen=True):
    code: str | None
    message: str | None


class Payment(msgspec.Struct, frozen=True):
    """Money moved or tried. `amount_refunded` grows while `status` stays `paid`, until all of it is returned."""

    id: str
    status: Literal["pending", "requires_action", "paid", "failed", "refunded", "cancelled"]
    amount: Money
    amount_refunded: Money
    disputed: bool
    failure: PaymentFailure | None = None
    paid_at: datetime | None = None
    customer: Customer | None = None
    checkout_session_id: str | None = None
    invoice_id: str | None = None
    subscription_id: str | None = None
    refundable: Money | None = None
    """What may still be refunded. This, `fee` and `net` (minor units Stripe kept and left) are for secret keys."""
    fee: int | None = None
    net: int | None = None
    fraud_warning: str | None = None
    refunds: "list[Refund]" = []
    """With `get_payment` only, as the disputes."""
    disputes: "list[Dispute]" = []


class Refund(msgspec.Struct, frozen=True):
    """Money on its way back, or back. `end` and `take_back` are null until it is decided what it does to the purchase."""

    id: str
    payment_id: str
    status: Literal["pending", "requires_action", "succeeded", "failed", "canceled"]
    amount: Money
    reason: str | None = None
    failure_reason: str | None = None
    end: Literal["now", "period_end", "none"] | None = None
    take_back: Literal["unspent", "all", "none"] | None = None
    created_at: datetime | None = None
    stripe_refund_id: str | None = None
    payment: Payment | None = None
    """As it was left, in the answer to the request."""


class Payout(msgspec.Struct, frozen=True):
    """What Stripe sent to the bank. `paid` means it is expected to arrive; a bank may send it back, and it is `failed` then."""

    id: str
    status: str
    amount: Money
    automatic: bool
    arrives_at: datetime | None = None
    failure: PaymentFailure | None = None
    created_at: datetime | None = None


class RevenueMonth(msgspec.Struct, frozen=True):
    """One month (UTC) in one currency, in minor units; `net` is gross less all the others."""

    month: str
    currency: str
    gross: int
    refunded: int
    disputed: int
    fees: int
    net: int


class RecurringRevenue(msgspec.Struct, frozen=True):
    """What active subscriptions bring a month by the prices they were sold at."""

    monthly: Money
    subscriptions: int


class Revenue(msgspec.Struct, frozen=True):
    """Newest month first; months without any money are left out."""

    months: list[RevenueMonth]
    recurring: list[RecurringRevenue]


class Dispute(msgspec.Struct, frozen=True):
    """A bank wants the money back. `status` is Stripe's; one that begins with `warning` is an inquiry, and no money has moved."""

    id: str
    status: str
    amount: Money
    reason: str | None = None
    evidence_due_at: datetime | None = None
    created_at: datetime | None = None
