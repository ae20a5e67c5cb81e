"""Where a customer's letters go, and the names of what they bought."""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.catalog import queries as catalog
from paywright.checkout import queries as checkout
from paywright.checkout.tables import checkout_sessions
from paywright.customers.queries import billing
from paywright.invoices import queries as invoices
from paywright.kernel.model import Customer
from paywright.ownership import queries as ownership
from paywright.payments import queries as payments

LINES_MAX = 20


def address_of(connection: Connection, environment_id: str, customer: Customer, session_id: str | None) -> str | None:
    """
    The customer's own address at Stripe; else the buyer's of that checkout, else of their newest one. A `custom` customer only has one that was set.
    """
    own = None if customer.type == "guest" else billing(connection, environment_id, customer).email
    if own is not None or customer.type == "custom":
        return own
    if session_id is not None:
        session = checkout.session(connection, environment_id, session_id)
        if session is not None and session.buyer_email is not None:
            return session.buyer_email
    newest = (
        sa.select(checkout_sessions.c.buyer_email)
        .where(
            checkout_sessions.c.environment_id == environment_id,
            checkout_sessions.c.customer == customer.key,
            checkout_sessions.c.status == "completed",
            checkout_sessions.c.buyer_email.is_not(None),
        )
        .order_by(checkout_sessions.c.created_at.desc(), checkout_sessions.c.id.desc())
        .limit(1)
    )
    return connection.execute(newest).scalar_one_or_none()


class PaymentNow(msgspec.Struct, frozen=True):
    """What became known of a payment after the event was recorded."""

    invoice_id: str | None = None
    receipt_url: str | None = None


def payment_now(connection: Connection, environment_id: str, payment_id: str | None) -> PaymentNow:
    found = None if payment_id is None else payments.payment(connection, environment_id, payment_id)
    return PaymentNow() if found is None else PaymentNow(found.invoice_id, found.receipt_url)


def is_completed(connection: Connection, environment_id: str, session_id: str) -> bool:
    """Whether the buyer has left the checkout page."""
    session = checkout.session(connection, environment_id, session_id)
    return session is not None and session.status == "completed"


def bought_with(
    connection: Connection, environment_id: str, session_id: str | None, invoice_id: str | None
) -> list[dict[str, Any]]:
    """Names and quantities: as they were sold if a checkout says so, else as the invoice's lines put it."""
    session = None if session_id is None else checkout.session(connection, environment_id, session_id)
    if session is not None:
        versions = catalog.product_versions_of(
            connection, environment_id, sorted({each.version_id for each in session.lines})
        )
        lines = [(versions[each.version_id].product.display_name, each.quantity) for each in session.lines]
    else:
        row = None if invoice_id is None else invoices.row_of(connection, environment_id, invoice_id)
        shown = [] if row is None else invoices.shown(row)["lines"]
        # Stripe's description has the quantity in it: `1 × Pro (at $19.99 / month)`.
        lines = [(each["description"], 1) for each in shown if each["description"]]
    return [{"name": name, "quantity": quantity} for name, quantity in lines[:LINES_MAX]]


def invoice_of(connection: Connection, environment_id: str, invoice_id: str | None) -> tuple[str | None, str | None]:
    """Its number and where it is shown."""
    row = None if invoice_id is None else invoices.row_of(connection, environment_id, invoice_id)
    return (None, None) if row is None else (row.number, row.hosted_invoice_url)


def product_of_subscription(connection: Connection, environment_id: str, subscription_id: str) -> str | None:
    """The name of what it pays for, as it was sold; add-ons are told with the product they stand on."""
    owned = ownership.of_subscription(connection, environment_id, subscription_id)
    named = sorted(owned, key=lambda each: (each.ended_at is not None, each.product.is_add_on, each.id))
    return named[0].product.display_name if named else None


def item_name(connection: Connection, environment_id: str, item_id: str) -> str:
    item = catalog.current(connection, environment_id).item(item_id)
    return item_id if item is None else item.display_name
