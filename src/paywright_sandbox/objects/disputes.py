"""The dispute, the early fraud warning and the payout."""

from ..errors import Json

EVIDENCE = tuple(
    "access_activity_log billing_address cancellation_policy cancellation_policy_disclosure cancellation_rebuttal customer_communication "
    "customer_email_address customer_name customer_purchase_ip customer_signature duplicate_charge_documentation "
    "duplicate_charge_explanation duplicate_charge_id product_description receipt refund_policy refund_policy_disclosure "
    "refund_refusal_explanation service_date service_documentation shipping_address shipping_carrier shipping_date "
    "shipping_documentation shipping_tracking_number uncategorized_file uncategorized_text".split()
)


def dispute(id: str, created: int, charge: Json, *, amount: int, reason: str, is_inquiry: bool, due_by: int) -> Json:
    return {
        "id": id,
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {
            **dict.fromkeys(EVIDENCE),
            "customer_email_address": charge["billing_details"]["email"],
            "customer_name": charge["billing_details"]["name"],
            "enhanced_evidence": {},
        },
        "evidence_details": {
            "due_by": due_by,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "intended_submission_method": "manual",
        "is_charge_refundable": is_inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        **method_details(charge, is_inquiry=is_inquiry),
        "reason": reason,
        "status": "warning_needs_response" if is_inquiry else "needs_response",
    }


def method_details(charge: Json, *, is_inquiry: bool) -> Json:
    """Only cards have them."""
    card = charge["payment_method_details"].get("card")
    if card is None:
        return {}
    case = {"case_type": "inquiry" if is_inquiry else "chargeback", "network_reason_code": "10.4"}
    return {
        "payment_method_details": {"card": {"brand": card["brand"], "network": card["brand"], **case}, "type": "card"}
    }


def early_fraud_warning(id: str, created: int, charge: Json) -> Json:
    return {
        "id": id,
        "object": "radar.early_fraud_warning",
        "actionable": True,
        "charge": charge["id"],
        "created": created,
        "fraud_type": "made_with_stolen_card",
        "livemode": False,
        "payment_intent": charge["payment_intent"],
    }


def payout(id: str, created: int, *, amount: int, currency: str, automatic: bool) -> Json:
    return {
        "id": id,
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": created,
        "automatic": automatic,
        "balance_transaction": None,
        "created": created,
        "currency": currency,
        "description": "STRIPE PAYOUT",
        "destination": None,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "completed" if automatic else "not_applicable",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": "pending",
        "trace_id": None,
        "type": "bank_account",
    }
