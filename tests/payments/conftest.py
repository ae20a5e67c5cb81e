"""A till, and a counter that sells besides: what Stripe says about payments goes in as fetched objects. On both databases."""

from collections.abc import Iterator

import pytest

from paywright.ledger.verify import verify
from tests.payments.counter import Counter
from tests.payments.till import Till


@pytest.fixture
def till(database_url: str) -> Iterator[Till]:
    made = Till(database_url)
    yield made
    made.close()


@pytest.fixture
def counter(database_url: str) -> Iterator[Counter]:
    """Every balance is proved from its entries when the test is over."""
    made = Counter(database_url)
    yield made
    assert list(verify(made.app, "test")) == []
    made.close()
