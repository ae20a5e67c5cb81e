from collections.abc import Iterator

import pytest

from tests.harness.house import House


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    with House(database_url) as running:
        yield running
