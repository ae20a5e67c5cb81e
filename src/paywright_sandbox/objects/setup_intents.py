"""The setup intent, each attempt at it, and the mandate it ends with."""

from ..errors import Json


def setup_intent(id: str, created: int, *, client_secret: str) -> Json:
    return {
        "id": id,
        "object": "setup_intent",
        "allowed_payment_method_types": None,
        "application": None,
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
        "cancellation_reason": None,
        "client_secret": client_secret,
        "created": created,
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "managed_payments": None,
        "mandate": None,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {"mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
        },
        "payment_method_types": ["card"],
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": "off_session",
    }


CARD_DETAILS = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4", "wallet")


def setup_attempt(id: str, created: int, intent: Json, method: Json) -> Json:
    type = method["type"]
    details: Json = {}
    if type == "card":
        card = method["card"]
        details = {**{name: card[name] for name in CARD_DETAILS}, "network": card["brand"], "three_d_secure": None}
    return {
        "id": id,
        "object": "setup_attempt",
        "application": None,
        "created": created,
        "customer": intent["customer"],
        "customer_account": None,
        "flow_directions": None,
        "livemode": False,
        "on_behalf_of": None,
        "payment_method": method["id"],
        "payment_method_details": {type: details, "type": type},
        "setup_error": None,
        "setup_intent": intent["id"],
        "status": "processing",
        "usage": intent["usage"],
    }


def mandate(id: str, method: Json, acceptance: Json, *, url: str) -> Json:
    type = method["type"]
    details = {"reference": id.removeprefix("mandate_")[:16].upper(), "url": url} if type == "sepa_debit" else {}
    return {
        "id": id,
        "object": "mandate",
        "customer_acceptance": acceptance,
        "livemode": False,
        "multi_use": {},
        "payment_method": method["id"],
        "payment_method_details": {type: details, "type": type},
        "status": "active",
        "type": "multi_use",
    }
