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

import psycopg
from psycopg import sql

from tests.harness import kept_connections
from tests.harness.postgres import PostgresServer, database_name


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
    Databases are used again: copying one takes a second of a busy machine, emptying one two milliseconds. One whose schema a test changed is
    dropped instead.
    """

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self._idle: list[Emptied] = []

    @cached_property
    def template(self) -> str:
        url = self.server.create_database()
        migrate(url)
        self.server.disconnect_all(url)
        return url

    @contextmanager
    def fresh(self, *, migrated: bool = True) -> Iterator[str]:
        if not migrated:
            url = self.server.create_database()
            yield url
            self.server.drop_database(url)
            return
        database = self._idle.pop() if self._idle else self._copy()
        yield database.url
        if database.empty():
            self._idle.append(database)
        else:
            self._drop(database)

    def close(self) -> None:
        for database in self._idle:
            self._drop(database)
        if "template" in self.__dict__:
            self.server.drop_database(self.template)
        self.server.stop()

    def _copy(self) -> "Emptied":
        template = self.template
        self.server.disconnect_all(template)
        return Emptied(self.server, self.server.create_database(template=template))

    def _drop(self, database: "Emptied") -> None:
        database.close()
        kept_connections.forget(database_name(database.url))
        self.server.drop_database(database.url)


class Emptied:
    """
    A migrated database and a connection that empties it. The connection stays, because a new one costs more than all it does here; should a
    test end it with the others, the next emptying makes another.
    """

    def __init__(self, server: PostgresServer, url: str) -> None:
        self._server, self.url = server, url
        self._connection = server.inside(url)
        self._schema = self._schema_now()
        relations = self._connection.execute(_RELATIONS).fetchall()
        self._sequences = [name for name, kind in relations if kind == "S"]
        row = sql.SQL("SELECT {} WHERE EXISTS (SELECT 1 FROM {})")
        rows = [row.format(sql.Literal(name), sql.Identifier(name)) for name, kind in relations if kind == "r"]
        self._with_rows = sql.SQL(" UNION ALL ").join(rows)

    def empty(self) -> bool:
        """Ends the connections that somebody still has, and removes every row. False when the schema is not what it was: then nothing is removed."""
        try:
            self._connection.execute(_END_OTHERS, [kept_connections.idle()])
        except psycopg.OperationalError:
            self._connection = self._server.inside(self.url)
            self._connection.execute(_END_OTHERS, [kept_connections.idle()])
        if self._schema_now() != self._schema:
            return False
        with_rows = [name for (name,) in self._connection.execute(self._with_rows, prepare=True)]
        large = (
            {name for (name,) in self._connection.execute(_LARGE, [with_rows], prepare=True)} if with_rows else set()
        )
        removals = [_TRUNCATE if name in large else _DELETE for name in with_rows]
        statements = [each.format(sql.Identifier(name)) for each, name in zip(removals, with_rows, strict=True)]
        statements += [_RESTART.format(sql.Identifier(name)) for name in self._sequences]
        if statements:
            # The append-only triggers stand aside for the one who resets a test database.
            begin = sql.SQL("BEGIN; SET LOCAL session_replication_role = replica")
            self._connection.execute(sql.SQL("; ").join([begin, *statements, sql.SQL("COMMIT")]))
        if large or self._sequences:  # Files of tables and sequences have changed, and nothing else.
            self._schema = self._schema_now()
        return True

    def _schema_now(self) -> str:
        row = self._connection.execute(_SCHEMA, prepare=True).fetchone()
        assert row is not None
        return str(row[0])

    def close(self) -> None:
        self._connection.close()


_END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> ALL(%s)
"""

# Every row of the catalogue that a migration makes, by the transaction that wrote it last: tables with their columns and defaults, indexes,
# constraints, functions, triggers and sequences. What is there from the beginning has a lower number than 16384.
_SCHEMA = """
SELECT md5(string_agg(line, ' ' ORDER BY line)) FROM (
    SELECT concat('class ', oid, ':', xmin) AS line FROM pg_class WHERE oid >= 16384
    UNION ALL SELECT concat('column ', attrelid, '.', attnum, ':', xmin) FROM pg_attribute WHERE attrelid >= 16384
    UNION ALL SELECT concat('default ', oid, ':', xmin) FROM pg_attrdef
    UNION ALL SELECT concat('index ', indexrelid, ':', xmin) FROM pg_index WHERE indexrelid >= 16384
    UNION ALL SELECT concat('constraint ', oid, ':', xmin) FROM pg_constraint WHERE oid >= 16384
    UNION ALL SELECT concat('function ', oid, ':', xmin) FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT concat('trigger ', oid, ':', xmin) FROM pg_trigger
    UNION ALL SELECT concat('rule ', oid, ':', xmin) FROM pg_rewrite WHERE oid >= 16384
    UNION ALL SELECT concat('sequence ', seqrelid, ':', xmin) FROM pg_sequence
    UNION ALL SELECT concat('type ', oid, ':', xmin) FROM pg_type WHERE oid >= 16384
    UNION ALL SELECT concat('schema ', oid, ':', xmin) FROM pg_namespace WHERE oid >= 16384
    UNION ALL SELECT concat('revision ', version_num, ':', xmin) FROM alembic_version
    UNION ALL SELECT concat('setting ', setconfig) FROM pg_db_role_setting
        WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
) AS lines
"""

_RELATIONS = """
SELECT relname, relkind::text FROM pg_class
WHERE relkind IN ('r', 'S') AND oid >= 16384 AND relname <> 'alembic_version' ORDER BY relname
"""

# Removed rows stay in their files until somebody tidies up; where they are many, new files are cheaper.
_LARGE = "SELECT relname FROM pg_class WHERE oid >= 16384 AND relname = ANY(%s) AND pg_relation_size(oid) > 262144"
_DELETE = sql.SQL("DELETE FROM {}")
_TRUNCATE = sql.SQL("TRUNCATE {}")
_RESTART = sql.SQL("ALTER SEQUENCE {} RESTART")
