"""What an invoice comes to: discounts, taxes, totals, the customer's balance. Σ lines = total, always."""

from fractions import Fraction

from ..account import copied
from ..errors import Json, invalid
from ..money import AMOUNT_MAX, THREE_DECIMAL, Rounding, smallest_charge
from ..work import Work, public
from .discounts import discount_lines, rounding

LINES_SHOWN = 10


def put_totals(work: Work, invoice: Json, balance: int) -> None:
    """From `_lines` and `discounts`; `balance` is the customer's. Says what would be due, takes nothing."""
    lines = invoice["_lines"]
    discount_lines(work, lines, invoice["discounts"], invoice["currency"])
    for line in lines:
        line["taxes"] = taxes_of(work, invoice, line, rounding(work))
    exclusive, inclusive = (taxed(lines, behavior) for behavior in ("exclusive", "inclusive"))
    after_discounts = sum(net_of(line) for line in lines)
    invoice["subtotal"] = sum(line["amount"] for line in lines)
    invoice["subtotal_excluding_tax"] = invoice["subtotal"] - inclusive
    invoice["total"] = after_discounts + exclusive
    invoice["total_excluding_tax"] = after_discounts - inclusive
    invoice["total_discount_amounts"] = summed_discounts(lines)
    invoice["total_pretax_credit_amounts"] = [
        {**discount, "type": "discount"} for discount in invoice["total_discount_amounts"]
    ]
    invoice["total_taxes"] = summed_taxes(lines)
    invoice["starting_balance"] = balance
    due, _ = due_and_balance(invoice["total"], balance, invoice["currency"])
    invoice["amount_due"] = due
    invoice["amount_remaining"] = due - invoice["amount_paid"]
    show_lines(invoice)


def check_total(invoice: Json) -> None:
    """For those who ask for the invoice; one that the clock makes fails later, when it should become final."""
    if is_too_large(invoice):
        raise invalid(f"The invoice's total must be no more than {AMOUNT_MAX}.", code="amount_too_large")


def is_too_large(invoice: Json) -> bool:
    return bool(max(invoice["total"], invoice["amount_due"]) > AMOUNT_MAX)


def net_of(line: Json) -> int:
    """After discounts, before taxes that come on top."""
    off: int = sum(part["amount"] for part in line["discount_amounts"])
    return int(line["amount"]) - off


def due_and_balance(total: int, balance: int, currency: str) -> tuple[int, int]:
    """
    (amount due, the customer's balance afterwards). A negative balance is credit and is used first; a negative total becomes credit.

    Below the smallest charge nothing is due and the amount waits on the balance; so does a last digit that a currency of three decimals
    cannot charge.
    """
    owed = total + balance
    if owed <= 0 or total < 0 or owed < smallest_charge(currency):
        return 0, owed
    rest = owed % 10 if currency in THREE_DECIMAL else 0
    return owed - rest, rest


def show_lines(invoice: Json) -> None:
    """The invoice shows its first lines; the rest are paged."""
    lines = invoice["_lines"]
    invoice["lines"]["data"] = [public(line) for line in lines[:LINES_SHOWN]]
    invoice["lines"]["has_more"] = len(lines) > LINES_SHOWN


def taxes_of(work: Work, invoice: Json, line: Json, rule: Rounding) -> list[Json]:
    rates = line.get("_tax_rates") or [rate["id"] for rate in invoice["default_tax_rates"]]
    taxable, found = net_of(line), []
    held = [rate for rate in (work.get("tax_rate", id) for id in rates) if rate]
    within = sum(Fraction(str(rate["percentage"])) for rate in held if rate["inclusive"])
    for rate in held:
        share = Fraction(str(rate["percentage"]))
        amount = taxable * share / (100 + within)
        found.append(
            {
                "amount": rule(amount),
                "tax_behavior": "inclusive" if rate["inclusive"] else "exclusive",
                "tax_rate_details": {"tax_rate": rate["id"]},
                "taxability_reason": "standard_rated",
                "taxable_amount": rule(Fraction(taxable * 100) / (100 + within)),
                "type": "tax_rate_details",
            }
        )
    return found


def taxed(lines: list[Json], behavior: str) -> int:
    return sum(tax["amount"] for line in lines for tax in line["taxes"] if tax["tax_behavior"] == behavior)


def summed_discounts(lines: list[Json]) -> list[Json]:
    sums: dict[str, int] = {}
    for part in (part for line in lines for part in line["discount_amounts"]):
        sums[part["discount"]] = sums.get(part["discount"], 0) + part["amount"]
    return [{"amount": amount, "discount": id} for id, amount in sums.items()]


def summed_taxes(lines: list[Json]) -> list[Json]:
    sums: dict[tuple[str, str], Json] = {}
    for tax in (tax for line in lines for tax in line["taxes"]):
        key = (tax["tax_rate_details"]["tax_rate"], tax["tax_behavior"])
        if key in sums:
            sums[key]["amount"] += tax["amount"]
            sums[key]["taxable_amount"] += tax["taxable_amount"]
        else:
            sums[key] = copied(tax)
    return list(sums.values())
