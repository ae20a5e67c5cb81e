"""
The ledger's triggers, and on PostgreSQL the functions of the hot path.

Revision ID: 0002
Revises: 0001
"""

from pathlib import Path

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


FUNCTIONS = ("0002_ledger_batch.sql", "0002_ledger_call.sql", "0002_ledger_read.sql")


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for statement in SQLITE:
            op.execute(statement)
        return
    for statement in POSTGRESQL:
        op.execute(statement)
    for name in FUNCTIONS:
        op.get_bind().exec_driver_sql(Path(__file__).with_name(name).read_text(encoding="utf-8"))


def downgrade() -> None:
    raise NotImplementedError("migrations go forward; restore a backup to go back")
