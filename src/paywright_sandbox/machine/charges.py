"""Charges as an intent makes them: decided at once for cards, later for bank debits."""

from typing import Any

from ..attributes import address_of
from ..cards import DEBIT_BY_NAME, DEBIT_FAILURES, Decline, card_of
from ..errors import Json
from ..objects import charges as objects
from ..objects.payment_intents import last_error, plain_error
from ..work import Work, public
from . import balance, mandates
from .payment_methods import bind


def shipping_of(wish: Any) -> Json | None:
    if not wish:
        return None
    texts = {name: wish.get(name) or None for name in ("carrier", "name", "phone", "tracking_number")}
    return {"address": address_of(wish["address"]), **texts}


def time_of(work: Work, intent: Json) -> int:
    """Bare intents follow the account clock, those of invoices their customer's (uncertain point U11)."""
    if work.variant("U11") == "b" or str(intent.get("_owner") or "").startswith("in_"):
        return work.now_of(intent["customer"])
    return work.now


def begin(work: Work, intent: Json, method: Json) -> Json:
    made = objects.charge(work.new_id("charge"), time_of(work, intent), intent, method)
    if method["type"] != "card":
        made["id"] = f"py_{made['id'].removeprefix('ch_')}"
        given = intent.get("_mandate_data")
        made["payment_method_details"][method["type"]]["mandate"] = mandates.granted(
            work, method, given, made["created"]
        )
    made["_outcome"] = method["_outcome"]
    intent["latest_charge"] = made["id"]
    return work.save(made)


def approve(work: Work, charge: Json, intent: Json, *, is_captured: bool, is_late: bool) -> None:
    """Paid. With `is_late` the balance transaction comes by `charge.updated` (see `book_late`), as Checkout does it."""
    charge.update(paid=True, status="succeeded", outcome=objects.approved(), captured=is_captured)
    charge["receipt_url"] = f"{work.origin}/receipts/{charge['id']}"
    if charge["payment_method_details"]["type"] == "card":
        details = charge["payment_method_details"]["card"]
        details["amount_authorized"] = charge["amount"]
        details["authorization_code"] = "123456"
        if details["checks"]["cvc_check"] == "unchecked":
            details["checks"] = {**details["checks"], "cvc_check": "pass"}
    if is_captured:
        charge["amount_captured"] = charge["amount"]
        if not is_late:
            charge["balance_transaction"] = book(work, charge)
    work.save(charge)
    work.emit("charge.succeeded", charge, created=time_of(work, intent))


def book(work: Work, charge: Json) -> str:
    """The money is in; what the buyer does next follows at once where the test card says so."""
    if sequel_of(charge):
        customer = charge["customer"]
        work.schedule(work.now_of(customer), "dispute_open", charge["id"], clock=work.clock_of(customer))
    is_card = charge["payment_method_details"]["type"] == "card"
    at_once = is_card and card_of(charge["_outcome"]).available_at_once
    return balance.book_charge(work, charge, available_at_once=at_once)


def book_late(work: Work, charge: Json, intent: Json) -> None:
    before = public(charge)
    charge["balance_transaction"] = book(work, charge)
    work.save(charge)
    work.emit_updated("charge.updated", charge, before, created=time_of(work, intent))


def fail(work: Work, charge: Json, intent: Json, code: str, message: str, outcome: Json | None) -> None:
    charge.update(status="failed", paid=False, failure_code=code, failure_message=message, outcome=outcome)
    work.save(charge)
    work.emit("charge.failed", charge, created=time_of(work, intent))


def decline(work: Work, intent: Json, method: Json, refusal: Decline, *, is_blocked: bool = False) -> None:
    """A failed charge beside the intent's error; the intent loses the method."""
    charge = begin(work, intent, method)
    reason = refusal.decline_code or refusal.code
    fail(work, charge, intent, refusal.code, refusal.message, objects.declined_outcome(reason, is_blocked=is_blocked))
    intent["last_payment_error"] = last_error(refusal, public(method), charge["id"])


def bounce(work: Work, intent: Json, method: Json, charge: Json, code: str) -> None:
    """A bank debit that came back."""
    message = DEBIT_FAILURES[code]
    fail(work, charge, intent, code, message, None)
    intent["last_payment_error"] = plain_error(code, message, public(method), charge["id"], type="card_error")


def keep_method(work: Work, intent: Json, method: Json) -> None:
    """`setup_future_usage` saves the method to the customer; without it an unattached one is used up."""
    if intent["setup_future_usage"] and intent["customer"]:
        if intent["setup_future_usage"] == "off_session":
            method["_set_up"] = True
        work.save(method)
        if method["customer"] is None:
            bind(work, method, intent["customer"])
    elif method["customer"] is None:
        method["_used_up"] = True
        work.save(method)


def sequel_of(charge: Json) -> bool:
    """Whether the buyer, or the bank, takes it back later."""
    name = charge["_outcome"]
    if name in DEBIT_BY_NAME:
        return DEBIT_BY_NAME[name].dispute is not None
    card = card_of(name)
    return card.dispute is not None or card.is_reported
