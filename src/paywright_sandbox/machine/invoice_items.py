"""Invoice items: amounts that wait for an invoice, made by the caller or by a change of plan."""

from fractions import Fraction

from ..attributes import take_metadata
from ..errors import Json, invalid, missing_parameter
from ..money import currency_of, price_amount
from ..objects.customers import deleted
from ..objects.invoices import invoiceitem
from ..work import Work
from .discounts import redeem, rounding
from .invoice_lines import name_of, pricing_in, waiting_line
from .invoice_totals import check_total, put_totals
from .invoices import editable
from .subscription_items import apply_tax_rates

NEGATIVE_MIN = -99_999_999


def create(work: Work, parameters: Json) -> Json:
    """Waits for the customer's next invoice, or goes to the draft named by `invoice`."""
    bill = editable(work, parameters["invoice"]) if parameters.get("invoice") else None
    customer_id = parameters.get("customer") or (bill["customer"] if bill else None)
    if not customer_id:
        raise missing_parameter("customer")
    customer = work.require("customer", customer_id, "customer")
    subscription = (
        work.require("subscription", parameters["subscription"], "subscription")
        if parameters.get("subscription")
        else None
    )
    currency = currency_for(work, parameters, customer, bill, subscription)
    made = invoiceitem(
        work.new_id("invoiceitem"),
        work.now_of(customer["id"]),
        customer=customer,
        currency=currency,
        amount=0,
        quantity=1,
    )
    apply(work, made, parameters)
    if subscription:
        made["parent"] = {"subscription_details": {"subscription": subscription["id"]}, "type": "subscription_details"}
    customer["currency"] = customer["currency"] or currency
    work.save(customer)
    work.save(made)
    work.emit("invoiceitem.created", made)
    if bill:
        put_on(work, bill, made)
    return made


def currency_for(work: Work, wish: Json, customer: Json, bill: Json | None, subscription: Json | None) -> str:
    price = work.get("price", (wish.get("pricing") or {}).get("price"))
    inline = wish.get("price_data") or {}
    found = wish.get("currency") or inline.get("currency") or (price["currency"] if price else None)
    for holder in (bill, subscription, customer):
        found = found or (holder["currency"] if holder else None)
    if not found:
        raise missing_parameter("currency")
    currency = currency_of(found)
    if bill and bill["currency"] != currency:
        raise invalid(f"The currency of the invoice is {bill['currency']}, not {currency}.", param="currency")
    return currency


def apply(work: Work, made: Json, wish: Json) -> None:
    """What create and update share: an amount, or a price and quantity."""
    if wish.get("pricing") and wish.get("amount") is not None:
        raise invalid("You may only specify one of these parameters: amount, pricing.", code="parameters_exclusive")
    take_metadata(made, wish)
    if "description" in wish:
        made["description"] = wish["description"] or None
    if "discountable" in wish:
        made["discountable"] = wish["discountable"]
    if "period" in wish:
        made["period"] = {"end": wish["period"]["end"], "start": wish["period"]["start"]}
    apply_tax_rates(work, made, wish)
    if "quantity" in wish:
        made["quantity"], made["quantity_decimal"] = wish["quantity"], str(wish["quantity"])
    put_amount(work, made, wish)
    if "discounts" in wish:
        made["discounts"] = redeem(
            work,
            wish["discounts"],
            customer=made["customer"],
            at=work.now_of(made["customer"]),
            amount=made["amount"],
            currency=made["currency"],
            invoice_item=made["id"],
        )


