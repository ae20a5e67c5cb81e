"""
Stripe's payment intent, charge and invoice → the facts of one payment. Pure.

Source: https://docs.stripe.com/api/payment_intents/object and its siblings (API 2026-10-28.endive). An intent no longer names its invoice: the fetch
brings `invoice_payments`, whose invoice carries the subscription's metadata.
"""

from typing import Any

from paywright.payments.model import DisputeFacts, PaymentFacts, RefundFacts, WarningFacts
from paywright.payments.rules import status_of_charge, status_of_intent, status_of_invoice
from paywright.stripe import metadata
from paywright.stripe.metadata import id_of, metadata_of

Lists = dict[str, list[dict[str, Any]]]


def intent_facts(intent: dict[str, Any], lists: Lists | None = None) -> PaymentFacts:
    """`lists` as the fetch made them: `refunds`, `disputes`, `invoice_payments`, each only if it was asked for."""
    beside = lists or {}
    charge = _expanded(intent.get("latest_charge"))
    error = intent.get("last_payment_error") or {}
    invoice = next((each["invoice"] for each in beside.get("invoice_payments", [])), None)
    keys = _keys(intent, _expanded(invoice))
    period = paid_period(_expanded(invoice) or {})
    return PaymentFacts(
        fact=f"payment_intent {intent['id']}",
        status=status_of_intent(intent["status"], has_error=bool(error)),
        stripe_status=intent["status"],
        amount=intent["amount"],
        currency=intent["currency"],
        livemode=intent["livemode"],
        created_at=intent["created"] * 1000,
        keys=keys,
        stripe_customer_id=id_of(intent.get("customer")),
        stripe_payment_intent_id=intent["id"],
        stripe_charge_id=id_of(intent.get("latest_charge")),
        invoice_id=id_of(invoice),
        checkout_session_id=_checkout_session(intent, _expanded(invoice)),
        subscription_id=subscription_of(_expanded(invoice)),
        period_start=None if period is None else period[0],
        period_end=None if period is None else period[1],
        amount_received=intent["amount_received"],
        may_receive_less=intent.get("capture_method") == "manual",
        paid_at=_paid_at(charge, intent),
        failure_code=error.get("code"),
        decline_code=error.get("decline_code"),
        **_of_charge(charge),
        **_lists(beside),
    )


def charge_facts(charge: dict[str, Any], lists: Lists | None = None) -> PaymentFacts:
    """A charge made without an intent."""
    status = status_of_charge(charge["status"], captured=charge["captured"])
    return PaymentFacts(
        fact=f"charge {charge['id']}",
        status=status,
        stripe_status=charge["status"],
        amount=charge["amount"],
        currency=charge["currency"],
        livemode=charge["livemode"],
        created_at=charge["created"] * 1000,
        keys=metadata_of(charge),
        stripe_customer_id=id_of(charge.get("customer")),
        stripe_charge_id=charge["id"],
        checkout_session_id=metadata_of(charge).get(metadata.CHECKOUT_SESSION),
        amount_received=charge["amount_captured"],
        may_receive_less=True,
        paid_at=_paid_at(charge, charge),
        failure_code=charge.get("failure_code"),
        **_of_charge(charge),
        **_lists(lists or {}),
    )


def invoice_facts(invoice: dict[str, Any]) -> PaymentFacts | None:
    """An invoice settled without an intent or a charge. None: it has one, or nothing has happened yet."""
    paid_by = [each for each in paid_through(invoice) if invoice["status"] != "paid" or each["status"] == "paid"]
    status = status_of_invoice(invoice["status"], attempted=invoice["attempted"])
    if paid_by or status is None:
        return None
    paid_at = (invoice.get("status_transitions") or {}).get("paid_at")
    return PaymentFacts(
        fact=f"invoice {invoice['id']}",
        status=status,
        stripe_status=invoice["status"],
        amount=invoice["amount_paid"] if status == "paid" else invoice["amount_due"],
        currency=invoice["currency"],
        livemode=invoice["livemode"],
        created_at=invoice["created"] * 1000,
        stripe_customer_id=id_of(invoice.get("customer")),
        invoice_id=invoice["id"],
        subscription_id=subscription_of(invoice),
        checkout_session_id=_first_session(invoice),
        amount_received=invoice["amount_paid"],
        paid_at=None if paid_at is None else paid_at * 1000,
        failure_code="payment_failed" if status == "failed" else None,
    )


def paid_through(invoice: dict[str, Any]) -> list[dict[str, Any]]:
    """Its payments by an intent or a charge, of which we hear by events of their own."""
    listed = (invoice.get("payments") or {}).get("data", [])
    return [each for each in listed if each["payment"]["type"] in ("payment_intent", "charge")]


