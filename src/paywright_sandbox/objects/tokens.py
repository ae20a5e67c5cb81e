"""Tokens that stand for a card, and confirmation tokens that stand for everything a buyer typed."""

from ..errors import Json


def token(id: str, created: int, *, card: Json) -> Json:
    return {
        "id": id,
        "object": "token",
        "card": card,
        "client_ip": None,
        "created": created,
        "livemode": False,
        "type": "card",
        "used": False,
    }


def token_card(id: str, method: Json) -> Json:
    """The card of a payment method in the older shape that tokens show."""
    held = method["card"]
    address = (
        "address_city",
        "address_country",
        "address_line1",
        "address_line1_check",
        "address_line2",
        "address_state",
    )
    return {
        "id": id,
        "object": "card",
        **dict.fromkeys((*address, "address_zip", "address_zip_check", "dynamic_last4", "tokenization_method")),
        "brand": {"amex": "American Express"}.get(held["brand"], held["brand"].capitalize()),
        "country": held["country"],
        "cvc_check": held["checks"]["cvc_check"],
        "exp_month": held["exp_month"],
        "exp_year": held["exp_year"],
        "fingerprint": held["fingerprint"],
        "funding": held["funding"],
        "last4": held["last4"],
        "metadata": {},
        "name": method["billing_details"]["name"],
        "networks": {"preferred": None},
        "regulated_status": "unregulated",
    }


def confirmation_token(id: str, created: int, *, method: Json, expires_at: int) -> Json:
    preview = {
        name: method[name] for name in ("allow_redisplay", "billing_details", "customer", "customer_account", "type")
    }
    return {
        "id": id,
        "object": "confirmation_token",
        "created": created,
        "expires_at": expires_at,
        "livemode": False,
        "mandate_data": None,
        "metadata": None,
        "payment_intent": None,
        "payment_method_options": {"card": {"cvc_token": None, "installments": None}},
        "payment_method_preview": {**preview, method["type"]: method[method["type"]]},
        "return_url": None,
        "setup_future_usage": None,
        "setup_intent": None,
        "shipping": None,
        "use_stripe_sdk": True,
        "_method": method["id"],
    }
