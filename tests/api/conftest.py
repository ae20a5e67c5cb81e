"""A house over real HTTP: one per test on both databases, or one per module on SQLite for what writes nothing."""

from collections.abc import Iterator

import pytest

from tests.harness import needs
from tests.harness.databases import PostgresDatabases, SqliteDatabases
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


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_house(
    request: pytest.FixtureRequest,
    sqlite_databases: SqliteDatabases,
    started_postgres: PostgresDatabases | str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[House]:
    """For tables of requests that must change nothing."""
    if request.param == "sqlite":
        with sqlite_databases.fresh(tmp_path_factory.mktemp("house")) as url, House(url) as made:
            yield made
        return
    if isinstance(started_postgres, str):
        needs.lacking("postgres", started_postgres)
    with started_postgres.fresh() as url, House(url) as made:
        yield made
