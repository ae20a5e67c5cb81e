"""A house per test, over real HTTP, on SQLite and on PostgreSQL."""

from collections.abc import Iterator

import pytest

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
