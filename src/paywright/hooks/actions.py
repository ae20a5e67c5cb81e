"""
Outgoing hooks: made and changed by the operator, fed from the outbox, sent by the worker.

`fan_out` turns what was recorded into one row per hook that hears it, in the work that marks it as told. `send_due` sends those
rows: in each customer's order for each hook, under a lease, with retries. A delivery is repeated with the same id, so the app can tell.
"""

import base64
import secrets

import msgspec
import sqlalchemy as sa

from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.hooks import queries
from paywright.hooks.model import Attempt, Hook
from paywright.hooks.rules import DISABLED_AFTER_MS, HOLDS_UP_MS, bad_hook, hears, next_try_at
from paywright.hooks.sending import Sender
from paywright.hooks.tables import hook_attempts, hook_deliveries, hooks
from paywright.hooks.wire import Outgoing, outgoing
from paywright.kernel.ids import new_id, wall_ms
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.kernel.settings import Settings
from paywright.kernel.vault import decrypt, encrypt
from paywright.outbox import delivery as outbox
from paywright.outbox.actions import record
from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work

LEASE_MS = 60_000
SENT_AT_ONCE = 20


class Senders:
    """One per App: `app.resource(Senders)`."""

    def __init__(self, _app: App) -> None:
        self.sender = Sender()

    def close(self) -> None:
        self.sender.close()


def create(
    work: Work, settings: Settings, environment: Environment, url: str, events: tuple[str, ...]
) -> tuple[Hook, str] | Refusal:
    """The hook and its secret (`whsec_…`), which is shown this once. It hears what is recorded from now on."""
    refusal = bad_hook(url, events, environment.mode)
    if refusal is not None:
        return refusal
    if len(queries.every_hook(work.connection, work.environment_id)) >= queries.HOOKS_MAX:
        return invalid_request("url", f"An environment has at most {queries.HOOKS_MAX} hooks.")
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    _listen(work)
    hook_id = new_id("hook")
    work.execute(
        hooks.insert().values(
            environment_id=work.environment_id,
            id=hook_id,
            url=url,
            events=msgspec.json.encode(events).decode(),
            secret=encrypt(settings.require_secret(), secret),
            created_at=wall_ms(),
        )
    )
    made = queries.hook(work.connection, work.environment_id, hook_id)
    assert made is not None
    return made, secret


def change(
    work: Work,
    environment: Environment,
    hook_id: str,
    *,
    url: str | None = None,
    events: tuple[str, ...] | None = None,
    enabled: bool | None = None,
) -> Hook | Refusal:
    """None leaves a thing as it is. Enabling forgets past failures; what was recorded meanwhile is not sent."""
    present = queries.hook(work.connection, work.environment_id, hook_id)
    if present is None:
        return Refusal("not_found")
    refusal = bad_hook(url or present.url, events or present.events, environment.mode)
    if refusal is not None:
        return refusal
    values: dict[str, object] = {
        "url": url or present.url,
        "events": msgspec.json.encode(events or present.events).decode(),
    }
    if enabled:
        _listen(work)
    if enabled is not None:
        values |= {"status": "enabled" if enabled else "disabled", "disabled_reason": None, "failing_since": None}
    work.execute(
        hooks.update().where(hooks.c.environment_id == work.environment_id, hooks.c.id == hook_id).values(**values)
    )
    changed = queries.hook(work.connection, work.environment_id, hook_id)
    assert changed is not None
    return changed


def delete(work: Work, hook_id: str) -> Refusal | None:
    """What is on its way to it is dropped; the log of past deliveries stays."""
    gone = work.execute(hooks.delete().where(hooks.c.environment_id == work.environment_id, hooks.c.id == hook_id))
    if not gone.rowcount:
        return Refusal("not_found")
    mine = hook_deliveries.c.environment_id == work.environment_id, hook_deliveries.c.hook_id == hook_id
    work.execute(
        hook_deliveries.update()
        .where(*mine, hook_deliveries.c.status == "pending")
        .values(status="failed", next_attempt_at=None)
    )
    return None


def redeliver(work: Work, hook_id: str, delivery_id: str) -> Refusal | None:
    """Sends one again, with the same id and body, whatever became of it; the tries begin anew."""
    mine = hook_deliveries.c.environment_id == work.environment_id, hook_deliveries.c.hook_id == hook_id
    where = *mine, hook_deliveries.c.id == delivery_id
    again = {"status": "pending", "attempts": 0, "next_attempt_at": wall_ms(), "created_at": wall_ms()}
    return (
        None if work.execute(hook_deliveries.update().where(*where).values(**again)).rowcount else Refusal("not_found")
    )


def has_news(app: App, environment: Environment) -> bool:
    """Whether somebody listens to what was recorded and not yet told."""
    with app.database.read() as connection:
        listening = queries.every_hook(connection, environment.id, enabled_only=True)
        return bool(listening) and outbox.is_waiting(connection, environment.id)


def fan_out(app: App, environment: Environment) -> int:
    """What was recorded and not yet told: one row for each hook that hears it. Answers how many customers had something to tell."""
    if not has_news(app, environment):
        return 0
    with app.work(environment.id) as work:
        return _tell(work, environment, outbox.take_undelivered(work))


def fan_out_late(app: App, environment: Environment) -> int:
    """As `fan_out`, of what was committed long after it was recorded."""
    with app.database.read() as connection:
        if not queries.every_hook(connection, environment.id, enabled_only=True):
            return 0
    with app.work(environment.id) as work:
        return _tell(work, environment, outbox.take_late(work))


