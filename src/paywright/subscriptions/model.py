"""A subscription at Stripe, as far as owning depends on it."""

import msgspec

TERMINAL = frozenset({"canceled", "incomplete_expired"})
NOT_OWNED = frozenset({"incomplete", "incomplete_expired", "canceled"})


class SubscriptionItem(msgspec.Struct, frozen=True):
    stripe_price_id: str
    quantity: int
    interval: str
    """Our way of writing it: `1 month`."""
    unit_amount: int | None = None
    currency: str | None = None


class SubscriptionFacts(msgspec.Struct, frozen=True):
    """What Stripe says. Instants are milliseconds; the period runs from the earliest item's start to the latest item's end."""

    id: str
    status: str
    stripe_customer_id: str
    livemode: bool
    items: tuple[SubscriptionItem, ...]
    started_at: int
    current_period_start: int | None
    current_period_end: int | None
    cancel_at_period_end: bool
    ends_at: int | None
    """A scheduled cancel, by whichever of Stripe's two ways."""
    ended_at: int | None
    ended_by: str | None
    """`cancellation_details.reason`: `payment_failed`, `cancellation_requested`, …"""
    trial_end: int | None
    latest_invoice_id: str | None
    first_invoice_paid_at: int | None
    """When the money for the beginning was in; None: not yet, or not known from here."""
    is_paid_for: bool
    """The money for the beginning is in, or none is due: `active` alone proves nothing."""
    payment_intent_id: str | None
    metadata: dict[str, str]
    attempted_at: int | None = None
    """When the open invoice was first tried: days of grace count from then."""
    has_pending_update: bool = False
    """A switch waits for the buyer to authenticate."""
    schedule_id: str | None = None
    changes_at: int | None = None
    """When the next phase of its schedule begins."""
    items_to_come: tuple[SubscriptionItem, ...] = ()
    """What that phase is for."""

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL
