"""`invoice_creation`: the paid invoice that follows a one-off payment."""

from ...attributes import take
from ...errors import Json, not_implemented
from ...objects.invoices import invoiceitem
from ...work import Work
from .. import invoice_items, invoices
from ..collection import adopt_intent
from ..invoice_lines import waiting_line
from .lines import bought


def is_wanted(session: Json) -> bool:
    return bool(session["invoice_creation"] and session["invoice_creation"]["enabled"])


def check_balance(work: Work, session: Json) -> None:
    """A balance would pay part of the invoice, and the payment was for all of it."""
    customer = work.get("customer", session["customer"])
    if is_wanted(session) and customer is not None and customer["balance"] != 0:
        raise not_implemented("invoice_creation for a customer with a balance", param="invoice_creation[enabled]")


def draft(work: Work, session: Json, discounts: list[str]) -> Json:
    """Not announced yet, so that the session's own event can name it."""
    customer = work.require("customer", session["customer"])
    lines = []
    for item in bought(session):
        made = invoiceitem(
            work.new_id("invoiceitem"),
            work.now,
            customer=customer,
            currency=session["currency"],
            amount=0,
            quantity=item["quantity"],
        )
        invoice_items.apply(work, made, {"pricing": {"price": item["price"]}, "quantity": item["quantity"]})
        work.save(made)
        lines.append(waiting_line(work, made))
    bill = invoices.draft(
        work,
        customer=customer["id"],
        currency=session["currency"],
        billing_reason="manual",
        lines=lines,
        discounts=discounts,
    )
    take(bill, session["invoice_creation"]["invoice_data"], "custom_fields", "description", "footer", "metadata")
    session["invoice"] = bill["id"]
    return work.save(bill)


def pay(work: Work, bill: Json, intent: Json | None) -> None:
    """Announced, final and paid at one stroke. `intent` is None when nothing was due."""
    invoices.announce(work, bill)
    invoices.finalize(work, bill)
    if intent is not None and bill["status"] == "open":
        adopt_intent(work, bill, intent)
        invoices.mark_paid(work, bill, amount=intent["amount_received"], is_attempt=True)
