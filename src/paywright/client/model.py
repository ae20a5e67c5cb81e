"""
What the API answers, as values. Instants are aware datetimes, money is integer minor units.

The OpenAPI document takes its answers from here, so server and client cannot drift apart. Fields added by a newer server are ignored.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

import msgspec

from paywright.client.migrations import OwnerFilter as OwnerFilter
from paywright.client.migrations import OwnerMigration as OwnerMigration
from paywright.client.money import Dispute as Dispute
from paywright.client.money import Payment as Payment
from paywright.client.money import PaymentFailure as PaymentFailure
from paywright.client.money import Payout as Payout
from paywright.client.money import RecurringRevenue as RecurringRevenue
from paywright.client.money import Refund as Refund
from paywright.client.money import Revenue as Revenue
from paywright.client.money import RevenueMonth as RevenueMonth
from paywright.client.switches import SwitchQuote as SwitchQuote
from paywright.kernel.model import Customer, CustomerType, Money

Listed = TypeVar("Listed")


class Page(msgspec.Struct, Generic[Listed], frozen=True):
    """One page of a list. Pass `next_cursor` as `cursor` for the one after it."""

    data: list[Listed]
    has_more: bool = False
    next_cursor: str | None = None

    def __iter__(self) -> Iterator[Listed]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)


class CatalogPrice(msgspec.Struct, frozen=True):
    id: str
    amounts: list[Money]
    interval: str | None = None
    trial: str | None = None


class IncludedItem(msgspec.Struct, frozen=True):
    item_id: str
    quantity: int
    repeat: str
    expires: str


class CatalogProduct(msgspec.Struct, frozen=True):
    """A product of the public catalog."""

    id: str
    display_name: str
    customer_type: CustomerType
    product_line: str | None
    add_on_to: list[str]
    include_by_default: bool
    stackable: bool
    trial: str | None
    prices: list[CatalogPrice]
    included_items: list[IncludedItem]
    metadata: dict[str, dict[str, Any]]


class Named(msgspec.Struct, frozen=True):
    """An item or a product line of the catalog."""

    id: str
    display_name: str
    customer_type: CustomerType


class CatalogApplied(msgspec.Struct, frozen=True):
    """`version` is the catalog now in force; `changed` is false when it was in force already."""

    version: int
    changed: bool
    changes: list[dict[str, Any]] = []
    warnings: list[dict[str, Any]] = []


class PendingChange(msgspec.Struct, frozen=True):
    """A switch that takes place at the end of the period."""

    to_product_id: str
    price_id: str
    quantity: int
    at: datetime


class OwnedSubscription(msgspec.Struct, frozen=True):
    id: str
    status: str
    current_period_end: datetime | None
    cancel_at_period_end: bool
    pending_change: PendingChange | None = None


class SwitchOption(msgspec.Struct, frozen=True):
    product_id: str
    display_name: str
    direction: str
    prices: list[dict[str, Any]] = []


class OwnedProduct(msgspec.Struct, frozen=True):
    """`product_id` is None for an inline product; `id` (`own_…`) names every one."""

    id: str
    product_id: str | None
    display_name: str
    quantity: int
    type: Literal["one_time", "subscription"]
    source: Literal["checkout", "grant", "default", "test"]
    granted_at: datetime | None = None
    ends_at: datetime | None = None
    subscription: OwnedSubscription | None = None
    switch_options: list[SwitchOption] = []
    price_id: str | None = None
    product_version: str | None = None
    access: bool = True
    frozen: bool = False
    """Its payment is disputed: `access` is false until the bank has decided."""
    metadata: dict[str, Any] = {}


class ExpiringUnits(msgspec.Struct, frozen=True):
    quantity: int
    expires_at: datetime


class ItemBalance(msgspec.Struct, frozen=True):
    """`quantity` is what can be spent now: the balance less what is held. It may be below zero."""

    id: str
    display_name: str
    quantity: int
    non_negative_quantity: int
    held: int = 0
    expiring: list[ExpiringUnits] = []
    version: int = 0


class ItemGrant(msgspec.Struct, frozen=True):
    """Units handed over together, and what remains of them once spending is laid over all grants, soonest lost first."""

    id: str
    source: str
    quantity: int
    remaining: int
    granted_at: datetime
    expires_at: datetime | None = None


class Hold(msgspec.Struct, frozen=True):
    """Units set aside. `status` is `open`, `captured`, `released` or `timed_out`."""

    id: str
    customer: Customer
    item_id: str
    quantity: int
    captured: int
    status: str
    item: ItemBalance
    expires_at: datetime | None = None


class Hook(msgspec.Struct, frozen=True):
    """
    Who hears events: an endpoint of the app's, or with `kind` `process` a function of its own, whose name is the `url`.

    `secret` is there in the answer to its creation only.
    """

    id: str
    url: str
    events: list[str]
    status: str
    created_at: datetime
    disabled_reason: str | None = None
    failing_since: datetime | None = None
    secret: str | None = None
    kind: Literal["endpoint", "process"] = "endpoint"


class HookDelivery(msgspec.Struct, frozen=True):
    """One event on its way to one hook, with every try."""

    id: str
    hook_id: str
    event_id: str
    event_type: str
    status: str
    attempts: list[dict[str, Any]]
    created_at: datetime
    next_attempt_at: datetime | None = None
    delivered_at: datetime | None = None


class LedgerEntry(msgspec.Struct, frozen=True):
    """One line of the ledger, for ever. `delta` is the signed change of the balance."""

    id: str
    seq: int
    kind: str
    quantity: int
    delta: int
    balance_after: int
    held_after: int
    at: datetime
    effective_at: datetime
    expires_at: datetime | None = None
    source: str | None = None
    note: str | None = None
    actor: str | None = None


class StripeIds(msgspec.Struct, frozen=True):
    checkout_session_id: str | None = None
    customer_id: str | None = None
    payment_intent_id: str | None = None
    subscription_id: str | None = None


class CheckoutSession(msgspec.Struct, frozen=True):
    """One attempt to buy. Send the buyer to `url`; it is null once there is nothing to pay at."""

    id: str
    environment: str
    mode: Literal["payment", "subscription"]
    status: Literal["initialized", "open", "completed", "expired", "failed"]
    payment_status: Literal["unpaid", "paid", "no_payment_required"]
    customer: Customer | None
    url: str | None
    stripe: StripeIds
    created_at: datetime
    updated_at: datetime
    claim_token: str | None = None
    client_secret: str | None = None
    publishable_key: str | None = None
    stripe_account: str | None = None
    ui: Literal["hosted", "elements"] = "hosted"
    renews: str | None = None
    last_error: dict[str, Any] | None = None


class Event(msgspec.Struct, frozen=True):
    """What Paywright tells the world. `sequence` counts without gaps per customer."""

    id: str
    type: str
    created_at: datetime
    environment: str
    customer: Customer | None
    sequence: int | None
    data: dict[str, Any]


class AuditLine(msgspec.Struct, frozen=True):
    """One administrative act. `actor` is an API key's id, `process` for your own code, `cli`, or `system` for what nobody asked for."""

    id: str
    action: str
    subject: str
    actor: str
    created_at: datetime
    request_id: str | None = None
    facts: dict[str, Any] = {}


