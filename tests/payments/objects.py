"""Objects as Stripe answers them (2026-10-28.endive), as far as a payment reads them; every other key is left out."""

from typing import Any

CREATED = 1_790_000_000
OURS = {
    "paywright_environment": "test",
    "paywright_customer": "user:u_1",
    "paywright_checkout_session": "chk_1",
}


def charge(**fields: Any) -> dict[str, Any]:
    return {
        "id": "ch_1",
        "object": "charge",
        "amount": 1999,
        "amount_captured": 1999,
        "amount_refunded": 0,
        "balance_transaction": {
            "id": "txn_1",
            "object": "balance_transaction",
            "created": CREATED + 5,
            "fee": 88,
            "net": 1911,
        },
        "captured": True,
        "created": CREATED + 4,
        "currency": "usd",
        "customer": "cus_1",
        "disputed": False,
        "failure_code": None,
        "livemode": False,
        "metadata": {},
        "payment_intent": "pi_1",
        "receipt_url": "https://pay.stripe.com/receipts/1",
        "status": "succeeded",
        **fields,
    }


def intent(status: str = "succeeded", **fields: Any) -> dict[str, Any]:
    is_paid = status == "succeeded"
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 1999,
        "amount_received": 1999 if is_paid else 0,
        "capture_method": "automatic_async",
        "created": CREATED,
        "currency": "usd",
        "customer": "cus_1",
        "last_payment_error": None,
        "latest_charge": charge() if is_paid else None,
        "livemode": False,
        "metadata": OURS,
        "status": status,
        **fields,
    }


def declined(**fields: Any) -> dict[str, Any]:
    error = {
        "type": "card_error",
        "code": "card_declined",
        "decline_code": "lost_card",
        "message": "Your card was declined.",
    }
    failed = charge(
        id="ch_0", status="failed", captured=False, amount_captured=0, balance_transaction=None, receipt_url=None
    )
    return intent("requires_payment_method", last_payment_error=error, latest_charge=failed, **fields)


def refund(refund_id: str = "re_1", amount: int = 1999, status: str = "succeeded", **fields: Any) -> dict[str, Any]:
    return {
        "id": refund_id,
        "object": "refund",
        "amount": amount,
        "charge": "ch_1",
        "created": CREATED + 60,
        "currency": "usd",
        "payment_intent": "pi_1",
        "reason": "requested_by_customer",
        "status": status,
        **fields,
    }


def dispute(status: str, dispute_id: str = "dp_1", **fields: Any) -> dict[str, Any]:
    return {
        "id": dispute_id,
        "object": "dispute",
        "amount": 1999,
        "charge": "ch_1",
        "created": CREATED + 90,
        "currency": "usd",
        "evidence_details": {"due_by": CREATED + 900_000},
        "payment_intent": "pi_1",
        "reason": "fraudulent",
        "status": status,
        **fields,
    }


def subscription_invoice(**fields: Any) -> dict[str, Any]:
    """A renewal, paid through `pi_1`."""
    return {
        "id": "in_1",
        "object": "invoice",
        "amount_due": 1999,
        "amount_paid": 1999,
        "amount_remaining": 0,
        "attempt_count": 1,
        "attempted": True,
        "billing_reason": "subscription_cycle",
        "created": CREATED,
        "currency": "usd",
        "customer": "cus_1",
        "due_date": None,
        "hosted_invoice_url": "https://invoice.stripe.com/i/1",
        "invoice_pdf": "https://pay.stripe.com/invoice/1/pdf",
        "lines": {"object": "list", "has_more": False, "data": [invoice_line()]},
        "livemode": False,
        "metadata": {},
        "next_payment_attempt": None,
        "number": "A-0001",
        "parent": {
            "type": "subscription_details",
            "subscription_details": {"subscription": "sub_1", "metadata": OURS},
        },
        "payments": {"object": "list", "has_more": False, "data": [paid_with("pi_1")]},
        "status": "paid",
        "status_transitions": {"finalized_at": CREATED, "paid_at": CREATED + 9},
        "subtotal": 1999,
        "total": 1999,
        **fields,
    }


def invoice_line(**fields: Any) -> dict[str, Any]:
    return {
        "id": "il_1",
        "object": "line_item",
        "amount": 1999,
        "currency": "usd",
        "description": "1 × Pro (at $19.99 / month)",
        "parent": {
            "type": "subscription_item_details",
            "subscription_item_details": {"subscription": "sub_1", "subscription_item": "si_1", "proration": False},
        },
        "period": {"start": CREATED, "end": CREATED + 2_592_000},
        "pricing": {
            "type": "price_details",
            "price_details": {"price": "price_1", "product": "prod_1"},
            "unit_amount_decimal": "1999",
        },
        "quantity": 1,
        **fields,
    }


def paid_with(intent_id: str, status: str = "paid") -> dict[str, Any]:
    return {
        "id": f"inpay_{intent_id}",
        "object": "invoice_payment",
        "invoice": "in_1",
        "payment": {"type": "payment_intent", "payment_intent": intent_id},
        "status": status,
    }
