"""An App on a real database with two environments, and a key of each kind."""

from collections.abc import Iterator

import pytest

from paywright.access.actions import create_customer_token, create_key
from paywright.access.model import CreatedKey
from paywright.engine.app import App
from paywright.environments import actions as environments
from paywright.kernel.model import Customer
from paywright.kernel.settings import Settings

SECRET = "a secret of forty characters, for tests.."

ANNE, BOB, CREW = Customer("user", "anne"), Customer("user", "bob"), Customer("team", "crew")


@pytest.fixture
def app(database_url: str) -> Iterator[App]:
    made = App(Settings(database_url=database_url, secret=SECRET))
    with made.work("test") as work:
        environments.create(work, mode="test", provider="instant")
    with made.work("shop") as work:
        environments.create(work, mode="live", provider="stripe")
    yield made
    made.close()


def made_key(app: App, kind: str = "secret", environment_id: str = "test", **options: object) -> CreatedKey:
    with app.work(environment_id) as work:
        created = create_key(work, kind, **options)  # type: ignore[arg-type]
    assert isinstance(created, CreatedKey), created
    return created


def made_token(
    app: App, *customers: Customer, environment_id: str = "test", ttl_s: int = 3600, **options: object
) -> str:
    with app.work(environment_id) as work:
        token = create_customer_token(work, app.settings, customers, ttl_s=ttl_s, **options)  # type: ignore[arg-type]
    assert isinstance(token, str), token
    return token
