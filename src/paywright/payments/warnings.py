"""
Early fraud warnings: the bank fears that a payment is fraud, and says so before it disputes it.

Nothing owned changes by one. A person is told, once per warning, because a refund now spares the dispute and its fee.
"""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from paywright.outbox.actions import lock_customers, mark_changed, open_incident
from paywright.payments import queries
from paywright.payments.model import Payment, WarningFacts
from paywright.payments.tables import fraud_warnings, payments
from paywright.storage.statements import insert_if_absent, upsert
from paywright.storage.work import Work


def save(work: Work, payment_id: str, found: Iterable[WarningFacts]) -> list[str]:
    """The kinds of those that are new."""
    fresh = []
    for warning in sorted(found, key=lambda each: (each.created_at, each.id)):
        row = {
            "environment_id": work.environment_id,
            "id": warning.id,
            "payment_id": payment_id,
            "fraud_type": warning.fraud_type,
            "actionable": int(warning.actionable),
            "created_at": warning.created_at,
        }
        if insert_if_absent(work, fraud_warnings, row):
            fresh.append(warning.fraud_type)
        else:
            upsert(work, fraud_warnings, row, key=("environment_id", "id"))
    return fresh


def tell(work: Work, payment: Payment, fresh: Sequence[str]) -> None:
    for fraud_type in fresh:
        told = {"payment_id": payment.id, "fraud_type": fraud_type, "refundable": payment.refundable}
        open_incident(work, "early_fraud_warning", told, customer=payment.customer)


def take_in(work: Work, fact: str, warning: WarningFacts) -> bool:
    """One that no event told of, for the payment `fact`. False: that payment is not ours. Twice is once."""
    payment = queries.payment_of_fact(work.connection, work.environment_id, fact)
    if payment is None:
        return False
    lock_customers(work, [payment.customer])
    fresh = save(work, payment.id, [warning])
    if fresh:
        here = (payments.c.environment_id == work.environment_id) & (payments.c.id == payment.id)
        work.execute(payments.update().where(here).values(fraud_warning=warning.fraud_type))
        mark_changed(work, payment.customer, "payments")
        tell(work, payment, fresh)
    return True


def held(connection: sa.Connection, environment_id: str, ids: Sequence[str]) -> dict[str, bool]:
    """Of these warnings those we know, and whether each is still worth acting on as far as we know."""
    here = (fraud_warnings.c.environment_id == environment_id) & fraud_warnings.c.id.in_(ids)
    columns = (fraud_warnings.c.id, fraud_warnings.c.actionable)
    rows = connection.execute(sa.select(*columns).where(here).order_by(fraud_warnings.c.id).limit(len(ids)))
    return {row.id: bool(row.actionable) for row in rows}
