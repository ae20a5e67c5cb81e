"""
In-process hooks: functions of the app that hear events, `@pay.on`.

`after`: a function is a row in `hooks` like an endpoint, so what it hears is queued by the same fan-out, in each customer's order, retried, logged
and delivered again in the same way. Any process may queue it; one that has the function runs it. `inside`: it runs in the transaction that records
the event, before the commit, in the process that makes the change; what it raises undoes the change.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, Literal

import msgspec
from sqlalchemy.engine import Connection

from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.hooks import queries
from paywright.hooks.actions import begin_to_listen
from paywright.hooks.deliveries import claim, conclude, renew
from paywright.hooks.model import Attempt
from paywright.hooks.rules import hears
from paywright.hooks.tables import hooks
from paywright.hooks.wire import of_recorded
from paywright.kernel.ids import wall_ms
from paywright.outbox.actions import Noted, record, recorded_in
from paywright.outbox.catalogue import EVENTS, WRITTEN_IN_BATCHES
from paywright.outbox.delivery import Recorded
from paywright.storage.work import Work

When = Literal["after", "inside"]

LEASE_MS = 300_000
"""A function that takes longer may be run a second time beside itself."""
RUN_AT_ONCE = 5
SEEN_EVERY_S = 3_600
GONE_AFTER_MS = 7 * 86_400_000
"""A function that no process has had for so long was taken out of the code: nothing is queued for it any more."""
NAME_CHARACTERS_MAX = 200


class Listener(msgspec.Struct, frozen=True):
    """`run` is given the event's JSON, and `inside` the transaction it is in."""

    name: str
    events: tuple[str, ...]
    when: When
    run: Callable[[bytes, Connection | None], None]

    @property
    def hook_id(self) -> str:
        return f"app:{self.name}"


class Listeners:
    """One per App: `app.resource(Listeners)`. Thread-safe."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []
        self._seen: dict[int, float] = {}
        self.is_adopted = False
        """Another App of this process runs them: its worker, its transactions."""
        app.at_commit.append(self._run_inside)

    def add(self, listener: Listener) -> None:
        """Raises `ValueError` for what can't be heard, and for a second function of one name."""
        _check(listener)
        with self._lock:
            if any(each.name == listener.name for each in self._listeners):
                raise ValueError(f"there is a function `{listener.name}` that hears already: give one of them a `name`")
            self._listeners.append(listener)
            self._seen.clear()

    def adopt(self, other: "Listeners") -> None:
        """Those of another App, and those that are added to it later."""
        other.is_adopted = True
        self._listeners, self._lock = other._listeners, other._lock

    def after(self) -> list[Listener]:
        with self._lock:
            return [each for each in self._listeners if each.when == "after"]

    def close(self) -> None:
        """They are the app's; there is nothing to end."""

    def make_known(self) -> None:
        """The rows of those that hear after the commit. From here on what is recorded is queued for them. Costs nothing when it is done."""
        present = self.after()
        if not present or self._seen.get(len(present), 0.0) > time.monotonic():
            return
        environment_id = self._app.settings.environment
        with self._app.work(environment_id) as work:
            known = {hook.id: hook for hook in queries.every_hook(work.connection, environment_id)}
            for each in present:
                _make_known(work, each, known)
        self._seen[len(present)] = time.monotonic() + SEEN_EVERY_S

    def _run_inside(self, work: Work) -> None:
        """For `App.at_commit`."""
        if work.environment_id != self._app.settings.environment:
            return
        with self._lock:
            inside = [each for each in self._listeners if each.when == "inside"]
        for event in recorded_in(work) if inside else ():
            for each in inside:
                if hears(each.events, event.type) and not event.type.startswith(WRITTEN_IN_BATCHES):
                    each.run(_told(work, event), work.connection)


