"""The payment intent, and the parts a failed or waiting one shows."""

from ..cards import Decline
from ..errors import Json


def payment_intent(id: str, created: int, *, amount: int, currency: str, client_secret: str) -> Json:
    return {
        "id": id,
        "object": "payment_intent",
        "allowed_payment_method_types": None,
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": client_secret,
        "confirmation_method": "automatic",
        "created": created,
        "currency": currency,
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "managed_payments": None,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {"installments": None, "network": None, "request_three_d_secure": "automatic"}
        },
        "payment_method_types": ["card"],
        "payment_record": None,
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_group": None,
    }


def last_error(decline: Decline, method: Json, charge_id: str | None) -> Json:
    """`last_payment_error` and `last_setup_error`: the method whole, as it was."""
    found: Json = {"advice_code": decline.advice_code}
    if charge_id:
        found["charge"] = charge_id
    found["code"] = decline.code
    if decline.decline_code:
        found["decline_code"] = decline.decline_code
    return {
        **found,
        "doc_url": f"https://stripe.com/docs/error-codes/{decline.code.replace('_', '-')}",
        "message": decline.message,
        "payment_method": method,
        "type": "card_error",
    }


def plain_error(
    code: str, message: str, method: Json, charge_id: str | None, *, type: str = "invalid_request_error"
) -> Json:
    """An error that is no card's: a failed authentication, a bank debit that bounced."""
    found: Json = {"charge": charge_id} if charge_id else {}
    return {
        **found,
        "code": code,
        "doc_url": f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}",
        "message": message,
        "payment_method": method,
        "type": type,
    }


def authentication_action(page: str, return_url: str | None, source: str) -> Json:
    """A redirect when the caller said where to return to, else left to stripe.js."""
    if return_url:
        return {"redirect_to_url": {"return_url": return_url, "url": page}, "type": "redirect_to_url"}
    return {
        "type": "use_stripe_sdk",
        "use_stripe_sdk": {"source": source, "stripe_js": page, "type": "three_d_secure_redirect"},
    }
