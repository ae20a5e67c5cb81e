"""Idempotency keys: the first answer to a request, kept for thirty days with the effect it belongs to."""

from sqlalchemy import Index, Integer, Table

from paywright.storage.schema import Column, Ident, Instant, JsonText, LargeBinary, environment_column, metadata

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    environment_column(),
    Column("caller", Ident, primary_key=True, comment="who may meet this key again: all secret keys are one caller"),
    Column("key_hash", LargeBinary(16), primary_key=True),
    Column("fingerprint", LargeBinary(32), nullable=False, comment="SHA-256 of method, path and normalised body"),
    Column("subject_id", Ident, comment="the row a first phase made, which a repeat continues"),
    Column("status", Integer, comment="null while the first request runs"),
    Column("body", JsonText),
    Column("created_at", Instant, nullable=False, comment="wall clock: retention is machinery"),
    # Keys come in the order of time, and nobody looks for one by it but the hourly broom: a block range costs an insert nothing.
    Index("ix_idempotency_keys_created_at", "created_at", postgresql_using="brin"),
)
