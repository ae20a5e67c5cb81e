"""The inbox: what Stripe told us, once each, and what became of it."""

from typing import Literal

import msgspec

from paywright.kernel.model import Json

Status = Literal["pending", "processed", "failed", "ignored"]
STATUSES = ("pending", "processed", "failed", "ignored")

Noun = Literal[
    "checkout_session",
    "payment_intent",
    "charge",
    "refund",
    "dispute",
    "invoice",
    "subscription",
    "customer",
    "payout",
    "account",
    "product",
    "price",
    "setup_intent",
    "payment_method",
    "subscription_schedule",
    "credit_note",
    "invoice_payment",
    "early_fraud_warning",
]
"""
What a Stripe event may lead us to fetch, by Stripe's words. An intent, a charge, a refund and a dispute all lead to one payment. From `setup_intent`
on they are parts, which only thin events name, and which lead to what they belong to.
"""

Reason = Literal[
    "unknown_type", "not_asked", "wrong_mode", "wrong_account", "other_environment", "not_ours", "object_gone",
    "unresolved", "dead_letter", "stale_fetch",
]  # fmt: skip


class Received(msgspec.Struct, frozen=True):
    """The answer to a delivery that is stored: Stripe need not send it again."""

    received: bool = True


class Root(msgspec.Struct, frozen=True, order=True):
    """The object at Stripe that is fetched for a Stripe event, and by which Stripe events are gathered."""

    noun: Noun
    id: str

    def __str__(self) -> str:
        return f"{self.noun} {self.id}"

    @classmethod
    def of(cls, written: str) -> "Root":
        noun, _, stripe_id = written.partition(" ")
        return cls(noun, stripe_id)  # type: ignore[arg-type]


class Arrival(msgspec.Struct, frozen=True):
    """What a delivery says about itself, as far as anything depends on it."""

    id: str
    type: str
    livemode: bool
    account: str | None
    root: Root | None
    stripe_customer_id: str | None


class StripeEvent(msgspec.Struct, frozen=True):
    """One row of the inbox as operators see it. Instants are RFC 3339; `payload` None: 90 days are over, or not asked for."""

    id: str
    type: str
    status: Status
    reason: str | None
    attempts: int
    received_at: str
    processed_at: str | None
    next_attempt_at: str | None
    last_error: str | None
    root: str | None
    payload: Json | None = None
