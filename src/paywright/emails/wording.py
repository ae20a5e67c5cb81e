"""Amounts, dates and counts for people, in the shop's language and time."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.core import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal

from paywright.emails.model import Shop
from paywright.kernel.money import format_amount

REASONS = {
    "canceled": "It was canceled.",
    "revoked": "It was ended by us.",
    "refunded": "Its payment was refunded.",
    "dispute_lost": "Its payment was disputed.",
    "unpaid": "It could not be paid for.",
}


def filters(shop: Shop) -> dict[str, Callable[..., str]]:
    """`money(amount)`, `date(instant)`, `moment(instant)`, `count(number)`, `why(reason)`: called, so that each render has its shop's."""
    zone, locale = ZoneInfo(shop.time_zone), Locale.parse(shop.locale)

    def money(amount: dict[str, Any]) -> str:
        return format_amount(amount["amount"], amount["currency"], shop.locale)

    def date(instant: str) -> str:
        return str(format_date(_read(instant).astimezone(zone), "long", locale=locale))

    def moment(instant: str) -> str:
        return str(format_datetime(_read(instant), "long", tzinfo=zone, locale=locale))

    def count(number: int) -> str:
        return str(format_decimal(number, locale=locale))

    return {
        "money": money,
        "date": date,
        "moment": moment,
        "count": count,
        "why": lambda reason: REASONS.get(reason, ""),
    }


def _read(instant: str) -> datetime:
    """RFC 3339, as facts have it."""
    return datetime.fromisoformat(instant)
