"""
Stripe's customer and payment method → what we show. Pure.

Source: https://docs.stripe.com/api/customers/object and /payment_methods/object (API 2026-10-28.endive).
"""

from typing import Any

from paywright.customers.model import Card


def card_of(payment_method: Any) -> Card | None:
    """None where it is not expanded or no card."""
    if not isinstance(payment_method, dict) or not isinstance(payment_method.get("card"), dict):
        return None
    card = payment_method["card"]
    return Card(card["brand"], card["last4"], card["exp_month"], card["exp_year"])
