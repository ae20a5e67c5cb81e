"""Money that came, did not come, or went back. Amounts are minor units, instants milliseconds, and both come from Stripe's objects only."""

from typing import Any, Literal

import msgspec

from paywright.environments.model import EndPolicy, TakeBack
from paywright.kernel.model import Customer, Money

PaymentStatus = Literal["pending", "requires_action", "paid", "failed", "refunded", "cancelled"]
STATUSES: tuple[PaymentStatus, ...] = ("pending", "requires_action", "paid", "failed", "refunded", "cancelled")


class Failure(msgspec.Struct, frozen=True):
    """Why it did not come, as far as a buyer may read it."""

    code: str
    message: str


class Payment(msgspec.Struct, frozen=True):
    """One payment, whichever of its objects at Stripe we heard of first. `amount` is what was received once it is paid, else what is asked."""

    id: str
    status: PaymentStatus
    amount: Money
    amount_refunded: Money
    amount_refunding: int
    """Of refunds still under way: they reduce what may be refunded."""
    disputed: bool
    failure: Failure | None
    customer: Customer
    checkout_session_id: str | None
    invoice_id: str | None
    created_at: int
    paid_at: int | None
    fee: int | None
    net: int | None
    receipt_url: str | None
    stripe_payment_intent_id: str | None
    stripe_charge_id: str | None
    subscription_id: str | None = None
    """Whose invoice it paid; the period is what that invoice was for."""
    period_start: int | None = None
    period_end: int | None = None
    fraud_warning: str | None = None
    """Why its card's bank fears fraud; the only notice before a dispute."""

    @property
    def refundable(self) -> int:
        """Minor units that may still be refunded; 0 while disputed. Refunds under way count as refunded, because Stripe refuses their sum."""
        if self.disputed or self.status != "paid":
            return 0
        return max(0, self.amount.amount - self.amount_refunded.amount - self.amount_refunding)

    @property
    def came_through_stripe(self) -> bool:
        """There is a charge that can be returned: not so for what was free, paid from credit, or out of band."""
        return self.amount.amount > 0 and (self.stripe_payment_intent_id or self.stripe_charge_id) is not None


class Refund(msgspec.Struct, frozen=True):
    """
    Money on its way back, or back. `requested`: recorded, and Stripe's answer not known yet; `refused`: Stripe said no, nothing happened.

    `end` and `take_back` None: whatever the environment's `on_refund` says once it has succeeded.
    """

    id: str
    payment_id: str
    status: str
    amount: Money
    reason: str | None
    failure_reason: str | None
    end: EndPolicy | None
    take_back: TakeBack | None
    created_at: int
    stripe_refund_id: str | None = None
    last_error: str | None = None
    parameters: dict[str, Any] = {}
    """Exactly what Stripe is sent."""
    generation: int = 1
    returned_then: int | None = None
    """Of the payment when this one had its effect, itself included; None: it has had none."""
    requested_at: int | None = None
    """Wall clock, of this generation's first try; None: not asked for by us."""

    @property
    def is_unanswered(self) -> bool:
        return self.status == "requested"


class Dispute(msgspec.Struct, frozen=True):
    """A dispute as we know it. `evidence_due_at`: until when the bank takes evidence."""

    id: str
    status: str
    amount: Money
    reason: str | None
    evidence_due_at: int | None
    created_at: int


class AskedRefund(msgspec.Struct, frozen=True):
    """What is asked of us. `amount` None: all that is left. `end` and `take_back` None: by default."""

    payment_id: str
    amount: int | None = None
    reason: str | None = None
    end: EndPolicy | None = None
    take_back: TakeBack | None = None


class RefundFacts(msgspec.Struct, frozen=True):
    """A refund as Stripe has it now."""

    id: str
    status: str
    amount: int
    currency: str
    created_at: int
    reason: str | None
    failure_reason: str | None
    ours: str | None = None
    """The id of our row, if we asked for it."""


class WarningFacts(msgspec.Struct, frozen=True):
    """An early fraud warning as Stripe has it now. `actionable`: a refund now would spare the dispute."""

    id: str
    fraud_type: str
    actionable: bool
    created_at: int


class DisputeFacts(msgspec.Struct, frozen=True):
    """A dispute as Stripe has it now. Its amount may differ from the charge's."""

    id: str
    status: str
    amount: int
    currency: str
    created_at: int
    reason: str | None
    evidence_due_at: int | None


class PaymentFacts(msgspec.Struct, frozen=True):
    """What Stripe says about one payment. `fact` names it for ever: the intent, else the charge, else the invoice, else the session."""

    fact: str
    status: PaymentStatus
    """Without regard to refunds."""
    stripe_status: str
    amount: int
    currency: str
    livemode: bool
    created_at: int
    keys: dict[str, str] = {}
    """Our metadata, on it or on the subscription it pays for."""
    stripe_customer_id: str | None = None
    stripe_payment_intent_id: str | None = None
    stripe_charge_id: str | None = None
    invoice_id: str | None = None
    checkout_session_id: str | None = None
    amount_received: int = 0
    may_receive_less: bool = False
    """Captured by hand: part of what was authorised is fine."""
    paid_at: int | None = None
    failure_code: str | None = None
    decline_code: str | None = None
    receipt_url: str | None = None
    fee: int | None = None
    net: int | None = None
    refunds: tuple[RefundFacts, ...] | None = None
    """None: not looked at."""
    disputes: tuple[DisputeFacts, ...] | None = None
    warnings: tuple[WarningFacts, ...] | None = None
    subscription_id: str | None = None
    period_start: int | None = None
    period_end: int | None = None
