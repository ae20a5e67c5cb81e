"""
An invoice's money: the Payment Intent behind it, the charge, and the next try after a failure.

Every outcome, at once, by the clock or by the buyer on a page, comes back through `heard`.
"""

from ..account import Due, copied
from ..errors import ApiError, Json, invalid
from ..money import AMOUNT_MAX
from ..objects.invoices import invoice_payment
from ..work import Work
from . import payment_intents
from .attempts import How, attempt, refusal_of
from .due import due
from .invoice_totals import is_too_large
from .invoices import FINALIZE_WAIT_MAX_S, finalize, mark_paid, subscription_of, tell
from .outcomes import Outcome, hears_of_payments

DAY_S = 86_400
FINALIZE_HELD_S = 3600
NO_METHOD = "This customer has no attached payment source or default payment method. Please consider adding a default payment method."


def finalize_with_intent(work: Work, bill: Json) -> Json | None:
    """Finalises; answers the Payment Intent made for what is due, None when nothing is."""
    finalize(work, bill)
    return open_intent(work, bill) if bill["status"] == "open" else None


def open_intent(work: Work, bill: Json) -> Json:
    """The intent that collects this invoice, made on first use."""
    for id in bill["_payments"]:
        payment = work.require("invoice_payment", id)
        intent = work.get("payment_intent", payment["payment"].get("payment_intent"))
        if payment["status"] == "open" and intent and intent["status"] != "canceled":
            return intent
    wish: Json = {"amount": bill["amount_remaining"], "currency": bill["currency"], "customer": bill["customer"]}
    wish["description"] = (
        "Subscription creation" if bill["billing_reason"] == "subscription_create" else "Subscription update"
    )
    if subscription_of(bill) is None:
        wish["description"] = bill["description"] or "Payment for Invoice"
    elif bill["billing_reason"] == "subscription_create":
        wish["setup_future_usage"] = "off_session"
    intent = payment_intents.create(work, wish, owner=bill["id"])
    adopt_intent(work, bill, intent)
    return intent


def adopt_intent(work: Work, bill: Json, intent: Json) -> None:
    """This intent pays the invoice. One that Checkout made keeps its owner, which passes the news on."""
    at = work.now_of(bill["customer"])
    made = invoice_payment(
        work.new_id("invoice_payment"), at, invoice=bill, amount=bill["amount_remaining"], payment_intent=intent["id"]
    )
    work.save(made)
    bill["_payments"].append(made["id"])
    work.save(bill)


def default_method(work: Work, bill: Json) -> Json | None:
    """The invoice's own method, else its subscription's, else the customer's."""
    own = work.get("payment_method", bill["default_payment_method"])
    if own and own["customer"] == bill["customer"]:
        return own
    return default_method_of(work, work.get("subscription", subscription_of(bill)) or bill)


def default_method_of(work: Work, holder: Json) -> Json | None:
    """A subscription's method, else its customer's."""
    customer = work.require("customer", holder["customer"], "customer")
    for id in (holder["default_payment_method"], customer["invoice_settings"]["default_payment_method"]):
        found = work.get("payment_method", id)
        if found and found["customer"] == holder["customer"]:
            return found
    return None


def collect(
    work: Work, bill: Json, *, method: Json | None = None, off_session: bool = True, automatic: bool = False
) -> Outcome:
    """Tries once to be paid. A decline is an outcome, not an exception; without a method at all the attempt has failed too."""
    intent = open_intent(work, bill)
    method = method or default_method(work, bill)
    bill["_automatic"] = automatic
    work.save(bill)
    if method is None:
        attempt_failed(work, bill, None)
        return "payment_failed"
    if intent["status"] == "processing":
        return "processing"
    return attempt(work, intent, method, How(off_session=off_session))


def pay(work: Work, id: str, parameters: Json) -> Json:
    """By the API: now, with the method named or the default. A decline is 402 and stays on the books."""
    bill = work.require("invoice", id, "invoice")
    if bill["status"] == "draft":
        finalize_with_intent(work, bill)
        if bill["status"] == "paid":
            return bill
    if bill["status"] not in ("open", "uncollectible"):
        raise invalid("Invoice is already paid" if bill["status"] == "paid" else "Voided invoices cannot be paid.")
    if parameters.get("paid_out_of_band"):
        mark_paid(work, bill)
        return bill
    method = None
    if parameters.get("payment_method"):
        from .payment_methods import resolve

        method = resolve(work, parameters["payment_method"])
    if method is None and default_method(work, bill) is None:
        raise invalid(NO_METHOD, code="resource_missing")
    outcome = collect(work, bill, method=method, off_session=parameters.get("off_session", False))
    if outcome == "payment_failed":
        raise refusal_of(open_intent(work, bill))
    if outcome == "requires_action":
        raise action_required(work, bill)
    return bill


def action_required(work: Work, bill: Json, *, keeps_work: bool = True) -> ApiError:
    return ApiError(
        402,
        "Payment for this invoice requires additional user action before it can be completed successfully.",
        type="card_error",
        code="subscription_payment_intent_requires_action"
        if subscription_of(bill)
        else "invoice_payment_intent_requires_action",
        keeps_work=keeps_work,
        payment_intent={key: value for key, value in open_intent(work, bill).items() if not key.startswith("_")},
    )


