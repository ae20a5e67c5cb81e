"""
Disputes.

    needs_response ─▶ under_review ─▶ won · lost                   the amount and a fee leave the balance when it opens, and return when won
    warning_needs_response ─▶ warning_under_review ─▶ warning_closed       an inquiry: no money moves; it may escalate
    prevented                                                      settled before it began

Unanswered, a dispute is lost when its time is up and an inquiry closes. Evidence decides where its text is one of the magic ones.
"""

from ..account import Due, copied
from ..attributes import take_metadata
from ..cards import DEBIT_BY_NAME, card_of
from ..errors import Json, invalid
from ..objects.charges import balance_transaction
from ..objects.disputes import EVIDENCE, dispute, early_fraud_warning
from ..work import Work, public
from . import balance
from .due import due

ANSWER_WITHIN_S = 9 * 86_400
FEE = 1500
MAGIC = {"winning_evidence": "won", "losing_evidence": "lost", "escalate_inquiry_evidence": "escalated"}
OPEN = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")
REASONS = frozenset(
    "bank_cannot_process check_returned credit_not_processed customer_initiated debit_not_authorized duplicate fraudulent general "
    "incorrect_account_details insufficient_funds noncompliant product_not_received product_unacceptable subscription_canceled "
    "unrecognized".split()
)


@due("dispute_open")
def follow_the_card(work: Work, act: Due) -> None:
    """What a test card or account has in store for its charge."""
    charge = work.get("charge", act.object_id)
    if charge is None or charge["refunded"]:
        return
    name = charge["_outcome"]
    if name in DEBIT_BY_NAME:
        open_dispute(work, charge, reason=DEBIT_BY_NAME[name].dispute or "general")
        return
    card = card_of(name)
    if card.is_reported:
        warn(work, charge)
    if card.dispute:
        open_dispute(work, charge, reason=card.dispute, is_inquiry=card.is_inquiry)


def open_dispute(
    work: Work,
    charge: Json,
    *,
    reason: str,
    amount: int | None = None,
    is_inquiry: bool = False,
    is_prevented: bool = False,
) -> Json:
    """Of all that is left of the charge, unless `amount` says otherwise."""
    if charge["status"] != "succeeded" or not charge["captured"]:
        raise invalid(f"Charge {charge['id']} has not been captured.", param="payment_intent")
    if reason not in REASONS:
        raise invalid(f"Invalid reason: must be one of {', '.join(sorted(REASONS))}", param="reason")
    now = work.now_of(charge["customer"])
    left = charge["amount"] - charge["amount_refunded"]
    disputed = left if amount is None else amount
    if not 1 <= disputed <= charge["amount_captured"]:
        raise invalid(f"The amount must be 1 to {charge['amount_captured']}.", param="amount")
    made = dispute(
        work.new_id("dispute"),
        now,
        charge,
        amount=disputed,
        reason=reason,
        is_inquiry=is_inquiry,
        due_by=now + ANSWER_WITHIN_S,
    )
    made["_customer"] = charge["customer"]
    if work.variant("U8") == "b":
        made["is_charge_refundable"] = True
    if is_prevented:
        prevent(work, made)
        return made
    work.save(made)
    emit(work, "charge.dispute.created", made)
    if not is_inquiry:
        withdraw(work, made, charge)
    work.schedule(
        made["evidence_details"]["due_by"], "dispute_due", made["id"], clock=work.clock_of(charge["customer"])
    )
    return made


def emit(work: Work, type: str, found: Json) -> None:
    work.emit(type, found, created=work.now_of(found["_customer"]))


def prevent(work: Work, made: Json) -> None:
    variant = work.variant("U9")
    if variant == "a":
        made["status"] = "prevented"
    work.save(made)
    emit(work, "charge.dispute.created", made)
    if variant == "b":
        made["status"] = "prevented"
        work.save(made)
        emit(work, "charge.dispute.closed", made)


def withdraw(work: Work, found: Json, charge: Json) -> None:
    move(work, found, -found["amount"], FEE, "dispute")
    emit(work, "charge.dispute.funds_withdrawn", found)
    before = copied(charge)
    charge["disputed"] = True
    charge["_refundable_in_dispute"] = found["is_charge_refundable"]
    work.save(charge)
    if work.variant("U3") == "a":
        work.emit_updated("charge.updated", charge, before)


def move(work: Work, found: Json, amount: int, fee: int, category: str) -> None:
    """The money of a dispute, at once; shown whole inside the dispute."""
    now = work.now_of(found["_customer"])
    made = balance_transaction(
        work.new_id("balance_transaction"),
        now,
        amount=amount,
        fee=fee,
        currency=found["currency"],
        type="adjustment",
        source=found["id"],
        available_on=now,
    )
    if amount > 0:
        balance.plan_payout(work)
    made["reporting_category"] = category
    made["description"] = f"Chargeback {'withdrawal' if amount < 0 else 'reversal'} for {found['charge']}"
    work.save(made)
    found["balance_transactions"] = [*found["balance_transactions"], public(made)]
    work.save(found)


