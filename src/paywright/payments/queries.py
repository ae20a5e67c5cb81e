"""Reading payments, and how they are shown."""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.kernel.instants import rfc3339, rfc3339_or_none
from paywright.kernel.model import Customer, Money
from paywright.payments.model import Dispute, Payment, Refund
from paywright.payments.rules import display_failure
from paywright.payments.tables import disputes, payments, refunds

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
    payments.c.subscription_id,
    payments.c.period_start,
    payments.c.period_end,
    payments.c.fraud_warning,
)
_REFUND = tuple(
    refunds.c[name]
    for name in (
        "id payment_id status amount currency reason failure_reason end_policy take_back created_at stripe_refund_id last_error "
        "parameters generation requested_at returned_then"
    ).split()
)
_DISPUTE = tuple(disputes.c[name] for name in "id status amount currency reason evidence_due_at created_at".split())
RETURNS_MAX = 1_000
"""Refunds or disputes of one payment that are looked at."""

# Written once: making a statement costs more than running it.
_ROWS = sa.select(*_COLUMNS).order_by(payments.c.created_at, payments.c.id)


def _of_a_payment(table: sa.Table, columns: tuple[sa.Column[Any], ...]) -> sa.Select[Any]:
    is_its = table.c.environment_id == sa.bindparam("environment"), table.c.payment_id == sa.bindparam("payment")
    return sa.select(*columns).where(*is_its).order_by(table.c.created_at, table.c.id).limit(RETURNS_MAX)


_REFUNDS_OF, _DISPUTES_OF = _of_a_payment(refunds, _REFUND), _of_a_payment(disputes, _DISPUTE)


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


def refund(connection: Connection, environment_id: str, refund_id: str) -> Refund | None:
    where = (refunds.c.environment_id == environment_id) & (refunds.c.id == refund_id)
    row = connection.execute(sa.select(*_REFUND).where(where)).one_or_none()
    return None if row is None else _refund(row)


def refunds_of(connection: Connection, environment_id: str, payment_id: str) -> list[Refund]:
    """Oldest first, those that Stripe has not answered yet or refused too."""
    asked = {"environment": environment_id, "payment": payment_id}
    return [_refund(row) for row in connection.execute(_REFUNDS_OF, asked)]


def unanswered_refunds(
    connection: Connection, environment_id: str, *, attempted_before: int, limit: int = 100
) -> list[Refund]:
    """Recorded, and Stripe's answer never reached us; oldest first. `attempted_before`: wall clock."""
    where = sa.and_(
        refunds.c.environment_id == environment_id,
        refunds.c.status == "requested",
        refunds.c.attempted_at < attempted_before,
    )
    ordered = sa.select(*_REFUND).where(where).order_by(refunds.c.attempted_at, refunds.c.id).limit(limit)
    return [_refund(row) for row in connection.execute(ordered)]


def disputes_of(connection: Connection, environment_id: str, payment_id: str) -> list[Dispute]:
    """Oldest first."""
    asked = {"environment": environment_id, "payment": payment_id}
    return [
        Dispute(row.id, row.status, Money(row.amount, row.currency), row.reason, row.evidence_due_at, row.created_at)
        for row in connection.execute(_DISPUTES_OF, asked)
    ]


def refund_shown(refund: Refund) -> dict[str, Any]:
    """As the wire shows it. One whose answer is not known yet is under way like any other."""
    return {
        "id": refund.id,
        "payment_id": refund.payment_id,
        "status": {"requested": "pending", "refused": "failed"}.get(refund.status, refund.status),
        "amount": _money(refund.amount),
        "reason": refund.reason,
        "failure_reason": refund.failure_reason,
        "end": refund.end,
        "take_back": refund.take_back,
        "created_at": rfc3339(refund.created_at),
        "stripe_refund_id": refund.stripe_refund_id,
    }


def dispute_shown(dispute: Dispute) -> dict[str, Any]:
    return {
        "id": dispute.id,
        "status": dispute.status,
        "amount": _money(dispute.amount),
        "reason": dispute.reason,
        "evidence_due_at": rfc3339_or_none(dispute.evidence_due_at),
        "created_at": rfc3339(dispute.created_at),
    }


def shown_in_full(connection: Connection, environment_id: str, payment: Payment) -> dict[str, Any]:
    """For the operator: with what Stripe kept of it, and all that went back or is being fought over."""
    return {
        **shown_to_operator(payment),
        "refunds": [refund_shown(each) for each in refunds_of(connection, environment_id, payment.id)],
        "disputes": [dispute_shown(each) for each in disputes_of(connection, environment_id, payment.id)],
    }


def shown_to_operator(payment: Payment) -> dict[str, Any]:
    return {
        **shown(payment),
        "refundable": _money(Money(payment.refundable, payment.amount.currency)),
        "fee": payment.fee,
        "net": payment.net,
        "fraud_warning": payment.fraud_warning,
    }


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
        "subscription_id": payment.subscription_id,
        "created_at": rfc3339(payment.created_at),
        "paid_at": rfc3339_or_none(payment.paid_at),
        "receipt_url": payment.receipt_url,
        "stripe": {"payment_intent_id": payment.stripe_payment_intent_id, "charge_id": payment.stripe_charge_id},
    }


def _money(money: Money) -> dict[str, Any]:
    return {"amount": money.amount, "currency": money.currency}


def _one(connection: Connection, environment_id: str, is_it: sa.ColumnElement[bool]) -> Payment | None:
    found = _ROWS.where(payments.c.environment_id == environment_id, is_it)
    row = connection.execute(found.limit(1)).one_or_none()
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
        subscription_id=row.subscription_id,
        period_start=row.period_start,
        period_end=row.period_end,
        fraud_warning=row.fraud_warning,
    )


def _refund(row: Any) -> Refund:
    return Refund(
        id=row.id,
        payment_id=row.payment_id,
        status=row.status,
        amount=Money(row.amount, row.currency),
        reason=row.reason,
        failure_reason=row.failure_reason,
        end=row.end_policy,
        take_back=row.take_back,
        created_at=row.created_at,
        stripe_refund_id=row.stripe_refund_id,
        last_error=row.last_error,
        parameters={} if row.parameters is None else msgspec.json.decode(row.parameters),
        generation=row.generation,
        requested_at=row.requested_at,
        returned_then=row.returned_then,
    )
