"""Amounts, periods and dates for people."""

from babel.dates import format_date

from paywright.catalog.model import Catalog, Price, Product
from paywright.kernel.instants import to_datetime
from paywright.kernel.money import format_amount
from paywright.kernel.periods import Period, parse_period
from paywright.kernel.refusals import Refusal

LOCALE = "en_US"

STATUSES = {
    "active": "Active",
    "trialing": "Free trial",
    "past_due": "Payment overdue",
    "unpaid": "Unpaid",
    "paused": "Paused",
    "canceled": "Ended",
}

SENTENCES = {
    "switch_required": "You have another plan already. Change that one in your account, instead of paying for two.",
    "line_taken": "You hold another product of this kind for good.",
    "base_required": "This is an add-on to a plan you do not have.",
    "purchases_blocked": "Nothing can be bought here at the moment. Try again later.",
    "product_not_found": "This is no longer for sale.",
    "price_not_found": "This price is no longer offered. Choose another one.",
    "currency_not_available": "This is not sold in that currency.",
    "amount_too_large": "That is more than one payment can be. Choose fewer.",
    "quantity_too_large": "That is more than one purchase can hold. Choose fewer.",
    "not_stackable": "This can be owned once only.",
    "payment_method_required": "There is no saved card. Add one with “Change card”, and try again.",
    "card_declined": "Your card was declined. Nothing was charged, and nothing has changed. Use another card and try again.",
    "quote_expired": "This offer is too old, or something changed since. Look at what it costs once more.",
    "amount_too_small": "That is less than one payment can be.",
    "already_owned": "You have this already.",
    "same_product": "You have exactly this already.",
    "not_owned": "You do not have this any more.",
    "nothing_to_resume": "Nothing is scheduled that could be taken back.",
    "checkout_required": "This plan has no payment behind it yet. Buy the other one instead.",
}
"""For buyers: the refusals' own sentences speak to whoever wrote the app."""


def said(refusal: Refusal) -> str:
    return SENTENCES.get(refusal.code, refusal.message)


def date(instant: int) -> str:
    """`3 October 2026`, in UTC as everything is."""
    return format_date(to_datetime(instant).date(), "d MMMM y", locale=LOCALE)


def span(period: Period) -> str:
    """`14 days`, `1 month`."""
    return f"{period.count} {period.unit}" + ("" if period.count == 1 else "s")


def every(written: str) -> str:
    """`month` for `1 month`, `3 months` for `3 month`."""
    period = parse_period(written)
    assert period is not None, written
    return period.unit if period.count == 1 else span(period)


def priced(price: Price, currency: str, quantity: int = 1) -> str:
    """`$19.99 per month`, `$10.00`."""
    amount = format_amount(price.amounts[currency] * quantity, currency, LOCALE)
    return f"{amount} per {every(price.interval)}" if price.interval is not None else amount


def included(product: Product, catalog: Catalog) -> list[str]:
    """`100 Credits every month`."""
    lines = []
    for item_id, gives in product.included_items.items():
        item = catalog.item(item_id)
        name = item_id if item is None else item.display_name
        often = "" if gives.period is None else f" every {every(gives.repeat)}"
        lines.append(f"{gives.quantity:,} {name}{often}")
    return lines


def money(amount: int, currency: str) -> str:
    """`$19.99`, `-$5.00`, `¥3,000`."""
    return format_amount(amount, currency, LOCALE)
