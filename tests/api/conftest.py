"""A house over real HTTP: one per test on both databases, or one per module on SQLite for what writes nothing."""

from collections.abc import Iterator

import pytest

from tests.harness.databases import SqliteDatabases
from tests.harness.house import House


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    with House(database_url) as made:
        yield made


@pytest.fixture
def sqlite_house(sqlite_url: str) -> Iterator[House]:
    """For what has nothing to do with the database."""
    with House(sqlite_url) as made:
        yield made


@pytest.fixture(scope="module")
def shared_house(sqlite_databases: SqliteDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """For tables of requests that must change nothing."""
    with sqlite_databases.fresh(tmp_path_factory.mktemp("house")) as url, House(url) as made:
        yield made
