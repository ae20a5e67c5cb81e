"""An app's endpoint that hears our events, and each event on its way to it."""

from typing import Literal

import msgspec

HookStatus = Literal["enabled", "disabled"]
HookKind = Literal["endpoint", "process"]
DeliveryStatus = Literal["pending", "delivered", "failed"]


class Hook(msgspec.Struct, frozen=True):
    """
    `events` are names, `payment.*` for a family, or `*` for all. Instants are milliseconds, wall clock.

    `kind` `process`: a function of the app's own (`@pay.on`), heard by a process that has it; its `url` is the function's name.
    """

    id: str
    url: str
    events: tuple[str, ...]
    status: HookStatus
    disabled_reason: str | None
    failing_since: int | None
    created_at: int
    kind: HookKind = "endpoint"


class Delivery(msgspec.Struct, frozen=True):
    """One event on its way to one hook. `failed`: no tries are left; `redeliver` begins anew with the same id."""

    id: str
    hook_id: str
    event_id: str
    event_type: str
    customer: str | None
    sequence: int | None
    status: DeliveryStatus
    attempts: int
    created_at: int
    next_attempt_at: int | None
    delivered_at: int | None


class Attempt(msgspec.Struct, frozen=True):
    """One try. `answer` is the first kilobyte of what came back; `error` why nothing did."""

    at: int
    status: int | None
    duration_ms: int
    answer: str | None
    error: str | None

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300