class StripeEvent(msgspec.Struct, frozen=True):
    """One delivery in the inbox, and what became of it."""

    id: str
    type: str
    status: Literal["pending", "processed", "failed", "ignored"]
    reason: str | None
    attempts: int
    received_at: datetime
    processed_at: datetime | None = None
    payload: dict[str, Any] | None = None


class Replayed(msgspec.Struct, frozen=True):
    """Ids of the Stripe events that are due again. `has_more`: a thousand at once; ask again for the next."""

    replayed: list[str]
    has_more: bool


class EnvironmentShown(msgspec.Struct, frozen=True):
    """One app in one mode, and its switches. `now` is business time."""

    id: str
    mode: Literal["test", "live"]
    provider: Literal["stripe", "sandbox", "instant"]
    now: datetime
    block_new_purchases: bool
    default_currency: str
    allowed_origins: list[str] | None
    access: dict[str, Any]
    on_refund: dict[str, Any]
    on_dispute_lost: str
    expiring_soon_hours: int
    emails: dict[str, Any] = {}
    app_jwt: dict[str, Any] | None = None


class StripeConnected(msgspec.Struct, frozen=True):
    """Whose key the environment has. `secret_key` as it may be shown; `overridden`: `STRIPE_SECRET_KEY` of the server wins over what is stored."""

    environment: str
    stripe_account_id: str | None
    secret_key: str
    publishable_key: str | None
    overridden: bool


class ClockShown(msgspec.Struct, frozen=True):
    now: datetime


class CustomerToken(msgspec.Struct, frozen=True):
    """Hand `token` to the browser; it acts for its customers until `expires_at`."""

    token: str
    expires_at: datetime


class ApiKey(msgspec.Struct, frozen=True):
    """`key` is shown once, in the answer that made it, unless it is publishable."""

    id: str
    kind: Literal["secret", "publishable"]
    scopes: list[str]
    created_at: datetime
    name: str | None = None
    key: str | None = None
    prefix: str | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


class CustomerState(msgspec.Struct, frozen=True):
    """Everything about one customer at once. `version` rises with every commit that changes it."""

    customer: Customer
    version: int
    products: list[OwnedProduct]
    items: list[ItemBalance]
    billing: dict[str, Any] | None = None


class Access(msgspec.Struct, frozen=True, rename={"through": "from"}):
    """The decision, why, through what (`from` on the wire), and what would open it. `remaining` and `resets_at` are for items."""

    allowed: bool
    reason: str
    through: dict[str, Any] | None = None
    remaining: int | None = None
    resets_at: datetime | None = None
    upgrade_options: list[dict[str, Any]] = []


class OpenGates(msgspec.Struct, frozen=True):
    """The names of the fields that are open."""

    open: list[str]
