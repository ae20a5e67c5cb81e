"""Amounts and dates for people."""

from datetime import datetime
from decimal import Decimal

from babel.dates import format_date
from babel.numbers import format_currency, get_currency_precision

from paywright.client.model import CatalogPrice

LOCALE = "en_US"
MONTHS_A_YEAR = 12


def money(amount: int, currency: str) -> str:
    """`$19.00`, `€18.00`, `¥2,800`: as many decimals as the currency has, and no more."""
    digits = get_currency_precision(currency.upper())
    return format_currency(Decimal(amount).scaleb(-digits), currency.upper(), locale=LOCALE)


def nothing(currency: str) -> str:
    """`$0`, `¥0`."""
    return format_currency(0, currency.upper(), format="¤0", currency_digits=False, locale=LOCALE)


def date(instant: datetime) -> str:
    return format_date(instant.date(), "d MMMM y", locale=LOCALE)


def amount_in(price: CatalogPrice, currency: str) -> int | None:
    return next((each.amount for each in price.amounts if each.currency == currency), None)


def per(price: CatalogPrice) -> str | None:
    """`month` for `1 month`, `3 months` for `3 month`; None for a one-time price."""
    if price.interval is None:
        return None
    count, unit = price.interval.split(" ", 1)
    return unit if count == "1" else f"{count} {unit}s"


def month_by_month(price: CatalogPrice, amount: int, currency: str) -> str | None:
    """What a yearly price comes to a month, rounded to the currency's smallest unit; None for any other interval."""
    return money(round(amount / MONTHS_A_YEAR), currency) if price.interval == "1 year" else None


def saved_percent(yearly: int, monthly: int) -> int:
    """How much cheaper a year is than twelve months, in whole percent, rounded down."""
    twelve = monthly * MONTHS_A_YEAR
    return max(0, (twelve - yearly) * 100 // twelve) if twelve else 0
