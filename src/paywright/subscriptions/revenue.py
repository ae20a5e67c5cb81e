"""What came in, what went back and what is left, by month and currency, and what the running subscriptions bring in a month."""

from collections import defaultdict
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.catalog.model import Price
from paywright.catalog.queries import product_versions_of
from paywright.kernel.model import Money
from paywright.ownership.tables import owned_products
from paywright.payments.rules import DISPUTES
from paywright.payments.tables import disputes, payments, refunds
from paywright.subscriptions.tables import subscriptions

MONTHS_MAX = 60
PAGE = 1_000

TURNS_A_MONTH = {"day": Fraction(365, 12), "week": Fraction(52, 12), "month": Fraction(1), "year": Fraction(1, 12)}

GONE = tuple(sorted(status for status, meaning in DISPUTES.items() if meaning in ("open", "lost")))
"""Disputes that keep the money, for now or for good."""


class Month(msgspec.Struct, frozen=True):
    """One month (UTC) in one currency, in minor units. `net` is gross less all the others."""

    month: str
    currency: str
    gross: int = 0
    refunded: int = 0
    disputed: int = 0
    fees: int = 0

    @property
    def net(self) -> int:
        return self.gross - self.refunded - self.disputed - self.fees


class Recurring(msgspec.Struct, frozen=True):
    """What active subscriptions are worth a month by the prices they were sold at, and how many they are."""

    monthly: Money
    subscriptions: int


def months(connection: Connection, environment_id: str, now: int, *, count: int) -> list[Month]:
    """The last `count` months, this one included, newest first; those without any money are left out."""
    starts = _starts(now, count)
    sums: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    here = payments.c.environment_id == environment_id
    came = sa.and_(here, payments.c.status.in_(("paid", "refunded")))
    back = sa.and_(refunds.c.environment_id == environment_id, refunds.c.status == "succeeded")
    fought = sa.and_(disputes.c.environment_id == environment_id, disputes.c.status.in_(GONE))
    parts: tuple[tuple[str, Any, Any, Any, sa.ColumnElement[bool]], ...] = (
        ("gross", payments.c.paid_at, payments.c.amount, payments.c.currency, came),
        ("fees", payments.c.paid_at, sa.func.coalesce(payments.c.fee, 0), payments.c.currency, came),
        ("refunded", refunds.c.created_at, refunds.c.amount, refunds.c.currency, back),
        ("disputed", disputes.c.created_at, disputes.c.amount, disputes.c.currency, fought),
    )
    for name, instant, amount, currency, where in parts:
        bucket = sa.case(*((instant < end, place) for place, (_, _, end) in enumerate(starts)), else_=-1).label("place")
        counted = (
            sa.select(bucket, currency.label("currency"), sa.func.sum(amount).label("total"))
            .where(where, instant >= starts[0][1], instant < starts[-1][2])
            .group_by("place", currency)
            .order_by("place", currency)
        )
        for row in connection.execute(counted):
            sums[starts[row.place][0], row.currency][name] = int(row.total)
    found = [Month(month, currency, **total) for (month, currency), total in sums.items() if any(total.values())]
    return sorted(found, key=lambda each: (each.month, each.currency), reverse=True)


def _starts(now: int, count: int) -> list[tuple[str, int, int]]:
    """Name, start and end of each month, oldest first."""
    today = datetime.fromtimestamp(now / 1000, UTC)
    number = today.year * 12 + today.month - 1
    edges = [_start(number - count + 1 + place) for place in range(count + 1)]
    return [(f"{start:%Y-%m}", _ms(start), _ms(end)) for start, end in pairwise(edges)]


def _start(number: int) -> datetime:
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)


def _ms(instant: datetime) -> int:
    return int(instant.timestamp()) * 1000


def recurring(connection: Connection, environment_id: str) -> list[Recurring]:
    """By currency. Trials, subscriptions in arrears and those without Stripe bring nothing now, so they are not in it."""
    worth: dict[str, Fraction] = defaultdict(Fraction)
    ids: dict[str, set[str]] = defaultdict(set)
    after = ""
    while True:
        rows = connection.execute(_active(environment_id, after)).all()
        versions = product_versions_of(connection, environment_id, sorted({row.version_id for row in rows}))
        for row in rows:
            currency = next((item["currency"] for item in msgspec.json.decode(row.items) if item.get("currency")), None)
            price = versions[row.version_id].product.prices.get(row.price_id)
            if price is not None and currency in price.amounts:
                worth[currency] += monthly(price, currency) * row.quantity
                ids[currency].add(row.subscription_id)
        if len(rows) < PAGE:
            break
        after = rows[-1].id
    return [Recurring(Money(round(worth[each]), each), len(ids[each])) for each in sorted(worth)]


def monthly(price: Price, currency: str) -> Fraction:
    """Minor units a month of one unit: 365 days, 52 weeks, 12 months a year."""
    period = price.period
    assert period is not None, "a subscription's price recurs"
    return price.amounts[currency] * TURNS_A_MONTH[period.unit] / period.count


def _active(environment_id: str, after: str) -> sa.Select[Any]:
    owned = owned_products.c
    same = (subscriptions.c.environment_id == owned.environment_id) & (subscriptions.c.id == owned.subscription_id)
    columns = (owned.id, owned.version_id, owned.price_id, owned.quantity, owned.subscription_id)
    return (
        sa.select(*columns, subscriptions.c["items"])
        .select_from(sa.join(owned_products, subscriptions, same))
        .where(
            owned.environment_id == environment_id,
            owned.ended_at.is_(None),
            owned.stripe_backed == 1,
            owned.id > after,
            subscriptions.c.status == "active",
        )
        .order_by(owned.id)
        .limit(PAGE)
    )
