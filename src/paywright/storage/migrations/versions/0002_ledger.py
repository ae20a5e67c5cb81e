"""
Entries are append-only, on both databases.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SQLITE = (
    """
    CREATE TRIGGER ledger_entries_never_change BEFORE UPDATE ON ledger_entries
    BEGIN
        SELECT RAISE(ABORT, 'ledger entries are append-only');
    END
    """,
    """
    CREATE TRIGGER ledger_entries_never_go BEFORE DELETE ON ledger_entries
    BEGIN
        SELECT RAISE(ABORT, 'ledger entries are append-only');
    END
    """,
)

POSTGRESQL = (
    """
    CREATE FUNCTION paywright_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'ledger entries are append-only' USING ERRCODE = 'integrity_constraint_violation';
    END
    $$
    """,
    # Per statement: an insert, which is all that ever happens here, pays nothing.
    """
    CREATE TRIGGER ledger_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
        FOR EACH STATEMENT EXECUTE FUNCTION paywright_append_only()
    """,
    # A hot balance is rewritten in place thousands of times a second: room in the page keeps its indexes out of it.
    "ALTER TABLE balances SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02)",
    "ALTER TABLE customers SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02)",
)


def upgrade() -> None:
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("migrations go forward; restore a backup to go back")
