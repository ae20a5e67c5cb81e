"""
Owned products, and who holds what may be held once.

The two holder tables are the rule "one at a time" as a database constraint: however two purchases race, one insert fails.
"""

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, Table, text

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

owned_products = Table(
    "owned_products",
    metadata,
    environment_column(),
    customer_column(primary_key=True),
    Column("id", Ident, primary_key=True),
    Column("product_id", Ident, comment="null: inline"),
    Column("version_id", Ident, nullable=False, comment="the product as it was sold"),
    Column("price_id", Ident),
    Column("quantity", BigInteger, nullable=False),
    Column("source", Ident, nullable=False),
    Column("granted_at", Instant, nullable=False),
    Column("access", Flag, nullable=False, server_default="1"),
    Column("access_until", Instant, comment="access is lost then: the days of grace"),
    Column("frozen_by", Ident, comment="disputes, by a space between them; access is lost whatever the column says"),
    Column("items_anchor", Instant, comment="null: granted_at"),
    Column("ends_at", Instant, comment="own_ends_at, or the end of the last base when that is sooner"),
    Column("own_ends_at", Instant),
    Column("ended_at", Instant),
    Column("end_reason", Ident),
    Column("subscription_id", Ident, comment="Stripe's id, or ours for one without Stripe"),
    Column("stripe_backed", Flag),
    Column("status", Ident),
    Column("anchor", Instant),
    Column("interval", Ident),
    Column("current_period_end", Instant),
    Column("turns_at", Instant, comment="without Stripe: the next turn of the calendar nobody was told of"),
    Column("cancel_at_period_end", Flag, nullable=False, server_default="0"),
    Column("change_at", Instant, comment="a switch to come, at the end of the period"),
    Column("change_product_id", Ident),
    Column("change_version_id", Ident),
    Column("change_price_id", Ident),
    Column("change_quantity", BigInteger),
    Column(
        "change_owned_id", Ident, comment="of the owned product to come; null: the same goes on, or Stripe changes it"
    ),
    Column("checkout_session_id", Ident),
    Column("line_index", Integer),
    Column("moved_from", Ident, comment="the guest who bought it, once it belongs to an account"),
    CheckConstraint("quantity >= 1", name="quantity"),
    CheckConstraint("(subscription_id IS NULL) = (interval IS NULL)", name="subscription"),
    Index("ix_owned_products_product_id", "environment_id", "product_id", "customer", "id"),
    Index("ix_owned_products_subscription_id", "environment_id", "subscription_id"),
    Index("uq_owned_products_line", "environment_id", "checkout_session_id", "line_index", unique=True),
    *(
        Index(
            f"ix_owned_products_{column}",
            "environment_id",
            column,
            postgresql_where=text(f"ended_at IS NULL AND {column} IS NOT NULL"),
            sqlite_where=text(f"ended_at IS NULL AND {column} IS NOT NULL"),
        )
        for column in ("ends_at", "change_at", "access_until", "turns_at")
    ),
)

owner_migrations = Table(
    "owner_migrations",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True),
    Column("product_id", Ident, nullable=False),
    Column("version_id", Ident, nullable=False, comment="the product version its owners are migrated to"),
    Column("filter", JsonText, nullable=False, comment="which owners, see migrations.OwnerFilter"),
    Column("status", Ident, nullable=False, server_default="running"),
    Column("owners", BigInteger, nullable=False, comment="how many the filter named when it was started"),
    Column("migrated", BigInteger, nullable=False, server_default="0"),
    Column(
        "unchanged", BigInteger, nullable=False, server_default="0", comment="looked at, and there already or ended"
    ),
    Column("after_customer", Ident, nullable=False, server_default="", comment="how far it has come"),
    Column("after_id", Ident, nullable=False, server_default=""),
    Column("actor", Ident),
    Column("created_at", Instant, nullable=False),
    Column("finished_at", Instant),
    CheckConstraint("status IN ('running', 'completed')", name="status"),
    Index(
        "uq_owner_migrations_running",
        "environment_id",
        "product_id",
        unique=True,
        postgresql_where=text("status = 'running'"),
        sqlite_where=text("status = 'running'"),
    ),
)

product_line_holders = Table(
    "product_line_holders",
    metadata,
    environment_column(),
    customer_column(primary_key=True),
    Column("product_line", Ident, primary_key=True),
    Column("owned_product_id", Ident, nullable=False),
)

product_holders = Table(
    "product_holders",
    metadata,
    environment_column(),
    customer_column(primary_key=True),
    Column("product_id", Ident, primary_key=True),
    Column("owned_product_id", Ident, nullable=False),
)