# Answers


def update(work: Work, id: str, parameters: Json) -> Json:
    """Evidence is sent to the bank unless `submit` is false."""
    found = work.require("dispute", id, "dispute")
    before = copied(found)
    take_metadata(found, parameters)
    if "intended_submission_method" in parameters:
        found["intended_submission_method"] = parameters["intended_submission_method"]
    if "evidence" in parameters:
        add_evidence(found, parameters["evidence"])
    work.save(found)
    if parameters.get("submit", True) and "evidence" in parameters:
        submit(work, found)
    if found != before:
        work.emit_updated("charge.dispute.updated", found, before, created=work.now_of(found["_customer"]))
    return found


def add_evidence(found: Json, evidence: Json) -> None:
    if found["status"] not in OPEN:
        raise invalid(f"This dispute is {found['status']}; evidence comes too late.", param="evidence")
    for name in EVIDENCE:
        if name in evidence:
            found["evidence"][name] = evidence[name] or None
    found["evidence_details"]["has_evidence"] = any(found["evidence"][name] for name in EVIDENCE)


def submit(work: Work, found: Json) -> None:
    details = found["evidence_details"]
    details.update(submission_count=details["submission_count"] + 1, submission_method="manual")
    found["status"] = found["status"].replace("needs_response", "under_review")
    work.save(found)
    outcome = MAGIC.get(found["evidence"]["uncategorized_text"] or "")
    work.unschedule(found["id"], "dispute_due")
    if outcome:
        customer = found["_customer"]
        work.schedule(work.now_of(customer), "dispute_due", found["id"], clock=work.clock_of(customer), outcome=outcome)


@due("dispute_due")
def decide_when_due(work: Work, act: Due) -> None:
    found = work.get("dispute", act.object_id)
    if found and found["status"] in OPEN:
        found["evidence_details"]["past_due"] = "outcome" not in act.facts
        resolve(work, found, act.facts.get("outcome", "lost"))


def resolve(work: Work, found: Json, outcome: str) -> None:
    """`won`, `lost` or, for an inquiry, `warning_closed` and `escalated`; an inquiry that is won or lost just closes."""
    if found["status"] not in OPEN:
        raise invalid(f"This dispute is {found['status']} already.", param="outcome")
    is_inquiry = found["status"].startswith("warning_")
    work.unschedule(found["id"], "dispute_due")
    if is_inquiry and outcome == "escalated":
        escalate(work, found)
        return
    if outcome not in (("won", "lost", "warning_closed") if is_inquiry else ("won", "lost")):
        raise invalid("outcome must be won or lost; for an inquiry also warning_closed or escalated.", param="outcome")
    found["status"] = "warning_closed" if is_inquiry else outcome
    work.save(found)
    if found["status"] == "won":
        charge = work.require("charge", found["charge"])
        charge["_refundable_in_dispute"] = found["is_charge_refundable"] = True
        work.save(charge)
        move(work, found, found["amount"], -FEE, "dispute_reversal")
        emit(work, "charge.dispute.funds_reinstated", found)
    emit(work, "charge.dispute.closed", found)


def escalate(work: Work, found: Json) -> None:
    before = copied(found)
    found["status"] = "needs_response"
    found["is_charge_refundable"] = work.variant("U8") == "b"
    if "payment_method_details" in found:
        found["payment_method_details"]["card"]["case_type"] = "chargeback"
    found["evidence_details"]["due_by"] = work.now_of(found["_customer"]) + ANSWER_WITHIN_S
    work.save(found)
    work.emit_updated("charge.dispute.updated", found, before, created=work.now_of(found["_customer"]))
    withdraw(work, found, work.require("charge", found["charge"]))
    clock = work.clock_of(found["_customer"])
    work.schedule(found["evidence_details"]["due_by"], "dispute_due", found["id"], clock=clock)


def close(work: Work, id: str) -> Json:
    """Giving in: the dispute is lost."""
    found = work.require("dispute", id, "dispute")
    if found["status"] not in OPEN:
        raise invalid(f"This dispute is {found['status']} already.", code="status_transition_invalid")
    resolve(work, found, "lost")
    return found


# Early fraud warnings


def warn(work: Work, charge: Json) -> None:
    made = early_fraud_warning(work.new_id("radar.early_fraud_warning"), work.now_of(charge["customer"]), charge)
    work.save(made)
    work.emit("radar.early_fraud_warning.created", made, created=made["created"])


def charge_was_refunded(work: Work, charge: Json) -> None:
    """A warning asks for nothing any more once everything went back."""
    for warning in list(work.newest_first("radar.early_fraud_warning")):
        if warning["charge"] == charge["id"] and warning["actionable"] and charge["refunded"]:
            found = work.require("radar.early_fraud_warning", warning["id"])
            before = copied(found)
            found["actionable"] = False
            work.save(found)
            work.emit_updated(
                "radar.early_fraud_warning.updated", found, before, created=work.now_of(charge["customer"])
            )
