"""Refunds: at once for most, pending or failing later for the cards that do so, pending for bank debits."""

from ..account import Due, copied
from ..attributes import take_metadata
from ..cards import card_of
from ..errors import ApiError, Json, invalid, missing_parameter
from ..money import shown
from ..objects.charges import refund
from ..work import Work
from . import balance, disputes
from .due import due

LATER_S = 86_400
PARTY = {"card": ("refund", "refund_failure"), "debit": ("payment_refund", "payment_failure_refund")}


def create(work: Work, parameters: Json) -> Json:
    """Of a charge or a payment intent; all that is left unless `amount` says less."""
    charge = refunded_charge(work, parameters)
    left = charge["amount_captured"] - committed(work, charge)
    amount = parameters.get("amount", left)
    check(charge, amount, left)
    made = refund(work.new_id("refund"), work.now_of(charge["customer"]), amount=amount, charge=charge)
    if charge["id"].startswith("py_"):
        made["id"] = f"pyr_{made['id'].removeprefix('re_')}"
    made["reason"] = parameters.get("reason")
    take_metadata(made, parameters)
    fate = fate_of(charge)
    if fate == "pending":
        made["status"] = "pending"
        made["pending_reason"] = "processing"
    made["balance_transaction"] = balance.book(work, made, -amount, 0, PARTY[party(charge)][0])
    work.save(made)
    work.emit("refund.created", made)
    if fate != "pending" or work.variant("U12") == "a":
        count(work, charge, amount)
    if fate != "succeeds":
        when = work.now_of(charge["customer"]) + LATER_S
        work.schedule(when, "refund_settle", made["id"], clock=work.clock_of(charge["customer"]))
    return made


def release(work: Work, charge: Json, amount: int) -> None:
    """The refund of what was authorised and not captured: no money moved, so the balance does not either."""
    made = refund(work.new_id("refund"), work.now_of(charge["customer"]), amount=amount, charge=charge)
    made["_released"] = True
    charge["amount_refunded"] += amount
    charge["_released"] = amount
    work.save(charge)
    work.save(made)
    work.emit("refund.created", made)


def refunded_charge(work: Work, parameters: Json) -> Json:
    if parameters.get("charge") and parameters.get("payment_intent"):
        raise invalid(
            "You may only specify one of these parameters: charge, payment_intent.", code="parameters_exclusive"
        )
    if parameters.get("charge"):
        return work.require("charge", parameters["charge"], "charge")
    if not parameters.get("payment_intent"):
        raise missing_parameter("payment_intent")
    intent = work.require("payment_intent", parameters["payment_intent"], "payment_intent")
    charge = work.get("charge", intent["latest_charge"])
    if charge is None or charge["status"] != "succeeded":
        raise ApiError(
            400,
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
            code="charge_not_refundable",
            param="payment_intent",
        )
    return charge


def committed(work: Work, charge: Json) -> int:
    """Refunded or about to be: pending refunds count before they succeed."""
    return sum(
        found["amount"]
        for found in work.newest_first("refund")
        if found["charge"] == charge["id"]
        and found["status"] in ("succeeded", "pending", "requires_action")
        and not found.get("_released")
    )


def check(charge: Json, amount: int, left: int) -> None:
    if charge["status"] != "succeeded" or not charge["captured"]:
        raise ApiError(
            400, f"Charge {charge['id']} has not been captured.", code="charge_not_refundable", param="charge"
        )
    if charge["disputed"] and not charge.get("_refundable_in_dispute"):
        raise ApiError(
            400, f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
        )
    if left <= 0:
        raise ApiError(400, f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if amount < 1:
        raise invalid(
            "This value must be greater than or equal to 1.", param="amount", code="parameter_invalid_integer"
        )
    if amount > left:
        currency = charge["currency"]
        raise invalid(
            f"Refund amount ({shown(amount, currency)}) is greater than unrefunded amount on charge ({shown(left, currency)})",
            param="amount",
        )


def fate_of(charge: Json) -> str:
    if charge["payment_method_details"]["type"] != "card":
        return "pending"
    return card_of(charge["_outcome"]).refund


def party(charge: Json) -> str:
    return "card" if charge["payment_method_details"]["type"] == "card" else "debit"


def count(work: Work, charge: Json, amount: int) -> None:
    """Into the charge; `refunded` only when everything went back. A negative amount is one that came back to us."""
    before = copied(charge)
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] >= charge["amount"]
    work.save(charge)
    work.emit_updated("charge.refunded" if amount > 0 else "charge.updated", charge, before)
    disputes.charge_was_refunded(work, charge)


@due("refund_settle")
def settle_when_due(work: Work, act: Due) -> None:
    found = work.get("refund", act.object_id)
    if found:
        charge = work.require("charge", found["charge"])
        settle(work, found, succeeds=fate_of(charge) != "fails")


def settle(work: Work, found: Json, *, succeeds: bool) -> None:
    """What came of a pending refund; or a succeeded one fails after all, and the money returns to the balance."""
    is_open = found["status"] in ("pending", "requires_action", "succeeded") and not found.get("_released")
    if not is_open or (succeeds and found["status"] == "succeeded"):
        raise invalid(f"This refund is {found['status']}.", code="status_transition_invalid")
    work.unschedule(found["id"], "refund_settle")
    before, charge = copied(found), work.require("charge", found["charge"])
    was_counted = found["status"] == "succeeded" or work.variant("U12") == "a"
    found.pop("pending_reason", None)
    if succeeds:
        found["status"] = "succeeded"
        work.save(found)
        if not was_counted:
            count(work, charge, found["amount"])
        tell_update(work, found, before)
        return
    give_back(work, found, charge, was_counted=was_counted)
    found.update(status="failed", failure_reason="expired_or_canceled_card")
    work.save(found)
    work.emit("refund.failed", found)


def give_back(work: Work, found: Json, charge: Json, *, was_counted: bool) -> None:
    found["failure_balance_transaction"] = balance.book(work, found, found["amount"], 0, PARTY[party(charge)][1])
    if was_counted:
        count(work, charge, -found["amount"])


def tell_update(work: Work, found: Json, before: Json) -> None:
    """Both names Stripe uses for it."""
    work.emit_updated("refund.updated", found, before)
    work.emit_updated("charge.refund.updated", found, before)


def update(work: Work, id: str, parameters: Json) -> Json:
    found = work.require("refund", id, "refund")
    before = copied(found)
    take_metadata(found, parameters)
    work.save(found)
    if found != before:
        tell_update(work, found, before)
    return found


def cancel(work: Work, id: str) -> Json:
    """Only one that waits for the customer's action, as at Stripe."""
    found = work.require("refund", id, "refund")
    if found["status"] != "requires_action":
        raise invalid(
            f"You can only cancel a refund in status requires_action; this one is {found['status']}.",
            code="status_transition_invalid",
        )
    before, charge = copied(found), work.require("charge", found["charge"])
    give_back(work, found, charge, was_counted=work.variant("U12") == "a")
    found["status"] = "canceled"
    work.save(found)
    tell_update(work, found, before)
    return found
