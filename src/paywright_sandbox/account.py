"""One Stripe account: its keys, objects, event log, clock, due queue and settings. Nothing here decides anything."""

import heapq
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from .errors import Json
from .ids import Ids

REQUESTS_KEPT = 1000

SETTINGS: Json = {
    "retry_days": [1, 3, 5, 7, 9, 11, 14],
    "exhausted": "cancel",
    "finalize_delay_s": 3600,
    "upcoming_days": 7,
    "will_be_due_days": 7,
    "overdue_days": 1,
    "settle_s": 259_200,
    "fee_percent": "2.9",
    "fee_fixed": 30,
    "billing_mode": "flexible",
    "live_retries": False,
    "search_delay_s": 0,
    "payouts": "daily",
    "variant": {},
}


@dataclass
class Clock:
    """The account clock, in Unix seconds. `held_at` is set while the clock is being advanced, to each action's time in turn."""

    offset: int = 0
    frozen_at: int | None = None
    held_at: int | None = None

    def now(self) -> int:
        if self.held_at is not None:
            return self.held_at
        return self.frozen_at if self.frozen_at is not None else int(time.time()) + self.offset

    def headers(self) -> dict[str, str]:
        """What every answer and delivery says of the time. One who follows a frozen clock must not let it run on."""
        return {"Sandbox-Time": str(self.now()), "Sandbox-Clock": "running" if self.frozen_at is None else "frozen"}

    def set(self, to: int) -> None:
        if self.frozen_at is None:
            self.offset = to - int(time.time())
        else:
            self.frozen_at = to


@dataclass(order=True)
class Due:
    """A future act. `clock` is the test clock it waits for; None is the account's own."""

    when: int
    sequence: int
    kind: str = field(compare=False)
    object_id: str = field(compare=False)
    clock: str | None = field(compare=False, default=None)
    facts: Json = field(compare=False, default_factory=dict)


@dataclass
class LoggedEvent:
    """One line of the event log. `rendered` is the whole event as JSON text, with `pending_webhooks` as it was when logged."""

    id: str
    type: str
    created: int
    rendered: str
    unsettled: int = 0
    """Endpoints that have not answered 2xx yet."""


@dataclass
class Delivery:
    """One event on its way to one endpoint, with every attempt."""

    id: str
    event: str
    event_type: str
    endpoint: str
    state: str = "queued"
    """queued, held (by chaos), waiting (for a retry), delivered, failed, dropped."""
    next_at: float | None = None
    attempts: list[Json] = field(default_factory=list)


@dataclass
class Account:
    id: str
    secret_key: str
    publishable_key: str
    ids: Ids
    name: str | None = None
    parent: str | None = None
    """The platform's account id, when this one is connected to it."""
    clock: Clock = field(default_factory=Clock)
    settings: Json = field(default_factory=lambda: dict(SETTINGS))
    chaos: Json = field(default_factory=dict)
    objects: dict[str, dict[str, Json]] = field(default_factory=dict)
    kind_of: dict[str, str] = field(default_factory=dict)
    events: dict[str, LoggedEvent] = field(default_factory=dict)
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    idempotency: dict[str, Json] = field(default_factory=dict)
    requests: deque[Json] = field(default_factory=lambda: deque(maxlen=REQUESTS_KEPT))
    faults: list[Any] = field(default_factory=list)
    due: dict[int, Due] = field(default_factory=dict)
    due_order: dict[str | None, list[Due]] = field(default_factory=dict)
    due_of: dict[str, set[int]] = field(default_factory=dict)
    """Object → sequences of what is due for it."""
    due_sequence: int = 0

    @property
    def has_begun(self) -> bool:
        """Something has happened in it, at an instant of its clock."""
        return bool(self.kind_of or self.events or self.due)

    def newest_first(self, kind: str) -> Iterator[Json]:
        """The committed objects themselves: read, never change."""
        return reversed(self.objects.get(kind, {}).values())

    def add_due(self, due: Due) -> None:
        self.due[due.sequence] = due
        self.due_of.setdefault(due.object_id, set()).add(due.sequence)
        heapq.heappush(self.due_order.setdefault(due.clock, []), due)

    def take_due(self, sequence: int) -> None:
        """Off the queue, done or not wanted any more; its place in the order is skipped when it comes up."""
        due = self.due.pop(sequence, None)
        if due:
            waiting = self.due_of[due.object_id]
            waiting.discard(sequence)
            if not waiting:
                del self.due_of[due.object_id]

    def next_due(self, clock: str | None = None) -> Due | None:
        """The earliest act waiting for this clock, without taking it."""
        order = self.due_order.get(clock, [])
        while order and order[0].sequence not in self.due:
            heapq.heappop(order)
        return order[0] if order else None

    def record(self) -> Json:
        """What is kept of the account besides its objects, events, deliveries, due acts and idempotency keys."""
        return {
            "id": self.id,
            "secret_key": self.secret_key,
            "publishable_key": self.publishable_key,
            "seed": self.ids.seed,
            "drawn": self.ids.drawn,
            "name": self.name,
            "parent": self.parent,
            "clock": asdict(self.clock),
            "settings": self.settings,
            "chaos": self.chaos,
            "due_sequence": self.due_sequence,
        }


def account_from(record: Json) -> Account:
    return Account(
        id=record["id"],
        secret_key=record["secret_key"],
        publishable_key=record["publishable_key"],
        ids=Ids(record["seed"], record["drawn"]),
        name=record["name"],
        parent=record["parent"],
        clock=Clock(**{**record["clock"], "held_at": None}),
        settings={**SETTINGS, **record["settings"]},
        chaos=record["chaos"],
        due_sequence=record["due_sequence"],
    )


def copied(value: Any) -> Any:
    """A deep copy of JSON; several times faster than `copy.deepcopy`."""
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [copied(inner) for inner in value]
    return value
