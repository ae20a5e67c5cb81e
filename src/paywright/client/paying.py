"""What the API answers about how a customer pays, and about guests, as values."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from paywright.kernel.model import Customer


class PaymentIntent(msgspec.Struct, frozen=True):
    """For Stripe's Payment Element. `id` null: nothing is to be paid, and it is granted already."""

    id: str | None
    client_secret: str | None
    publishable_key: str | None
    checkout_session_id: str | None = None
    stripe_account: str | None = None


class PageUrl(msgspec.Struct, frozen=True):
    """A page to send the customer to. Whoever has the address may use it until then; `expires_at` null is Stripe's own."""

    url: str
    expires_at: datetime | None = None
    claim_token: str | None = None
    """Of a guest's purchase page: it opens what they buy, and is not shown again."""


class Card(msgspec.Struct, frozen=True):
    """What may be shown of a card. `exp_month` 1 to 12."""

    brand: str
    last4: str
    exp_month: int
    exp_year: int


class Billing(msgspec.Struct, frozen=True):
    """How a customer pays, as last heard from Stripe. `has_stripe_customer` False: nothing was ever bought or saved there."""

    has_stripe_customer: bool
    stripe_customer_id: str | None = None
    email: str | None = None
    default_payment_method: Card | None = None


class SetupIntent(msgspec.Struct, frozen=True):
    """What a browser needs to save a card with Stripe.js."""

    id: str
    client_secret: str
    publishable_key: str | None
    stripe_account: str | None = None


class Claim(msgspec.Struct, frozen=True):
    """What was bought with a claim token. `pending`: nothing is paid yet; `refunded`: all of it was taken back."""

    state: Literal["pending", "active", "refunded", "attached"]
    products: list[dict[str, Any]] = []
    items: list[dict[str, Any]] = []


class AttachedClaim(msgspec.Struct, frozen=True):
    """The guest's purchases are this customer's now."""

    state: Literal["attached"]
    guest: Customer
    customer: Customer


class SignedIn(msgspec.Struct, frozen=True):
    """A token for all guests of the address, and a fresh claim token for each."""

    customer_token: str
    claims: list[str]
