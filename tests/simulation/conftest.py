"""
| Fixture | Gives |
|---|---|
| `sandbox_url` | the offline Stripe of these tests |
| `database_of` | a function: a fresh, migrated database of a kind |
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.flows import sandbox
from tests.harness.databases import PostgresDatabases, SqliteDatabases


@pytest.fixture(scope="session")
def sandbox_url() -> Iterator[str]:
    with sandbox.running() as url:
        yield url


@pytest.fixture
def database_of(
    request: pytest.FixtureRequest, sqlite_databases: SqliteDatabases, tmp_path: Path
) -> Iterator[Callable[[str], str]]:
    with ExitStack() as kept:

        def fresh(kind: str) -> str:
            if kind == "sqlite":
                return kept.enter_context(sqlite_databases.fresh(tmp_path))
            server: PostgresDatabases = request.getfixturevalue("postgres_databases")
            return kept.enter_context(server.fresh())

        yield fresh
