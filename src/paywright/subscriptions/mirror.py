"""
Stripe's subscription object → our facts. Pure.

Source: https://docs.stripe.com/api/subscriptions/object (API 2026-10-28.endive): periods are the items', `latest_invoice.payments` is there because
the fetch expands it.
"""

from typing import Any

from paywright.stripe.metadata import id_of, metadata_of
from paywright.subscriptions.model import SubscriptionFacts, SubscriptionItem


def subscription_facts(
    found: dict[str, Any], items: list[dict[str, Any]] | None = None, paid: list[dict[str, Any]] | None = None
) -> SubscriptionFacts:
    """`items` in full, where the object holds only the first of them. `paid`: its paid invoices, where the latest is not the first."""
    listed = items if items else found["items"]["data"]
    starts = [item["current_period_start"] for item in listed if item.get("current_period_start")]
    ends = [item["current_period_end"] for item in listed if item.get("current_period_end")]
    period_end = milliseconds(max(ends, default=None))
    invoice = found.get("latest_invoice")
    invoice = invoice if isinstance(invoice, dict) else None
    schedule = found.get("schedule")
    next_phase = _next_phase(schedule) if isinstance(schedule, dict) else None
    scheduled = milliseconds(found.get("cancel_at"))
    if scheduled is None and found.get("cancel_at_period_end"):
        scheduled = period_end
    return SubscriptionFacts(
        id=found["id"],
        status=found["status"],
        stripe_customer_id=id_of(found["customer"]) or "",
        livemode=found["livemode"],
        items=tuple(_item(item) for item in listed),
        started_at=found["start_date"] * 1000,
        current_period_start=milliseconds(min(starts, default=None)),
        current_period_end=period_end,
        cancel_at_period_end=bool(found.get("cancel_at_period_end")) or found.get("cancel_at") is not None,
        ends_at=None if found["status"] == "canceled" else scheduled,
        ended_at=milliseconds(found.get("ended_at")),
        ended_by=(found.get("cancellation_details") or {}).get("reason"),
        trial_end=milliseconds(found.get("trial_end")),
        latest_invoice_id=id_of(found.get("latest_invoice")),
        first_invoice_paid_at=_paid_at(invoice) if paid is None else _first_paid_at(paid),
        is_paid_for=_is_paid_for(found["status"], invoice)
        and (paid is None or found["status"] == "trialing" or bool(paid)),
        payment_intent_id=_payment_intent(invoice),
        metadata=metadata_of(found),
        attempted_at=_attempted_at(invoice),
        has_pending_update=bool(found.get("pending_update")),
        schedule_id=id_of(schedule),
        changes_at=None if next_phase is None else milliseconds(next_phase["start_date"]),
        items_to_come=() if next_phase is None else tuple(_item(item) for item in next_phase["items"]),
    )


def _item(item: dict[str, Any]) -> SubscriptionItem:
    """An item of a subscription, whose price is whole, or of a phase, whose price is an id unless it was expanded."""
    price = item["price"]
    quantity = item.get("quantity") or 1
    if not isinstance(price, dict):
        return SubscriptionItem(id_of(price) or "", quantity, "1 month")
    recurring = price.get("recurring") or {"interval": "month", "interval_count": 1}
    written = f"{recurring['interval_count']} {recurring['interval']}"
    return SubscriptionItem(price["id"], quantity, written, price.get("unit_amount"), price.get("currency"))


def _next_phase(schedule: dict[str, Any]) -> dict[str, Any] | None:
    """Of a schedule that runs: the phase after the one that is current."""
    current = schedule.get("current_phase")
    if schedule.get("status") != "active" or current is None:
        return None
    later = [phase for phase in schedule["phases"] if phase["start_date"] >= current["end_date"]]
    return min(later, key=lambda phase: int(phase["start_date"]), default=None)


def _attempted_at(invoice: dict[str, Any] | None) -> int | None:
    """An invoice is charged as soon as it is final."""
    if invoice is None or invoice["status"] != "open" or not invoice.get("attempted"):
        return None
    return milliseconds((invoice.get("status_transitions") or {}).get("finalized_at"))


def _is_paid_for(status: str, invoice: dict[str, Any] | None) -> bool:
    """A trial owes nothing yet; a later invoice means the first one is history."""
    if status == "trialing" or invoice is None:
        return status in ("trialing", "active")
    return invoice["status"] == "paid" or invoice.get("billing_reason") != "subscription_create"


def _paid_at(invoice: dict[str, Any] | None) -> int | None:
    if invoice is None or invoice.get("billing_reason") != "subscription_create":
        return None
    return milliseconds((invoice.get("status_transitions") or {}).get("paid_at"))


def _first_paid_at(paid: list[dict[str, Any]]) -> int | None:
    """When the first money came in: a first invoice that was void, or is still open, brought none."""
    instants = [(invoice.get("status_transitions") or {}).get("paid_at") for invoice in paid]
    return milliseconds(min((instant for instant in instants if instant is not None), default=None))


def _payment_intent(invoice: dict[str, Any] | None) -> str | None:
    payments = (invoice or {}).get("payments") or {"data": []}
    for payment in payments["data"]:
        found = id_of((payment.get("payment") or {}).get("payment_intent"))
        if found is not None:
            return found
    return None


def milliseconds(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * 1000
