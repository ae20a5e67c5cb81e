"""Invoices, mirrored from Stripe."""

from sqlalchemy import BigInteger, Index, Integer, Table

from paywright.storage.schema import (
    Column,
    Flag,
    Ident,
    Instant,
    JsonText,
    Quantity,
    customer_column,
    environment_column,
    metadata,
)

invoices = Table(
    "invoices",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True, comment="Stripe's"),
    customer_column(),
    Column("number", Ident),
    Column("status", Ident, nullable=False),
    Column("currency", Ident, nullable=False),
    Column("amount_due", Quantity, nullable=False),
    Column("amount_paid", Quantity, nullable=False),
    Column("amount_remaining", Quantity, nullable=False),
    Column("subtotal", Quantity, nullable=False),
    Column("total", Quantity, nullable=False),
    Column("billing_reason", Ident),
    Column("subscription_id", Ident),
    Column("attempt_count", Integer, nullable=False),
    Column("attempt_told", Integer, nullable=False, server_default="0", comment="the failed attempt told last"),
    Column(
        "is_renewal_told", Flag, nullable=False, server_default="0", comment="a period is told as paid once, for ever"
    ),
    Column("next_attempt_at", Instant),
    Column("created_at", Instant, nullable=False, comment="Stripe's"),
    Column("due_at", Instant),
    Column("paid_at", Instant),
    Column("period_start", Instant),
    Column("period_end", Instant),
    Column("hosted_invoice_url", Ident),
    Column("invoice_pdf", Ident),
    Column("lines", JsonText, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Index("ix_invoices_customer", "environment_id", "customer", "created_at", "id"),
    Index("ix_invoices_created_at", "environment_id", "created_at", "id"),
    Index("ix_invoices_subscription_id", "environment_id", "subscription_id"),
)
