"""One app in one mode. Everything else belongs to exactly one of these rows."""

from sqlalchemy import CheckConstraint, Integer, Table

from paywright.storage.schema import Column, Flag, Ident, Instant, JsonText, environment_column, metadata

environments = Table(
    "environments",
    metadata,
    environment_column(),
    Column("mode", Ident, nullable=False),
    Column("provider", Ident, nullable=False),
    Column("block_new_purchases", Flag, nullable=False, server_default="0"),
    Column("default_currency", Ident, nullable=False, server_default="usd"),
    Column(
        "policy",
        JsonText,
        nullable=False,
        comment="allowed_origins, access, on_refund, on_dispute_lost, expiring_soon_hours, emails",
    ),
    Column("stripe_secret_key", Ident, comment="encrypted"),
    Column("stripe_publishable_key", Ident),
    Column("stripe_account", Ident, comment="Connect: sent as Stripe-Account on every call"),
    Column("stripe_account_id", Ident, comment="whose key this is, as /v1/account said"),
    Column("stripe_api_base", Ident),
    Column("charges_enabled", Flag, comment="of the account, as Stripe said last; null: not asked yet"),
    Column("payouts_enabled", Flag),
    Column("requirements_due", JsonText, comment="what Stripe wants to know of the account by now"),
    Column("disconnected_at", Instant, comment="wall clock: since when the connected account lets us do nothing"),
    Column("clock_ms", Instant, comment="business time when it was last read from the provider; null: the wall clock"),
    Column("clock_read_at", Instant, comment="the wall clock at that moment"),
    Column("clock_runs", Flag, nullable=False, server_default="1", comment="0: the provider's clock is frozen"),
    Column("created_at", Instant, nullable=False, comment="wall clock"),
    CheckConstraint("mode IN ('test', 'live')", name="mode"),
    CheckConstraint("provider IN ('stripe', 'sandbox', 'instant')", name="provider"),
    CheckConstraint("provider = 'stripe' OR mode = 'test'", name="pretend_money_in_test_only"),
)

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True),
    Column("secret", Ident, nullable=False, comment="encrypted"),
    Column("stripe_endpoint_id", Ident),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, comment="a rolled secret is tried until then; wall clock"),
    Column("position", Integer, nullable=False, server_default="0"),
)
