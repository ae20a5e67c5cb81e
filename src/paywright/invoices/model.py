"""An invoice as Stripe has it. Amounts are minor units, instants milliseconds."""

import msgspec


class InvoiceLine(msgspec.Struct, frozen=True):
    description: str | None
    amount: int
    quantity: int | None
    stripe_price_id: str | None
    period_start: int
    period_end: int
    is_proration: bool
    is_recurring: bool
    """Of a subscription's item, so its period is one that is paid for."""


class InvoiceFacts(msgspec.Struct, frozen=True):
    """What Stripe says. `period` is what the recurring lines pay for: Stripe's own `period_start` and `_end` mean the one before."""

    id: str
    number: str | None
    status: str
    livemode: bool
    currency: str
    amount_due: int
    amount_paid: int
    amount_remaining: int
    subtotal: int
    total: int
    billing_reason: str | None
    stripe_customer_id: str | None
    subscription_id: str | None
    keys: dict[str, str]
    attempt_count: int
    attempted: bool
    next_attempt_at: int | None
    created_at: int
    due_at: int | None
    paid_at: int | None
    period_start: int | None
    period_end: int | None
    hosted_invoice_url: str | None
    invoice_pdf: str | None
    lines: tuple[InvoiceLine, ...]

    @property
    def is_renewal_paid(self) -> bool:
        """The proof of money for a new period; `active` is none."""
        return (
            self.status == "paid" and self.billing_reason == "subscription_cycle" and self.subscription_id is not None
        )
