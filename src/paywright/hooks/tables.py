"""Hooks, what is on its way to them, and every try. The addresses are the operator's; the secrets are encrypted."""

from sqlalchemy import BigInteger, Index, Integer, Table, text

from paywright.storage.schema import (
    Column,
    Ident,
    Instant,
    JsonText,
    customer_column,
    environment_column,
    metadata,
)

hooks = Table(
    "hooks",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True),
    Column("kind", Ident, nullable=False, server_default="endpoint", comment="or process: a function of the app's"),
    Column("url", Ident, nullable=False, comment="of a function its name"),
    Column("events", JsonText, nullable=False),
    Column("secret", Ident, comment="encrypted; null for functions"),
    Column("status", Ident, nullable=False, server_default="enabled"),
    Column("disabled_reason", Ident),
    Column("failing_since", Instant, comment="the first failure since the last success; wall clock"),
    Column("seen_at", Instant, comment="wall clock: when a process that has the function was here last"),
    Column("created_at", Instant, nullable=False, comment="wall clock"),
)

hook_deliveries = Table(
    "hook_deliveries",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True),
    Column("hook_id", Ident, nullable=False),
    Column("event_id", Ident, nullable=False),
    Column("event_type", Ident, nullable=False),
    customer_column(nullable=True),
    Column("sequence", BigInteger),
    Column("body", JsonText, nullable=False, comment="exactly what is signed and sent, the same at every try"),
    Column("status", Ident, nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("created_at", Instant, nullable=False, comment="wall clock"),
    Column("next_attempt_at", Instant, comment="wall clock; while a worker sends it, the end of its lease"),
    Column("delivered_at", Instant, comment="wall clock"),
    Index("uq_hook_deliveries_event", "environment_id", "hook_id", "event_id", unique=True),
    Index(
        "ix_hook_deliveries_pending",
        "environment_id",
        "next_attempt_at",
        postgresql_where=text("status = 'pending'"),
        sqlite_where=text("status = 'pending'"),
    ),
    Index(
        "ix_hook_deliveries_order",
        "environment_id",
        "hook_id",
        "customer",
        "sequence",
        postgresql_where=text("status = 'pending'"),
        sqlite_where=text("status = 'pending'"),
    ),
)

hook_attempts = Table(
    "hook_attempts",
    metadata,
    environment_column(),
    Column("delivery_id", Ident, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", Instant, nullable=False, comment="wall clock"),
    Column("status", Integer),
    Column("duration_ms", Integer, nullable=False),
    Column("answer", Ident),
    Column("error", Ident),
)
