"""Cancelled now: `customer.subscription.deleted`, and with `prorate` and `invoice_now` the reckoning."""

from ..errors import Json, no_such
from ..work import Work
from .collection import finalize_and_collect
from .invoice_lines import waiting_line
from .invoices import announce, draft
from .prorations import credits, waiting_item
from .subscription_building import subscription_wanted, waiting_items
from .subscription_calendar import ENDED, now_for
from .subscription_status import end


def cancel(work: Work, id: str, wish: Json) -> Json:
    made = work.require("subscription", id, "id")
    if made["status"] in ENDED:
        raise no_such("subscription", id, "id")
    waiting, bill = reckon(work, made, prorate=wish.get("prorate", False), invoice_now=wish.get("invoice_now", False))
    details = {name: value or None for name, value in (wish.get("cancellation_details") or {}).items()}
    end(work, made, reason="cancellation_requested", details=details)
    for each in waiting:
        work.emit("invoiceitem.created", each)
    if bill is not None:
        announce(work, bill)
        finalize_and_collect(work, bill, automatic=False)
    return made


def reckon(work: Work, made: Json, *, prorate: bool, invoice_now: bool) -> tuple[list[Json], Json | None]:
    """(invoice items for the time not used, the invoice that takes all that waits); also what a preview of a cancellation shows."""
    at = now_for(work, made)
    waiting: list[Json] = []
    if prorate and made["status"] not in ("trialing", "incomplete", "paused"):
        found = [each for item in made["items"]["data"] for each in credits(work, made, item, at)]
        waiting = [waiting_item(work, made, each) for each in found]
    if not invoice_now:
        return waiting, None
    items = [work.require("invoiceitem", id) for id in waiting_items(work, made)]
    lines = [waiting_line(work, each) for each in items if subscription_wanted(each) == made["id"]]
    if not lines:
        return waiting, None
    bill = draft(
        work,
        customer=made["customer"],
        currency=made["currency"],
        billing_reason="subscription_update",
        lines=lines,
        subscription=made,
        discounts=made["discounts"],
        proration_date=at,
    )
    made["latest_invoice"] = bill["id"]
    return waiting, bill
