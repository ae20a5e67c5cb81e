"""The inbox of Stripe events, each kept once for ever; the door's endpoint at Stripe and its refusals; the lanes to Stripe that rest."""

from sqlalchemy import CheckConstraint, Index, Integer, Table, text

from paywright.storage.schema import Column, Flag, Ident, Instant, JsonText, LargeBinary, environment_column, metadata

_DUE = text("next_attempt_at IS NOT NULL")
WAITING = text("stripe_customer_id IS NOT NULL AND reason IN ('unresolved', 'not_ours')")
"""Said word for word in a query, it lets SQLite use the index."""

stripe_events = Table(
    "stripe_events",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True, comment="Stripe's: the first of the two unique keys"),
    Column("type", Ident, nullable=False),
    Column("livemode", Flag, nullable=False),
    Column("account", Ident),
    Column("root", Ident, comment="the kind and id of what is fetched; null: nothing to fetch"),
    Column("stripe_customer_id", Ident, comment="whose mapping wakes an unresolved one, or one that was not ours"),
    Column("status", Ident, nullable=False),
    Column("reason", Ident),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", Instant, comment="wall clock; null: not due by itself"),
    Column("claim", Ident, comment="who holds a `processing` row"),
    Column("claimed_at", Instant, comment="wall clock"),
    Column("last_error", Ident),
    Column("received_at", Instant, nullable=False, comment="wall clock"),
    Column("processed_at", Instant, comment="wall clock; when it was processed or ignored"),
    Column("payload", LargeBinary, comment="the raw body, lz4; null after 90 days"),
    CheckConstraint("status IN ('pending', 'processing', 'processed', 'failed', 'ignored')", name="status"),
    CheckConstraint("(status = 'processing') = (claim IS NOT NULL)", name="claim"),
    CheckConstraint("status <> 'pending' OR (root IS NOT NULL AND next_attempt_at IS NOT NULL)", name="pending_is_due"),
    Index("ix_stripe_events_due", "environment_id", "next_attempt_at", "id", postgresql_where=_DUE, sqlite_where=_DUE),
    Index("ix_stripe_events_root", "environment_id", "root", "status"),
    Index("ix_stripe_events_status", "environment_id", "status", "received_at", "id"),
    Index("ix_stripe_events_received_at", "environment_id", "received_at", "id"),
    Index(
        "ix_stripe_events_waiting",
        "environment_id",
        "stripe_customer_id",
        postgresql_where=WAITING,
        sqlite_where=WAITING,
    ),
)

stripe_lanes = Table(
    "stripe_lanes",
    metadata,
    environment_column(),
    Column("paused_until", Instant, nullable=False, comment="wall clock: background calls to Stripe rest until then"),
    Column("pauses", Integer, nullable=False, comment="in a row, since the last answer"),
    Column("reason", Ident, nullable=False, comment="busy, unknown, key_refused or not_connected"),
)

stripe_endpoints = Table(
    "stripe_endpoints",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True, comment="ours: part of the Idempotency-Key sent to Stripe"),
    Column("stripe_endpoint_id", Ident, comment="null until Stripe has answered"),
    Column("url", Ident, nullable=False),
    Column("parameters", JsonText, nullable=False, comment="as sent: a repeat sends the same"),
    Column("status", Ident, nullable=False, comment="requested, in_use, replaced or deleted"),
    Column("created_at", Instant, nullable=False, comment="wall clock"),
    CheckConstraint("status IN ('requested', 'in_use', 'replaced', 'deleted')", name="status"),
    CheckConstraint("status = 'requested' OR stripe_endpoint_id IS NOT NULL", name="answered"),
    Index(
        "uq_stripe_endpoints_requested",
        "environment_id",
        unique=True,
        postgresql_where=text("status = 'requested'"),
        sqlite_where=text("status = 'requested'"),
    ),
)

stripe_signature_failures = Table(
    "stripe_signature_failures",
    metadata,
    environment_column(),
    Column("failures", Integer, nullable=False, comment="deliveries refused since the first"),
    Column("first_at", Instant, nullable=False, comment="wall clock; the first after the last good event"),
    Column("last_at", Instant, nullable=False, comment="wall clock"),
    Column("last_reason", Ident, nullable=False, comment="missing, malformed, wrong, stale or future"),
)
