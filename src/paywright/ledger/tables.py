"""
Balances, the entries that explain them, and what is still to come for them.

A balance's row is all a decrease looks at: `next_due` says until when nothing happens by itself. `due` of an item grant
sorts the breakdown as well: a known instant, then `NEVER` for an end not yet known, then `NEVER + 1` for units that stay
for good. Entries are append-only (triggers) and are outbox rows themselves; an entry without a source of its own is its
own fact, shown as `call:` and its id.
"""

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, Table, text

from paywright.storage.schema import (
    Column,
    Flag,
    Ident,
    Instant,
    Quantity,
    customer_column,
    environment_column,
    metadata,
)

_NEVER = "4611686018427387904"
_DUE = text("next_due < 4611686018427387904")
_LIVE = text("live > 0")
_EXPIRING = text("warned = 0 AND live > 0 AND due < 4611686018427387904")

balances = Table(
    "balances",
    metadata,
    environment_column(),
    customer_column(primary_key=True),
    Column("item_id", Ident, primary_key=True),
    Column("balance", Quantity, nullable=False, server_default="0"),
    Column("spent", Quantity, nullable=False, server_default="0", comment="spent but not yet absorbed by an expiry"),
    Column("live", Quantity, nullable=False, server_default="0", comment="sum of item_grants.live"),
    Column(
        "carried", Quantity, nullable=False, server_default="0", comment="past their expiry, kept alive by open holds"
    ),
    Column("held", Quantity, nullable=False, server_default="0", comment="sum of open holds"),
    Column("entries", BigInteger, nullable=False, server_default="0", comment="the last entry's seq"),
    Column("at", Instant, nullable=False, comment="how far time has been applied"),
    Column("next_due", Instant, nullable=False, comment="the first repeat, expiry or hold timeout to come"),
    CheckConstraint("balance = live + carried - spent", name="adds_up"),
    CheckConstraint("spent >= 0 AND live >= 0 AND carried >= 0 AND held >= carried AND entries >= 0", name="signs"),
    CheckConstraint("balance BETWEEN -9007199254740991 AND 9007199254740991", name="range"),
    Index(
        "ix_balances_next_due",
        "environment_id",
        "next_due",
        postgresql_where=_DUE,
        sqlite_where=_DUE,
    ),
    sqlite_with_rowid=False,
)

ledger_entries = Table(
    "ledger_entries",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True, comment="sorts by time"),
    customer_column(),
    Column("item_id", Ident, nullable=False),
    Column("seq", BigInteger, nullable=False, comment="1, 2, 3 … per balance"),
    Column("sequence", BigInteger, nullable=False, comment="the customer's, shared with events"),
    Column("version", BigInteger, nullable=False, comment="the customer's, after the commit of this entry"),
    Column("kind", Ident, nullable=False),
    Column("quantity", Quantity, nullable=False),
    Column("delta", Quantity, nullable=False),
    Column("balance_after", Quantity, nullable=False),
    Column("held_after", Quantity, nullable=False),
    Column("spent_after", Quantity, nullable=False),
    Column("at", Instant, nullable=False),
    Column("effective_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("item_key", Ident, comment="when the units are lost: never, at:…, end:… or repeat:…; or the hold"),
    Column("grant_id", Ident, comment="the grant that a take-back or a transfer took from"),
    Column("source", Ident, comment="the fact, once for ever; null: a call, which is its own fact"),
    Column("note", Ident),
    Column("actor", Ident),
    CheckConstraint("quantity >= 0", name="quantity"),
    CheckConstraint("seq >= 1 AND sequence >= 1", name="counters"),
    CheckConstraint("held_after >= 0 AND spent_after >= 0", name="signs"),
    Index("uq_ledger_entries_sequence", "environment_id", "customer", "item_id", "sequence", unique=True),
    Index(
        "uq_ledger_entries_source", "environment_id", "customer", "item_id", "source", unique=True,
        postgresql_where=text("source IS NOT NULL"), sqlite_where=text("source IS NOT NULL"),
    ),
)  # fmt: skip

