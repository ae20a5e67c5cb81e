"""A till: what Stripe says about payments goes in as fetched objects, rows and events come out. On both databases."""

from collections.abc import Iterator

import pytest

from tests.payments.till import Till


@pytest.fixture
def till(database_url: str) -> Iterator[Till]:
    made = Till(database_url)
    yield made
    made.close()
