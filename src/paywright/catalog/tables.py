"""
Catalogs by version, products as they were sold, and their counterparts at Stripe.

`catalogs` is the head of an environment's catalog and what an apply locks. Versions and product versions are never changed nor deleted. `catalog_ids`
knows every id there ever was, so that an archived item keeps its name and type and an id can't come back as something else.
"""

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, Table

from paywright.storage.schema import Column, Flag, Ident, Instant, JsonText, environment_column, metadata

catalogs = Table(
    "catalogs",
    metadata,
    environment_column(),
    Column("version", BigInteger, nullable=False, server_default="0"),
    Column(
        "applied_id",
        Ident,
        nullable=False,
        server_default="",
        comment="new in each apply: a rolled-back one is never mistaken for it",
    ),
    Column("defaults_version", Integer, nullable=False, server_default="0"),
    CheckConstraint("version >= 0", name="version"),
)

catalog_versions = Table(
    "catalog_versions",
    metadata,
    environment_column(),
    Column("version", BigInteger, primary_key=True),
    Column("applied_id", Ident, nullable=False),
    Column("catalog_hash", Ident, nullable=False),
    Column("document", JsonText, nullable=False, comment="the whole normal form, see model.Catalog"),
    Column("origin", Ident, nullable=False, comment="file, api or dashboard"),
    Column("actor", Ident),
    Column("applied_at", Instant, nullable=False, comment="business time"),
    CheckConstraint("origin IN ('file', 'api', 'dashboard')", name="origin"),
)

catalog_ids = Table(
    "catalog_ids",
    metadata,
    environment_column(),
    Column("kind", Ident, primary_key=True, comment="item, product_line or product"),
    Column("id", Ident, primary_key=True),
    Column("display_name", Ident, nullable=False),
    Column("customer_type", Ident, nullable=False),
    Column(
        "archived",
        Flag,
        nullable=False,
        server_default="0",
        comment="gone from the catalog; what customers hold of it stays",
    ),
    Column("first_version", BigInteger, nullable=False),
)

product_versions = Table(
    "product_versions",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True, comment="pv_ and a hash of the product's normal form"),
    Column("product_id", Ident, comment="null for an inline product"),
    Column("document", JsonText, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index("ix_product_versions_product_id", "environment_id", "product_id"),
)

stripe_products = Table(
    "stripe_products",
    metadata,
    environment_column(),
    Column("product_id", Ident, primary_key=True),
    Column("row_id", Ident, nullable=False, comment="part of the Idempotency-Key sent to Stripe"),
    Column("stripe_product_id", Ident, nullable=False, comment="chosen by us"),
    Column("exists_at_stripe", Flag, nullable=False, server_default="0"),
    Column("active", Flag, nullable=False, server_default="1"),
    Column("display_name", Ident, nullable=False),
    Column(
        "generation",
        Integer,
        nullable=False,
        server_default="0",
        comment="rises with each new intent and after each definite no",
    ),
    Column("pushed_generation", Integer, nullable=False, server_default="0"),
    Column("parameters", JsonText, comment="of the newest intent"),
    Column("last_error", Ident),
    Column("drift", JsonText, comment="what somebody changed at Stripe since; null: nothing that we know"),
    Index("uq_stripe_products_stripe_product_id", "environment_id", "stripe_product_id", unique=True),
)

stripe_prices = Table(
    "stripe_prices",
    metadata,
    environment_column(),
    Column("product_id", Ident, primary_key=True),
    Column("price_id", Ident, primary_key=True),
    Column(
        "price_hash",
        Ident,
        primary_key=True,
        comment="of amounts and interval, which Stripe never lets change; or the adopted id",
    ),
    Column("row_id", Ident, nullable=False, comment="part of the Idempotency-Key sent to Stripe"),
    Column("lookup_key", Ident, nullable=False),
    Column("stripe_price_id", Ident, comment="null until Stripe has answered"),
    Column(
        "adopted",
        Flag,
        nullable=False,
        server_default="0",
        comment="made by somebody else at Stripe; we never change it",
    ),
    Column("active", Flag, nullable=False, server_default="1"),
    Column("product_version", Ident, nullable=False, comment="the newest one sold at this price"),
    Column("document", JsonText, nullable=False),
    Column("generation", Integer, nullable=False, server_default="0"),
    Column("pushed_generation", Integer, nullable=False, server_default="0"),
    Column("parameters", JsonText),
    Column("last_error", Ident),
    Column("drift", JsonText, comment="as in stripe_products"),
    Index("ix_stripe_prices_stripe_price_id", "environment_id", "stripe_price_id"),
)
