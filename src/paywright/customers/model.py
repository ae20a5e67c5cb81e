"""How a customer pays."""

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


class SetupIntent(msgspec.Struct, frozen=True):
    """What a browser needs to save a card with Stripe.js."""

    id: str
    client_secret: str
    publishable_key: str | None
    stripe_account: str | None