item_grants = Table(
    "item_grants",
    metadata,
    environment_column(),
    customer_column(primary_key=True),
    Column("item_id", Ident, primary_key=True),
    Column("id", Ident, primary_key=True, comment="of the entry that granted it"),
    Column("source", Ident, comment="as in ledger_entries"),
    Column("kind", Ident, nullable=False),
    Column("item_key", Ident, nullable=False),
    Column("owned_product_id", Ident),
    Column("granted_at", Instant, nullable=False, comment="when it took effect"),
    Column("sequence", BigInteger, nullable=False, comment="age among grants of one instant"),
    Column("due", Instant, nullable=False),
    Column("quantity", Quantity, nullable=False),
    Column("paid", Quantity, nullable=False, server_default="0", comment="went into debt, for good"),
    Column("live", Quantity, nullable=False, comment="not expired, not taken; spending is laid over it"),
    Column("absorbed", Quantity, nullable=False, server_default="0", comment="was spent when it expired or was closed"),
    Column("expired", Quantity, nullable=False, server_default="0", comment="lost, or carried by a hold"),
    Column("taken", Quantity, nullable=False, server_default="0"),
    Column("warned", Flag, nullable=False, server_default="0", comment="item.expiring_soon was sent"),
    CheckConstraint("quantity = paid + live + absorbed + expired + taken", name="adds_up"),
    CheckConstraint("paid >= 0 AND live >= 0 AND absorbed >= 0 AND expired >= 0 AND taken >= 0", name="signs"),
    Index(
        "ix_item_grants_live", "environment_id", "customer", "item_id", "due",
        postgresql_where=_LIVE, sqlite_where=_LIVE,
    ),
    Index(
        "ix_item_grants_owned_product_id", "environment_id", "customer", "owned_product_id",
        postgresql_where=text("owned_product_id IS NOT NULL"), sqlite_where=text("owned_product_id IS NOT NULL"),
    ),
    Index(
        "ix_item_grants_expiring", "environment_id", "due",
        postgresql_where=_EXPIRING, sqlite_where=_EXPIRING,
    ),
)  # fmt: skip

included_items = Table(
    "included_items",
    metadata,
    environment_column(),
    customer_column(primary_key=True),
    Column("item_id", Ident, primary_key=True),
    Column("owned_product_id", Ident, primary_key=True),
    Column("quantity", Quantity, nullable=False, comment="per turn: included quantity times purchase quantity"),
    Column("repeat", Ident, comment="a period; null: given once"),
    Column("expires", Ident, nullable=False),
    Column("anchor", Instant, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False, comment="NEVER while no end is known"),
    Column(
        "next_repeat", Integer, nullable=False, comment="n of the next repeat, at anchor + n periods; 0: it starts then"
    ),
    Column("next_repeat_at", Instant, nullable=False),
    Column("paused", Flag, nullable=False, server_default="0"),
    Column("ended", Flag, nullable=False, server_default="0"),
    Column("later_quantity", Quantity, nullable=False, server_default="0", comment="per turn, from later_at on"),
    Column("later_at", Instant, nullable=False, server_default=_NEVER),
    Column(
        "pauses_at", Instant, nullable=False, server_default=_NEVER, comment="when access is lost, if that is known"
    ),
    Column(
        "turns_before", Integer, nullable=False, server_default="0", comment="turn n is at anchor + (n - this) periods"
    ),
    CheckConstraint("quantity >= 0", name="quantity"),
    CheckConstraint("expires IN ('never', 'when_purchase_expires', 'when_repeated')", name="expires"),
    Index("ix_included_items_owned_product_id", "environment_id", "customer", "owned_product_id"),
)

holds = Table(
    "holds",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True),
    customer_column(),
    Column("item_id", Ident, nullable=False),
    Column("quantity", Quantity, nullable=False),
    Column("carried", Quantity, nullable=False, server_default="0"),
    Column("captured", Quantity, nullable=False, server_default="0"),
    Column("status", Ident, nullable=False, server_default="open"),
    Column("kind", Ident, nullable=False, comment="app or dispute"),
    Column("source", Ident, nullable=False, comment="the dispute, or the hold itself"),
    Column("owned_product_id", Ident),
    Column("opened_at", Instant, nullable=False),
    Column("sequence", BigInteger, nullable=False, comment="order of opening"),
    Column("due", Instant, nullable=False, comment="NEVER for a dispute's"),
    CheckConstraint("quantity >= 1 AND carried BETWEEN 0 AND quantity AND captured BETWEEN 0 AND quantity", name="quantities"),
    CheckConstraint("status IN ('open', 'captured', 'released', 'timed_out')", name="status"),
    CheckConstraint("kind IN ('app', 'dispute')", name="kind"),
    Index(
        "ix_holds_open", "environment_id", "customer", "item_id",
        postgresql_where=text("status = 'open'"), sqlite_where=text("status = 'open'"),
    ),
)  # fmt: skip
