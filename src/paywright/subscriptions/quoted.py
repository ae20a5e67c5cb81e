"""Quotes as rows: kept, found again, used up once, and shown."""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.kernel.instants import rfc3339
from paywright.kernel.model import Customer
from paywright.storage.work import Work
from paywright.subscriptions.switch_rules import AskedSwitch, Direction, Happens
from paywright.subscriptions.tables import switch_quotes

LIFE_MS = 15 * 60_000


class QuoteLine(msgspec.Struct, frozen=True):
    """As on Stripe's invoice. `amount` in minor units; below zero it gives back."""

    description: str | None
    amount: int


class NextInvoice(msgspec.Struct, frozen=True):
    """The first invoice of a whole period at the new price."""

    amount: int
    at: int


class Told(msgspec.Struct, frozen=True):
    lines: tuple[QuoteLine, ...] = ()
    next_invoice: NextInvoice | None = None
    items: dict[str, int] = {}


class Quote(msgspec.Struct, frozen=True):
    """`effective_at` is when a switch at the end of the period happens; `proration_date` is in milliseconds, whole seconds."""

    id: str
    customer: Customer
    owned_product_id: str
    asked: AskedSwitch
    version_id: str
    direction: Direction
    happens: Happens
    effective_at: int
    currency: str
    due_now: int
    told: Told
    proration_date: int | None
    payment_method_id: str | None
    stripe_price_id: str | None
    fingerprint: str
    expires_at: int
    used_at: int | None = None


def keep(work: Work, quote: Quote) -> None:
    work.execute(switch_quotes.insert().values(**_row(work, quote)))


def find(connection: Connection, environment_id: str, customer: Customer, quote_id: str) -> Quote | None:
    """The customer's own; somebody else's does not exist."""
    columns = switch_quotes.c
    statement = sa.select(*columns).where(
        columns.environment_id == environment_id, columns.customer == customer.key, columns.id == quote_id
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else _quote(row)


def use_up(work: Work, quote: Quote) -> bool:
    """False: somebody was faster."""
    columns = switch_quotes.c
    mine = columns.environment_id == work.environment_id, columns.id == quote.id, columns.used_at.is_(None)
    return bool(work.execute(switch_quotes.update().where(*mine).values(used_at=work.now)).rowcount == 1)


def shown(quote: Quote) -> dict[str, Any]:
    """As `POST C/switch-quotes` answers."""
    told = quote.told
    return {
        "id": quote.id,
        "from_product_id": quote.asked.from_product_id,
        "to_product_id": quote.asked.to_product_id,
        "price_id": quote.asked.price_id,
        "quantity": quote.asked.quantity,
        "direction": quote.direction,
        "at": quote.happens,
        "effective_at": rfc3339(quote.effective_at),
        "lines": [{"description": line.description, "amount": _money(quote, line.amount)} for line in told.lines],
        "due_now": _money(quote, quote.due_now),
        "next_invoice": None
        if told.next_invoice is None
        else {"amount": _money(quote, told.next_invoice.amount), "at": rfc3339(told.next_invoice.at)},
        "items": [{"item_id": item_id, "change": change} for item_id, change in sorted(told.items.items())],
        "expires_at": rfc3339(quote.expires_at),
    }


def _money(quote: Quote, amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": quote.currency}


def _row(work: Work, quote: Quote) -> dict[str, Any]:
    asked = quote.asked
    return {
        "environment_id": work.environment_id,
        "id": quote.id,
        "customer": quote.customer.key,
        "owned_product_id": quote.owned_product_id,
        "from_product_id": asked.from_product_id,
        "to_product_id": asked.to_product_id,
        "version_id": quote.version_id,
        "price_id": asked.price_id,
        "quantity": asked.quantity,
        "direction": quote.direction,
        "happens": quote.happens,
        "asked_at": asked.at,
        "effective_at": quote.effective_at,
        "currency": quote.currency,
        "due_now": quote.due_now,
        "told": msgspec.json.encode(quote.told).decode(),
        "proration_date": quote.proration_date,
        "payment_method_id": quote.payment_method_id,
        "stripe_price_id": quote.stripe_price_id,
        "fingerprint": quote.fingerprint,
        "created_at": work.now,
        "expires_at": quote.expires_at,
    }


def _quote(row: Any) -> Quote:
    return Quote(
        id=row.id,
        customer=Customer.of_key(row.customer),
        owned_product_id=row.owned_product_id,
        asked=AskedSwitch(row.from_product_id, row.to_product_id, row.price_id, row.quantity, row.asked_at),
        version_id=row.version_id,
        direction=row.direction,
        happens=row.happens,
        effective_at=row.effective_at,
        currency=row.currency,
        due_now=row.due_now,
        told=msgspec.json.decode(row.told, type=Told),
        proration_date=row.proration_date,
        payment_method_id=row.payment_method_id,
        stripe_price_id=row.stripe_price_id,
        fingerprint=row.fingerprint,
        expires_at=row.expires_at,
        used_at=row.used_at,
    )
