"""
How a subscription's status follows its invoices, and how it ends.

Nothing here is announced while `_announced` is false: the maker of a new subscription logs `customer.subscription.created` with its outcome.
"""

from collections.abc import Callable
from typing import Any

from ..account import copied
from ..errors import Json
from ..objects.subscriptions import paused_details
from ..work import Work
from .invoices import News, cancel_intents, hears_of_invoices, subscription_of
from .subscription_calendar import ENDED, now_for, plan_ahead

FOLLOW_UPS: dict[str, Callable[[Work, Json, Json], None]] = {}
"""A note on an invoice (`_pending_update`, `_resumes`) → what its payment sets in motion: (work, subscription, invoice)."""

ON_END: list[Callable[[Work, Json], None]] = []
"""Told after a subscription has ended."""


def change(work: Work, made: Json, **fields: Any) -> None:
    """Sets these fields, plans anew, and logs `customer.subscription.updated` if anything differs."""
    before = copied(made)
    made.update(fields)
    updated(work, made, before)


def updated(work: Work, made: Json, before: Json) -> None:
    """The same for changes already made."""
    work.save(made)
    plan_ahead(work, made)
    if made["_announced"] and made != before:
        work.emit_updated("customer.subscription.updated", made, before)


@hears_of_invoices
def heard(work: Work, bill: Json, news: News) -> None:
    made = work.get("subscription", subscription_of(bill))
    if made is None or made["status"] in ENDED:
        return
    match news:
        case "paid":
            settled(work, made, bill)
        case "failed" | "requires_action":
            failed(work, made, bill)
        case "processing" if made["status"] == "incomplete" and work.variant("U2") == "a":
            change(work, made, status="active")
        case "voided" if made["status"] == "incomplete":
            expire(work, made)
        case "voided" if bill.get("_pending_update"):
            made.pop("_pending", None)
            change(work, made, pending_update=None)
        case "voided":
            settled(work, made, bill)


def settled(work: Work, made: Json, bill: Json) -> None:
    """Paid, or no longer asked for."""
    keep_method(work, made, bill)
    for note, follow in FOLLOW_UPS.items():
        if bill.get(note):
            follow(work, made, bill)
            return
    if made["status"] == "incomplete" or (made["status"] in ("past_due", "unpaid") and not is_owing(work, made)):
        change(work, made, status="active")


def is_owing(work: Work, made: Json) -> bool:
    """Some invoice of it is still open although it was tried."""
    bills = (work.get("invoice", id) for id in made["_invoices"])
    return any(bill and bill["status"] == "open" and bill["attempted"] for bill in bills)


def keep_method(work: Work, made: Json, bill: Json) -> None:
    """`save_default_payment_method=on_subscription`: what paid becomes the default."""
    if made["payment_settings"]["save_default_payment_method"] != "on_subscription" or bill["status"] != "paid":
        return
    for id in bill["_payments"]:
        payment = work.require("invoice_payment", id)
        intent = work.get("payment_intent", payment["payment"].get("payment_intent"))
        if intent and intent["status"] == "succeeded" and intent["payment_method"] != made["default_payment_method"]:
            change(work, made, default_payment_method=intent["payment_method"])


def failed(work: Work, made: Json, bill: Json) -> None:
    if made["status"] == "incomplete" or any(bill.get(note) for note in FOLLOW_UPS):
        return
    if bill.get("_exhausted"):
        exhausted(work, made)
    elif made["status"] in ("active", "trialing"):
        change(work, made, status="past_due")


def exhausted(work: Work, made: Json) -> None:
    """No retry is left: the account's setting says what becomes of the subscription."""
    at = now_for(work, made)
    match work.setting("exhausted"):
        case "cancel":
            end(work, made, reason="payment_failed")
        case "unpaid":
            change(work, made, status="unpaid")
        case "pause":
            paused(work, made, "final_payment_failure", at)
        case _ if made["status"] != "past_due":
            change(work, made, status="past_due")


def paused(work: Work, made: Json, reason: str, at: int) -> None:
    """`customer.subscription.paused`, and by U7 `updated` beside it."""
    before = copied(made)
    made.update(status="paused", status_details=paused_details(reason, at))
    work.save(made)
    plan_ahead(work, made)
    work.emit("customer.subscription.paused", made)
    if work.variant("U7") == "a":
        work.emit_updated("customer.subscription.updated", made, before)


def expire(work: Work, made: Json) -> None:
    """An incomplete one whose first invoice was never paid."""
    at = now_for(work, made)
    before = copied(made)
    made.update(status="incomplete_expired", ended_at=at, canceled_at=made["canceled_at"] or at)
    updated(work, made, before)
    for step in ON_END:
        step(work, made)


def end(work: Work, made: Json, *, reason: str | None, details: Json | None = None) -> None:
    """Terminal: `customer.subscription.deleted`. Open invoices are not tried again; drafts stay drafts; pending prorations go."""
    at = now_for(work, made)
    made.update(
        status="canceled", ended_at=at, canceled_at=made["canceled_at"] or at, pending_update=None, status_details=None
    )
    made["cancellation_details"].update({**(details or {}), **({"reason": reason} if reason else {})})
    work.save(made)
    plan_ahead(work, made)
    for id in made["_invoices"]:
        bill = work.get("invoice", id)
        if bill and bill["status"] in ("open", "draft"):
            bill.update(auto_advance=False, next_payment_attempt=None, automatically_finalizes_at=None)
            work.unschedule(bill["id"])
            work.save(bill)
            if bill["billing_reason"] == "subscription_create":
                cancel_intents(work, bill)
    if made["_announced"]:
        work.emit("customer.subscription.deleted", made)
    for step in ON_END:
        step(work, made)
