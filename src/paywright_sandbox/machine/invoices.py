"""
The life of an invoice: draft → open → paid · void · uncollectible.

Whoever makes invoices for something (a subscription) registers with `hears_of_invoices` and is told of `paid`, `failed` and the rest right after
the invoice's own events. Collecting the money is collection.py.
"""

from collections.abc import Callable
from typing import Literal

from ..account import Due, copied
from ..errors import Json, invalid
from ..objects.customers import deleted
from ..objects.invoices import invoice, subscription_parent
from ..work import Work
from . import invoice_notices
from .balances import move
from .due import due
from .invoice_totals import due_and_balance, put_totals

FINALIZE_WAIT_MAX_S = 72 * 3600

News = Literal["paid", "failed", "processing", "requires_action", "voided", "uncollectible"]
Hearer = Callable[[Work, Json, News], None]
HEARERS: list[Hearer] = []


def hears_of_invoices(hearer: Hearer) -> Hearer:
    HEARERS.append(hearer)
    return hearer


def tell(work: Work, bill: Json, news: News) -> None:
    for hearer in HEARERS:
        hearer(work, bill, news)


def draft(
    work: Work,
    *,
    customer: str,
    currency: str,
    billing_reason: str,
    lines: list[Json],
    subscription: Json | None = None,
    discounts: list[str] | None = None,
    period: tuple[int, int] | None = None,
    proration_date: int | None = None,
) -> Json:
    """A saved draft with its lines and totals; nothing is announced. Invoice items behind the lines now belong to it."""
    owner = work.require("customer", customer, "customer")
    at = work.now_of(customer)
    made = invoice(work.new_id("invoice"), at, customer=owner, currency=currency, billing_reason=billing_reason)
    made["discounts"] = list(discounts or [])
    if period:
        made["period_start"], made["period_end"] = period
    if subscription:
        take_from_subscription(made, subscription, proration_date)
    for line in lines:
        line["invoice"] = made["id"]
        taken = work.get("invoiceitem", line.get("_invoiceitem"))
        if taken:
            taken["invoice"] = made["id"]
            work.save(taken)
    made["_lines"] = lines
    put_totals(work, made, owner["balance"])
    return work.save(made)


def take_from_subscription(made: Json, subscription: Json, proration_date: int | None) -> None:
    made["parent"] = subscription_parent(subscription, proration_date)
    subscription["_invoices"].append(made["id"])
    made["collection_method"] = subscription["collection_method"]
    made["default_payment_method"] = None
    made["default_tax_rates"] = copied(subscription["default_tax_rates"])
    made["automatic_tax"]["enabled"] = subscription["automatic_tax"]["enabled"]
    if made["automatic_tax"]["enabled"]:
        made["automatic_tax"].update(liability={"type": "self"}, status="complete")
    settings = subscription["invoice_settings"]
    made["footer"] = settings["footer"] or made["footer"]
    made["custom_fields"] = settings["custom_fields"] or made["custom_fields"]
    made["description"] = settings["description"] or subscription["description"]
    for name in ("payment_method_options", "payment_method_types"):
        made["payment_settings"][name] = subscription["payment_settings"][name]
    if subscription["collection_method"] == "send_invoice":
        made["due_date"] = made["created"] + (subscription["days_until_due"] or 0) * 86_400


def subscription_of(bill: Json) -> str | None:
    details = (bill["parent"] or {}).get("subscription_details")
    return str(details["subscription"]) if details else None


def announce(work: Work, made: Json) -> None:
    made["_created_event"] = work.emit("invoice.created", made)
    work.save(made)


def schedule_finalizing(work: Work, made: Json) -> None:
    """An automatic draft becomes final on its own after a while, in which it can still be changed."""
    when = made["created"] + work.setting("finalize_delay_s")
    made["automatically_finalizes_at"] = when
    work.save(made)
    work.schedule(when, "finalize", made["id"], clock=made["test_clock"])


def editable(work: Work, id: str) -> Json:
    """The invoice if it is a draft, else 400 `invoice_not_editable`."""
    found = work.require("invoice", id, "invoice")
    if found["status"] != "draft":
        raise invalid(
            f"This invoice is no longer editable: its status is {found['status']}.", code="invoice_not_editable"
        )
    return found


def finalize(work: Work, made: Json) -> None:
    """Draft → open, with a number and its pages; → paid at once when nothing is due. Takes the customer's balance."""
    assert made["status"] == "draft", made["id"]
    at = work.now_of(made["customer"])
    owner = work.require("customer", made["customer"], "customer")
    put_totals(work, made, owner["balance"])
    made["number"] = (
        f"{owner['invoice_prefix']}-{owner['next_invoice_sequence']:04d}" if not made["number"] else made["number"]
    )
    owner["next_invoice_sequence"] += 1
    work.save(owner)
    made["status"] = "open"
    made["automatically_finalizes_at"] = None
    made["effective_at"] = made["effective_at"] or at
    made["status_transitions"]["finalized_at"] = at
    made["hosted_invoice_url"] = f"{work.origin}/i/{made['id']}"
    made["invoice_pdf"] = f"{work.origin}/i/{made['id']}/pdf"
    made["webhooks_delivered_at"] = made["webhooks_delivered_at"] or at
    _, made["ending_balance"] = due_and_balance(made["total"], owner["balance"], made["currency"])
    work.unschedule(made["id"], "finalize")
    work.save(made)
    invoice_notices.plan(work, made)
    work.emit("invoice.finalized", made)
    settle_balance(work, made)
    if made["amount_due"] == 0:
        mark_paid(work, made)


