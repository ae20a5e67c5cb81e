"""
Bringing a database up to date.

The migrations are Alembic revisions in `migrations/versions`. Each runs in the transaction that records it; a second
process starting meanwhile waits (an advisory lock on PostgreSQL, the write lock on SQLite) and then finds the work
done.
"""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from paywright.storage.database import Database

MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x5041_5957  # "PAYW"


class SchemaOutdated(Exception):
    """The database is not at the newest revision: run `paywright migrate`."""


def alembic_config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def upgrade(database_url: str) -> None:
    """To the newest revision. Safe to run at any time, twice, and from several processes at once."""
    database = Database(database_url)
    try:
        with database.write() as connection:
            if database.dialect == "postgresql":
                connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
            command.upgrade(alembic_config(connection), "head")
    finally:
        database.close()


def revisions(database: Database) -> tuple[str | None, str | None]:
    """The revision the database is at, and the newest there is."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision(), _newest()


@cache
def _newest() -> str | None:
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def require_current(database: Database) -> None:
    """Raises `SchemaOutdated` unless the database is at the newest revision."""
    current, newest = revisions(database)
    if current != newest:
        stands = "has no tables yet" if current is None else f"is at revision {current}"
        raise SchemaOutdated(
            f"the database {stands}, this version of Paywright needs {newest}: run `paywright migrate`"
        )
