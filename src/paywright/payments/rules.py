"""
What a payment's status is and may become.

The status is computed from the fetched object; the table of moves guards it, so that late or repeated news undoes nothing.
"""

from collections.abc import Sequence
from typing import Literal

from paywright.kernel.refusals import Refusal
from paywright.payments.model import AskedRefund, Failure, Payment, PaymentFacts, PaymentStatus, Refund

_INTENT: dict[str, PaymentStatus] = {
    "requires_payment_method": "pending",
    "requires_confirmation": "pending",
    "processing": "pending",
    "requires_capture": "pending",
    "requires_action": "requires_action",
    "succeeded": "paid",
    "canceled": "cancelled",
}
_CHARGE: dict[str, PaymentStatus] = {"pending": "pending", "succeeded": "paid", "failed": "failed"}


def status_of_intent(stripe_status: str, *, has_error: bool) -> PaymentStatus:
    """A status we do not know is `pending`: nothing is granted and nothing lost."""
    if stripe_status == "requires_payment_method" and has_error:
        return "failed"
    return _INTENT.get(stripe_status, "pending")


def status_of_charge(stripe_status: str, *, captured: bool) -> PaymentStatus:
    """For charges made without an intent. One that is only authorised has brought no money yet."""
    status = _CHARGE.get(stripe_status, "pending")
    return "pending" if status == "paid" and not captured else status


def status_of_invoice(stripe_status: str, *, attempted: bool) -> PaymentStatus | None:
    """For an invoice without an intent: paid out of band or from credit, or never. None: nothing has happened yet."""
    if stripe_status == "open":
        return "failed" if attempted else None
    return {"paid": "paid", "void": "cancelled", "uncollectible": "failed"}.get(stripe_status)  # type: ignore[return-value]


MOVES: dict[PaymentStatus, frozenset[PaymentStatus]] = {
    "pending": frozenset({"requires_action", "paid", "failed", "cancelled"}),
    "requires_action": frozenset({"pending", "paid", "failed", "cancelled"}),
    "failed": frozenset({"pending", "requires_action", "paid", "failed", "cancelled"}),
    "paid": frozenset({"refunded"}),  # All of it returned. Never failed: the money is in.
    "refunded": frozenset({"paid"}),  # A refund failed, or was cancelled.
    "cancelled": frozenset({"paid"}),  # Only on proof of money, and a person is told.
}


def steps(ours: PaymentStatus | None, theirs: PaymentStatus) -> tuple[PaymentStatus, ...] | None:
    """
    The moves from our status to Stripe's, in order; empty when it is the same, None when the news is stale and ours is kept.

    Paid and refunded before we looked is two moves, so that it ends as it would have, had we looked in between.
    """
    if ours == theirs:
        return ()
    if theirs == "refunded" and ours != "paid":
        return None if ours is not None and "paid" not in MOVES[ours] else ("paid", "refunded")
    if ours is None or theirs in MOVES[ours]:
        return (theirs,)
    return None


def with_refunds(status: PaymentStatus, received: int, refunded: int) -> PaymentStatus:
    return "refunded" if status == "paid" and 0 < received <= refunded else status


def missing_proof(facts: PaymentFacts) -> str | None:
    """Why `paid` is not believed: less came than was asked."""
    if facts.status == "paid" and not facts.may_receive_less and facts.amount_received < facts.amount:
        return "amount_differs"
    return None


UNDER_WAY = frozenset({"requested", "pending", "requires_action"})
"""Not back yet, or asked for without an answer: they reduce what may be refunded."""


def amounts_refunded(refunds: Sequence[Refund]) -> tuple[int, int]:
    """Returned, and on its way back."""
    returned = sum(refund.amount.amount for refund in refunds if refund.status == "succeeded")
    return returned, sum(refund.amount.amount for refund in refunds if refund.status in UNDER_WAY)


def refund_news(ours: str | None, theirs: str) -> Literal["refunded", "refund_failed"] | None:
    """What to tell about a refund whose status went from `ours` to `theirs`. A refund can succeed and fail later."""
    if ours == theirs:
        return None
    if theirs == "succeeded":
        return "refunded"
    return "refund_failed" if theirs in ("failed", "canceled") else None


