"""Attempts to buy, and the places of which each customer may have but one open."""

from sqlalchemy import CheckConstraint, Index, Integer, Table, text

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

_HAS_INTENT = text("stripe_payment_intent_id IS NOT NULL")

checkout_sessions = Table(
    "checkout_sessions",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True),
    customer_column(),
    Column("mode", Ident, nullable=False),
    Column("ui", Ident, nullable=False, server_default="hosted"),
    Column("status", Ident, nullable=False),
    Column("payment_status", Ident, nullable=False, server_default="unpaid"),
    Column("lines", JsonText, nullable=False, comment="what is granted, pinned"),
    Column("currency", Ident, nullable=False),
    Column("success_url", Ident, nullable=False),
    Column("parameters_hash", Ident, nullable=False),
    Column("stripe_parameters", JsonText, comment="exactly what Stripe is sent, so that a repeat sends the same"),
    Column("generation", Integer, nullable=False, server_default="1"),
    Column("url", Ident),
    Column("renews", Ident),
    Column("fulfilled", Flag, nullable=False, server_default="0"),
    Column("last_error", JsonText),
    Column("stripe_checkout_session_id", Ident),
    Column("stripe_customer_id", Ident),
    Column("buyer_email", Ident, comment="trimmed, lower case: a guest's way back to what they bought"),
    Column("stripe_payment_intent_id", Ident),
    Column("stripe_subscription_id", Ident),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column(
        "requested_at", Instant, nullable=False, comment="wall clock: when Stripe was first asked under this generation"
    ),
    Column("attempted_at", Instant, nullable=False, comment="wall clock: when Stripe was last asked, for recovery"),
    CheckConstraint("status IN ('initialized', 'open', 'completed', 'expired', 'failed')", name="status"),
    Index("uq_checkout_sessions_stripe", "environment_id", "stripe_checkout_session_id", unique=True),
    Index("ix_checkout_sessions_customer", "environment_id", "customer", "created_at"),
    Index("ix_checkout_sessions_buyer_email", "environment_id", "buyer_email"),
    Index("ix_checkout_sessions_status", "environment_id", "status", "attempted_at"),
    Index(
        "ix_checkout_sessions_payment_intent",
        "environment_id",
        "stripe_payment_intent_id",
        postgresql_where=_HAS_INTENT,
        sqlite_where=_HAS_INTENT,
    ),
)

purchase_urls = Table(
    "purchase_urls",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True, comment="stands in the signed address of the page"),
    customer_column(),
    Column("product_id", Ident, comment="null: an inline product"),
    Column("inline_product", JsonText, comment="as it was asked for"),
    Column("return_url", Ident),
    Column("with_secret_key", Flag, nullable=False, comment="who made it: decides which prices may be chosen"),
    Column("checkout_session_id", Ident, comment="the newest attempt that was begun on it"),
    Column("created_at", Instant, nullable=False, comment="wall clock"),
    Column("expires_at", Instant, nullable=False, comment="wall clock"),
)

open_checkouts = Table(
    "open_checkouts",
    metadata,
    environment_column(),
    customer_column(primary_key=True),
    Column("place", Ident, primary_key=True, comment="line:… or product:…"),
    Column("checkout_session_id", Ident, nullable=False),
)