@hears_of_payments("invoice")
def heard(work: Work, bill: Json, intent: Json, outcome: Outcome) -> None:
    if bill["status"] not in ("open", "uncollectible"):
        return
    match outcome:
        case "succeeded":
            mark_paid(work, bill, amount=intent["amount_received"], is_attempt=True)
        case "payment_failed":
            attempt_failed(work, bill, intent)
        case "requires_action":
            bill["attempted"] = True
            bill["attempt_count"] = max(1, bill["attempt_count"])
            work.save(bill)
            work.emit("invoice.payment_action_required", bill)
            tell(work, bill, "requires_action")
        case "processing":
            bill["attempted"] = True
            bill["attempt_count"] = max(1, bill["attempt_count"])
            work.save(bill)
            tell(work, bill, "processing")


def attempt_failed(work: Work, bill: Json, intent: Json | None) -> None:
    """Counts the attempt, plans the next one, and tells the subscription. The first try counts whoever made it, later ones when automatic."""
    before = copied(bill)
    if bill["attempt_count"] == 0 or bill.get("_automatic"):
        bill["attempt_count"] += 1
    bill["attempted"] = True
    plan_retry(work, bill)
    work.save(bill)
    error = (intent or {}).get("last_payment_error") or {}
    if error.get("code") == "authentication_required":
        work.emit("invoice.payment_action_required", bill)
    work.emit("invoice.payment_failed", bill)
    if bill["next_payment_attempt"] != before["next_payment_attempt"]:
        work.emit_updated("invoice.updated", bill, before)
    tell(work, bill, "failed")


def is_retried(work: Work, bill: Json) -> bool:
    """Not a subscription's first invoice, which waits for the buyer, and none whose subscription has ended."""
    subscription = work.get("subscription", subscription_of(bill))
    return bool(
        bill["auto_advance"]
        and bill["collection_method"] == "charge_automatically"
        and bill["billing_reason"] != "subscription_create"
        and not bill.get("_pending_update")
        and (subscription is None or subscription["ended_at"] is None)
    )


def plan_retry(work: Work, bill: Json) -> None:
    """By the account's `retry_days`, counted from the first failure; null and `_exhausted` when none is left."""
    at = work.now_of(bill["customer"])
    bill["next_payment_attempt"] = None
    if not is_retried(work, bill):
        return
    first = bill.setdefault("_first_failure", at)
    later = [first + days * DAY_S for days in work.setting("retry_days")]
    work.unschedule(bill["id"], "retry")
    number = bill["attempt_count"] - 1
    if number >= len(later):
        bill["_exhausted"] = True
        return
    bill["next_payment_attempt"] = max(later[number], at + 1)
    work.schedule(bill["next_payment_attempt"], "retry", bill["id"], clock=bill["test_clock"])


@due("retry")
def retry(work: Work, act: Due) -> None:
    bill = work.get("invoice", act.object_id)
    if bill and bill["status"] == "open" and is_retried(work, bill):
        collect(work, bill, automatic=True)


@due("finalize")
def finalize_due(work: Work, act: Due) -> None:
    """An hour after `invoice.created` was answered; when it failed to be delivered, an hour later again, 72 hours at most."""
    bill = work.get("invoice", act.object_id)
    if bill is None or bill["status"] != "draft":
        return
    at = work.now_of(bill["customer"])
    if is_too_large(bill):
        fail_to_finalize(work, bill)
        return
    if is_held_back(work, bill) and at < bill["created"] + FINALIZE_WAIT_MAX_S:
        bill["automatically_finalizes_at"] = at + FINALIZE_HELD_S
        work.save(bill)
        work.schedule(at + FINALIZE_HELD_S, "finalize", bill["id"], clock=bill["test_clock"])
        return
    finalize_and_collect(work, bill, automatic=True)


def fail_to_finalize(work: Work, bill: Json) -> None:
    """Stays a draft that nobody collects."""
    bill["auto_advance"] = False
    bill["automatically_finalizes_at"] = None
    bill["last_finalization_error"] = {
        "code": "amount_too_large",
        "message": f"The invoice's total must be no more than {AMOUNT_MAX}.",
        "type": "invalid_request_error",
    }
    work.save(bill)
    work.emit("invoice.finalization_failed", bill)


def is_held_back(work: Work, bill: Json) -> bool:
    """Some endpoint was asked and has not answered 2xx. One that was not reached yet holds nothing back: clocks outrun networks."""
    for endpoint in work.account.objects.get("webhook_endpoint", {}):
        sent = work.account.deliveries.get(f"{bill.get('_created_event')}.{endpoint}")
        if sent and sent.attempts and sent.state != "delivered":
            return True
    return False


def finalize_and_collect(work: Work, bill: Json, *, automatic: bool) -> None:
    intent = finalize_with_intent(work, bill)
    if intent and bill["status"] == "open":
        if bill["collection_method"] == "charge_automatically":
            collect(work, bill, automatic=automatic)
        else:
            work.emit("invoice.sent", bill)
