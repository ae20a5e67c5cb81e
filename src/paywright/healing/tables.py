"""Comparisons with Stripe and what they found, how far each environment was compared, and which workers live."""

from sqlalchemy import CheckConstraint, Index, Integer, Table

from paywright.storage.schema import Column, Flag, Ident, Instant, JsonText, environment_column, metadata

reconciliations = Table(
    "reconciliations",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True),
    Column("status", Ident, nullable=False),
    Column("asked_by", Ident, nullable=False, comment="worker, cli or api"),
    Column("wish", JsonText, nullable=False, comment="depth, fix, events, since"),
    Column("place", JsonText, comment="how far it has come; null: it has not begun, or is over"),
    Column("counts", JsonText, nullable=False, server_default="{}", comment="objects looked at, by step"),
    Column("last_error", Ident),
    Column("claim", Ident, comment="who is at it"),
    Column("claimed_until", Instant, nullable=False, server_default="0", comment="wall clock"),
    Column("began_at", Instant, comment="business time: what changes later is for the next one"),
    Column("created_at", Instant, nullable=False, comment="wall clock"),
    Column("finished_at", Instant, comment="wall clock"),
    CheckConstraint("status IN ('requested', 'running', 'finished', 'failed')", name="status"),
    Index("ix_reconciliations_created_at", "environment_id", "created_at", "id"),
    Index("ix_reconciliations_status", "environment_id", "status", "created_at"),
)

reconcile_lines = Table(
    "reconcile_lines",
    metadata,
    environment_column(),
    Column("reconciliation_id", Ident, primary_key=True),
    Column("noun", Ident, primary_key=True),
    Column("id", Ident, primary_key=True, comment="Stripe's where there is one, else ours"),
    Column("field", Ident, primary_key=True),
    Column("ours", JsonText, nullable=False),
    Column("stripe", JsonText, nullable=False),
    Column("fixed", Flag, nullable=False),
)

reconcile_cursors = Table(
    "reconcile_cursors",
    metadata,
    environment_column(),
    Column("events_seen", Ident, comment="the Stripe event up to which undelivered ones were looked for"),
    Column("compared_until", Instant, comment="business time: when the last comparison that finished began"),
)

worker_beats = Table(
    "worker_beats",
    metadata,
    environment_column(),
    Column("process", Ident, primary_key=True, comment="host and process"),
    Column("beats", Integer, nullable=False),
    Column("beat_at", Instant, nullable=False, comment="wall clock"),
)
