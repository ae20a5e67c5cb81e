"""`sandbox`: one for a module. `till`: a shop on an account of its own there, on both databases."""

from collections.abc import Iterator

import pytest

from paywright_sandbox import Sandbox
from tests.harness.catalogue import unlike_the_catalogue
from tests.subscriptions.till import StripeShop


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1) as running:
        yield running


@pytest.fixture
def till(database_url: str, sandbox: Sandbox) -> Iterator[StripeShop]:
    made = StripeShop(database_url, sandbox)
    yield made
    assert unlike_the_catalogue(made.app) == []
    made.close()
