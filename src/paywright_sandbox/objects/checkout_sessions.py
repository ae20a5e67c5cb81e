"""The Checkout Session and its line items."""

from typing import Any

from ..errors import Json

NULL_UNTIL_KNOWN = (
    "after_expiration allow_promotion_codes allowed_payment_method_types amount_subtotal amount_total "
    "billing_address_collection cancel_url client_reference_id client_secret collected_information consent "
    "consent_collection currency currency_conversion customer customer_account customer_creation customer_details "
    "customer_email integration_identifier invoice invoice_creation locale origin_context payment_intent payment_link "
    "payment_method_collection payment_method_configuration_details permissions recovered_from "
    "saved_payment_method_options setup_intent shipping_address_collection shipping_cost submit_type subscription "
    "success_url total_details url wallet_options"
).split()


def checkout_session(id: str, created: int, *, mode: str, expires_at: int) -> Json:
    return {
        "id": id,
        "object": "checkout.session",
        **dict.fromkeys(NULL_UNTIL_KNOWN),
        "adaptive_pricing": None,
        "automatic_tax": automatic_tax(False),
        "created": created,
        "custom_fields": [],
        "custom_text": dict.fromkeys(("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")),
        "discounts": [],
        "expires_at": expires_at,
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": {},
        "mode": mode,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "payment_status": "no_payment_required" if mode == "setup" else "unpaid",
        "shipping_options": [],
        "status": "open",
        "ui_mode": "hosted_page",
        "_line_items": [],
        "_attempt": None,
        "_completed": None,
        "_due": 0,
        "_customer_update": {},
        "_discounts": [],
        "_intent": {},
        "_known_email": None,
        "_subscription": {},
        "_trial": False,
    }


def automatic_tax(enabled: bool) -> Json:
    """Nothing is computed here, so a session with it is complete from the start, at 0."""
    return {
        "enabled": enabled,
        "liability": {"type": "self"} if enabled else None,
        "provider": "stripe" if enabled else None,
        "status": "complete" if enabled else None,
    }


def line_item(id: str, *, price: str, quantity: int, currency: str, description: str, adjustable: Any) -> Json:
    """Kept inside its session with the price's id; shown with the whole price."""
    return {
        "id": id,
        "object": "item",
        "adjustable_quantity": adjustable_quantity(adjustable),
        "amount_discount": 0,
        "amount_subtotal": 0,
        "amount_tax": 0,
        "amount_total": 0,
        "currency": currency,
        "description": description,
        "metadata": {},
        "price": price,
        "quantity": quantity,
    }


def adjustable_quantity(wish: Any) -> Json | None:
    if not wish or not wish["enabled"]:
        return None
    return {"enabled": True, "maximum": wish.get("maximum", 99), "minimum": wish.get("minimum", 0)}


def customer_details(**known: Any) -> Json:
    """What is known of the buyer; the rest null."""
    empty = dict.fromkeys(("address", "business_name", "email", "individual_name", "name", "phone"))
    return {**empty, "tax_exempt": "none", "tax_ids": None, **{name: value for name, value in known.items() if value}}


def total_details(discount: int = 0) -> Json:
    return {"amount_discount": discount, "amount_shipping": 0, "amount_tax": 0}


def invoice_creation(wish: Json | None) -> Json:
    """Payment mode only."""
    asked = (wish or {}).get("invoice_data", {})
    return {
        "enabled": bool(wish and wish["enabled"]),
        "invoice_data": {
            "account_tax_ids": None,
            "custom_fields": asked.get("custom_fields") or None,
            "description": asked.get("description"),
            "footer": asked.get("footer"),
            "issuer": None,
            "metadata": asked.get("metadata", {}),
            "rendering_options": None,
        },
    }
