"""
Which event becomes which letter. Pure.

Each row looks at an event's facts and answers what a letter would say, or None: no letter. What is not in the event (names of products, addresses) is
added by `writing`.
"""

from collections.abc import Callable
from typing import Any

from paywright.emails.model import Written
from paywright.outbox.catalogue import INCIDENTS

ON_THE_PAGE = frozenset({"subscription_create", "subscription_update"})
"""Invoices whose payment fails in front of the buyer: the page tells them."""

ENDS_TOLD = frozenset({"canceled", "revoked", "refunded", "dispute_lost", "unpaid"})
"""Ends that are news. A switch is the buyer's own doing, and an add-on that ends with its base is told with it."""

OTHER_INCIDENT = ("Something happened that a person should look at.", "")

Facts = dict[str, Any]


def receipt(_: str, facts: Facts) -> Written | None:
    payment = facts["payment"]
    if payment["amount"]["amount"] <= 0:
        return None
    told = {
        "amount": payment["amount"],
        "paid_at": payment["paid_at"] or payment["created_at"],
        "payment_id": payment["id"],
        "receipt_url": payment["receipt_url"],
        "invoice_id": payment["invoice_id"],
    }
    return Written("receipt", payment["id"], told, payment["checkout_session_id"])


def invoice_failed(event_id: str, facts: Facts) -> Written | None:
    invoice = facts["invoice"]
    if invoice["billing_reason"] in ON_THE_PAGE:
        return None
    told = {
        "amount": invoice["amount_remaining"],
        "failure": None,
        "next_attempt_at": facts.get("next_attempt_at"),
        "pay_url": invoice["hosted_invoice_url"],
        "invoice_id": invoice["id"],
    }
    return Written("payment_failed", event_id, told)


def payment_failed(event_id: str, facts: Facts) -> Written | None:
    """A bank debit that bounced. Whether the buyer had left is asked of the checkout session; an invoice has an event of its own."""
    payment = facts["payment"]
    if payment["invoice_id"] is not None or payment["checkout_session_id"] is None:
        return None
    told = {
        "amount": payment["amount"],
        "failure": None if payment["failure"] is None else payment["failure"]["message"],
        "next_attempt_at": None,
        "pay_url": None,
        "only_if_completed": payment["checkout_session_id"],
    }
    return Written("payment_failed", event_id, told, payment["checkout_session_id"])


def refund(_: str, facts: Facts) -> Written | None:
    payment, given = facts["payment"], facts["refund"]
    told = {
        "amount": given["amount"],
        "full": bool(facts.get("full")),
        "payment_amount": payment["amount"],
        "payment_id": payment["id"],
        "invoice_id": payment["invoice_id"],
    }
    return Written("refund", given["id"], told, payment["checkout_session_id"])


def trial_ending(_: str, facts: Facts) -> Written | None:
    subscription = facts["subscription"]
    told = {"subscription_id": subscription["id"], "trial_end": facts["trial_end"]}
    return Written("trial_ending", f"{subscription['id']}:{facts['trial_end']}", told)


def renewal_upcoming(_: str, facts: Facts) -> Written | None:
    subscription = facts["subscription"]
    renews_at = subscription["current_period_end"]
    told = {"subscription_id": subscription["id"], "renews_at": renews_at, "amount": facts.get("amount")}
    return Written("renewal_upcoming", f"{subscription['id']}:{renews_at}", told)


def cancel_scheduled(event_id: str, facts: Facts) -> Written | None:
    told = {"subscription_id": facts["subscription"]["id"], "ends_at": facts["ends_at"]}
    return Written("cancel_scheduled", event_id, told)


def plan_ended(_: str, facts: Facts) -> Written | None:
    product = facts["product"]
    if product["type"] != "subscription" or facts["reason"] not in ENDS_TOLD:
        return None
    told = {"product": product["display_name"], "ended_at": product["ends_at"], "reason": facts["reason"]}
    return Written("plan_ended", product["id"], told)


def units_expiring(event_id: str, facts: Facts) -> Written | None:
    return Written("units_expiring", event_id, {name: facts[name] for name in ("item_id", "quantity", "expires_at")})


def dispute_opened(_: str, facts: Facts) -> Written | None:
    return _dispute(facts, "opened")


def dispute_closed(_: str, facts: Facts) -> Written | None:
    return _dispute(facts, str(facts["result"]))


def _dispute(facts: Facts, result: str) -> Written:
    payment, dispute = facts["payment"], facts["dispute"]
    told = {"amount": dispute["amount"], "payment_id": payment["id"], "dispute_id": dispute["id"], "result": result}
    return Written("dispute", f"{dispute['id']}:{result}", told)


def incident(event_id: str, facts: Facts) -> Written | None:
    shown = [[name.replace("_", " "), str(value)] for name, value in facts["facts"].items() if value is not None]
    told = {"incident": facts["kind"], "about": INCIDENTS.get(facts["kind"], OTHER_INCIDENT)[0], "facts": shown}
    return Written("incident", event_id, told)


def payout_failed(event_id: str, facts: Facts) -> Written | None:
    payout = facts["payout"]
    failure = payout.get("failure") or {}
    told = {"payout_id": payout["id"], "amount": payout["amount"], "failure": failure.get("message")}
    return Written("payout_failed", event_id, told)


LETTERS: dict[str, Callable[[str, Facts], Written | None]] = {
    "payment.paid": receipt,
    "payment.failed": payment_failed,
    "payment.refunded": refund,
    "invoice.payment_failed": invoice_failed,
    "subscription.trial_ending": trial_ending,
    "subscription.renewal_upcoming": renewal_upcoming,
    "subscription.cancel_scheduled": cancel_scheduled,
    "product.ended": plan_ended,
    "item.expiring_soon": units_expiring,
    "dispute.opened": dispute_opened,
    "dispute.closed": dispute_closed,
    "incident.opened": incident,
    "payout.failed": payout_failed,
}
"""Of `subscription.ended` and `product.ended` the second tells: it knows the name."""
