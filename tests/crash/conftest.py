"""
| Fixture | Gives |
|---|---|
| `on_a_file` | a function: a shop on SQLite, brought to where a deed begins |
| `on_a_server` | a function: the same on PostgreSQL |
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from paywright_sandbox import Sandbox
from tests.crash.stage import Prepare, SqliteStage, Stage, Zygote, on_postgresql, on_sqlite
from tests.harness.databases import PostgresDatabases, SqliteDatabases


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1) as running:
        yield running


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    made = Zygote()
    yield made
    made.close()


@pytest.fixture
def on_a_file(
    sqlite_databases: SqliteDatabases, tmp_path: Path, sandbox: Sandbox, zygote: Zygote
) -> Callable[[Prepare], AbstractContextManager[SqliteStage]]:
    return lambda prepare: on_sqlite(sqlite_databases, tmp_path, sandbox, zygote, prepare)


@pytest.fixture
def on_a_server(
    postgres_databases: PostgresDatabases, sandbox: Sandbox, zygote: Zygote
) -> Callable[[Prepare], AbstractContextManager[Stage]]:
    return lambda prepare: on_postgresql(postgres_databases, sandbox, zygote, prepare)