def _tell(work: Work, environment: Environment, told: list[outbox.Undelivered]) -> int:
    listening = queries.every_hook(work.connection, environment.id, enabled_only=True)
    for undelivered in told:
        for event in outgoing(work.connection, environment.id, undelivered):
            for hook in listening:
                if hears(hook.events, event.type):
                    _queue(work, hook, event)
        outbox.mark_delivered(work, undelivered)
    return len(told)


def _listen(work: Work) -> None:
    """Before a hook is made or enabled: while there was none, nobody kept what was recorded."""
    outbox.lock_progress(work)  # Two first hooks made at once: the second one must see the first.
    if not queries.every_hook(work.connection, work.environment_id, enabled_only=True):
        outbox.pass_over(work)


def send_due(app: App, environment: Environment) -> int:
    """Deliveries whose turn it is, one try each. Answers how many were tried."""
    claimed = _claim(app, environment)
    sender = app.resource(Senders).sender
    for row in claimed:
        secret = decrypt(app.settings.require_secret(), row.secret)
        attempt = sender.send(row.url, secret, row.event_id, row.body, private_allowed=environment.mode == "test")
        with app.work(environment.id) as work:
            _conclude(work, row, attempt)
    return len(claimed)


def _queue(work: Work, hook: Hook, event: Outgoing) -> None:
    row = {
        "environment_id": work.environment_id,
        "id": new_id("del"),
        "hook_id": hook.id,
        "event_id": event.id,
        "event_type": event.type,
        "customer": event.customer,
        "sequence": event.sequence,
        "body": event.body,
        "created_at": wall_ms(),
        "next_attempt_at": wall_ms(),
    }
    insert_if_absent(work, hook_deliveries, row)


def _claim(app: App, environment: Environment) -> list[sa.Row[tuple[object, ...]]]:
    """Due deliveries under a lease, oldest first; none with an earlier one of its customer before it that is still on its way."""
    wall = wall_ms()
    ours, earlier = hook_deliveries.alias("ours"), hook_deliveries.alias("earlier")
    held_up = (
        sa.select(earlier.c.id)
        .where(
            earlier.c.environment_id == ours.c.environment_id,
            earlier.c.hook_id == ours.c.hook_id,
            earlier.c.customer == ours.c.customer,
            earlier.c.sequence < ours.c.sequence,
            earlier.c.status == "pending",
            earlier.c.created_at > wall - HOLDS_UP_MS,
        )
        .exists()
    )
    due = (
        sa.select(ours.c.id, ours.c.hook_id, ours.c.event_id, ours.c.body, ours.c.attempts, hooks.c.url, hooks.c.secret)
        .join(hooks, (hooks.c.environment_id == ours.c.environment_id) & (hooks.c.id == ours.c.hook_id))
        .where(
            ours.c.environment_id == environment.id,
            ours.c.status == "pending",
            ours.c.next_attempt_at <= wall,
            hooks.c.status == "enabled",
            ~held_up,
        )
        .order_by(ours.c.next_attempt_at, ours.c.id)
        .limit(SENT_AT_ONCE)
    )
    with app.database.read() as connection:
        if connection.execute(due.limit(1)).first() is None:
            return []
    with app.work(environment.id) as work:
        claimed = list(work.execute(due.with_for_update(of=ours, skip_locked=True)).all())
        for row in claimed:
            here = hook_deliveries.c.environment_id == environment.id, hook_deliveries.c.id == row.id
            work.execute(
                hook_deliveries.update().where(*here).values(next_attempt_at=wall + LEASE_MS, attempts=row.attempts + 1)
            )
    return claimed


def _conclude(work: Work, row: sa.Row[tuple[object, ...]], attempt: Attempt) -> None:
    """Writes the try down; a hook that only fails for days is switched off, and somebody is told."""
    number, wall = row.attempts + 1, wall_ms()
    tried = {"environment_id": work.environment_id, "delivery_id": row.id, "number": number}
    insert_if_absent(work, hook_attempts, {**tried, **msgspec.structs.asdict(attempt)})
    here = hook_deliveries.c.environment_id == work.environment_id, hook_deliveries.c.id == row.id
    its_hook = hooks.c.environment_id == work.environment_id, hooks.c.id == row.hook_id
    if attempt.is_success:
        done = {"status": "delivered", "delivered_at": wall, "next_attempt_at": None}
        work.execute(hook_deliveries.update().where(*here).values(**done))
        work.execute(hooks.update().where(*its_hook, hooks.c.failing_since.is_not(None)).values(failing_since=None))
        return
    again = next_try_at(number, wall)
    status = "pending" if again is not None else "failed"
    work.execute(hook_deliveries.update().where(*here).values(status=status, next_attempt_at=again))
    work.execute(hooks.update().where(*its_hook, hooks.c.failing_since.is_(None)).values(failing_since=wall))
    tired = work.execute(
        hooks.update()
        .where(*its_hook, hooks.c.status == "enabled", hooks.c.failing_since < wall - DISABLED_AFTER_MS)
        .values(status="disabled", disabled_reason="failing")
        .returning(hooks.c.id, hooks.c.url)
    ).one_or_none()
    if tired is not None:
        record(work, "incident.opened", {"kind": "hook_disabled", "facts": {"hook_id": tired.id, "url": tired.url}})
