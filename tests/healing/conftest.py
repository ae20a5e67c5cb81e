"""`sandbox`: one for a module. `till`: a shop on an account of its own there, on both databases, with nothing delivered to it."""

from collections.abc import Iterator

import pytest

from paywright_sandbox import Sandbox
from tests.healing.till import HealingShop


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1) as running:
        yield running


@pytest.fixture
def till(database_url: str, sandbox: Sandbox) -> Iterator[HealingShop]:
    made = HealingShop(database_url, sandbox)
    yield made
    made.close()


@pytest.fixture
def lite_till(sqlite_url: str, sandbox: Sandbox) -> Iterator[HealingShop]:
    """Where the database makes no difference."""
    made = HealingShop(sqlite_url, sandbox)
    yield made
    made.close()
