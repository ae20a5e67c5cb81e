"""A sandbox in this process for all of the room's tests."""

from collections.abc import Iterator

import pytest

from paywright_sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1) as running:
        yield running
