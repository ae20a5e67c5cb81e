"""What becomes of the intent is heard here: the session completes, and a delayed payment is told later."""

from typing import Literal

from ...account import copied
from ...errors import Json
from ...work import Work
from .. import subscriptions
from ..outcomes import Outcome, hears_of_payments
from . import receipts
from .totals import redeemed, subscription_wish

PaymentStatus = Literal["paid", "unpaid", "no_payment_required"]


@hears_of_payments("checkout.session")
def heard(work: Work, session: Json, intent: Json, outcome: Outcome) -> None:
    is_open = session["status"] == "open"
    match outcome:
        case "charged" if is_open and session["mode"] == "subscription":
            note_currency(work, session)
        case "succeeded" | "requires_capture" | "processing" if is_open:
            fulfil(work, session, intent)
        case "succeeded" if session["payment_status"] == "unpaid":
            settle(work, session, intent)
        case "payment_failed" if session["status"] == "complete":
            if session["subscription"]:
                subscriptions.settle_from_checkout(work, session["subscription"], intent, "payment_failed")
            work.emit("checkout.session.async_payment_failed", session)


def note_currency(work: Work, session: Json) -> None:
    """A customer's first payment for a subscription fixes the currency of all that follow."""
    customer = work.require("customer", session["customer"])
    if customer["currency"] is None:
        before = copied(customer)
        customer["currency"] = session["currency"]
        work.save(customer)
        work.emit_updated("customer.updated", customer, before)


def fulfil(work: Work, session: Json, intent: Json | None) -> None:
    """What was bought is made, then the session completes. `intent` is None when neither money nor a card was asked for."""
    bill = None
    if session["mode"] == "subscription":
        subscribe(work, session, intent)
    elif session["mode"] == "payment":
        session["_discounts"] = redeemed(work, session, session["amount_subtotal"])
        if receipts.is_wanted(session) and (intent is None or intent["status"] == "succeeded"):
            bill = receipts.draft(work, session, session["_discounts"])
    complete(work, session, status_after(intent))
    if bill is not None:
        receipts.pay(work, bill, intent)


def status_after(intent: Json | None) -> PaymentStatus:
    if intent is None or intent["object"] == "setup_intent":
        return "no_payment_required"
    return "paid" if intent["status"] == "succeeded" else "unpaid"


def subscribe(work: Work, session: Json, intent: Json | None) -> None:
    wish = subscription_wish(session, intent["payment_method"] if intent else None)
    paying = intent if intent and intent["object"] == "payment_intent" else None
    made = subscriptions.create_from_checkout(work, wish, payment_intent=paying, session=session["id"])
    session["subscription"], session["invoice"] = made["id"], made["latest_invoice"]


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
    if session["subscription"]:
        subscriptions.settle_from_checkout(work, session["subscription"], intent, "succeeded")
    bill = receipts.draft(work, session, session["_discounts"]) if receipts.is_wanted(session) else None
    session["payment_status"] = "paid"
    work.save(session)
    if intent["capture_method"] != "manual":
        work.emit("checkout.session.async_payment_succeeded", session)
    if bill is not None:
        receipts.pay(work, bill, intent)


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
