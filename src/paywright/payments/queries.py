"""Reading payments, and how they are shown."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.kernel.instants import rfc3339, rfc3339_or_none
from paywright.kernel.model import Customer, Money
from paywright.payments.model import Payment
from paywright.payments.rules import display_failure
from paywright.payments.tables import payments, refunds

_COLUMNS = (
    payments.c.id,
    payments.c.customer,
    payments.c.status,
    payments.c.amount,
    payments.c.currency,
    payments.c.amount_refunded,
    payments.c.amount_refunding,
    payments.c.disputed,
    payments.c.failure_code,
    payments.c.decline_code,
    payments.c.checkout_session_id,
    payments.c.invoice_id,
    payments.c.created_at,
    payments.c.paid_at,
    payments.c.fee,
    payments.c.net,
    payments.c.receipt_url,
    payments.c.stripe_payment_intent_id,
    payments.c.stripe_charge_id,
)


def payment(connection: Connection, environment_id: str, payment_id: str) -> Payment | None:
    return _one(connection, environment_id, payments.c.id == payment_id)


def payment_of_fact(connection: Connection, environment_id: str, fact: str) -> Payment | None:
    return _one(connection, environment_id, payments.c.fact == fact)


def payment_of_checkout(connection: Connection, environment_id: str, checkout_session_id: str) -> Payment | None:
    """The first one, should a session have been paid more than once."""
    return _one(connection, environment_id, payments.c.checkout_session_id == checkout_session_id)


def page(
    connection: Connection,
    environment_id: str,
    *,
    customer: Customer | None = None,
    status: str | None = None,
    after: tuple[int, str] | None = None,
    limit: int = 10,
) -> list[Payment]:
    """Newest first, one more than `limit` to tell whether there are more. `after` is the last one seen: its `created_at` and id."""
    statement = sa.select(*_COLUMNS).where(payments.c.environment_id == environment_id)
    if customer is not None:
        statement = statement.where(payments.c.customer == customer.key)
    if status is not None:
        statement = statement.where(payments.c.status == status)
    if after is not None:
        statement = statement.where(sa.tuple_(payments.c.created_at, payments.c.id) < after)
    ordered = statement.order_by(payments.c.created_at.desc(), payments.c.id.desc()).limit(limit + 1)
    return [_payment(row) for row in connection.execute(ordered)]


def has_refunds(connection: Connection, environment_id: str, fact: str) -> bool:
    """Whether we hold refunds of it: then a fetch looks at them again, because a refund can fail after it succeeded."""
    found = (
        sa.select(refunds.c.id)
        .join(
            payments, (payments.c.environment_id == refunds.c.environment_id) & (payments.c.id == refunds.c.payment_id)
        )
        .where(payments.c.environment_id == environment_id, payments.c.fact == fact)
        .limit(1)
    )
    return connection.execute(found).one_or_none() is not None


def shown(payment: Payment) -> dict[str, Any]:
    """As `GET /v1/payments` shows it. Stripe's own reason of a decline is not in it."""
    return {
        "id": payment.id,
        "status": payment.status,
        "amount": _money(payment.amount),
        "amount_refunded": _money(payment.amount_refunded),
        "disputed": payment.disputed,
        "failure": None
        if payment.failure is None
        else {"code": payment.failure.code, "message": payment.failure.message},
        "customer": {"type": payment.customer.type, "id": payment.customer.id},
        "checkout_session_id": payment.checkout_session_id,
        "invoice_id": payment.invoice_id,
        "created_at": rfc3339(payment.created_at),
        "paid_at": rfc3339_or_none(payment.paid_at),
        "receipt_url": payment.receipt_url,
        "stripe": {"payment_intent_id": payment.stripe_payment_intent_id, "charge_id": payment.stripe_charge_id},
    }


def _money(money: Money) -> dict[str, Any]:
    return {"amount": money.amount, "currency": money.currency}


def _one(connection: Connection, environment_id: str, is_it: sa.ColumnElement[bool]) -> Payment | None:
    found = sa.select(*_COLUMNS).where(payments.c.environment_id == environment_id, is_it)
    row = connection.execute(found.order_by(payments.c.created_at, payments.c.id).limit(1)).one_or_none()
    return None if row is None else _payment(row)


def _payment(row: Any) -> Payment:
    return Payment(
        id=row.id,
        status=row.status,
        amount=Money(row.amount, row.currency),
        amount_refunded=Money(row.amount_refunded, row.currency),
        amount_refunding=row.amount_refunding,
        disputed=bool(row.disputed),
        failure=display_failure(row.failure_code, row.decline_code) if row.status == "failed" else None,
        customer=Customer.of_key(row.customer),
        checkout_session_id=row.checkout_session_id,
        invoice_id=row.invoice_id,
        created_at=row.created_at,
        paid_at=row.paid_at,
        fee=row.fee,
        net=row.net,
        receipt_url=row.receipt_url,
        stripe_payment_intent_id=row.stripe_payment_intent_id,
        stripe_charge_id=row.stripe_charge_id,
    )