def run_due(app: App, environment: Environment) -> int:
    """What is queued for functions of this process, each tried once. Answers how many were tried."""
    listeners = app.resource(Listeners)
    present = {each.hook_id: each for each in listeners.after()}
    if not present or listeners.is_adopted or environment.id != app.settings.environment:
        return 0
    listeners.make_known()
    claimed_at = wall_ms()
    claimed = claim(app, environment, "process", hook_ids=present.keys(), lease_ms=LEASE_MS, limit=RUN_AT_ONCE)
    for row in claimed:
        if wall_ms() - claimed_at > LEASE_MS // 3 and not renew(app, environment, row, lease_ms=LEASE_MS):
            continue  # Those before it took long, and somebody else has it by now.
        attempt = _tried(present[row.hook_id], row.body)
        with app.work(environment.id) as work:
            conclude(work, row, attempt)
    return len(claimed)


def disable_gone(app: App, environment: Environment) -> int:
    """Functions no process has had for a week; somebody is told. Answers how many."""
    with app.work(environment.id) as work:
        mine = hooks.c.environment_id == environment.id, hooks.c.kind == "process", hooks.c.status == "enabled"
        gone = work.execute(
            hooks.update()
            .where(*mine, hooks.c.seen_at < wall_ms() - GONE_AFTER_MS)
            .values(status="disabled", disabled_reason="gone")
            .returning(hooks.c.id, hooks.c.url)
        ).all()
        for row in gone:
            facts = {"hook_id": row.id, "url": row.url, "reason": "no process has this function any more"}
            record(work, "incident.opened", {"kind": "hook_disabled", "facts": facts})
        return len(gone)


def _check(listener: Listener) -> None:
    if not 1 <= len(listener.name) <= NAME_CHARACTERS_MAX or not listener.name.isprintable():
        raise ValueError(f"the name of a function that hears is 1 to {NAME_CHARACTERS_MAX} printable characters")
    if not listener.events:
        raise ValueError("name the events to hear, such as `payment.paid`, `payment.*` or `*`")
    for pattern in listener.events:
        heard = [each for each in EVENTS if hears((pattern,), each)]
        if not heard:
            raise ValueError(f"there is no event `{pattern}`; there are {', '.join(sorted(EVENTS))}")
        batched = [each for each in heard if each.startswith(WRITTEN_IN_BATCHES)]
        if listener.when == "inside" and batched:
            raise ValueError(f"`{pattern}` can't be heard inside the transaction: {batched[0]} is written in batches")


def _make_known(work: Work, listener: Listener, known: dict[str, Any]) -> None:
    """A function that was disabled by a person stays so; one that was gone is back."""
    values: dict[str, Any] = {"events": msgspec.json.encode(listener.events).decode(), "seen_at": wall_ms()}
    present = known.get(listener.hook_id)
    here = (hooks.c.environment_id == work.environment_id) & (hooks.c.id == listener.hook_id)
    if present is None:
        begin_to_listen(work)
        row = {"id": listener.hook_id, "kind": "process", "url": listener.name, "created_at": wall_ms()}
        work.execute(hooks.insert().values(environment_id=work.environment_id, **row, **values))
    elif present.disabled_reason == "gone":
        begin_to_listen(work)
        work.execute(hooks.update().where(here).values(status="enabled", disabled_reason=None, **values))
    else:
        work.execute(hooks.update().where(here).values(**values))


def _tried(listener: Listener, body: str) -> Attempt:
    started, at = time.monotonic(), wall_ms()
    error = None
    try:
        listener.run(body.encode(), None)
    except Exception as raised:  # noqa: BLE001  Theirs to raise and ours to write down: the delivery is tried again.
        error = f"{type(raised).__name__}: {raised}"[:500]
    duration_ms = round((time.monotonic() - started) * 1000)
    return Attempt(at, 200 if error is None else None, duration_ms, None, error)


def _told(work: Work, event: Noted) -> bytes:
    recorded = Recorded(event.id, event.type, work.now, event.customer, event.sequence, event.facts)
    return msgspec.json.encode(of_recorded(recorded, work.environment_id))
