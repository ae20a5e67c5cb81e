"""
The calendar: periods, counted from an anchor.

Boundary n is anchor + n periods, never boundary n−1 + one period, so 31 Jan is followed by 28 Feb and then 31 Mar.
Days and weeks are 24 h × n. Everything is UTC milliseconds.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec
from dateutil.relativedelta import relativedelta

Unit = Literal["day", "week", "month", "year"]

DAY_MS = 86_400_000
_DAYS_AT_LEAST = {"day": 1, "week": 7, "month": 28, "year": 365}
_DAYS_AT_MOST = {"day": 1, "week": 7, "month": 31, "year": 366}
_WRITTEN = re.compile(r"(?:(\d{1,6}) )?(day|week|month|year)s?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Period(msgspec.Struct, frozen=True):
    """A count ≥ 1 and a calendar unit, written `"1 month"`."""

    count: int
    unit: Unit

    def __str__(self) -> str:
        return f"{self.count} {self.unit}"

    @property
    def days_max(self) -> int:
        return self.count * _DAYS_AT_MOST[self.unit]


def parse_period(written: str) -> Period | None:
    """`"month"`, `"1 month"` and `"3 months"`; None when it is no period."""
    match = _WRITTEN.fullmatch(written)
    if match is None or int(match[1] or 1) < 1:
        return None
    return Period(int(match[1] or 1), match[2])  # type: ignore[arg-type]


def boundary(anchor: int, period: Period, n: int) -> int:
    """The instant n periods after the anchor (n may be 0): day of month clamped, time of day kept, UTC."""
    if period.unit in ("day", "week"):
        return anchor + n * period.count * _DAYS_AT_LEAST[period.unit] * DAY_MS
    months = n * period.count * (12 if period.unit == "year" else 1)
    start = _EPOCH + timedelta(milliseconds=anchor)
    return (start + relativedelta(months=months) - _EPOCH) // timedelta(milliseconds=1)


def boundaries_passed(anchor: int, period: Period, instant: int) -> int:
    """How many boundaries n ≥ 1 lie at or before `instant`; 0 before the first."""
    if instant < anchor:
        return 0
    n = (instant - anchor) // (period.count * _DAYS_AT_MOST[period.unit] * DAY_MS)
    while boundary(anchor, period, n + 1) <= instant:
        n += 1
    return n
