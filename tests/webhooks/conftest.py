"""An App with one test environment that accepts deliveries, on both databases, and deliveries as Stripe signs them."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from stripe import WebhookSignature

from paywright.engine.app import App
from paywright.environments import actions as environment_actions
from paywright.kernel.settings import Settings

SECRET = "whsec_test_first"
NOW_S = 1_790_000_000


class Wall:
    """The machine's clock, held by the test."""

    def __init__(self) -> None:
        self.ms = NOW_S * 1000

    def __call__(self) -> int:
        return self.ms

    def advance(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)


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


def event(event_type: str, stripe_object: dict[str, Any], *, event_id: str = "evt_1", **fields: Any) -> dict[str, Any]:
    """A snapshot event as Stripe renders it, as far as the inbox looks."""
    return {
        "id": event_id,
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": NOW_S,
        "type": event_type,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "data": {"object": stripe_object},
        **fields,
    }
