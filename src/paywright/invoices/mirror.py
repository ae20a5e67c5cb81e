"""
Stripe's invoice → its facts. Pure.

Source: https://docs.stripe.com/api/invoices/object (API 2026-10-28.endive): the subscription is in `parent`, a line's price in `pricing`, and
`payments` is there because the fetch expands it.
"""

from typing import Any

from paywright.invoices.model import InvoiceFacts, InvoiceLine
from paywright.stripe import metadata
from paywright.stripe.metadata import id_of, metadata_of


def invoice_facts(found: dict[str, Any], lines: list[dict[str, Any]] | None = None) -> InvoiceFacts:
    """`lines` in full, where the object holds only the first of them."""
    details = (found.get("parent") or {}).get("subscription_details") or {}
    told = tuple(_line(line) for line in (lines if lines is not None else found["lines"]["data"]))
    paid_for = [line for line in told if line.is_recurring and not line.is_proration]
    return InvoiceFacts(
        id=found["id"],
        number=found["number"],
        status=found["status"] or "draft",
        livemode=found["livemode"],
        currency=found["currency"],
        amount_due=found["amount_due"],
        amount_paid=found["amount_paid"],
        amount_remaining=found["amount_remaining"],
        subtotal=found["subtotal"],
        total=found["total"],
        billing_reason=found["billing_reason"],
        stripe_customer_id=id_of(found.get("customer")),
        subscription_id=id_of(details.get("subscription")),
        keys=_keys(metadata_of(details), metadata_of(found)),
        attempt_count=found["attempt_count"],
        attempted=found["attempted"],
        next_attempt_at=_milliseconds(found.get("next_payment_attempt")),
        created_at=found["created"] * 1000,
        due_at=_milliseconds(found.get("due_date")),
        paid_at=_milliseconds((found.get("status_transitions") or {}).get("paid_at")),
        period_start=min((line.period_start for line in paid_for), default=None),
        period_end=max((line.period_end for line in paid_for), default=None),
        hosted_invoice_url=found.get("hosted_invoice_url"),
        invoice_pdf=found.get("invoice_pdf"),
        lines=told,
    )


def _keys(of_subscription: dict[str, str], of_invoice: dict[str, str]) -> dict[str, str]:
    return of_subscription if metadata.ENVIRONMENT in of_subscription else of_invoice


def _line(line: dict[str, Any]) -> InvoiceLine:
    parent = line.get("parent") or {}
    of_item = parent.get("subscription_item_details") or {}
    of_invoice_item = parent.get("invoice_item_details") or {}
    price = ((line.get("pricing") or {}).get("price_details") or {}).get("price")
    return InvoiceLine(
        description=line.get("description"),
        amount=line["amount"],
        quantity=line.get("quantity"),
        stripe_price_id=id_of(price),
        period_start=line["period"]["start"] * 1000,
        period_end=line["period"]["end"] * 1000,
        is_proration=bool(of_item.get("proration") or of_invoice_item.get("proration")),
        is_recurring=parent.get("type") == "subscription_item_details",
    )


def _milliseconds(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * 1000
