"""`sandbox_url` is the offline Stripe of these tests."""

from collections.abc import Iterator

import pytest

from tests.flows import sandbox


@pytest.fixture(scope="session")
def sandbox_url() -> Iterator[str]:
    with sandbox.running() as url:
        yield url
