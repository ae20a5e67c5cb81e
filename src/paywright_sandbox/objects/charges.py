"""The charge, its refunds and the balance transactions of both."""

from ..errors import Json


def charge(id: str, created: int, intent: Json, method: Json) -> Json:
    """Of an intent, on a method; not yet decided."""
    return {
        "id": id,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "SANDBOX",
        "captured": False,
        "created": created,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": None,
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": method_details(method),
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": intent["shipping"],
        "source": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "pending",
        "transfer_data": None,
        "transfer_group": intent["transfer_group"],
    }


def method_details(method: Json) -> Json:
    if method["type"] == "card":
        return {"card": card_details(method["card"]), "type": "card"}
    details = {key: value for key, value in method[method["type"]].items() if key in DEBIT_KEYS}
    extra: Json = {"expected_debit_date": None, "mandate": None}
    if method["type"] == "us_bank_account":
        extra["payment_reference"] = None
    return {method["type"]: {**details, **extra}, "type": method["type"]}


DEBIT_KEYS = frozenset(
    "account_holder_type account_type bank_name fingerprint last4 routing_number bank_code branch_code country".split()
)


def card_details(card: Json) -> Json:
    kept = (
        "brand",
        "checks",
        "country",
        "exp_month",
        "exp_year",
        "fingerprint",
        "funding",
        "last4",
        "regulated_status",
        "wallet",
    )
    return {
        **{name: card[name] for name in kept},
        "amount_authorized": None,
        "authorization_code": None,
        "extended_authorization": {"status": "disabled"},
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": card["brand"],
        "network_token": {"used": False},
        "network_transaction_id": None,
        "overcapture": {"maximum_amount_capturable": 0, "status": "unavailable"},
        "three_d_secure": None,
    }


def approved() -> Json:
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network",
        "reason": None,
        "risk_level": "normal",
        "risk_score": 32,
        "seller_message": "Payment complete.",
        "type": "authorized",
    }


def declined_outcome(reason: str, *, is_blocked: bool) -> Json:
    return {
        "advice_code": "do_not_try_again" if is_blocked else "try_again_later",
        "network_advice_code": None,
        "network_decline_code": None if is_blocked else "01",
        "network_status": "not_sent_to_network" if is_blocked else "declined_by_network",
        "reason": "highest_risk_level" if is_blocked else reason,
        "risk_level": "highest" if is_blocked else "normal",
        "risk_score": 90 if is_blocked else 32,
        "seller_message": "Stripe blocked this payment as too risky."
        if is_blocked
        else "The bank did not return any further details with this decline.",
        "type": "blocked" if is_blocked else "issuer_declined",
    }


def refund(id: str, created: int, *, amount: int, charge: Json) -> Json:
    type = charge["payment_method_details"]["type"]
    details = {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"}
    return {
        "id": id,
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "destination_details": {type: details if type == "card" else {}, "type": type},
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": None,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }


def balance_transaction(
    id: str, created: int, *, amount: int, fee: int, currency: str, type: str, source: str, available_on: int
) -> Json:
    """`amount` is signed; the net is what the balance moves by."""
    details = {
        "amount": fee,
        "application": None,
        "currency": currency,
        "description": "Dispute fee" if type == "adjustment" else "Processing fees",
        "type": "stripe_fee",
    }
    return {
        "id": id,
        "object": "balance_transaction",
        "amount": amount,
        "available_on": available_on,
        "balance_type": "payments",
        "created": created,
        "currency": currency,
        "description": None,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [details] if fee else [],
        "net": amount - fee,
        "reporting_category": REPORTING.get(type, type),
        "source": source,
        "status": "available" if available_on <= created else "pending",
        "type": type,
    }


REPORTING = {
    "payment": "charge",
    "payment_refund": "refund",
    "payment_failure_refund": "refund_failure",
    "refund_failure": "refund_failure",
}