def refund_status(ours: str | None, theirs: str) -> str:
    """The one to keep: a refund that failed stays failed, and one that succeeded is under way no more."""
    if ours in ("failed", "canceled") or (ours == "succeeded" and theirs not in ("failed", "canceled")):
        return str(ours)
    return theirs


def refund_of(payment: Payment, refunds: Sequence[Refund], asked: AskedRefund) -> int | Refusal:
    """Minor units to be returned: 1 … what is left. `nothing_was_paid`, `refund_too_large` `{refundable}`, `no_period`."""
    if payment.status not in ("paid", "refunded") or not payment.came_through_stripe:
        return Refusal("nothing_was_paid")
    returned, under_way = amounts_refunded(refunds)
    left = 0 if payment.disputed else max(0, payment.amount.amount - returned - under_way)
    amount = left if asked.amount is None else asked.amount
    if not 1 <= amount <= left:
        return Refusal("refund_too_large", {"refundable": left})
    if asked.end == "period_end" and payment.subscription_id is None:
        return Refusal("no_period")
    return amount


DisputeMeaning = Literal["inquiry", "open", "won", "lost", "over"]

DISPUTES: dict[str, DisputeMeaning] = {
    "warning_needs_response": "inquiry",  # No money moved.
    "warning_under_review": "inquiry",
    "warning_closed": "over",
    "needs_response": "open",  # Amount and fee are withdrawn already.
    "under_review": "open",
    "won": "won",
    "lost": "lost",
    "appeal_needs_response": "lost",  # Contested again after a loss: as it was.
    "appeal_under_review": "lost",
    "prevented": "over",  # The refund that settled it acts.
}
CLOSED_DISPUTES = frozenset({"won", "lost", "warning_closed", "prevented"})


def dispute_status(ours: str | None, theirs: str) -> str:
    """A closed dispute accepts only another closed status."""
    return ours if ours in CLOSED_DISPUTES and theirs not in CLOSED_DISPUTES else theirs


def is_disputed(statuses: Sequence[str]) -> bool:
    """Money is withdrawn by at least one dispute, or was lost to one. A status we do not know counts: refuse rather than pay twice."""
    return any(DISPUTES.get(status, "open") in ("open", "lost") for status in statuses)


def dispute_news(ours: str | None, theirs: str) -> tuple[str, ...]:
    """`opened`, `won`, `lost`, in order, as far as they are new."""
    before, now = None if ours is None else DISPUTES.get(ours, "open"), DISPUTES.get(theirs, "open")
    if before == now or now in ("inquiry", "over"):
        return ()
    opened = () if before in ("open", "won", "lost") else ("opened",)
    return opened if now == "open" else (*opened, now)


SHOWN_FAILURES = {
    "insufficient_funds": "The card has insufficient funds.",
    "expired_card": "The card has expired.",
    "incorrect_cvc": "The card's security code is incorrect.",
    "incorrect_number": "The card number is incorrect.",
    "incorrect_zip": "The postal code does not match the card.",
    "processing_error": "The card could not be processed just now. Try again in a moment.",
    "authentication_required": "The bank wants this payment to be authenticated.",
    "authentication_failed": "The payment could not be authenticated. Try again or use another card.",
    "card_velocity_exceeded": "The card's limit is used up.",
    "currency_not_supported": "The card does not support this currency.",
    "card_declined": "The card was declined. Use another card.",
    "payment_failed": "The payment failed. Try again or use another way to pay.",
}
"""Codes a buyer may see, with our words. Everything else tells a thief too much."""

_ALSO = {
    "payment_intent_authentication_failure": "authentication_failed",
    "invalid_cvc": "incorrect_cvc",
    "invalid_number": "incorrect_number",
}
_NEVER_SAID = frozenset(
    "lost_card stolen_card pickup_card restricted_card security_violation fraudulent merchant_blacklist".split()
)


def display_failure(code: str | None, decline_code: str | None = None) -> Failure:
    """What a buyer reads of Stripe's `code` and `decline_code`. A card that was reported stolen is only ever declined."""
    if decline_code in _NEVER_SAID or code in _NEVER_SAID:
        return _failure("card_declined")
    for said in (decline_code, code):
        shown = _ALSO.get(said or "", said)
        if shown in SHOWN_FAILURES:
            return _failure(shown)
    return _failure("card_declined" if code == "card_declined" or decline_code is not None else "payment_failed")


def _failure(code: str) -> Failure:
    return Failure(code, SHOWN_FAILURES[code])
