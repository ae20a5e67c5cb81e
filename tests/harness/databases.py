"""
Fresh databases, each a copy of one that was migrated once in this session.

Migrating takes a second and copying milliseconds, so every test has a database of its own.
"""

import itertools
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from tests.harness.postgres import PostgresServer


def migrate(url: str) -> None:
    # Imported here, so that tests of pure rules need neither SQLAlchemy nor a schema.
    from paywright.storage.migrate import upgrade

    upgrade(url)


class SqliteDatabases:
    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @cached_property
    def template(self) -> Path:
        path = self.directory / "template.db"
        migrate(f"sqlite:///{path}")
        # The copy takes one file, so what is still in the write-ahead log goes into it first.
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return path

    @contextmanager
    def fresh(self, directory: Path, *, migrated: bool = True) -> Iterator[str]:
        path = next(name for name in numbered(directory) if not name.exists())
        if migrated:
            shutil.copyfile(self.template, path)
        else:
            path.touch()
        yield f"sqlite:///{path}"
        for remains in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            remains.unlink(missing_ok=True)


def numbered(directory: Path) -> Iterator[Path]:
    return (directory / f"paywright-{number}.db" for number in itertools.count(1))


class PostgresDatabases:
    """
    Databases are used again: copying one takes a second of a busy machine, emptying one five milliseconds. One whose schema a test changed is
    dropped instead.
    """

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self._idle: list[str] = []

    @cached_property
    def template(self) -> str:
        url = self.server.create_database()
        migrate(url)
        self.server.disconnect_all(url)
        return url

    @cached_property
    def schema(self) -> str:
        return self.server.ask(self.template, _SCHEMA)

    @contextmanager
    def fresh(self, *, migrated: bool = True) -> Iterator[str]:
        if not migrated:
            url = self.server.create_database()
            yield url
            self.server.drop_database(url)
            return
        url = self._idle.pop() if self._idle else self._copy()
        yield url
        self.server.disconnect_all(url)
        if self.server.ask(url, _SCHEMA) == self.schema:
            self.server.run(url, _EMPTY)
            self._idle.append(url)
        else:
            self.server.drop_database(url)

    def close(self) -> None:
        for url in self._idle:
            self.server.drop_database(url)
        if "template" in self.__dict__:
            self.server.drop_database(self.template)
        self.server.stop()

    def _copy(self) -> str:
        template, _schema = self.template, self.schema
        self.server.disconnect_all(template)
        return self.server.create_database(template=template)


# Everything a migration makes: columns with their defaults, indexes, constraints, functions and triggers.
_SCHEMA = """
SELECT md5(string_agg(line, E'\n' ORDER BY line)) FROM (
    SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default) AS line
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', proname, md5(prosrc)) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', tgrelid::regclass, tgname, tgenabled) FROM pg_trigger WHERE NOT tgisinternal
) AS lines
"""

# Tables with rows only; the append-only triggers stand aside for the one who resets a test database.
_EMPTY = """
SET session_replication_role = replica;
DO $$
DECLARE
    name text;
    has_rows boolean;
BEGIN
    FOR name IN SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE 'SELECT EXISTS (SELECT 1 FROM ' || name || ' LIMIT 1)' INTO has_rows;
        IF has_rows THEN
            EXECUTE 'TRUNCATE ' || name || ' RESTART IDENTITY';
        END IF;
    END LOOP;
END $$;
"""
