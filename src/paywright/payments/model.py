"""Money that came, did not come, or went back. Amounts are minor units, instants milliseconds, and both come from Stripe's objects only."""

from typing import Literal

import msgspec

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

    @property
    def refundable(self) -> int:
        """Minor units that may still be refunded; 0 while disputed. Refunds under way count as refunded, because Stripe refuses their sum."""
        if self.disputed or self.status != "paid":
            return 0
        return max(0, self.amount.amount - self.amount_refunded.amount - self.amount_refunding)


class RefundFacts(msgspec.Struct, frozen=True):
    """A refund as Stripe has it now."""

    id: str
    status: str
    amount: int
    currency: str
    created_at: int
    reason: str | None
    failure_reason: str | None


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
