"""
The calendar of a subscription, in Unix seconds and UTC.

Boundaries lie at anchor + n intervals, each counted from the anchor itself, so the day is clamped but never forgotten: 31 Jan → 28 Feb → 31 Mar.
"""

import calendar
from datetime import UTC, datetime
from typing import NamedTuple

from .errors import Json

SECONDS = {"day": 86_400, "week": 604_800}
MONTHS = {"month": 1, "year": 12}


class Period(NamedTuple):
    start: int
    end: int


def added(anchor: int, interval: str, count: int) -> int:
    """`count` intervals after the anchor (before it, when negative); the day of the month is clamped, the time of day is kept."""
    if interval in SECONDS:
        return anchor + count * SECONDS[interval]
    at = datetime.fromtimestamp(anchor, UTC)
    index = at.year * 12 + at.month - 1 + count * MONTHS[interval]
    year, month = divmod(index, 12)
    day = min(at.day, calendar.monthrange(year, month + 1)[1])
    return int(at.replace(year=year, month=month + 1, day=day).timestamp())


def period_at(anchor: int, recurring: Json, at: int) -> Period:
    """The period that `at` falls into; a boundary belongs to the period it begins."""
    interval, step = recurring["interval"], recurring["interval_count"]
    number = guess(anchor, interval, step, at)
    while added(anchor, interval, number * step) > at:
        number -= 1
    while added(anchor, interval, (number + 1) * step) <= at:
        number += 1
    return Period(added(anchor, interval, number * step), added(anchor, interval, (number + 1) * step))


def guess(anchor: int, interval: str, step: int, at: int) -> int:
    """A number of whole steps near the right one."""
    length = SECONDS.get(interval) or MONTHS[interval] * 2_629_746
    return (at - anchor) // (length * step)


def next_boundary(anchor: int, recurring: Json, after: int) -> int:
    """The first boundary later than `after`."""
    return period_at(anchor, recurring, after).end


def configured_anchor(config: Json, start: int, recurring: Json) -> int:
    """The first instant at or after `start` that fits `billing_cycle_anchor_config`; what it does not name comes from `start`."""
    at = datetime.fromtimestamp(start, UTC)
    clock = [config.get(name) for name in ("hour", "minute", "second")]
    hour, minute, second = (
        (at.hour, at.minute, at.second) if clock[0] is None else (clock[0], clock[1] or 0, clock[2] or 0)
    )
    month = config.get("month") if recurring["interval"] == "year" else None
    index = at.year * 12 + (month or at.month) - 1
    step = 12 if month else 1
    while True:
        year, zero_month = divmod(index, 12)
        day = min(config["day_of_month"], calendar.monthrange(year, zero_month + 1)[1])
        found = int(datetime(year, zero_month + 1, day, hour, minute, second, tzinfo=UTC).timestamp())
        if found >= start:
            return found
        index += step


def day_text(at: int) -> str:
    """`20 Nov 2026`."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment.day} {moment:%b %Y}"


def interval_text(recurring: Json) -> str:
    """`month`, `every 3 months`: how Stripe words it in a line."""
    count = recurring["interval_count"]
    return str(recurring["interval"]) if count == 1 else f"every {count} {recurring['interval']}s"
