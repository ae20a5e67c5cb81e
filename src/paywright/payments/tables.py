"""Payments with their refunds, disputes and what those did, and payouts: mirrored from Stripe."""

from sqlalchemy import BigInteger, CheckConstraint, Index, Table, text

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
    Column("subscription_id", Ident, comment="Stripe's, whose invoice it paid"),
    Column("period_start", Instant, comment="of what that invoice is for"),
    Column("period_end", Instant),
    Column("fraud_warning", Ident, comment="the type an early fraud warning gave"),
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
    Index("ix_payments_subscription_id", "environment_id", "subscription_id"),
    Index("ix_payments_paid_at", "environment_id", "paid_at", "id"),
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
    Column("end_policy", Ident, comment="now, period_end or none; null: by on_refund, when it has succeeded"),
    Column("take_back", Ident, comment="unspent, all or none; null: by on_refund, when it has succeeded"),
    Column("returned_then", Quantity, comment="of the payment when this one had its effect, itself included; null: it has had none"),
    Column("parameters", Ident, comment="JSON, exactly what Stripe is sent; null: not asked for by us"),
    Column("generation", BigInteger, nullable=False, server_default="1", comment="part of the key Stripe is sent"),
    Column("requested_at", Instant, comment="wall clock, of this generation"),
    Column("attempted_at", Instant, comment="wall clock"),
    Column("last_error", Ident),
    Column("created_at", Instant, nullable=False),
    CheckConstraint("end_policy IN ('now', 'period_end', 'none')", name="end_policy"),
    CheckConstraint("take_back IN ('unspent', 'all', 'none')", name="take_back"),
    Index("uq_refunds_stripe_refund_id", "environment_id", "stripe_refund_id", unique=True),
    Index("ix_refunds_payment_id", "environment_id", "payment_id", "id"),
    Index(
        "ix_refunds_requested", "environment_id", "attempted_at", "id",
        postgresql_where=text("status = 'requested'"), sqlite_where=text("status = 'requested'"),
    ),
)  # fmt: skip

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

return_effects = Table(
    "return_effects",
    metadata,
    environment_column(),
    Column("source", Ident, primary_key=True, comment="refund: or dispute: and Stripe's id"),
    Column("owned_product_id", Ident, primary_key=True),
    Column("payment_id", Ident, nullable=False),
    Column("froze", Flag, nullable=False, server_default="0"),
    Column("took", Flag, nullable=False, server_default="0", comment="units and, if ended is set, the product"),
    Column("ended", Flag, nullable=False, server_default="0"),
    Column(
        "undone", Flag, nullable=False, server_default="0", comment="given back: the refund failed, the dispute was won"
    ),
    Index("ix_return_effects_payment_id", "environment_id", "payment_id"),
)

fraud_warnings = Table(
    "fraud_warnings",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True, comment="Stripe's"),
    Column("payment_id", Ident, nullable=False),
    Column("fraud_type", Ident, nullable=False),
    Column("actionable", Flag, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index("ix_fraud_warnings_payment_id", "environment_id", "payment_id"),
)

payouts = Table(
    "payouts",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True, comment="Stripe's"),
    Column("status", Ident, nullable=False),
    Column("amount", BigInteger, nullable=False, comment="below zero: taken from the bank account"),
    Column("currency", Ident, nullable=False),
    Column("automatic", Flag, nullable=False),
    Column("arrives_at", Instant),
    Column("failure_code", Ident),
    Column("failure_message", Ident),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Index("ix_payouts_created_at", "environment_id", "created_at", "id"),
)
