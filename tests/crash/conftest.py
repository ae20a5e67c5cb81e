"""
| Fixture | Gives |
|---|---|
| `staged` | a function: a shop on a kind of database, brought to where a deed begins |
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from paywright_sandbox import Sandbox
from tests.crash.stage import Prepare, Stage, Zygote, on_postgresql, on_sqlite


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1) as running:
        yield running


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    made = Zygote()
    yield made
    made.close()


@pytest.fixture
def staged(
    sandbox: Sandbox, zygote: Zygote, tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[[str, Prepare], AbstractContextManager[Stage]]:
    def opened(kind: str, prepare: Prepare) -> AbstractContextManager[Stage]:
        databases = request.getfixturevalue(f"{'sqlite' if kind == 'sqlite' else 'postgres'}_databases")
        opener = on_sqlite if kind == "sqlite" else on_postgresql
        return opener(databases, tmp_path, sandbox, zygote, prepare)

    return opened
