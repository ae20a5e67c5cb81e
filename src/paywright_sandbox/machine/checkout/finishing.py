"""What becomes of the intent is heard here: the session completes, and a delayed payment is told later."""

from typing import Literal

from ...account import copied
from ...errors import Json
from ...work import Work
from ..outcomes import Outcome, hears_of_payments

PaymentStatus = Literal["paid", "unpaid", "no_payment_required"]


@hears_of_payments("checkout.session")
def heard(work: Work, session: Json, intent: Json, outcome: Outcome) -> None:
    is_open = session["status"] == "open"
    match outcome:
        case "succeeded" if is_open:
            complete(work, session, "paid" if intent["object"] == "payment_intent" else "no_payment_required")
        case "requires_capture" | "processing" if is_open:
            complete(work, session, "unpaid")
        case "succeeded" if session["payment_status"] == "unpaid":
            settle(work, session, intent)
        case "payment_failed" if not is_open:
            work.emit("checkout.session.async_payment_failed", session)


def complete(work: Work, session: Json, payment_status: PaymentStatus) -> None:
    """Emits `checkout.session.completed`; its id is kept, for the page waits until it was answered."""
    work.unschedule(session["id"], "session_expire")
    update_customer(work, session)
    session["status"], session["url"] = "complete", None
    session["payment_status"] = payment_status
    work.save(session)
    session["_completed"] = work.emit("checkout.session.completed", session)
    work.save(session)


def settle(work: Work, session: Json, intent: Json) -> None:
    """A bank debit that arrived; the capture of a held payment is no delayed payment and goes without an event."""
    session["payment_status"] = "paid"
    work.save(session)
    if intent["capture_method"] != "manual":
        work.emit("checkout.session.async_payment_succeeded", session)


def update_customer(work: Work, session: Json) -> None:
    """`customer_update[name|address]=auto` writes what the buyer typed into the customer that was given."""
    wanted = [name for name, wish in session["_customer_update"].items() if wish == "auto" and name != "shipping"]
    customer = work.get("customer", session["customer"]) if wanted else None
    if customer is None:
        return
    before = copied(customer)
    for name in wanted:
        if session["customer_details"].get(name):
            customer[name] = session["customer_details"][name]
    work.save(customer)
    if customer != before:
        work.emit_updated("customer.updated", customer, before)
