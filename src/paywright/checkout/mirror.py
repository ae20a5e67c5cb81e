"""
Stripe's Checkout Session → our facts. Pure.

Source: https://docs.stripe.com/api/checkout/sessions/object (API 2026-10-28.endive).
"""

from typing import Any

from paywright.checkout.model import CheckoutFacts
from paywright.stripe.metadata import id_of, metadata_of


def checkout_facts(found: dict[str, Any]) -> CheckoutFacts:
    details = found.get("customer_details") or {}
    return CheckoutFacts(
        id=found["id"],
        status=found["status"] or "open",
        payment_status=found["payment_status"],
        livemode=found["livemode"],
        client_reference_id=found.get("client_reference_id"),
        metadata=metadata_of(found),
        url=found.get("url"),
        amount_total=found.get("amount_total"),
        currency=found.get("currency"),
        stripe_customer_id=id_of(found.get("customer")),
        payment_intent_id=id_of(found.get("payment_intent")),
        subscription_id=id_of(found.get("subscription")),
        invoice_id=id_of(found.get("invoice")),
        email=details.get("email"),
    )
