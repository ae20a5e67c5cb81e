"""
A customer's counterpart at Stripe. Our row comes first; concurrent checkouts of a new customer meet at it and send Stripe the same key.
"""

from sqlalchemy import Index, Integer, Table

from paywright.storage.schema import Column, Ident, Instant, JsonText, customer_column, environment_column, metadata

stripe_customers = Table(
    "stripe_customers",
    metadata,
    environment_column(),
    customer_column(primary_key=True),
    Column("row_id", Ident, nullable=False, comment="part of the Idempotency-Key sent to Stripe"),
    Column(
        "generation",
        Integer,
        nullable=False,
        server_default="1",
        comment="rises when a counterpart is gone and made anew",
    ),
    Column("stripe_customer_id", Ident, comment="null until Stripe has answered"),
    Column("email", Ident),
    Column("default_payment_method_id", Ident),
    Column("card", JsonText, comment="brand, last4 and expiry of the default card"),
    Column("created_at", Instant, nullable=False),
    Column(
        "requested_at", Instant, nullable=False, comment="wall clock: when Stripe was first asked under this generation"
    ),
    Index("uq_stripe_customers_stripe_customer_id", "environment_id", "stripe_customer_id", unique=True),
)

setup_intents = Table(
    "setup_intents",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True, comment="part of the Idempotency-Key sent to Stripe"),
    customer_column(),
    Column("stripe_setup_intent_id", Ident, comment="null until Stripe has answered"),
    Column("created_at", Instant, nullable=False),
    Index("ix_setup_intents_customer", "environment_id", "customer", "created_at"),
)
