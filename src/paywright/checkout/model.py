"""One attempt to buy."""

from typing import Any, Literal

import msgspec

from paywright.kernel.model import Customer
from paywright.ownership.model import AskedLine

CheckoutMode = Literal["payment", "subscription"]
CheckoutStatus = Literal["initialized", "open", "completed", "expired", "failed"]
PaymentStatus = Literal["paid", "unpaid", "no_payment_required"]
CheckoutUi = Literal["hosted", "elements"]
"""Where the buyer pays: on Stripe's page, or in the app, by a Payment Intent behind our session."""

LIFE_MS = 24 * 3_600_000


class StartCheckout(msgspec.Struct, frozen=True):
    """What is asked of us. `with_secret_key` decides which products, prices and URLs may be used. In the app the URLs are empty: nobody leaves."""

    customer: Customer
    lines: tuple[AskedLine, ...]
    success_url: str
    cancel_url: str
    with_secret_key: bool
    currency: str | None = None
    customer_email: str | None = None
    promotion_codes: bool = False
    metadata: dict[str, str] = {}
    ui: CheckoutUi = "hosted"
    automatic_tax: bool = False
    urls_are_ours: bool = False
    """Our own page's, so no origin has to allow them."""
    description: str | None = None
    """For in-app payments, with `customer_email` as where the receipt goes."""

    @property
    def is_in_app(self) -> bool:
        return self.ui == "elements"


class PinnedLine(msgspec.Struct, frozen=True):
    """A line as the session keeps it: what is granted later comes from here, never from the browser or today's catalog."""

    product_id: str | None
    version_id: str
    price_id: str
    quantity: int


class LastError(msgspec.Struct, frozen=True):
    """Why Stripe said no. `message` is Stripe's, which holds no secret."""

    code: str | None
    message: str


class CheckoutSession(msgspec.Struct, frozen=True):
    """Ours. `status` never goes back from completed; `url` is null once the session is not open."""

    id: str
    customer: Customer
    mode: CheckoutMode
    status: CheckoutStatus
    payment_status: PaymentStatus
    lines: tuple[PinnedLine, ...]
    currency: str
    success_url: str
    created_at: int
    updated_at: int
    expires_at: int
    requested_at: int
    generation: int = 1
    url: str | None = None
    renews: str | None = None
    is_fulfilled: bool = False
    last_error: LastError | None = None
    stripe_parameters: dict[str, Any] | None = None
    stripe_checkout_session_id: str | None = None
    stripe_customer_id: str | None = None
    stripe_payment_intent_id: str | None = None
    stripe_subscription_id: str | None = None
    buyer_email: str | None = None
    ui: CheckoutUi = "hosted"

    @property
    def is_in_app(self) -> bool:
        return self.ui == "elements"

    @property
    def is_under_way(self) -> bool:
        return self.status in ("initialized", "open")


class CheckoutFacts(msgspec.Struct, frozen=True):
    """What Stripe says of its session. Amounts in minor units, instants in milliseconds."""

    id: str
    status: str
    payment_status: str
    livemode: bool
    client_reference_id: str | None
    metadata: dict[str, str]
    url: str | None
    amount_total: int | None
    currency: str | None
    stripe_customer_id: str | None
    payment_intent_id: str | None
    subscription_id: str | None
    invoice_id: str | None
    email: str | None

    @property
    def is_paid_for(self) -> bool:
        """Proof of money, or that none is due. A redirect to the success URL proves nothing."""
        return self.status == "complete" and self.payment_status in ("paid", "no_payment_required")
