"""Payouts asked for by hand: cancelled until they leave after half a day, paid after a day, afterwards reversed."""

from ..attributes import take, take_metadata
from ..errors import Json, invalid
from ..money import currency_of
from ..objects.disputes import payout
from ..work import Work
from . import balance
from .payouts import ARRIVES_AFTER_S, LEAVES_AFTER_S


def create(work: Work, wish: Json) -> Json:
    """Takes the money off the balance at once. 400 `balance_insufficient` when there is not as much available."""
    currency, amount = currency_of(wish["currency"]), wish["amount"]
    if amount < 1:
        raise invalid(
            "This value must be greater than or equal to 1.", param="amount", code="parameter_invalid_integer"
        )
    available = {part["currency"]: part["amount"] for part in balance.balance(work)["available"]}
    if amount > available.get(currency, 0):
        raise invalid("You have insufficient funds in your account for this payout.", code="balance_insufficient")
    made = payout(work.new_id("payout"), work.now, amount=amount, currency=currency, automatic=False)
    made["arrival_date"] = work.now + ARRIVES_AFTER_S
    take(made, wish, "description", "statement_descriptor", "method")
    take_metadata(made, wish)
    made["balance_transaction"] = balance.book(work, made, -amount, 0, "payout", at_once=True)
    work.save(made)
    work.schedule(work.now + LEAVES_AFTER_S, "payout", made["id"])
    work.emit("payout.created", made, created=work.now)
    return made


def cancel(work: Work, id: str) -> Json:
    made = work.require("payout", id, "payout")
    if made["status"] != "pending" or made["automatic"]:
        raise invalid("Payouts can only be canceled while they are pending and were made by hand.", param="payout")
    made["status"] = "canceled"
    made["failure_balance_transaction"] = balance.book(work, made, made["amount"], 0, "payout_cancel", at_once=True)
    work.unschedule(id)
    work.save(made)
    work.emit("payout.canceled", made, created=work.now)
    return made


def reverse(work: Work, id: str, wish: Json) -> Json:
    """A payout the other way."""
    original = work.require("payout", id, "payout")
    if original["status"] != "paid" or original["original_payout"] or original["reversed_by"]:
        raise invalid("Only a paid payout that was not reversed before can be reversed.", param="payout")
    made = payout(
        work.new_id("payout"), work.now, amount=-original["amount"], currency=original["currency"], automatic=False
    )
    made.update(original_payout=original["id"], status="paid")
    take_metadata(made, wish)
    made["balance_transaction"] = balance.book(work, made, original["amount"], 0, "payout", at_once=True)
    original["reversed_by"] = made["id"]
    work.save(original)
    work.save(made)
    work.emit("payout.created", made, created=work.now)
    work.emit("payout.paid", made, created=work.now)
    return made
