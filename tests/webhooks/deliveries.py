"""What Stripe sends, and the machine's clock held by the test."""

from typing import Any

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
