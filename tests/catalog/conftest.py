"""An App on a real database, with an environment `test`."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from paywright.catalog.actions import Applied, apply
from paywright.engine.app import App
from paywright.environments import actions as environments
from paywright.kernel.refusals import Refusal
from paywright.kernel.settings import Settings
from paywright.storage.work import Work

ENVIRONMENT = "test"

SECRET = "a secret of forty characters, for tests.."


@pytest.fixture
def app(database_url: str) -> Iterator[App]:
    made = App(Settings(database_url=database_url, secret=SECRET))
    with made.work(ENVIRONMENT) as work:
        environments.create(work, mode="test", provider="instant")
    yield made
    made.close()


def unused(_work: Work, _kind: str, _id: str) -> bool:
    return False


Apply = Callable[..., Applied | Refusal]


@pytest.fixture
def put(app: App) -> Apply:
    """Applies a document in a work of its own."""

    def applied(document: Any, *, environment_id: str = ENVIRONMENT, **options: Any) -> Applied | Refusal:
        with app.work(environment_id) as work:
            return apply(work, document, **{"is_in_use": unused, **options})

    return applied


def must(outcome: Applied | Refusal) -> Applied:
    assert isinstance(outcome, Applied), outcome
    return outcome


def must_refuse(outcome: object, code: str) -> Refusal:
    assert isinstance(outcome, Refusal), outcome
    assert outcome.code == code, outcome
    return outcome
