"""
Subscriptions begin here: by the API, or from a Checkout Session once the buyer has paid.

For Checkout, in this order:

    due = preview_from_checkout(work, wish)["amount_due"]     # what the buyer pays now; nothing is made
    …the session's own Payment Intent or Setup Intent…
    create_from_checkout(work, wish, payment_intent=intent)   # when it has succeeded, or is processing (bank debit)
    settle_from_checkout(work, subscription_id, intent, "succeeded")   # when a processing one is decided later

`wish` are the parameters of `POST /v1/subscriptions`: `customer`, `items`, `add_invoice_items` (the one-time items), `trial_end` or
`trial_period_days`, `trial_settings`, `default_payment_method`, `discounts`, `metadata`, `description`, `billing_cycle_anchor` and the rest.
"""

from typing import Literal

from ..account import Due, copied
from ..errors import ApiError, Json, invalid
from ..work import Work
from . import setup_intents
from .attempts import refusal_of
from .collection import (
    NO_METHOD,
    action_required,
    adopt_intent,
    attempt_failed,
    collect,
    default_method,
    default_method_of,
    open_intent,
)
from .customers import BEFORE_DELETION
from .discounts import without_once
from .due import due
from .invoice_totals import check_total
from .invoices import announce, draft, finalize, mark_paid, tell, void
from .moments import Moment, emit_at, moment
from .outcomes import Outcome, hears_of_payments
from .prorations import remember_debits
from .subscription_building import build, first_lines
from .subscription_calendar import ENDED, INCOMPLETE_S, TRIAL_NOTICE_S, now_for, plan_ahead
from .subscription_status import change, end, expire

# By the API


def create(work: Work, wish: Json) -> Json:
    """Answers the subscription as it stands after its first invoice was tried; by `payment_behavior` a decline refuses it all."""
    behavior = wish.get("payment_behavior", "allow_incomplete")
    if behavior == "pending_if_incomplete":
        raise invalid(
            "`pending_if_incomplete` can only be used when updating a subscription.", param="payment_behavior"
        )
    began = moment(work)
    made = build(work, wish)
    bill = first_invoice(work, made, wish)
    if bill is not None:
        check_payable(work, made, bill, behavior)
        announce(work, bill)
        finalize(work, bill)
    if made["status"] == "incomplete":
        begin_unpaid(work, made, bill, behavior, wish.get("off_session", True))
    elif made["collection_method"] == "charge_automatically" and default_method_of(work, made) is None:
        ask_for_card(work, made)
    announce_created(work, made, began)
    return made


def ask_for_card(work: Work, made: Json) -> None:
    """Nothing is due yet and nobody could pay later: `pending_setup_intent` saves a method."""
    intent = setup_intents.create(work, {"customer": made["customer"], "usage": "off_session"}, owner=made["id"])
    made["pending_setup_intent"] = intent["id"]
    work.save(made)


@hears_of_payments("subscription")
def card_saved(work: Work, made: Json, intent: Json, outcome: Outcome) -> None:
    if outcome == "succeeded" and made["pending_setup_intent"] == intent["id"]:
        change(work, made, pending_setup_intent=None, default_payment_method=intent["payment_method"])


def first_invoice(work: Work, made: Json, wish: Json) -> Json | None:
    """Drafted, not announced. None when there is nothing to put on it (a free first part up to the anchor)."""
    from .invoice_items import added_lines

    lines = first_lines(work, made) + added_lines(work, made, wish.get("add_invoice_items") or [])
    if not lines:
        return None
    bill = draft(
        work,
        customer=made["customer"],
        currency=made["currency"],
        billing_reason="subscription_create",
        lines=lines,
        subscription=made,
        discounts=made["discounts"],
    )
    check_total(bill)
    remember_debits(made, bill)
    made["latest_invoice"] = bill["id"]
    if bill["total"] or bill["total_discount_amounts"]:
        use_up_once(work, made)
    work.save(made)
    return bill


