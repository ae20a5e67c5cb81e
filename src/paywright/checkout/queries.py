"""Reading checkout sessions."""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.checkout.model import CheckoutSession, LastError, PinnedLine
from paywright.checkout.tables import checkout_sessions, open_checkouts
from paywright.kernel.instants import rfc3339
from paywright.kernel.model import Customer


def session(connection: Connection, environment_id: str, session_id: str) -> CheckoutSession | None:
    """By our id, or by Stripe's: that is what Stripe puts in the place of `{CHECKOUT_SESSION_ID}`."""
    found = _one(connection, environment_id, checkout_sessions.c.id == session_id)
    return found or session_at_stripe(connection, environment_id, session_id)


def session_at_stripe(connection: Connection, environment_id: str, stripe_id: str) -> CheckoutSession | None:
    return _one(connection, environment_id, checkout_sessions.c.stripe_checkout_session_id == stripe_id)


def parameters_hash_of(connection: Connection, environment_id: str, session_id: str) -> str:
    where = (checkout_sessions.c.environment_id == environment_id) & (checkout_sessions.c.id == session_id)
    return str(connection.execute(sa.select(checkout_sessions.c.parameters_hash).where(where)).scalar_one())


def open_in(
    connection: Connection, environment_id: str, customer: Customer, places: list[str]
) -> list[CheckoutSession]:
    """The sessions that hold any of these places."""
    held = sa.select(open_checkouts.c.checkout_session_id).where(
        open_checkouts.c.environment_id == environment_id,
        open_checkouts.c.customer == customer.key,
        open_checkouts.c.place.in_(places),
    )
    statement = sa.select(*checkout_sessions.c).where(
        checkout_sessions.c.environment_id == environment_id, checkout_sessions.c.id.in_(held)
    )
    return [_session(row) for row in connection.execute(statement.order_by(checkout_sessions.c.id).limit(100))]


def unanswered(connection: Connection, *, attempted_before: int, limit: int = 100) -> list[tuple[str, str]]:
    """Environment and id of sessions recorded but, as far as we know, not opened: the worker goes on with them."""
    rows = connection.execute(
        sa.select(checkout_sessions.c.environment_id, checkout_sessions.c.id)
        .where(checkout_sessions.c.status == "initialized", checkout_sessions.c.attempted_at < attempted_before)
        .order_by(checkout_sessions.c.attempted_at, checkout_sessions.c.id)
        .limit(limit)
    )
    return [(row.environment_id, row.id) for row in rows]


def guests_who_paid(connection: Connection, environment_id: str, email: str, *, limit: int = 100) -> list[Customer]:
    """Guests with a completed, paid checkout under this address (trimmed and in lower case), oldest first."""
    rows = connection.execute(
        sa.select(checkout_sessions.c.customer)
        .where(
            checkout_sessions.c.environment_id == environment_id,
            checkout_sessions.c.buyer_email == email,
            checkout_sessions.c.status == "completed",
            checkout_sessions.c.payment_status.in_(("paid", "no_payment_required")),
            checkout_sessions.c.customer.like("guest:%"),
        )
        .distinct()
        .order_by(checkout_sessions.c.customer)
        .limit(limit)
    )
    return [Customer.of_key(row.customer) for row in rows]


def overdue(connection: Connection, environment_id: str, now: int, *, limit: int = 20) -> list[str]:
    """Open sessions past their end whose expiry nobody told us of."""
    rows = connection.execute(
        sa.select(checkout_sessions.c.id)
        .where(
            checkout_sessions.c.environment_id == environment_id,
            checkout_sessions.c.status == "open",
            checkout_sessions.c.expires_at < now,
        )
        .order_by(checkout_sessions.c.expires_at, checkout_sessions.c.id)
        .limit(limit)
    )
    return [row.id for row in rows]


def shown(found: CheckoutSession, environment_id: str) -> dict[str, Any]:
    """As the wire shows it."""
    return {
        "id": found.id,
        "environment": environment_id,
        "mode": found.mode,
        "ui": found.ui,
        "status": found.status,
        "payment_status": found.payment_status,
        "customer": msgspec.to_builtins(found.customer),
        "url": found.url,
        "renews": found.renews,
        "stripe": {
            "checkout_session_id": found.stripe_checkout_session_id,
            "customer_id": found.stripe_customer_id,
            "payment_intent_id": found.stripe_payment_intent_id,
            "subscription_id": found.stripe_subscription_id,
        },
        "last_error": msgspec.to_builtins(found.last_error),
        "created_at": rfc3339(found.created_at),
        "updated_at": rfc3339(found.updated_at),
        "expires_at": rfc3339(found.expires_at),
    }


def _one(connection: Connection, environment_id: str, where: sa.ColumnElement[bool]) -> CheckoutSession | None:
    statement = sa.select(*checkout_sessions.c).where(checkout_sessions.c.environment_id == environment_id, where)
    row = connection.execute(statement).one_or_none()
    return None if row is None else _session(row)


def _session(row: Any) -> CheckoutSession:
    return CheckoutSession(
        id=row.id,
        customer=Customer.of_key(row.customer),
        mode=row.mode,
        status=row.status,
        payment_status=row.payment_status,
        lines=msgspec.json.decode(row.lines, type=tuple[PinnedLine, ...]),
        currency=row.currency,
        success_url=row.success_url,
        created_at=row.created_at,
        updated_at=row.updated_at,
        expires_at=row.expires_at,
        requested_at=row.requested_at,
        generation=row.generation,
        url=row.url,
        renews=row.renews,
        is_fulfilled=bool(row.fulfilled),
        last_error=None if row.last_error is None else msgspec.json.decode(row.last_error, type=LastError),
        stripe_parameters=None if row.stripe_parameters is None else msgspec.json.decode(row.stripe_parameters),
        stripe_checkout_session_id=row.stripe_checkout_session_id,
        stripe_customer_id=row.stripe_customer_id,
        stripe_payment_intent_id=row.stripe_payment_intent_id,
        stripe_subscription_id=row.stripe_subscription_id,
        buyer_email=row.buyer_email,
        ui=row.ui,
    )