def put_amount(work: Work, made: Json, wish: Json) -> None:
    price = one_time_price(work, wish)
    if price is not None:
        made["pricing"] = pricing_in(price, made["currency"])
        made["description"] = made["description"] or name_of(work, price)
        made["amount"] = rounding(work)(price_amount(price, made["quantity"], made["currency"]))
    elif wish.get("unit_amount_decimal") is not None:
        made["amount"] = rounding(work)(Fraction(wish["unit_amount_decimal"]) * made["quantity"])
    elif wish.get("amount") is not None:
        if not NEGATIVE_MIN <= wish["amount"] <= -NEGATIVE_MIN:
            raise invalid("Invalid amount.", param="amount", code="amount_too_large")
        made["amount"] = wish["amount"]
        if made["discountable"] and wish["amount"] < 0:
            made["discountable"] = False
    elif made["pricing"] and "quantity" in wish:
        held = work.require("price", made["pricing"]["price_details"]["price"])
        made["amount"] = rounding(work)(price_amount(held, made["quantity"], made["currency"]))
    elif made["amount"] == 0 and not made["pricing"] and "amount" not in wish:
        raise missing_parameter("amount")
    made["net_amount"] = made["amount"]


def one_time_price(work: Work, wish: Json) -> Json | None:
    if wish.get("price_data"):
        from . import prices

        return prices.inline(work, wish["price_data"], "price_data")
    id = (wish.get("pricing") or {}).get("price") or wish.get("price")
    if not id:
        return None
    price = work.require("price", id, "price")
    if price["recurring"] is not None:
        raise invalid(
            f"The price specified is set to `type=recurring` but this field only accepts prices with `type=one_time`: {id}.",
            param="price",
        )
    if not price["active"] and not price.get("_inline"):
        raise invalid(f"The price specified is inactive. This field only accepts active prices: {id}.", param="price")
    return price


def added_lines(work: Work, subscription: Json, wishes: list[Json]) -> list[Json]:
    """`add_invoice_items`: one-time prices on a subscription's invoice. Their invoice items are made without events of their own."""
    found = []
    at = work.now_of(subscription["customer"])
    customer = work.require("customer", subscription["customer"])
    for wish in wishes:
        price = one_time_price(work, wish)
        if price is None:
            raise missing_parameter("add_invoice_items[0][price]")
        quantity = wish.get("quantity", 1)
        made = invoiceitem(
            work.new_id("invoiceitem"),
            at,
            customer=customer,
            currency=subscription["currency"],
            amount=0,
            quantity=quantity,
        )
        made["parent"] = {"subscription_details": {"subscription": subscription["id"]}, "type": "subscription_details"}
        apply(work, made, {**wish, "quantity": quantity, "pricing": {"price": price["id"]}, "price_data": None})
        work.save(made)
        found.append(waiting_line(work, made))
    return found


def put_on(work: Work, bill: Json, waiting: Json) -> None:
    """Onto a draft, whose totals follow."""
    line = waiting_line(work, waiting)
    line["invoice"] = waiting["invoice"] = bill["id"]
    bill["_lines"].append(line)
    work.save(waiting)
    recount(work, bill)


def recount(work: Work, bill: Json) -> None:
    put_totals(work, bill, work.require("customer", bill["customer"])["balance"])
    check_total(bill)
    work.save(bill)


def changeable(work: Work, id: str) -> tuple[Json, Json | None]:
    """The item and its draft, if it is on one already; refused once that is final."""
    found = work.require("invoiceitem", id, "invoiceitem")
    return found, editable(work, found["invoice"]) if found["invoice"] else None


def update(work: Work, id: str, parameters: Json) -> Json:
    """No event, as at Stripe."""
    found, bill = changeable(work, id)
    apply(work, found, parameters)
    work.save(found)
    if bill:
        position = next(at for at, line in enumerate(bill["_lines"]) if line.get("_invoiceitem") == id)
        fresh = waiting_line(work, found)
        fresh.update(id=bill["_lines"][position]["id"], invoice=bill["id"])
        bill["_lines"][position] = fresh
        recount(work, bill)
    return found


def delete(work: Work, id: str) -> Json:
    found, bill = changeable(work, id)
    if bill:
        bill["_lines"] = [line for line in bill["_lines"] if line.get("_invoiceitem") != id]
        recount(work, bill)
    work.remove("invoiceitem", id)
    work.emit("invoiceitem.deleted", found)
    return deleted(found)