def use_up_once(work: Work, made: Json) -> None:
    made["discounts"] = without_once(work, made["discounts"])
    for item in made["items"]["data"]:
        item["discounts"] = without_once(work, item["discounts"])


def check_payable(work: Work, made: Json, bill: Json, behavior: str) -> None:
    """Something is due and nobody could pay it: refused at once, unless the caller means to confirm the payment later."""
    is_charged = made["collection_method"] == "charge_automatically" and bill["amount_due"] > 0
    if is_charged and behavior != "default_incomplete" and default_method(work, bill) is None:
        raise invalid(NO_METHOD, code="resource_missing")


def begin_unpaid(work: Work, made: Json, bill: Json | None, behavior: str, off_session: bool) -> None:
    if bill is None or bill["status"] == "paid" or made["collection_method"] == "send_invoice":
        made["status"] = "active"
        if bill is not None and bill["status"] == "open":
            open_intent(work, bill)
    elif behavior == "default_incomplete":
        open_intent(work, bill)
    else:
        outcome = collect(work, bill, off_session=off_session, automatic=True)
        if behavior == "error_if_incomplete" and outcome not in ("succeeded", "processing"):
            raise refused(work, bill, outcome)
    work.save(made)


def refused(work: Work, bill: Json, outcome: str) -> ApiError:
    """402, and nothing is kept."""
    if outcome == "requires_action":
        return action_required(work, bill, keeps_work=False)
    refusal = refusal_of(open_intent(work, bill))
    refusal.keeps_work = False
    return refusal


def announce_created(work: Work, made: Json, began: Moment) -> None:
    """
    `customer.subscription.created` with the outcome, before everything it caused.

    U1: it is created `incomplete` and updated at once. U15: the invoice comes first.
    """
    if work.variant("U1") == "b" and made["status"] == "active" and made["collection_method"] == "charge_automatically":
        early = {**copied(made), "status": "incomplete"}
        emit_at(work, began, "customer.subscription.created", early)
        made["_announced"] = True
        work.save(made)
        work.emit_updated("customer.subscription.updated", made, early)
    else:
        at = began if work.variant("U15") == "a" else after_invoice_created(work, began)
        emit_at(work, at, "customer.subscription.created", made)
        made["_announced"] = True
    work.save(made)
    plan_ahead(work, made)
    if made["status"] == "trialing" and made["trial_end"] - TRIAL_NOTICE_S <= now_for(work, made):
        work.emit("customer.subscription.trial_will_end", made)


def after_invoice_created(work: Work, began: Moment) -> Moment:
    for position in range(began.events, len(work.events)):
        if work.events[position].type == "invoice.created":
            logged = {event.id for event in work.events[: position + 1]}
            return Moment(position + 1, sum(1 for sent in work.deliveries if sent.event in logged))
    return began


# From Checkout


def branch(work: Work) -> Work:
    """A work that sees what this one sees and is never committed."""
    twin = Work(work.account, work.now, platform=work.platform, origin=work.origin)
    twin.held = copied(work.held)
    twin.saved = {id: twin.held[id] for id in work.saved}
    twin.removed = dict(work.removed)
    return twin


def preview_from_checkout(work: Work, wish: Json) -> Json:
    """The first invoice as it would be: `_lines`, `subtotal`, `total`, `total_discount_amounts`, `amount_due`. Nothing is made."""
    twin = branch(work)
    if not wish.get("customer"):
        from . import customers

        wish = {**wish, "customer": customers.create(twin, {})["id"]}
    bill = first_invoice(twin, build(twin, wish), wish)
    assert bill is not None, "a Checkout Session has items"
    return bill


