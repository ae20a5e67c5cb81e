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
    def __init__(self, server: PostgresServer) -> None:
        self.server = server

    @cached_property
    def template(self) -> str:
        url = self.server.create_database()
        migrate(url)
        self.server.disconnect_all(url)
        return url

    @contextmanager
    def fresh(self, *, migrated: bool = True) -> Iterator[str]:
        url = self.server.create_database(template=self.template if migrated else None)
        yield url
        self.server.drop_database(url)

    def close(self) -> None:
        if "template" in self.__dict__:
            self.server.drop_database(self.template)
        self.server.stop()
