"""Reading invoices, and how they are shown."""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.invoices.model import InvoiceLine
from paywright.invoices.tables import invoices
from paywright.kernel.instants import rfc3339, rfc3339_or_none
from paywright.kernel.model import Customer

# Written once: making a statement costs more than running it.
_ROW = sa.select(*invoices.c).where(
    invoices.c.environment_id == sa.bindparam("environment"), invoices.c.id == sa.bindparam("invoice")
)


def row_of(connection: Connection, environment_id: str, invoice_id: str) -> Any | None:
    return connection.execute(_ROW, {"environment": environment_id, "invoice": invoice_id}).one_or_none()


def page(
    connection: Connection,
    environment_id: str,
    *,
    customer: Customer | None = None,
    status: str | None = None,
    after: tuple[int, str] | None = None,
    limit: int = 10,
) -> list[Any]:
    """
    Newest first, one more than `limit` to tell whether there are more. `after` is the last one seen: its `created_at` and id.

    Drafts are left out unless asked for by `status`: nobody is billed by them yet.
    """
    statement = sa.select(*invoices.c).where(invoices.c.environment_id == environment_id)
    statement = statement.where(invoices.c.status != "draft" if status is None else invoices.c.status == status)
    if customer is not None:
        statement = statement.where(invoices.c.customer == customer.key)
    if after is not None:
        statement = statement.where(sa.tuple_(invoices.c.created_at, invoices.c.id) < after)
    ordered = statement.order_by(invoices.c.created_at.desc(), invoices.c.id.desc())
    return list(connection.execute(ordered.limit(limit + 1)).all())


def shown(row: Any) -> dict[str, Any]:
    """As `GET /v1/invoices` shows it."""
    customer_type, _, customer_id = row.customer.partition(":")

    def money(amount: int) -> dict[str, Any]:
        return {"amount": amount, "currency": row.currency}

    return {
        "id": row.id,
        "number": row.number,
        "status": row.status,
        "customer": {"type": customer_type, "id": customer_id},
        "subscription_id": row.subscription_id,
        "billing_reason": row.billing_reason,
        "subtotal": money(row.subtotal),
        "total": money(row.total),
        "amount_due": money(row.amount_due),
        "amount_paid": money(row.amount_paid),
        "amount_remaining": money(row.amount_remaining),
        "period": None
        if row.period_start is None
        else {"start": rfc3339(row.period_start), "end": rfc3339(row.period_end)},
        "created_at": rfc3339(row.created_at),
        "due_at": rfc3339_or_none(row.due_at),
        "paid_at": rfc3339_or_none(row.paid_at),
        "next_attempt_at": rfc3339_or_none(row.next_attempt_at),
        "hosted_invoice_url": row.hosted_invoice_url,
        "invoice_pdf": row.invoice_pdf,
        "lines": [
            {
                "description": line.description,
                "amount": money(line.amount),
                "quantity": line.quantity,
                "period": {"start": rfc3339(line.period_start), "end": rfc3339(line.period_end)},
                "proration": line.is_proration,
            }
            for line in msgspec.json.decode(row.lines, type=list[InvoiceLine])
        ],
    }
