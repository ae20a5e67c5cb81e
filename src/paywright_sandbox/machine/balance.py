"""What moves the balance: one balance transaction per charge, refund, failed refund, dispute and payout."""

from ..account import Due
from ..errors import Json
from ..money import fee_of
from ..objects.charges import balance_transaction
from ..work import Work
from .due import due

AVAILABLE_AFTER_S = 2 * 86_400
DAY_S = 86_400
DAILY = "daily"
"""Stands where an object's id would in the queue: the payout of the day is of no object yet."""


def book_charge(work: Work, charge: Json, *, available_at_once: bool = False) -> str:
    """The money of a captured charge, less the fee; answers the transaction's id."""
    amount = charge["amount_captured"]
    type = "charge" if charge["payment_method_details"]["type"] == "card" else "payment"
    return book(work, charge, amount, fee_of(amount, work.account.settings), type, at_once=available_at_once)


def book(work: Work, source: Json, amount: int, fee: int, type: str, *, at_once: bool = False) -> str:
    now = work.now_of(source.get("customer"))
    made = balance_transaction(
        work.new_id("balance_transaction"),
        now,
        amount=amount,
        fee=fee,
        currency=source["currency"],
        type=type,
        source=source["id"],
        available_on=now if at_once else now + AVAILABLE_AFTER_S,
    )
    work.save(made)
    if made["status"] == "pending":
        work.schedule(made["available_on"], "funds_available", made["id"], clock=work.clock_of(source.get("customer")))
    else:
        plan_payout(work)
    return str(made["id"])


def plan_payout(work: Work) -> None:
    """Money is there: it leaves for the bank at the next midnight, UTC, by the account's clock."""
    if work.setting("payouts") == "daily" and not work.is_scheduled(DAILY, "payout"):
        work.schedule(work.now - work.now % DAY_S + DAY_S, "payout", DAILY)


@due("funds_available")
def become_available(work: Work, act: Due) -> None:
    found = work.get("balance_transaction", act.object_id)
    if found:
        found["status"] = "available"
        work.save(found)
        plan_payout(work)


def balance(work: Work) -> Json:
    """The sums of all transactions by currency and state, so that the balance is their sum by construction."""
    sums: dict[str, dict[str, int]] = {"available": {}, "pending": {}}
    for found in work.newest_first("balance_transaction"):
        by_currency = sums[found["status"]]
        by_currency[found["currency"]] = by_currency.get(found["currency"], 0) + found["net"]
    currencies = sorted({currency for by_currency in sums.values() for currency in by_currency} or {"usd"})
    return {
        "object": "balance",
        **{
            state: [
                {
                    "amount": sums[state].get(currency, 0),
                    "currency": currency,
                    "source_types": {"card": sums[state].get(currency, 0)},
                }
                for currency in currencies
            ]
            for state in ("available", "pending")
        },
        "livemode": False,
    }