def refund_facts(refund: dict[str, Any]) -> RefundFacts:
    return RefundFacts(
        id=refund["id"],
        status=refund["status"] or "pending",
        amount=refund["amount"],
        currency=refund["currency"],
        created_at=refund["created"] * 1000,
        reason=refund.get("reason"),
        failure_reason=refund.get("failure_reason"),
        ours=metadata_of(refund).get(metadata.REFUND),
    )


def warning_facts(warning: dict[str, Any]) -> WarningFacts:
    return WarningFacts(
        id=warning["id"],
        fraud_type=warning["fraud_type"],
        actionable=warning["actionable"],
        created_at=warning["created"] * 1000,
    )


def subscription_of(invoice: dict[str, Any] | None) -> str | None:
    details = ((invoice or {}).get("parent") or {}).get("subscription_details") or {}
    return id_of(details.get("subscription"))


def paid_period(invoice: dict[str, Any], lines: list[dict[str, Any]] | None = None) -> tuple[int, int] | None:
    """
    What an invoice is for, in milliseconds: the span of its recurring lines; of one that only prorates, of what was dearer.

    `lines` in full, where the object holds only the first of them. None when it is for no span.
    """
    every = lines if lines is not None else (invoice.get("lines") or {}).get("data", [])
    recurring = [line for line in every if _is_of_subscription(line) and not _is_proration(line)]
    spans = recurring or [line for line in every if _is_proration(line) and line["amount"] > 0]
    if not spans:
        return None
    start, end = min(line["period"]["start"] for line in spans), max(line["period"]["end"] for line in spans)
    return start * 1000, end * 1000


def _is_of_subscription(line: dict[str, Any]) -> bool:
    return (line.get("parent") or {}).get("type") == "subscription_item_details"


def _is_proration(line: dict[str, Any]) -> bool:
    parent = line.get("parent") or {}
    details = [parent.get("subscription_item_details") or {}, parent.get("invoice_item_details") or {}]
    return any(bool(each.get("proration")) for each in details)


def dispute_facts(dispute: dict[str, Any]) -> DisputeFacts:
    due_by = (dispute.get("evidence_details") or {}).get("due_by")
    return DisputeFacts(
        id=dispute["id"],
        status=dispute["status"],
        amount=dispute["amount"],
        currency=dispute["currency"],
        created_at=dispute["created"] * 1000,
        reason=dispute.get("reason"),
        evidence_due_at=None if due_by is None else due_by * 1000,
    )


def _keys(intent: dict[str, Any], invoice: dict[str, Any] | None) -> dict[str, str]:
    """Our metadata on the intent, else on the subscription its invoice is for, else on the invoice."""
    for keys in (metadata_of(intent), _subscription_keys(invoice), metadata_of(invoice or {})):
        if metadata.ENVIRONMENT in keys or metadata.CUSTOMER in keys:
            return keys
    return metadata_of(intent)


def _checkout_session(intent: dict[str, Any], invoice: dict[str, Any] | None) -> str | None:
    return metadata_of(intent).get(metadata.CHECKOUT_SESSION) or (None if invoice is None else _first_session(invoice))


def _first_session(invoice: dict[str, Any]) -> str | None:
    """The checkout that sold the subscription, for its first invoice only: renewals carry the same metadata."""
    if invoice.get("billing_reason") != "subscription_create":
        return None
    return _subscription_keys(invoice).get(metadata.CHECKOUT_SESSION)


def _subscription_keys(invoice: dict[str, Any] | None) -> dict[str, str]:
    parent = (invoice or {}).get("parent") or {}
    return metadata_of(parent.get("subscription_details") or {})


def _of_charge(charge: dict[str, Any] | None) -> dict[str, Any]:
    if charge is None:
        return {}
    balance = _expanded(charge.get("balance_transaction")) or {}
    return {"receipt_url": charge.get("receipt_url"), "fee": balance.get("fee"), "net": balance.get("net")}


def _paid_at(charge: dict[str, Any] | None, otherwise: dict[str, Any]) -> int:
    """A bank debit's charge is made when it is tried; its balance transaction when the money came."""
    balance = _expanded((charge or {}).get("balance_transaction"))
    return int((balance or charge or otherwise)["created"]) * 1000


def _lists(lists: Lists) -> dict[str, Any]:
    refunds, disputes, warnings = lists.get("refunds"), lists.get("disputes"), lists.get("warnings")
    return {
        "warnings": None if warnings is None else tuple(warning_facts(each) for each in warnings),
        "refunds": None if refunds is None else tuple(refund_facts(each) for each in refunds),
        "disputes": None if disputes is None else tuple(dispute_facts(each) for each in disputes),
    }


def _expanded(reference: Any) -> dict[str, Any] | None:
    return reference if isinstance(reference, dict) else None
