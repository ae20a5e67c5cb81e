"""Who owns what, with the product as it was sold."""

from typing import Literal

import msgspec

from paywright.catalog.model import Price, Product
from paywright.kernel.model import Customer
from paywright.kernel.periods import Period, boundaries_passed, boundary, parse_period

Source = Literal["checkout", "grant", "default", "test"]
EndReason = Literal["canceled", "revoked", "refunded", "dispute_lost", "switched", "replaced", "base_ended", "unpaid"]
Purpose = Literal["checkout", "grant"]


class AskedLine(msgspec.Struct, frozen=True):
    """What somebody asks for: a product of the catalog or an inline one, at a price (None: its first), so many times."""

    product_id: str | None = None
    price_id: str | None = None
    product: Product | None = None
    quantity: int = 1


class ResolvedLine(msgspec.Struct, frozen=True):
    """A line whose product and price are found and may be had. `price` None: granted without one."""

    product_id: str | None
    version_id: str
    product: Product
    price_id: str | None
    price: Price | None
    quantity: int

    @property
    def is_recurring(self) -> bool:
        return self.price is not None and self.price.is_recurring

    @property
    def place(self) -> str | None:
        """Where there is one of something per customer (an open checkout, a trial): the product line, or the product without one."""
        if self.product_id is None:
            return None
        return f"line:{self.product.product_line}" if self.product.product_line else f"product:{self.product_id}"


class Subscription(msgspec.Struct, frozen=True):
    """
    The subscription behind an owned product. `is_stripe_backed` False: made by a grant or the `instant` provider, renewed by the calendar from
    `anchor`, unpaid. For a Stripe-backed one status and period are Stripe's.
    """

    id: str
    is_stripe_backed: bool
    status: str
    anchor: int
    interval: str
    current_period_end: int | None = None
    cancel_at_period_end: bool = False

    @property
    def period(self) -> Period:
        period = parse_period(self.interval)
        assert period is not None, self.interval
        return period

    def period_end(self, now: int) -> int | None:
        """When the period that runs at `now` is over; computed for those without Stripe."""
        if self.is_stripe_backed:
            return self.current_period_end
        return boundary(self.anchor, self.period, boundaries_passed(self.anchor, self.period, now) + 1)


class PendingChange(msgspec.Struct, frozen=True):
    """
    What this purchase becomes at `at`, the end of its period: another product of the line, or other terms of the same one.

    `successor_id` is the id the next owned product will have; None when the same one goes on, and when it is Stripe that makes the change.
    """

    product_id: str
    version_id: str
    price_id: str
    quantity: int
    at: int
    successor_id: str | None = None


class OwnedProduct(msgspec.Struct, frozen=True):
    """
    `product_id` None: an inline product. `ends_at` is a known end still to come, its own (`own_ends_at`) or that of its last base; `ended_at` says
    it has happened. `access_until`: access is lost then, unless the money comes. `items_anchor` None: repeats are counted from `granted_at`.
    """

    id: str
    customer: Customer
    product_id: str | None
    version_id: str
    product: Product
    price_id: str | None
    quantity: int
    source: Source
    granted_at: int
    access: bool = True
    ends_at: int | None = None
    ended_at: int | None = None
    end_reason: EndReason | None = None
    subscription: Subscription | None = None
    checkout_session_id: str | None = None
    line_index: int | None = None
    own_ends_at: int | None = None
    access_until: int | None = None
    items_anchor: int | None = None
    pending_change: PendingChange | None = None
    frozen_by: tuple[str, ...] = ()
    """Disputes of the money that paid for it; while there is one, `access` is false."""

    @property
    def is_frozen(self) -> bool:
        return bool(self.frozen_by)

    @property
    def repeats_from(self) -> int:
        """The anchor of its included items; a switch within one interval keeps the one of the product before."""
        return self.granted_at if self.items_anchor is None else self.items_anchor

    @property
    def changes_at(self) -> int | None:
        """When the calendar makes a pending change; at Stripe it is Stripe that says when it is done."""
        if self.pending_change is None or self.is_stripe_backed:
            return None
        return self.pending_change.at

    @property
    def leaves_at(self) -> int | None:
        """When the calendar puts another product in its place: its included items end then."""
        return self.changes_at if self.pending_change is not None and self.pending_change.successor_id else None

    @property
    def next_due(self) -> int | None:
        """The first instant at which something known happens to it."""
        instants = (self.ends_at, self.changes_at, self.access_until if self.access or self.is_frozen else None)
        return min((each for each in instants if each is not None), default=None)

    @property
    def product_line(self) -> str | None:
        """Inline products conflict with nothing, so they are of no line."""
        return self.product.product_line if self.product_id is not None else None

    @property
    def is_subscription(self) -> bool:
        return self.subscription is not None

    @property
    def is_stripe_backed(self) -> bool:
        return self.subscription is not None and self.subscription.is_stripe_backed

    @property
    def is_stripeless_subscription(self) -> bool:
        """DB-only in the words of the rules."""
        return self.subscription is not None and not self.subscription.is_stripe_backed

    def is_live(self, now: int) -> bool:
        """Known ends count on time, whether or not anybody has applied them yet."""
        return self.ended_at is None and (self.ends_at is None or now < self.ends_at)
