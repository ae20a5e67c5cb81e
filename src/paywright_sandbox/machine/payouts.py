"""Payouts: what is available, by currency, to the bank."""

from ..errors import Json
from ..objects.disputes import payout
from ..work import Work
from . import balance

FAILURE = ("account_closed", "The bank account has been closed.")


def run(work: Work, *, fails: bool = False) -> list[Json]:
    """Pays out all that is available and positive; a failing payout takes the money back at once."""
    made = []
    for part in balance.balance(work)["available"]:
        if part["amount"] > 0:
            made.append(pay_out(work, part["amount"], part["currency"], fails=fails))
    return made


def pay_out(work: Work, amount: int, currency: str, *, fails: bool) -> Json:
    paid = payout(work.new_id("payout"), work.now, amount=amount, currency=currency, automatic=True)
    paid["balance_transaction"] = balance.book(work, paid, -amount, 0, "payout", at_once=True)
    for held in list(work.newest_first("balance_transaction")):
        if held["currency"] == currency and held["status"] == "available" and not held.get("_payout"):
            mark(work, held["id"], paid["id"])
    work.save(paid)
    work.emit("payout.created", paid, created=work.now)
    if fails:
        code, message = FAILURE
        paid.update(status="failed", failure_code=code, failure_message=message)
        paid["failure_balance_transaction"] = balance.book(work, paid, amount, 0, "payout_failure", at_once=True)
        work.save(paid)
        work.emit("payout.failed", paid, created=work.now)
        return paid
    paid["status"] = "paid"
    work.save(paid)
    work.emit("payout.paid", paid, created=work.now)
    work.emit("balance.available", balance.balance(work), created=work.now)
    return paid


def mark(work: Work, transaction_id: str, payout_id: str) -> None:
    """So that the transactions of a payout can be listed."""
    held = work.require("balance_transaction", transaction_id)
    held["_payout"] = payout_id
    work.save(held)
