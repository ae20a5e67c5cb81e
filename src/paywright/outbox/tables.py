"""
What we tell the world, and the head of each customer's stream.

A customer's row is what every change of that customer locks first: `version` rises with every commit that changes what
`GET C` says, and `next_sequence` numbers the customer's events and ledger entries without gaps. Ledger entries are
outbox rows themselves (`item.balance_changed` is derived from them), so the events of one customer are the union of
`events` and `ledger_entries`, ordered by `sequence`.
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

_RARE = text("type <> 'customer.state_changed'")
_NOBODYS = text("customer IS NULL AND delivered = 0")

customers = Table(
    "customers",
    metadata,
    environment_column(),
    customer_column(primary_key=True),
    Column("version", BigInteger, nullable=False, server_default="0"),
    Column("next_sequence", BigInteger, nullable=False, server_default="1"),
    Column(
        "defaults_version",
        Integer,
        nullable=False,
        server_default="0",
        comment="the catalog's defaults this customer was opened under",
    ),
    Column(
        "opened_at",
        Instant,
        nullable=False,
        comment="first write, business time; repeats of free plans count from here",
    ),
    CheckConstraint("version >= 0 AND next_sequence >= 1", name="counters"),
)

events = Table(
    "events",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True),
    customer_column(nullable=True),
    Column("sequence", BigInteger, comment="null for events of no customer"),
    Column("type", Ident, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("data", JsonText, nullable=False),
    Column("delivered", Flag, nullable=False, server_default="0", comment="of events of no customer only"),
    Index("uq_events_sequence", "environment_id", "customer", "sequence", unique=True),
    # Not of what every decrease writes: it costs as much as the event itself, and those are found among all.
    Index("ix_events_type", "environment_id", "type", "id", postgresql_where=_RARE, sqlite_where=_RARE),
    Index("ix_events_of_nobody", "environment_id", "id", postgresql_where=_NOBODYS, sqlite_where=_NOBODYS),
)

told_customers = Table(
    "told_customers",
    metadata,
    environment_column(),
    customer_column(primary_key=True),
    Column("sequence", BigInteger, nullable=False, comment="everything of the customer up to here was delivered"),
)

outbox_progress = Table(
    "outbox_progress",
    metadata,
    environment_column(),
    Column("tail_id", Ident, nullable=False, server_default="", comment="events with a customer are told up to here"),
    Column("passed_id", Ident, nullable=False, server_default="", comment="nobody listened up to here"),
    Column("swept", Ident, nullable=False, server_default="", comment="the last customer looked at for late ones"),
)

commands = Table(
    "commands",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True),
    Column("kind", Ident, nullable=False),
    Column("subject", Ident, nullable=False, comment="one command per kind and subject, for ever"),
    Column("arguments", JsonText, nullable=False),
    Column("status", Ident, nullable=False, server_default="pending", comment="pending, done or failed"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", Instant, nullable=False, comment="wall clock"),
    Column("last_error", Ident),
    Column("created_at", Instant, nullable=False, comment="wall clock"),
    Index("uq_commands_subject", "environment_id", "kind", "subject", unique=True),
    Index("ix_commands_due", "status", "next_attempt_at"),
)

letters = Table(
    "letters",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True),
    Column("kind", Ident, nullable=False),
    Column("fact", Ident, nullable=False, comment="one letter per kind and fact, for ever"),
    Column("sealed", Ident, comment="recipient and contents, encrypted; null once it is forgotten"),
    Column("status", Ident, nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", Instant, comment="wall clock; while a worker has it, the end of its lease"),
    Column("last_error", Ident),
    Column("created_at", Instant, nullable=False, comment="wall clock"),
    Column("ended_at", Instant, comment="wall clock: when it was sent, kept or given up"),
    CheckConstraint("status IN ('pending', 'sending', 'sent', 'kept', 'uncertain', 'dead')", name="status"),
    Index("uq_letters_fact", "environment_id", "kind", "fact", unique=True),
    Index(
        "ix_letters_due",
        "environment_id",
        "next_attempt_at",
        postgresql_where=text("next_attempt_at IS NOT NULL"),
        sqlite_where=text("next_attempt_at IS NOT NULL"),
    ),
    Index("ix_letters_status", "environment_id", "status", "ended_at"),
)

audit = Table(
    "audit",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True),
    Column("act", Ident, nullable=False),
    Column("subject", Ident, nullable=False, comment="the id of what it was done to"),
    Column("actor", Ident, nullable=False),
    Column("request_id", Ident),
    Column("facts", JsonText, nullable=False, comment="no secret"),
    Column("at", Instant, nullable=False, comment="wall clock"),
    Index("ix_audit_act", "environment_id", "act", "id"),
    Index("ix_audit_actor", "environment_id", "actor", "id"),
    Index("ix_audit_subject", "environment_id", "subject", "id"),
)
