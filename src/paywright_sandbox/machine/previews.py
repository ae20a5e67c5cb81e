"""
`create_preview`: the invoice that a change, a cancellation, a new subscription or simply the next period would make.

Everything happens in a work that is thrown away, by the functions that do it for real.
"""

from ..errors import Json, invalid, missing_parameter
from ..work import Work, public
from . import invoice_items
from .cancellations import reckon
from .changes import prepare
from .invoice_lines import waiting_line
from .invoice_totals import put_totals
from .invoices import draft
from .renewals import upcoming
from .subscription_building import build, subscription_wanted
from .subscription_calendar import ENDED
from .subscriptions import branch, first_invoice

CHANGES = (
    "items proration_behavior proration_date trial_end cancel_at cancel_at_period_end billing_cycle_anchor default_tax_rates metadata"
).split()


def preview(work: Work, parameters: Json) -> Json:
    """400 `invoice_upcoming_none` when there is nothing to come."""
    twin = branch(work)
    details = parameters.get("subscription_details") or {}
    if parameters.get("subscription"):
        made = twin.require("subscription", parameters["subscription"], "subscription")
        add_items(twin, made["customer"], made["currency"], parameters)
        bill = of_subscription(twin, made, details, parameters)
    else:
        bill = of_newcomer(twin, details, parameters)
    return shown(twin, bill)


def of_subscription(twin: Work, made: Json, details: Json, parameters: Json) -> Json:
    if made["status"] in ENDED:
        raise none_upcoming()
    if details.get("cancel_now"):
        _, bill = reckon(twin, made, prorate=details.get("proration_behavior") != "none", invoice_now=True)
        if bill is None:
            raise none_upcoming()
        return bill
    wish: Json = {name: details[name] for name in CHANGES if name in details}
    if "discounts" in parameters:
        wish["discounts"] = parameters["discounts"]
    anchor = wish.get("billing_cycle_anchor")
    if anchor and anchor["type"] == "timestamp":
        raise invalid("billing_cycle_anchor of type timestamp is for a new subscription.", param="subscription_details")
    prepared = prepare(twin, made, wish) if wish else None
    if prepared and prepared.bill is not None:
        return prepared.bill
    if made["cancel_at_period_end"] or made["status"] == "paused":
        return what_waits(twin, made)
    return upcoming(twin, made)


def what_waits(twin: Work, made: Json) -> Json:
    """A subscription that will end makes no new period; only what waits is billed."""
    items = [found for found in twin.newest_first("invoiceitem") if found["invoice"] is None]
    lines = [waiting_line(twin, each) for each in reversed(items) if subscription_wanted(each) == made["id"]]
    if not lines:
        raise none_upcoming()
    return draft(
        twin,
        customer=made["customer"],
        currency=made["currency"],
        billing_reason="upcoming",
        lines=lines,
        subscription=made,
        discounts=made["discounts"],
    )


def of_newcomer(twin: Work, details: Json, parameters: Json) -> Json:
    """A subscription that does not exist yet, or the customer's waiting invoice items."""
    customer = parameters.get("customer")
    if not details.get("items"):
        return of_customer(twin, customer, parameters)
    if not customer:
        from . import customers

        customer = customers.create(twin, {})["id"]
    anchor = details.get("billing_cycle_anchor") or {}
    wish: Json = {
        name: details[name] for name in ("items", "trial_end", "billing_mode", "proration_behavior") if name in details
    }
    wish.update(customer=customer)
    if anchor.get("type") == "timestamp":
        wish["billing_cycle_anchor"] = anchor["timestamp"]
    for name in ("currency", "discounts"):
        if name in parameters:
            wish[name] = parameters[name]
    made = build(twin, wish)
    add_items(twin, customer, made["currency"], parameters)
    bill = first_invoice(twin, made, wish)
    if bill is None:
        raise none_upcoming()
    return bill


def of_customer(twin: Work, customer: str | None, parameters: Json) -> Json:
    if not customer:
        raise missing_parameter("customer")
    held = twin.require("customer", customer, "customer")
    currency = parameters.get("currency") or held["currency"] or "usd"
    add_items(twin, customer, currency, parameters)
    waiting = [
        found for found in twin.newest_first("invoiceitem") if found["customer"] == customer and not found["invoice"]
    ]
    if not waiting:
        running = [
            s for s in twin.newest_first("subscription") if s["customer"] == customer and s["status"] not in ENDED
        ]
        if running:
            return of_subscription(twin, twin.require("subscription", running[0]["id"]), {}, parameters)
        raise none_upcoming()
    lines = [waiting_line(twin, each) for each in reversed(waiting)]
    return draft(twin, customer=customer, currency=currency, billing_reason="upcoming", lines=lines)


def add_items(twin: Work, customer: str, currency: str, parameters: Json) -> None:
    """`invoice_items` of the request, as if they waited already."""
    for wish in parameters.get("invoice_items") or []:
        made = {**wish, "pricing": {"price": wish["price"]}} if wish.get("price") else dict(wish)
        made.setdefault("currency", currency)
        if "unit_amount" in made:
            made["unit_amount_decimal"] = str(made.pop("unit_amount"))
        invoice_items.create(twin, {**made, "customer": customer})


def none_upcoming() -> Exception:
    return invalid("No upcoming invoices for customer", code="invoice_upcoming_none")


def shown(twin: Work, bill: Json) -> Json:
    """Under an id of its own that finds nothing."""
    put_totals(twin, bill, bill["starting_balance"])
    found = public(bill)
    found["id"] = f"upcoming_{bill['id']}"
    found["lines"]["url"] = f"/v1/invoices/{found['id']}/lines"
    for line in found["lines"]["data"]:
        line["invoice"] = found["id"]
    return found