def create_from_checkout(
    work: Work, wish: Json, *, payment_intent: Json | None = None, session: str | None = None
) -> Json:
    """
    The subscription, its first invoice and what the buyer paid for it. Emits sequence 2 or 3 from `customer.subscription.created` on.

    `payment_intent` has succeeded, or is processing: then the invoice stays open and, by U2, the subscription is active meanwhile. None when
    nothing is due now. `session` is noted on the discounts.
    """
    began = moment(work)
    made = build(work, wish)
    bill = first_invoice(work, made, wish)
    if session:
        for id in bill["discounts"] if bill else []:
            discount = work.require("discount", id)
            discount["checkout_session"] = session
            work.save(discount)
    if bill is not None:
        bill["_from_checkout"] = True
        announce(work, bill)
        finalize(work, bill)
    if bill is not None and bill["status"] == "open":
        assert payment_intent is not None, "something is due"
        adopt_intent(work, bill, payment_intent)
        take_payment(work, bill, payment_intent)
    elif made["status"] == "incomplete":
        made["status"] = "active"
    announce_created(work, made, began)
    return made


def take_payment(work: Work, bill: Json, intent: Json) -> None:
    if intent["status"] == "succeeded":
        mark_paid(work, bill, amount=intent["amount_received"], is_attempt=True)
    else:
        assert intent["status"] == "processing", intent["status"]
        bill.update(attempted=True, attempt_count=1)
        work.save(bill)
        tell(work, bill, "processing")


def settle_from_checkout(
    work: Work, subscription_id: str, intent: Json, outcome: Literal["succeeded", "payment_failed"]
) -> None:
    """The bank's late answer to a first payment: the invoice is paid, or its failure is told and the subscription falls past due."""
    made = work.require("subscription", subscription_id)
    for id in made["_invoices"]:
        bill = work.get("invoice", id)
        if bill is None or bill["status"] != "open" or intent["id"] not in intents_of(work, bill):
            continue
        if outcome == "succeeded":
            mark_paid(work, bill, amount=intent["amount_received"], is_attempt=True)
        else:
            attempt_failed(work, bill, intent)


def intents_of(work: Work, bill: Json) -> list[str]:
    return [str(work.require("invoice_payment", id)["payment"].get("payment_intent")) for id in bill["_payments"]]


# Ends that come by themselves


@due("incomplete_expire")
def incomplete_expire(work: Work, act: Due) -> None:
    """After 23 hours: `incomplete_expired`, then its invoice is void. A debit that is under way (U2) is waited for."""
    made = work.get("subscription", act.object_id)
    if made is None or made["status"] != "incomplete":
        return
    bill = work.get("invoice", made["latest_invoice"])
    intents = [work.get("payment_intent", id) for id in (intents_of(work, bill) if bill else [])]
    if any(intent and intent["status"] == "processing" for intent in intents):
        work.schedule(act.when + INCOMPLETE_S, "incomplete_expire", made["id"], clock=made["test_clock"])
        return
    expire(work, made)
    if bill and bill["status"] == "open":
        void(work, bill["id"])


def end_all_of(work: Work, customer: Json) -> None:
    """Before a customer is deleted: subscriptions and schedules end with events of their own; nothing of it is billed any more."""
    id = customer["id"]
    for made_id in [made["id"] for made in work.newest_first("subscription") if made["customer"] == id]:
        made = work.require("subscription", made_id)
        if made["status"] not in ENDED:
            end(work, made, reason="cancellation_requested")
    for waiting in [
        item["id"] for item in work.newest_first("invoiceitem") if item["customer"] == id and not item["invoice"]
    ]:
        work.remove("invoiceitem", waiting)
    for bill_id in [bill["id"] for bill in work.newest_first("invoice") if bill["customer"] == id]:
        bill = work.require("invoice", bill_id)
        if bill["status"] in ("draft", "open"):
            bill.update(auto_advance=False, next_payment_attempt=None, automatically_finalizes_at=None)
            work.unschedule(bill_id)
            work.save(bill)


BEFORE_DELETION.append(end_all_of)
