"""Invoices made by hand, and changes to drafts."""

from ..attributes import take, take_metadata
from ..errors import Json, invalid, missing_parameter
from ..money import currency_of
from ..work import Work
from .collection import finalize_and_collect, finalize_with_intent
from .discounts import redeem
from .invoice_items import recount
from .invoice_lines import waiting_line
from .invoices import announce, draft, editable, schedule_finalizing
from .subscription_building import owned_method, subscription_wanted, waiting_items
from .subscription_items import apply_tax_rates

DAY_S = 86_400
ANYTIME = ("metadata", "description", "footer")


def create(work: Work, parameters: Json) -> Json:
    """A draft; waiting invoice items come along only when asked (`include`), or when it is for a subscription."""
    customer_id = parameters.get("customer")
    if not customer_id:
        raise missing_parameter("customer")
    customer = work.require("customer", customer_id, "customer")
    subscription = (
        work.require("subscription", parameters["subscription"], "subscription")
        if parameters.get("subscription")
        else None
    )
    currency = currency_of(parameters.get("currency") or (subscription or customer)["currency"] or "usd")
    included = parameters.get("pending_invoice_items_behavior", "include" if subscription else "exclude") == "include"
    lines = waiting_now(work, customer_id, currency, subscription) if included else []
    if subscription and not lines:
        raise invalid(
            "Nothing to invoice for subscription", param="subscription", code="invoice_no_subscription_line_items"
        )
    made = draft(
        work,
        customer=customer_id,
        currency=currency,
        billing_reason="manual",
        lines=lines,
        subscription=subscription,
    )
    made["auto_advance"] = parameters.get("auto_advance", False)
    apply(work, made, parameters)
    recount(work, made)
    announce(work, made)
    if made["auto_advance"]:
        schedule_finalizing(work, made)
    return made


def waiting_now(work: Work, customer: str, currency: str, subscription: Json | None) -> list[Json]:
    wanted = subscription["id"] if subscription else None
    ids = waiting_items(work, {"customer": customer, "currency": currency, "id": wanted})
    found = [work.require("invoiceitem", id) for id in ids]
    return [waiting_line(work, item) for item in found if wanted is None or subscription_wanted(item) == wanted]


def apply(work: Work, made: Json, wish: Json) -> None:
    take_metadata(made, wish)
    take(made, wish, "description", "footer", "statement_descriptor", "custom_fields", "effective_at", "number")
    if "collection_method" in wish:
        made["collection_method"] = wish["collection_method"]
    put_due_date(made, wish)
    if "default_payment_method" in wish:
        made["default_payment_method"] = owned_method(work, made["customer"], wish["default_payment_method"])
    apply_tax_rates(work, made, wish, "default_tax_rates")
    if "automatic_tax" in wish:
        enabled = wish["automatic_tax"]["enabled"]
        made["automatic_tax"].update(
            enabled=enabled, liability={"type": "self"} if enabled else None, status="complete" if enabled else None
        )
    if "discounts" in wish:
        made["discounts"] = redeem(
            work,
            wish["discounts"],
            customer=made["customer"],
            at=work.now_of(made["customer"]),
            amount=made["subtotal"],
            currency=made["currency"],
            invoice=made["id"],
        )


def put_due_date(made: Json, wish: Json) -> None:
    if made["collection_method"] == "charge_automatically":
        if wish.get("days_until_due") or wish.get("due_date"):
            raise invalid("A due date needs `collection_method=send_invoice`.", param="due_date")
        made["due_date"] = None
    elif wish.get("due_date"):
        made["due_date"] = wish["due_date"]
    elif "days_until_due" in wish:
        made["due_date"] = made["created"] + wish["days_until_due"] * DAY_S
    elif made["due_date"] is None:
        raise invalid(
            "If `collection_method` is `send_invoice`, `days_until_due` or `due_date` must be set.",
            param="days_until_due",
        )


def update(work: Work, id: str, parameters: Json) -> Json:
    """A draft takes everything, a final invoice only texts and `auto_advance`."""
    from ..account import copied

    made = work.require("invoice", id, "invoice")
    before = copied(made)
    if set(parameters) - {*ANYTIME, "auto_advance", "default_payment_method"}:
        editable(work, id)
    apply(work, made, parameters)
    if made["status"] == "draft":
        recount(work, made)
    if "auto_advance" in parameters:
        advance_or_hold(work, made, parameters["auto_advance"])
    work.save(made)
    if made != before:
        work.emit_updated("invoice.updated", made, before)
    return made


def advance_or_hold(work: Work, made: Json, wish: bool) -> None:
    made["auto_advance"] = wish
    work.unschedule(made["id"], "finalize", "retry")
    made["automatically_finalizes_at"] = None
    if wish and made["status"] == "draft":
        schedule_finalizing(work, made)
    if not wish:
        made["next_payment_attempt"] = None


def finalize_now(work: Work, id: str, parameters: Json) -> Json:
    """By the API. `auto_advance` goes on to charge; without it the invoice waits, open."""
    made = editable(work, id)
    if not made["_lines"]:
        raise invalid("You cannot finalize an invoice without line items.", code="invoice_no_customer_line_items")
    made["auto_advance"] = parameters.get("auto_advance", made["auto_advance"])
    if made["auto_advance"]:
        finalize_and_collect(work, made, automatic=True)
    else:
        finalize_with_intent(work, made)
    return made


def send(work: Work, id: str) -> Json:
    """No mail is sent; the event says that it would have been."""
    made = work.require("invoice", id, "invoice")
    if made["collection_method"] != "send_invoice":
        raise invalid("You can only send invoices with `collection_method=send_invoice`.")
    if made["status"] == "draft":
        finalize_now(work, id, {"auto_advance": False})
    elif made["status"] not in ("open", "uncollectible"):
        raise invalid(f"You can only send open invoices; this one is {made['status']}.")
    work.emit("invoice.sent", made)
    return made
