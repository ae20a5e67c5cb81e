"""A subscription set aside on request, and taken up again. Pausing only its collection is another thing (`pause_collection`)."""

from ..account import copied
from ..errors import Json, invalid
from ..periods import period_at
from ..work import Work
from .collection import finalize_and_collect
from .invoice_lines import period_line, waiting_line
from .invoices import announce, draft
from .prorations import check_date, credits, debit, is_flexible, remember_debits, waiting_item
from .renewals import span_of
from .subscription_building import waiting_lines
from .subscription_calendar import now_for, plan_ahead
from .subscription_status import FOLLOW_UPS, paused

PAUSABLE = ("active", "past_due", "trialing")


def pause(work: Work, id: str, wish: Json) -> Json:
    """Gives the time not used back, as invoice items or an invoice. Nothing is made or charged until it is resumed."""
    made = work.require("subscription", id, "subscription")
    check_pausable(made)
    at = now_for(work, made)
    waiting, bill = given_back(work, made, wish, at)
    paused(work, made, "pause_requested", at)
    for each in waiting:
        work.emit("invoiceitem.created", each)
    if bill is not None:
        announce(work, bill)
        finalize_and_collect(work, bill, automatic=False)
    return made


def check_pausable(made: Json) -> None:
    if not is_flexible(made):
        raise invalid("Only subscriptions with `billing_mode=flexible` can be paused.")
    if made["collection_method"] != "charge_automatically":
        raise invalid("Only subscriptions with `collection_method=charge_automatically` can be paused.")
    if made["schedule"]:
        raise invalid("A subscription managed by a schedule cannot be paused; release the schedule first.")
    if made["status"] not in PAUSABLE:
        raise invalid(f"A subscription that is {made['status']} cannot be paused.")


def given_back(work: Work, made: Json, wish: Json, at: int) -> tuple[list[Json], Json | None]:
    since = ((wish.get("bill_for") or {}).get("unused_time_from") or {}).get("type", "now")
    if since == "none" or made["status"] == "trialing":
        return [], None
    found = []
    for item in made["items"]["data"]:
        start = item["current_period_start"] if since == "item_current_period_start" else at
        found += credits(work, made, item, start)
    waiting = [waiting_item(work, made, each) for each in found]
    if wish.get("invoicing_behavior") != "invoice" or not waiting:
        return waiting, None
    bill = bill_of(work, made, [waiting_line(work, each) for each in waiting])
    return waiting, bill


def bill_of(work: Work, made: Json, lines: list[Json]) -> Json:
    bill = draft(
        work,
        customer=made["customer"],
        currency=made["currency"],
        billing_reason="subscription_update",
        lines=lines,
        subscription=made,
        discounts=made["discounts"],
    )
    remember_debits(made, bill)
    made["latest_invoice"] = bill["id"]
    work.save(made)
    return bill


def resume(work: Work, id: str, wish: Json) -> Json:
    """
    A new period from now, billed at once; with the anchor unchanged only the rest of the old one.

    `resume_on_payment_attempt` takes it up whatever comes of the payment, `resume_on_payment_success` once it is paid.
    """
    made = work.require("subscription", id, "subscription")
    if made["status"] != "paused":
        raise invalid(f"Only a paused subscription can be resumed; this one is {made['status']}.")
    at = now_for(work, made)
    before = copied(made)
    bill, waiting = taken_up(work, made, wish, at)
    waits = wish.get("payment_behavior") == "resume_on_payment_success" and bill is not None and bill["amount_due"] > 0
    if waits and bill is not None:
        bill["_resumes"] = True
        made["_resumed"] = {name: made[name] for name in ("items", "billing_cycle_anchor", "_debits")}
        made.update({name: before[name] for name in ("items", "billing_cycle_anchor", "_debits")})
        work.save(made)
    else:
        resumed(work, made, before)
    for each in waiting:
        work.emit("invoiceitem.created", each)
    if bill is not None:
        announce(work, bill)
        finalize_and_collect(work, bill, automatic=True)
    return made


def taken_up(work: Work, made: Json, wish: Json, at: int) -> tuple[Json | None, list[Json]]:
    """(the invoice for now, the invoice items for the next one)."""
    behavior = wish.get("proration_behavior", "create_prorations")
    if (wish.get("billing_cycle_anchor") or {}).get("type", "now") == "now":
        made["billing_cycle_anchor"] = at
        put_periods(made, at)
        lines = waiting_lines(work, made)
        lines += [period_line(work, made, item, span_of(item)) for item in made["items"]["data"]]
        return bill_of(work, made, lines), []
    put_periods(made, at)
    since = wish.get("proration_date", at)
    if "proration_date" in wish:
        check_date(made, since)
    if behavior == "none":
        return None, []
    found = [each for item in made["items"]["data"] for each in debit(work, made, item, since)]
    waiting = [waiting_item(work, made, each) for each in found]
    if behavior == "create_prorations":
        return None, waiting
    return bill_of(work, made, [waiting_line(work, each) for each in waiting]), waiting


def put_periods(made: Json, at: int) -> None:
    for item in made["items"]["data"]:
        found = period_at(made["billing_cycle_anchor"], item["price"]["recurring"], at)
        item["current_period_start"], item["current_period_end"] = found


def resumed(work: Work, made: Json, before: Json) -> None:
    """`customer.subscription.resumed`, and by U7 `updated` beside it."""
    made.update(status="active", status_details=None)
    work.save(made)
    plan_ahead(work, made)
    work.emit("customer.subscription.resumed", made)
    if work.variant("U7") == "a":
        work.emit_updated("customer.subscription.updated", made, before)


def resume_paid(work: Work, made: Json, bill: Json) -> None:
    if made["status"] == "paused":
        before = copied(made)
        made.update(made.pop("_resumed"))
        resumed(work, made, before)


FOLLOW_UPS["_resumes"] = resume_paid