def settle_balance(work: Work, made: Json) -> None:
    """The customer's balance becomes what the invoice says it leaves."""
    change = made["ending_balance"] - made["starting_balance"]
    if change:
        is_small = made["total"] > 0 and change > 0 and made["ending_balance"] > 0
        kind = "invoice_too_small" if is_small else "applied_to_invoice"
        move(work, made["customer"], change, made["currency"], kind, invoice=made["id"])


def mark_paid(work: Work, made: Json, *, amount: int | None = None, is_attempt: bool = False) -> None:
    """Open or uncollectible → paid. `is_attempt`: a charge did it. `invoice.updated` goes first when no request of the API did it."""
    before = copied(made)
    at = work.now_of(made["customer"])
    paid = made["amount_due"] if amount is None else amount
    made.update(
        status="paid",
        attempted=True,
        amount_paid=paid,
        amount_remaining=made["amount_due"] - paid,
        auto_advance=False,
        next_payment_attempt=None,
        status_details=None,
    )
    if is_attempt and (made["attempt_count"] == 0 or made.get("_automatic")):
        made["attempt_count"] += 1
    made["status_transitions"]["paid_at"] = at
    work.unschedule(made["id"])
    work.save(made)
    if is_attempt and (work.request_id is None or made.get("_from_checkout")):
        work.emit_updated("invoice.updated", made, before)
    work.emit("invoice.paid", made)
    work.emit("invoice.payment_succeeded", made)
    close_payments(work, made, "paid", at)
    tell(work, made, "paid")


def close_payments(work: Work, made: Json, status: str, at: int) -> None:
    for id in made["_payments"]:
        payment = work.require("invoice_payment", id)
        if payment["status"] != "open":
            continue
        intent = work.get("payment_intent", payment["payment"].get("payment_intent"))
        is_paid = status == "paid" and intent is not None and intent["status"] == "succeeded"
        payment["status"] = "paid" if is_paid else "canceled"
        payment["status_transitions"]["paid_at" if is_paid else "canceled_at"] = at
        payment["amount_paid"] = intent["amount_received"] if is_paid and intent else None
        work.save(payment)
        if is_paid:
            work.emit("invoice_payment.paid", payment)


def void(work: Work, id: str) -> Json:
    made = work.require("invoice", id, "invoice")
    if made["status"] not in ("open", "uncollectible"):
        raise invalid(f"You can only pass in open or uncollectible invoices; this one is {made['status']}.")
    at = work.now_of(made["customer"])
    made.update(status="void", next_payment_attempt=None, auto_advance=False, status_details=None)
    made["status_transitions"]["voided_at"] = at
    work.unschedule(made["id"])
    cancel_intents(work, made)
    close_payments(work, made, "canceled", at)
    give_back_balance(work, made)
    work.save(made)
    work.emit("invoice.voided", made)
    tell(work, made, "voided")
    return made


def cancel_intents(work: Work, made: Json) -> None:
    """The intents of a bill that will not be collected; one whose money is under way is left alone."""
    from .payment_intents import cancel

    for id in made["_payments"]:
        payment = work.require("invoice_payment", id)
        intent = work.get("payment_intent", payment["payment"].get("payment_intent"))
        if payment["status"] == "open" and intent and intent["status"] not in ("succeeded", "canceled", "processing"):
            cancel(work, intent["id"], "void_invoice")


def give_back_balance(work: Work, made: Json) -> None:
    """Voiding undoes what finalising took from, or put on, the customer's balance."""
    taken = (made["ending_balance"] or 0) - made["starting_balance"]
    owner = work.get("customer", made["customer"])
    if taken and owner is not None and not owner.get("deleted"):
        move(work, made["customer"], -taken, made["currency"], "unapplied_from_invoice", invoice=made["id"])


def mark_uncollectible(work: Work, id: str, reason: str = "user_forgiven") -> Json:
    made = work.require("invoice", id, "invoice")
    if made["status"] != "open":
        raise invalid(f"You can only mark open invoices as uncollectible; this one is {made['status']}.")
    made.update(status="uncollectible", next_payment_attempt=None, status_details={"uncollectible": {"reason": reason}})
    made["status_transitions"]["marked_uncollectible_at"] = work.now_of(made["customer"])
    work.unschedule(made["id"])
    work.save(made)
    work.emit("invoice.marked_uncollectible", made)
    tell(work, made, "uncollectible")
    return made


@due("payment_due")
def is_late(work: Work, act: Due) -> None:
    """Nobody paid by hand. As after a failed charge, the subscription is past due."""
    bill = work.get("invoice", act.object_id)
    if bill and bill["status"] == "open":
        tell(work, bill, "failed")


def delete(work: Work, id: str) -> Json:
    """Only a draft that no subscription made. Its invoice items go with it."""
    made = editable(work, id)
    if subscription_of(made):
        raise invalid(
            "You cannot delete an invoice that a subscription made; void it once it is open.",
            code="invoice_not_editable",
        )
    for line in made["_lines"]:
        if line.get("_invoiceitem"):
            work.remove("invoiceitem", line["_invoiceitem"])
    work.unschedule(made["id"])
    work.remove("invoice", made["id"])
    work.emit("invoice.deleted", made)
    return deleted(made)
