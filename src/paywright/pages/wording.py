"""Amounts, periods and dates for people."""

from babel.dates import format_date

from paywright.catalog.model import Catalog, Price, Product
from paywright.kernel.instants import to_datetime
from paywright.kernel.money import format_amount
from paywright.kernel.periods import Period, parse_period

LOCALE = "en_US"

STATUSES = {
    "active": "Active",
    "trialing": "Free trial",
    "past_due": "Payment overdue",
    "unpaid": "Unpaid",
    "paused": "Paused",
    "canceled": "Ended",
}


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
