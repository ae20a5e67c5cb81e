"""
One unit of work: everything one request or one due act changes, its events included. All of it is committed, or none.

A machine reads and changes only through its `Work`. `get` answers a private copy, always the same one within a work, so a change is seen by
whoever asks next; `save` says that it must be kept.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from .account import Account, Delivery, Due, LoggedEvent, copied
from .errors import ApiError, Json, no_such
from .params.catalogue import API_VERSION

WORDS = {"checkout.session": "checkout session", "test_helpers.test_clock": "test clock"}


class Work:
    def __init__(
        self,
        account: Account,
        now: int,
        *,
        request_id: str | None = None,
        idempotency_key: str | None = None,
        platform: Account | None = None,
        origin: str = "http://127.0.0.1",
    ) -> None:
        """`now` is the account clock; a machine that serves a customer on a test clock asks `now_of`."""
        self.account = account
        self.now = now
        self.request_id = request_id
        self.idempotency_key = idempotency_key
        self.platform = platform
        self.moving_clocks: frozenset[str] = frozenset()
        """Test clocks that are advancing, where this work may not change what stands on them."""
        self.origin = origin
        """Begins the address of a page: `f"{work.origin}/c/pay/{id}"`."""
        self.held: dict[str, Json] = {}
        self.saved: dict[str, Json] = {}
        self.removed: dict[str, str] = {}
        self.events: list[LoggedEvent] = []
        self.deliveries: list[Delivery] = []
        self.due_added: list[Due] = []
        self.due_taken: list[int] = []
        self.check_event: Callable[[Json], None] | None = None
        self.open_account: Callable[[str | None], Account] | None = None
        """Makes an account connected to this one, of this name. It stays, even if the work is undone."""

    # Reading

    def get(self, kind: str, id: str | None) -> Json | None:
        """This work's copy, or None. A deleted object that Stripe still answers (a customer) is found, with `deleted`."""
        if not id or id in self.removed:
            return None
        if id not in self.held:
            found = self.account.objects.get(kind, {}).get(id)
            if found is None:
                return None
            self.held[id] = copied(found)
        return self.held[id] if self.held[id]["object"] == kind else None

    def require(self, kind: str, id: str | None, param: str = "id") -> Json:
        """As `get`, or 404 `resource_missing` naming `param`. A deleted object counts as missing."""
        found = self.get(kind, id)
        if found is None or found.get("deleted"):
            raise no_such(WORDS.get(kind, kind).replace(".", " "), id or "", param)
        return found

    def any(self, id: str) -> Json | None:
        """The object of this id, of whatever kind."""
        if id in self.saved:
            return self.saved[id]
        kind = self.account.kind_of.get(id)
        return self.get(kind, id) if kind else None

    def newest_first(self, kind: str) -> Iterator[Json]:
        """Every object of this kind as this work sees it. Not copies: read, or `get` the one to change."""
        committed = self.account.objects.get(kind, {})
        for id, saved in reversed(self.saved.items()):
            if saved["object"] == kind and id not in committed:
                yield saved
        for found in reversed(committed.values()):
            if found["id"] not in self.removed:
                yield self.saved.get(found["id"], found)

    def now_of(self, customer_id: str | None) -> int:
        """The time of the test clock this customer is attached to, else the account's."""
        clock = self.clock_of(customer_id)
        found = self.get("test_helpers.test_clock", clock)
        return int(found["frozen_time"]) if found else self.now

    def clock_of(self, customer_id: str | None) -> str | None:
        customer = self.get("customer", customer_id)
        return customer.get("test_clock") if customer else None

    def setting(self, name: str) -> Any:
        return self.account.settings[name]

    def variant(self, point: str) -> str:
        """`a` or `b` for an uncertain point such as `U1`."""
        return str(self.account.settings["variant"].get(point, "a"))

    # Changing

    def new_id(self, kind: str, length: int = 24) -> str:
        return self.account.ids.new(kind, length)

    def save(self, thing: Json) -> Json:
        if self.moving_clocks and (thing.get("test_clock") or self.clock_of(customer_of(thing))) in self.moving_clocks:
            raise ApiError(
                409,
                "Test clock advancement underway - cannot perform modifications.",
                code="lock_timeout",
                should_retry=True,
            )
        self.held[thing["id"]] = thing
        self.saved[thing["id"]] = thing
        self.removed.pop(thing["id"], None)
        return thing

    def remove(self, kind: str, id: str) -> None:
        """As if it had never been: 404 from now on."""
        self.saved.pop(id, None)
        self.held.pop(id, None)
        self.removed[id] = kind

    def schedule(self, when: int, kind: str, object_id: str, *, clock: str | None = None, **facts: Any) -> None:
        """The act `kind` (see machine/due.py) on this object, at this second of that clock."""
        self.account.due_sequence += 1
        self.due_added.append(Due(when, self.account.due_sequence, kind, object_id, clock, facts))

    def unschedule(self, object_id: str, *kinds: str) -> None:
        """Takes these acts of the object off the queue; all of them when no kind is named."""
        self.due_added = [due for due in self.due_added if not due_matches(due, object_id, kinds)]
        waiting = [self.account.due[sequence] for sequence in sorted(self.account.due_of.get(object_id, ()))]
        self.due_taken += [due.sequence for due in waiting if due_matches(due, object_id, kinds)]

    def is_scheduled(self, object_id: str, kind: str) -> bool:
        waiting = [self.account.due[sequence] for sequence in self.account.due_of.get(object_id, ())]
        return any(
            due_matches(due, object_id, (kind,)) and due.sequence not in self.due_taken
            for due in [*waiting, *self.due_added]
        )

    # Events

    def emit(
        self,
        type: str,
        thing: Json,
        previous: Json | None = None,
        *,
        created: int | None = None,
        account: str | None = None,
    ) -> str:
        """
        Logs the event with a copy of `thing` as it is now; answers its id. `previous` is for `*.updated` only.

        `account` names the connected account that a platform's event is about.
        """
        contents: Json = {"object": public(thing)}
        if previous is not None:
            contents["previous_attributes"] = previous
        event: Json = {
            "id": self.new_id("event"),
            "object": "event",
            "api_version": API_VERSION,
            "created": created if created is not None else self.now_of(customer_of(thing)),
            "data": contents,
            "livemode": False,
            "pending_webhooks": 0,
            "request": {"id": self.request_id, "idempotency_key": self.idempotency_key},
            "type": type,
        }
        if account or self.account.parent:
            event["account"] = account or self.account.id
        self.deliver(event)
        if self.check_event:
            self.check_event(event)
        self.events.append(
            LoggedEvent(
                event["id"], type, event["created"], json.dumps(event, ensure_ascii=False), event["pending_webhooks"]
            )
        )
        return str(event["id"])

    def emit_updated(self, type: str, thing: Json, before: Json, **options: Any) -> str:
        """The same with `previous_attributes` taken from how the object looked `before`."""
        return self.emit(type, thing, previous_attributes(public(before), public(thing)), **options)

    def deliver(self, event: Json) -> None:
        is_about_another = event.get("account", self.account.id) != self.account.id
        homes = [(self.account, is_about_another)] + ([(self.platform, True)] if self.platform else [])
        for home, connect in homes:
            for endpoint in home.objects.get("webhook_endpoint", {}).values():
                endpoint = self.saved.get(endpoint["id"], endpoint)
                if wants(endpoint, event["type"], connect) and endpoint["id"] not in self.removed:
                    event["pending_webhooks"] += 1
                    id = f"{event['id']}.{endpoint['id']}"
                    self.deliveries.append(Delivery(id, event["id"], event["type"], endpoint["id"]))


def wants(endpoint: Json, type: str, connect: bool) -> bool:
    listens = "*" in endpoint["enabled_events"] or type in endpoint["enabled_events"]
    return bool(listens and endpoint["status"] == "enabled" and endpoint.get("_connect", False) == connect)


def due_matches(due: Due, object_id: str, kinds: tuple[str, ...]) -> bool:
    return due.object_id == object_id and (not kinds or due.kind in kinds)


def customer_of(thing: Json) -> str | None:
    if thing["object"] == "customer":
        return str(thing["id"])
    customer = thing.get("customer")
    return customer if isinstance(customer, str) else None


def public(thing: Json) -> Json:
    """A copy without our own notes, whose names begin with an underscore."""
    return {key: copied(value) for key, value in thing.items() if not key.startswith("_")}


def previous_attributes(before: Json, after: Json) -> Json:
    """Old values of changed keys only: nested for hashes, whole for lists; a key that is new was null."""
    changed: Json = {}
    for key in [*after, *(key for key in before if key not in after)]:
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        nested = isinstance(old, dict) and isinstance(new, dict)
        changed[key] = previous_attributes(old, new) if nested else copied(old)  # type: ignore[arg-type]
    return changed
