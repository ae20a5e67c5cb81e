"""
Prorations, to the second: what is given back for time not used, and what the rest of the time costs.

`share = (end − at) / (end − start)`. Flexible billing gives back what was really debited, after discounts; classic what the item costs now.
`_debits` on the subscription remembers the former: per item, each charge with its period.
"""

from dataclasses import dataclass
from fractions import Fraction

from ..errors import Json, invalid
from ..objects.invoices import invoiceitem
from ..work import Work
from .discounts import coupon_of, rounding
from .invoice_lines import item_amount, price_of, pricing_in, remaining_text, unused_text
from .invoice_totals import net_of


@dataclass(frozen=True)
class Proration:
    item: Json
    amount: int
    """Negative gives back."""
    start: int
    end: int
    text: str
    discountable: bool
    credited: Json | None = None
    """The invoice line that is given back."""


def share_left(start: int, end: int, at: int) -> Fraction:
    return Fraction(end - at, end - start) if end > start else Fraction(0)


def check_date(made: Json, at: int) -> None:
    for item in made["items"]["data"]:
        if not item["current_period_start"] <= at <= item["current_period_end"]:
            raise invalid("Cannot specify a proration date outside of the current period.", param="proration_date")


def is_flexible(made: Json) -> bool:
    return bool(made["billing_mode"]["type"] == "flexible")


def credits(work: Work, made: Json, item: Json, at: int) -> list[Proration]:
    """Takes the item's debits that lie ahead off the books."""
    text = unused_text(work, price_of(work, item), item["quantity"], at)
    if not is_flexible(made):
        share = share_left(item["current_period_start"], item["current_period_end"], at)
        amount = -rounding(work)(item_amount(work, made, item) * share)
        return [Proration(item, amount, at, item["current_period_end"], text, True)] if amount else []
    ahead = [debit for debit in made["_debits"].get(item["id"], []) if debit["end"] > at]
    made["_debits"][item["id"]] = [debit for debit in made["_debits"].get(item["id"], []) if debit["end"] <= at]
    found = []
    for debit in ahead:
        start = max(at, debit["start"])
        amount = -rounding(work)(debit["amount"] * share_left(debit["start"], debit["end"], start))
        credited = {"invoice": debit["invoice"], "invoice_line_items": [debit["line"]]} if debit["line"] else None
        if amount:
            found.append(Proration(item, amount, start, debit["end"], text, False, credited))
    return found


def debit(work: Work, made: Json, item: Json, at: int) -> list[Proration]:
    share = share_left(item["current_period_start"], item["current_period_end"], at)
    amount = rounding(work)(item_amount(work, made, item) * share)
    text = remaining_text(work, price_of(work, item), item["quantity"], at)
    return [Proration(item, amount, at, item["current_period_end"], text, True)] if amount else []


def waiting_item(work: Work, made: Json, proration: Proration) -> Json:
    """The invoice item of a proration, saved; a debit counts as charged from now on."""
    item, customer = proration.item, work.require("customer", made["customer"])
    waiting = invoiceitem(
        work.new_id("invoiceitem"),
        work.now_of(made["customer"]),
        customer=customer,
        currency=made["currency"],
        amount=proration.amount,
        quantity=item["quantity"],
    )
    credited = None
    if proration.credited:
        credited = {"invoice_line_item_details": proration.credited, "type": "invoice_line_items"}
    waiting.update(
        description=proration.text,
        discountable=proration.discountable,
        parent={
            "subscription_details": {"subscription": made["id"], "subscription_item": item["id"]},
            "type": "subscription_details",
        },
        period={"end": proration.end, "start": proration.start},
        pricing=pricing_in(price_of(work, item), made["currency"]),
        proration=True,
        proration_details={"credited_items": credited, "discount_amounts": []},
        tax_rates=item["tax_rates"],
    )
    if proration.amount > 0:
        made["_debits"].setdefault(item["id"], []).append(
            {
                "start": proration.start,
                "end": proration.end,
                "amount": after_percent(work, made, proration.amount),
                "invoice": None,
                "line": None,
                "invoiceitem": waiting["id"],
            }
        )
        waiting["_debit"] = item["id"]
    return work.save(waiting)


def after_percent(work: Work, made: Json, amount: int) -> int:
    """What a debit will come to after the subscription's percentages; the invoice, once made, says it exactly."""
    for id in made["discounts"]:
        percent = coupon_of(work, id)["percent_off"]
        if percent is not None:
            amount -= rounding(work)(amount * Fraction(str(percent)) / 100)
    return amount


def remember_debits(made: Json, bill: Json) -> None:
    """Notes what each item was charged for which time, as this invoice says."""
    for line in bill["_lines"]:
        item = line.get("_debit")
        if not item:
            continue
        noted = {**line["period"], "amount": net_of(line), "invoice": bill["id"], "line": line["id"]}
        held = made["_debits"].setdefault(item, [])
        if not line.get("_invoiceitem"):
            held.append(noted)
            continue
        for debit_ in held:
            if debit_.get("invoiceitem") == line["_invoiceitem"]:
                debit_.update(noted)


def forget_debits(made: Json, at: int) -> None:
    """Those whose time is over."""
    made["_debits"] = {id: [one for one in held if one["end"] > at] for id, held in made["_debits"].items()}
