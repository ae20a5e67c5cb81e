"""Payments with their refunds and disputes, mirrored from Stripe and named by one fact each."""

from sqlalchemy import BigInteger, CheckConstraint, Index, Table

from paywright.storage.schema import (
    Column,
    Flag,
    Ident,
    Instant,
    Quantity,
    customer_column,
    environment_column,
    metadata,
)

payments = Table(
    "payments",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True),
    Column("fact", Ident, nullable=False, comment="the intent, else the charge, else the invoice, else the session"),
    customer_column(),
    Column("status", Ident, nullable=False),
    Column("stripe_status", Ident, nullable=False, comment="as Stripe spells it, known to us or not"),
    Column("amount", Quantity, nullable=False, comment="received once paid, else asked"),
    Column("currency", Ident, nullable=False),
    Column("amount_refunded", Quantity, nullable=False, server_default="0", comment="by refunds that succeeded"),
    Column("amount_refunding", Quantity, nullable=False, server_default="0", comment="by refunds under way"),
    Column("disputed", Flag, nullable=False, server_default="0"),
    Column("failure_code", Ident, comment="Stripe's, for operators"),
    Column("decline_code", Ident, comment="Stripe's, for operators"),
    Column("checkout_session_id", Ident),
    Column("invoice_id", Ident, comment="Stripe's"),
    Column("stripe_payment_intent_id", Ident),
    Column("stripe_charge_id", Ident),
    Column("stripe_customer_id", Ident),
    Column("fee", Quantity),
    Column("net", Quantity),
    Column("receipt_url", Ident),
    Column("created_at", Instant, nullable=False, comment="Stripe's"),
    Column("paid_at", Instant),
    Column("seen_at", BigInteger, nullable=False),
    CheckConstraint(
        "status IN ('pending', 'requires_action', 'paid', 'failed', 'refunded', 'cancelled')", name="status"
    ),
    CheckConstraint("amount >= 0 AND amount_refunded >= 0 AND amount_refunding >= 0", name="amounts"),
    Index("uq_payments_fact", "environment_id", "fact", unique=True),
    Index("ix_payments_customer", "environment_id", "customer", "created_at", "id"),
    Index("ix_payments_created_at", "environment_id", "created_at", "id"),
    Index("ix_payments_checkout_session_id", "environment_id", "checkout_session_id"),
    Index("ix_payments_invoice_id", "environment_id", "invoice_id"),
)

refunds = Table(
    "refunds",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True),
    Column("stripe_refund_id", Ident, comment="null until Stripe has answered"),
    Column("payment_id", Ident, nullable=False),
    Column("status", Ident, nullable=False),
    Column("amount", Quantity, nullable=False),
    Column("currency", Ident, nullable=False),
    Column("reason", Ident),
    Column("failure_reason", Ident),
    Column("created_at", Instant, nullable=False),
    Index("uq_refunds_stripe_refund_id", "environment_id", "stripe_refund_id", unique=True),
    Index("ix_refunds_payment_id", "environment_id", "payment_id", "id"),
)

disputes = Table(
    "disputes",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True, comment="Stripe's"),
    Column("payment_id", Ident, nullable=False),
    Column("status", Ident, nullable=False),
    Column("amount", Quantity, nullable=False, comment="may differ from the charge's"),
    Column("currency", Ident, nullable=False),
    Column("reason", Ident),
    Column("evidence_due_at", Instant),
    Column("created_at", Instant, nullable=False),
    Index("ix_disputes_payment_id", "environment_id", "payment_id", "id"),
)
