"""
Payouts: what is available, by currency, to the bank.

    pending ─▶ in_transit ─▶ paid          failed from each of them, and the money comes back; canceled from pending

By themselves they leave at midnight and arrive a day later; `run` makes them at once, `manual_payouts.py` by the API.
"""

from ..account import Due, copied
from ..errors import Json, invalid
from ..objects.disputes import payout
from ..work import Work
from . import balance
from .due import due

FAILURE = ("account_closed", "The bank account has been closed.")
ARRIVES_AFTER_S = 86_400
LEAVES_AFTER_S = 43_200


@due("payout")
def move_on(work: Work, act: Due) -> None:
    """The next step of one payout; or the day's payouts begin."""
    if act.object_id == balance.DAILY:
        for made in pay_out_all(work):
            made.update(status="in_transit", arrival_date=work.now + ARRIVES_AFTER_S)
            work.save(made)
            work.emit("payout.created", made, created=work.now)
            work.schedule(made["arrival_date"], "payout", made["id"])
        return
    found = work.get("payout", act.object_id)
    if found and found["status"] == "pending":
        leave(work, found)
    elif found and found["status"] == "in_transit":
        arrive(work, found)


def run(work: Work, *, fails: bool = False) -> list[Json]:
    """Pays out all that is available and positive, here and now; a failing payout takes the money back at once."""
    made = pay_out_all(work)
    for paid in made:
        work.emit("payout.created", paid, created=work.now)
        if fails:
            fail(work, paid)
        else:
            arrive(work, paid)
    return made


def pay_out_all(work: Work) -> list[Json]:
    """A pending payout per currency, taken off the balance; nothing is announced."""
    available = [part for part in balance.balance(work)["available"] if part["amount"] > 0]
    return [pay_out(work, part["amount"], part["currency"]) for part in available]


def pay_out(work: Work, amount: int, currency: str) -> Json:
    paid = payout(work.new_id("payout"), work.now, amount=amount, currency=currency, automatic=True)
    paid["balance_transaction"] = balance.book(work, paid, -amount, 0, "payout", at_once=True)
    held = work.newest_first("balance_transaction")
    swept = [
        found["id"]
        for found in held
        if found["currency"] == currency and found["status"] == "available" and not found.get("_payout")
    ]
    for id in swept:
        mark(work, id, paid["id"])
    return work.save(paid)


def mark(work: Work, transaction_id: str, payout_id: str) -> None:
    """So that the transactions of a payout can be listed."""
    held = work.require("balance_transaction", transaction_id)
    held["_payout"] = payout_id
    work.save(held)


def leave(work: Work, made: Json) -> None:
    """With the bank: no longer to be cancelled."""
    before = copied(made)
    made["status"] = "in_transit"
    work.save(made)
    work.emit_updated("payout.updated", made, before, created=work.now)
    work.schedule(max(made["arrival_date"], work.now), "payout", made["id"])


def arrive(work: Work, made: Json) -> None:
    made["status"] = "paid"
    work.save(made)
    work.emit("payout.paid", made, created=work.now)
    if made["automatic"]:
        work.emit("balance.available", balance.balance(work), created=work.now)


def fail(work: Work, made: Json) -> None:
    """The bank sends the money back, even days after it was paid."""
    if made["status"] not in ("pending", "in_transit", "paid") or made["original_payout"] or made["reversed_by"]:
        raise invalid("Only a payout that is on its way or was paid, and was not reversed, can fail.", param="payout")
    code, message = FAILURE
    made.update(status="failed", failure_code=code, failure_message=message)
    made["failure_balance_transaction"] = balance.book(work, made, made["amount"], 0, "payout_failure", at_once=True)
    work.unschedule(made["id"])
    work.save(made)
    work.emit("payout.failed", made, created=work.now)
