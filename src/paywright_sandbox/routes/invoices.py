"""Invoices, their lines and their payments."""

from ..errors import Json
from ..listing import in_range, listing, page, page_of
from ..machine import collection, invoice_editing, invoices, invoicing, previews
from ..machine.invoices import subscription_of
from ..routing import route
from ..serialise import absent_unless_expanded
from ..work import Work, public

WRITTEN = (
    "auto_advance automatic_tax.enabled collection_method custom_fields days_until_due default_payment_method "
    "default_tax_rates description discounts due_date effective_at footer metadata number statement_descriptor"
)
PAYMENTS_SHOWN = 10


@route("POST /v1/invoices", acts_on=f"{WRITTEN} currency customer pending_invoice_items_behavior subscription")
def create(work: Work, parameters: Json) -> Json:
    return invoicing.create(work, parameters)


@route("GET /v1/invoices/{invoice}")
def retrieve(work: Work, parameters: Json, invoice: str) -> Json:
    return work.require("invoice", invoice)


@route("POST /v1/invoices/{invoice}", acts_on=WRITTEN)
def update(work: Work, parameters: Json, invoice: str) -> Json:
    return invoicing.update(work, invoice, parameters)


@route("DELETE /v1/invoices/{invoice}")
def delete(work: Work, parameters: Json, invoice: str) -> Json:
    return invoices.delete(work, invoice)


@route(
    "GET /v1/invoices",
    acts_on="collection_method created customer due_date ending_before limit starting_after status subscription",
)
def list_(work: Work, parameters: Json) -> Json:
    wish, due_date = parameters.get("subscription"), parameters.get("due_date")

    def fits(found: Json) -> bool:
        is_due = due_date is None or (found["due_date"] is not None and in_range(found["due_date"], due_date))
        return is_due and (not wish or subscription_of(found) == wish)

    return page(work, "invoice", parameters, "customer", "status", "collection_method", keep=fits)


@route("POST /v1/invoices/{invoice}/finalize", acts_on="auto_advance")
def finalize(work: Work, parameters: Json, invoice: str) -> Json:
    return invoicing.finalize_now(work, invoice, parameters)


@route(
    "POST /v1/invoices/{invoice}/pay",
    acts_on="off_session paid_out_of_band payment_method",
)
def pay(work: Work, parameters: Json, invoice: str) -> Json:
    return collection.pay(work, invoice, parameters)


@route(
    "POST /v1/invoices/{invoice}/send",
    note="No e-mail is sent; the invoice becomes final and `invoice.sent` is logged.",
)
def send(work: Work, parameters: Json, invoice: str) -> Json:
    return invoicing.send(work, invoice)


@route("POST /v1/invoices/{invoice}/void")
def void(work: Work, parameters: Json, invoice: str) -> Json:
    return invoices.void(work, invoice)


@route("POST /v1/invoices/{invoice}/mark_uncollectible")
def mark_uncollectible(work: Work, parameters: Json, invoice: str) -> Json:
    return invoices.mark_uncollectible(work, invoice)


@route("GET /v1/invoices/{invoice}/lines", acts_on="ending_before limit starting_after")
def lines(work: Work, parameters: Json, invoice: str) -> Json:
    """In the invoice's own order, which is not newest first."""
    found = work.require("invoice", invoice, "invoice")
    return page_of((public(line) for line in found["_lines"]), parameters, "line_item")


# What is absent unless expanded


@absent_unless_expanded("invoice", "payments")
def payments(work: Work, shown: Json) -> Json:
    found = work.require("invoice", shown["id"])
    made = [work.require("invoice_payment", id) for id in reversed(found["_payments"])]
    return listing(
        made[:PAYMENTS_SHOWN],
        has_more=len(made) > PAYMENTS_SHOWN,
        url=f"/v1/invoice_payments?invoice={shown['id']}",
    )


@absent_unless_expanded("invoice", "confirmation_secret")
def confirmation_secret(work: Work, shown: Json) -> Json | None:
    """The client secret of the intent that still waits for the buyer."""
    found = work.require("invoice", shown["id"])
    for id in reversed(found["_payments"]):
        payment = work.require("invoice_payment", id)
        intent = work.get("payment_intent", payment["payment"].get("payment_intent"))
        if intent and payment["status"] == "open":
            return {"client_secret": intent["client_secret"], "type": "payment_intent"}
    return None


# Invoice payments


@route("GET /v1/invoice_payments/{invoice_payment}")
def retrieve_payment(work: Work, parameters: Json, invoice_payment: str) -> Json:
    return work.require("invoice_payment", invoice_payment)


@route("GET /v1/invoice_payments", acts_on="created ending_before invoice limit payment starting_after status")
def list_payments(work: Work, parameters: Json) -> Json:
    wish = (parameters.get("payment") or {}).get("payment_intent")
    return page(
        work,
        "invoice_payment",
        parameters,
        "invoice",
        "status",
        keep=lambda found: not wish or found["payment"].get("payment_intent") == wish,
    )


@route(
    "POST /v1/invoices/create_preview",
    acts_on="currency customer discounts invoice_items subscription subscription_details.billing_cycle_anchor "
    "subscription_details.billing_mode subscription_details.cancel_at subscription_details.cancel_at_period_end "
    "subscription_details.cancel_now subscription_details.default_tax_rates subscription_details.items "
    "subscription_details.metadata subscription_details.proration_behavior subscription_details.proration_date "
    "subscription_details.trial_end",
    note="Of a schedule's later phases nothing is shown.",
)
def create_preview(work: Work, parameters: Json) -> Json:
    return previews.preview(work, parameters)


LINE = (
    "lines.amount lines.description lines.discountable lines.discounts lines.id lines.metadata lines.period lines.price_data "
    "lines.pricing.price lines.quantity lines.tax_rates"
)


@route("POST /v1/invoices/{invoice}/add_lines", acts_on=f"{LINE} lines.invoice_item invoice_metadata")
def add_lines(work: Work, parameters: Json, invoice: str) -> Json:
    return invoice_editing.add(work, invoice, parameters)


@route("POST /v1/invoices/{invoice}/update_lines", acts_on=f"{LINE} invoice_metadata")
def update_lines(work: Work, parameters: Json, invoice: str) -> Json:
    return invoice_editing.change(work, invoice, parameters)


@route("POST /v1/invoices/{invoice}/remove_lines", acts_on="lines.behavior lines.id invoice_metadata")
def remove_lines(work: Work, parameters: Json, invoice: str) -> Json:
    return invoice_editing.remove(work, invoice, parameters)


@route(
    "POST /v1/invoices/{invoice}/lines/{line_item_id}",
    acts_on="amount description discountable discounts metadata period price_data pricing.price quantity tax_rates",
)
def update_line(work: Work, parameters: Json, invoice: str, line_item_id: str) -> Json:
    return invoice_editing.change_one(work, invoice, line_item_id, parameters)
