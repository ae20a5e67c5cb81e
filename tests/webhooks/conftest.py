"""An App with one test environment that accepts deliveries, on both databases, and deliveries as Stripe signs them."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from stripe import WebhookSignature

from paywright.engine.app import App
from paywright.environments import actions as environment_actions
from paywright.kernel.settings import Settings
from paywright_sandbox import Sandbox
from tests.flows.sandbox import Account, account
from tests.webhooks.deliveries import SECRET, Wall
from tests.webhooks.mill import Mill


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def app(database_url: str, wall: Wall) -> Iterator[App]:
    made = App(Settings(database_url=database_url, secret="s" * 32), wall=wall)
    with made.work("test") as work:
        environment_actions.create(work, mode="test", provider="stripe")
        environment_actions.add_webhook_secret(work, made.settings, SECRET)
    yield made
    made.close()


@pytest.fixture
def signed(wall: Wall) -> Callable[..., tuple[bytes, str]]:
    """An event's body and its signature header, by Stripe's own SDK."""

    def sign(event: Any, *, secret: str = SECRET, at: int | None = None) -> tuple[bytes, str]:
        body = event if isinstance(event, str) else json.dumps(event, indent=2)
        return body.encode(), WebhookSignature.generate_signature_header(
            body, secret, wall.ms // 1000 if at is None else at
        )

    return sign


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1) as running:
        yield running


@pytest.fixture
def stripe_account(sandbox: Sandbox) -> Iterator[Account]:
    with account(sandbox.url) as made:
        yield made


@pytest.fixture
def mill(database_url: str, stripe_account: Account, wall: Wall) -> Iterator[Mill]:
    made = Mill(database_url, stripe_account, wall)
    yield made
    made.close()
