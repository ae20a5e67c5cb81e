"""
Outgoing hooks: made and changed by the operator, fed from the outbox, sent by the worker.

`fan_out` turns what was recorded into one row per hook that hears it, in the work that marks it as told. `send_due` sends those
rows: in each customer's order for each hook, under a lease, with retries. A delivery is repeated with the same id, so the app can tell.
"""

import base64
import secrets

import msgspec

from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.hooks import queries
from paywright.hooks.deliveries import claim, conclude, queue, renew
from paywright.hooks.model import Hook
from paywright.hooks.rules import bad_hook, hears
from paywright.hooks.sending import Sender
from paywright.hooks.tables import hook_deliveries, hooks
from paywright.hooks.wire import outgoing
from paywright.kernel.ids import new_id, wall_ms
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.kernel.settings import Settings
from paywright.kernel.vault import decrypt, encrypt
from paywright.outbox import delivery as outbox
from paywright.outbox.audit import note
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
    made_before = queries.every_hook(work.connection, work.environment_id)
    if sum(hook.kind == "endpoint" for hook in made_before) >= queries.HOOKS_MAX:
        return invalid_request("url", f"An environment has at most {queries.HOOKS_MAX} hooks.")
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    begin_to_listen(work)
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
    note(work, "hook.created", hook_id, url=url, events=list(events))
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
    if present.kind == "process" and (url is not None or events is not None):
        return invalid_request("url", "This is a function of the app: its code says what it hears. It can be disabled.")
    refusal = (
        None if present.kind == "process" else bad_hook(url or present.url, events or present.events, environment.mode)
    )
    if refusal is not None:
        return refusal
    if enabled and present.kind == "endpoint" and not queries.has_secret(work.connection, work.environment_id, hook_id):
        return invalid_request("enabled", "This hook came from an export, without its secret. Make a new one instead.")
    values: dict[str, object] = {
        "url": url or present.url,
        "events": msgspec.json.encode(events or present.events).decode(),
    }
    if enabled:
        begin_to_listen(work)
    if enabled is not None:
        values |= {"status": "enabled" if enabled else "disabled", "disabled_reason": None, "failing_since": None}
    work.execute(
        hooks.update().where(hooks.c.environment_id == work.environment_id, hooks.c.id == hook_id).values(**values)
    )
    changed = queries.hook(work.connection, work.environment_id, hook_id)
    assert changed is not None
    note(work, "hook.changed", hook_id, url=url, events=None if events is None else list(events), enabled=enabled)
    return changed


def delete(work: Work, hook_id: str) -> Refusal | None:
    """What is on its way to it is dropped; the log of past deliveries stays."""
    gone = work.execute(hooks.delete().where(hooks.c.environment_id == work.environment_id, hooks.c.id == hook_id))
    if not gone.rowcount:
        return Refusal("not_found")
    note(work, "hook.deleted", hook_id)
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
    if not work.execute(hook_deliveries.update().where(*where).values(**again)).rowcount:
        return Refusal("not_found")
    note(work, "hook.redelivered", delivery_id, hook_id=hook_id)
    return None


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
                    queue(work, hook, event)
        outbox.mark_delivered(work, undelivered)
    return len(told)


def begin_to_listen(work: Work) -> None:
    """Before a hook is made or enabled: while there was none, nobody kept what was recorded."""
    outbox.lock_progress(work)  # Two first hooks made at once: the second one must see the first.
    if not queries.every_hook(work.connection, work.environment_id, enabled_only=True):
        outbox.pass_over(work)


def send_due(app: App, environment: Environment) -> int:
    """Deliveries whose turn it is, one try each. Answers how many were tried."""
    lease_ms = min(LEASE_MS, int(app.settings.claim_timeout_s * 1000))
    claimed_at, claimed = wall_ms(), claim(app, environment, "endpoint", lease_ms=lease_ms, limit=SENT_AT_ONCE)
    sender = app.resource(Senders).sender
    for row in claimed:
        # Slow ones before it may have taken most of its lease: then somebody else would send it too.
        if wall_ms() - claimed_at > lease_ms // 3 and not renew(app, environment, row, lease_ms=lease_ms):
            continue
        secret = decrypt(app.settings.require_secret(), row.secret)
        attempt = sender.send(row.url, secret, row.event_id, row.body, private_allowed=environment.mode == "test")
        with app.work(environment.id) as work:
            conclude(work, row, attempt)
    return len(claimed)
