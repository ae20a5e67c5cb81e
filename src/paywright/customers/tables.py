"""A customer's counterpart at Stripe. Our row comes first; concurrent checkouts of a new customer meet at it and send Stripe the same key."""

from sqlalchemy import Index, Integer, Table

from paywright.storage.schema import Column, Ident, Instant, customer_column, environment_column, metadata

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
    Column("created_at", Instant, nullable=False),
    Index("uq_stripe_customers_stripe_customer_id", "environment_id", "stripe_customer_id", unique=True),
)
