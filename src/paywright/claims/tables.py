"""Guests, the tokens that open them, and the codes that bring them back."""

from sqlalchemy import Index, Integer, Table

from paywright.storage.schema import Column, Ident, Instant, LargeBinary, environment_column, metadata

guests = Table(
    "guests",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True),
    Column("attached_to", Ident, comment="the customer its purchases moved to"),
    Column("created_at", Instant, nullable=False),
)

claim_tokens = Table(
    "claim_tokens",
    metadata,
    environment_column(),
    Column("token_hash", LargeBinary(32), primary_key=True, comment="SHA-256; the token itself is nowhere"),
    Column("guest_id", Ident, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index("ix_claim_tokens_guest_id", "environment_id", "guest_id"),
)

sign_in_codes = Table(
    "sign_in_codes",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True),
    Column("address_hash", LargeBinary(32), nullable=False, comment="keyed hash of the address"),
    Column("code_hash", LargeBinary(32), nullable=False, comment="keyed hash of address and code"),
    Column("tries_left", Integer, nullable=False),
    Column("expires_at", Instant, nullable=False, comment="wall clock"),
    Column("created_at", Instant, nullable=False, comment="wall clock"),
    Index("ix_sign_in_codes_address_hash", "environment_id", "address_hash", "created_at"),
)
