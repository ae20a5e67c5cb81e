"""A customer's balance: what it owes or has to its credit, changed by hand or by invoices and credit notes."""

from ..account import copied
from ..errors import Json, invalid
from ..objects.invoices import balance_transaction
from ..work import Work

KIND = "customer_balance_transaction"


def move(
    work: Work,
    customer: str,
    amount: int,
    currency: str,
    type: str,
    *,
    invoice: str | None = None,
    credit_note: str | None = None,
) -> Json:
    """Books the change and logs `customer.updated`; a negative amount is credit. One customer has one currency."""
    owner = work.require("customer", customer, "customer")
    if owner["currency"] and owner["currency"] != currency:
        raise invalid(f"This customer's balance is in {owner['currency']}, not {currency}.", param="currency")
    before = copied(owner)
    owner["balance"] += amount
    owner["currency"] = owner["currency"] or currency
    work.save(owner)
    made = book(work, owner, amount, type, invoice=invoice)
    made["credit_note"] = credit_note
    work.save(made)
    work.emit_updated("customer.updated", owner, before)
    return made


def book(work: Work, owner: Json, amount: int, type: str, *, invoice: str | None = None) -> Json:
    """The line in the book for a balance that has just been changed."""
    made = balance_transaction(
        work.new_id(KIND),
        work.now_of(owner["id"]),
        customer=owner["id"],
        amount=amount,
        currency=owner["currency"] or "usd",
        ending_balance=owner["balance"],
        type=type,
        invoice=invoice,
    )
    return work.save(made)
