"""Stripe's subscriptions as we saw them last, and what we asked Stripe to change about them."""

from sqlalchemy import BigInteger, Index, Table

from paywright.storage.schema import (
    Column,
    Flag,
    Ident,
    Instant,
    JsonText,
    customer_column,
    environment_column,
    metadata,
)

subscriptions = Table(
    "subscriptions",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True, comment="Stripe's"),
    customer_column(),
    Column("status", Ident, nullable=False),
    Column("items", JsonText, nullable=False, comment="price, quantity and interval of each"),
    Column("current_period_start", Instant),
    Column("current_period_end", Instant),
    Column("cancel_at_period_end", Flag, nullable=False),
    Column("ends_at", Instant),
    Column("ended_at", Instant),
    Column("trial_end", Instant),
    Column("past_due_since", Instant),
    Column("latest_invoice_id", Ident),
    Column("started_at", Instant, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Index("ix_subscriptions_customer", "environment_id", "customer", "started_at"),
    Index("ix_subscriptions_started_at", "environment_id", "started_at", "id"),
)

subscription_changes = Table(
    "subscription_changes",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True, comment="part of the Idempotency-Key sent to Stripe"),
    Column("subscription_id", Ident, nullable=False),
    Column("method", Ident, nullable=False),
    Column("parameters", JsonText, nullable=False),
    Column("status", Ident, nullable=False, comment="requested, done or refused"),
    Column("last_error", Ident),
    Column("created_at", Instant, nullable=False, comment="wall clock"),
    Index("ix_subscription_changes_status", "status", "created_at"),
)

trial_uses = Table(
    "trial_uses",
    metadata,
    environment_column(),
    customer_column(primary_key=True),
    Column("place", Ident, primary_key=True, comment="line:… or product:…; a trial is had once for each"),
    Column("subscription_id", Ident, nullable=False),
    Column("started_at", Instant, nullable=False),
)
