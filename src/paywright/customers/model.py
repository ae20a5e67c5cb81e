"""How a customer pays."""

from typing import Any

import msgspec


class Card(msgspec.Struct, frozen=True):
    """What may be shown of a card. `exp_month` 1 to 12."""

    brand: str
    last4: str
    exp_month: int
    exp_year: int


class Billing(msgspec.Struct, frozen=True):
    """`has_stripe_customer` False: nothing was ever bought or saved through Stripe."""

    has_stripe_customer: bool
    email: str | None
    default_payment_method: Card | None


class StandingBilling(msgspec.Struct, frozen=True):
    """How a customer pays, as `GET C` shows it."""

    billing: Billing
    stripe_customer_id: str | None

    def shown(self) -> dict[str, Any]:
        return {
            "has_stripe_customer": self.billing.has_stripe_customer,
            "stripe_customer_id": self.stripe_customer_id,
            "email": self.billing.email,
            "default_payment_method": msgspec.to_builtins(self.billing.default_payment_method),
        }


class SetupIntent(msgspec.Struct, frozen=True):
    """What a browser needs to save a card with Stripe.js."""

    id: str
    client_secret: str
    publishable_key: str | None
    stripe_account: str | None
