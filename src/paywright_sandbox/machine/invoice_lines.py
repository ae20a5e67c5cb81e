"""Lines: from a subscription's items, from invoice items that wait, and the words on them."""

from fractions import Fraction

from ..errors import Json
from ..money import offer_in, price_amount, shown
from ..objects.invoices import line_item, line_parent, pricing_of
from ..periods import Period, day_text, interval_text
from ..work import Work
from .discounts import rounding


def price_of(work: Work, item: Json) -> Json:
    """The stored price of a subscription item, tiers and currency options included."""
    found = work.get("price", item["price"]["id"])
    return found if found is not None else item["price"]


def item_amount(work: Work, subscription: Json, item: Json) -> Fraction:
    """One whole period of the item, not rounded."""
    return price_amount(price_of(work, item), item["quantity"], subscription["currency"])


def name_of(work: Work, price: Json) -> str:
    product = work.get("product", price["product"])
    return str(product["name"]) if product and "name" in product else str(price["product"])


def priced_text(work: Work, price: Json, quantity: int, currency: str) -> str:
    """`1 × Pro (at $10.00 / month)`."""
    name = name_of(work, price)
    offer = offer_in(price, currency)
    each = "" if price["recurring"] is None else f" / {interval_text(price['recurring'])}"
    if offer.get("unit_amount_decimal") is None:
        return f"{quantity} × {name}"
    return f"{quantity} × {name} (at {shown(Fraction(str(offer['unit_amount_decimal'])), currency)}{each})"


def pricing_in(price: Json, currency: str) -> Json:
    return pricing_of(price, offer_in(price, currency).get("unit_amount_decimal"))


def period_line(
    work: Work, subscription: Json, item: Json, period: Period, *, share: Fraction = Fraction(1), trial: bool = False
) -> Json:
    """
    The item for one period. `share` below 1 is a shorter first period; a trial costs nothing.

    The line's `_debit` says that it counts as charged for this item and period, should the rest be credited later.
    """
    price, currency = price_of(work, item), subscription["currency"]
    amount = 0 if trial else rounding(work)(item_amount(work, subscription, item) * share)
    text = f"Trial period for {name_of(work, price)}" if trial else priced_text(work, price, item["quantity"], currency)
    parent = line_parent(
        "subscription_item",
        proration=share != 1,
        invoice_item=None,
        subscription=subscription["id"],
        subscription_item=item["id"],
    )
    line = line_item(
        work.new_id("line_item"),
        amount=amount,
        currency=currency,
        description=text,
        period=period,
        parent=parent,
        pricing=pricing_in(price, currency),
        quantity=item["quantity"],
        subscription=subscription["id"],
        metadata=item["metadata"] or subscription["metadata"],
    )
    line["discounts"] = list(item["discounts"])
    line["_tax_rates"] = [rate["id"] for rate in item["tax_rates"] or []]
    line["_debit"] = item["id"]
    return line


def waiting_line(work: Work, waiting: Json) -> Json:
    """The line that an invoice item becomes; prorations keep pointing at their subscription item."""
    details = (waiting["parent"] or {}).get("subscription_details") or {}
    if waiting["proration"] and details.get("subscription_item"):
        parent = line_parent(
            "subscription_item",
            proration=True,
            credited=credited_lines(waiting),
            invoice_item=waiting["id"],
            subscription=details["subscription"],
            subscription_item=details["subscription_item"],
        )
    else:
        parent = line_parent(
            "invoice_item",
            proration=waiting["proration"],
            invoice_item=waiting["id"],
            subscription=details.get("subscription"),
        )
    line = line_item(
        work.new_id("line_item"),
        amount=waiting["amount"],
        currency=waiting["currency"],
        description=waiting["description"],
        period=(waiting["period"]["start"], waiting["period"]["end"]),
        parent=parent,
        pricing=waiting["pricing"],
        quantity=waiting["quantity"],
        subscription=details.get("subscription"),
        discountable=waiting["discountable"],
        metadata=waiting["metadata"],
    )
    line["discounts"] = list(waiting["discounts"] or [])
    line["_tax_rates"] = [rate["id"] for rate in waiting["tax_rates"] or []]
    line["_invoiceitem"] = waiting["id"]
    line["_debit"] = waiting.get("_debit")
    return line


def credited_lines(waiting: Json) -> Json | None:
    found = (waiting["proration_details"] or {}).get("credited_items") or {}
    details: Json | None = found.get("invoice_line_item_details")
    return details


def unused_text(work: Work, price: Json, quantity: int, at: int) -> str:
    return f"Unused time on {quantity_name(work, price, quantity)} after {day_text(at)}"


def remaining_text(work: Work, price: Json, quantity: int, at: int) -> str:
    return f"Remaining time on {quantity_name(work, price, quantity)} after {day_text(at)}"


def quantity_name(work: Work, price: Json, quantity: int) -> str:
    return name_of(work, price) if quantity == 1 else f"{quantity} × {name_of(work, price)}"
