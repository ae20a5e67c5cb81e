"""API keys, and customer tokens that were taken back before their time. All instants here are the wall clock's."""

from sqlalchemy import CheckConstraint, Index, Table

from paywright.storage.schema import Column, Ident, Instant, customer_column, environment_column, metadata

api_keys = Table(
    "api_keys",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True),
    Column("kind", Ident, nullable=False),
    Column("name", Ident),
    Column("scopes", Ident, nullable=False, comment="separated by spaces"),
    Column("key_hash", Ident, nullable=False, comment="SHA-256, hex"),
    Column("publishable_key", Ident, comment="plain; null for secret keys"),
    Column("last_four", Ident, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    CheckConstraint("kind IN ('secret', 'publishable')", name="kind"),
    CheckConstraint("(kind = 'publishable') = (publishable_key IS NOT NULL)", name="secret_keys_are_hashed"),
    Index("uq_api_keys_key_hash", "key_hash", unique=True),
)

revoked_tokens = Table(
    "revoked_tokens",
    metadata,
    environment_column(),
    Column("token_id", Ident, primary_key=True),
    Column("expires_at", Instant, nullable=False, comment="the row may go after that"),
)

revoked_customers = Table(
    "revoked_customers",
    metadata,
    environment_column(),
    customer_column(primary_key=True),
    Column("revoked_at", Instant, nullable=False, comment="tokens issued up to then are void"),
)

app_jwts = Table(
    "app_jwts",
    metadata,
    environment_column(),
    Column("issuer", Ident, nullable=False),
    Column("audience", Ident),
    Column("jwks_url", Ident),
    Column("public_key", Ident, comment="PEM"),
    Column("shared_secret", Ident, comment="encrypted"),
    Column("user_claim", Ident, nullable=False),
    Column("teams_claim", Ident, nullable=False),
    Index("ix_app_jwts_issuer", "issuer"),
)
