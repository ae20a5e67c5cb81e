"""
Deliveries: one event on its way to one hook, queued, claimed under a lease, tried, concluded.

The same for both kinds of hook, an app's endpoint and a function of an app's process. In each customer's order for each hook: while an earlier one is
still on its way, the later ones wait, but not longer than a quarter of an hour.
"""

from collections.abc import Collection
from typing import Any

import msgspec
import sqlalchemy as sa

from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.hooks.model import Attempt, Hook, HookKind
from paywright.hooks.rules import DISABLED_AFTER_MS, HOLDS_UP_MS, next_try_at
from paywright.hooks.tables import hook_attempts, hook_deliveries, hooks
from paywright.hooks.wire import Outgoing
from paywright.kernel.ids import new_id, wall_ms
from paywright.outbox.actions import record
from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work

_OURS, _EARLIER = hook_deliveries.alias("ours"), hook_deliveries.alias("earlier")


def queue(work: Work, hook: Hook, event: Outgoing) -> None:
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


def claim(
    app: App,
    environment: Environment,
    kind: HookKind,
    *,
    hook_ids: Collection[str] | None = None,
    lease_ms: int,
    limit: int,
) -> list[Any]:
    """
    Due deliveries under a lease, oldest first; none with an earlier one of its customer before it that is still on its way.

    `hook_ids` None: of every hook of that kind.
    """
    wall = wall_ms()
    due = _due(environment, kind, hook_ids, wall).limit(limit)
    with app.database.read() as connection:
        if connection.execute(due.limit(1)).first() is None:
            return []
    with app.work(environment.id) as work:
        claimed = list(work.execute(due.with_for_update(of=_OURS, skip_locked=True)).all())
        for row in claimed:
            here = hook_deliveries.c.environment_id == environment.id, hook_deliveries.c.id == row.id
            taken = {"next_attempt_at": wall + lease_ms, "attempts": row.attempts + 1}
            work.execute(hook_deliveries.update().where(*here).values(**taken))
    return claimed


def renew(app: App, environment: Environment, row: Any, *, lease_ms: int) -> bool:
    """The lease of a claimed delivery begins anew, before it is tried. False: it ran out, and somebody else has it."""
    mine = hook_deliveries.c.environment_id == environment.id, hook_deliveries.c.id == row.id
    as_claimed = hook_deliveries.c.status == "pending", hook_deliveries.c.attempts == row.attempts + 1
    leased = hook_deliveries.update().where(*mine, *as_claimed).values(next_attempt_at=wall_ms() + lease_ms)
    with app.work(environment.id) as work:
        return bool(work.execute(leased).rowcount)


def _due(
    environment: Environment, kind: HookKind, hook_ids: Collection[str] | None, wall: int
) -> sa.Select[tuple[Any, ...]]:
    ours, earlier = _OURS, _EARLIER
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
            hooks.c.kind == kind,
            ~held_up,
        )
        .order_by(ours.c.next_attempt_at, ours.c.id)
    )
    if hook_ids is not None:
        due = due.where(ours.c.hook_id.in_(sorted(hook_ids)))
    return due


def conclude(work: Work, row: Any, attempt: Attempt) -> None:
    """Writes the try down; a hook that only fails for days is switched off, and somebody is told."""
    number, wall = row.attempts + 1, wall_ms()
    # The log goes on where it was, however often the tries began anew.
    logged = sa.select(sa.func.coalesce(sa.func.max(hook_attempts.c.number), 0)).where(
        hook_attempts.c.environment_id == work.environment_id, hook_attempts.c.delivery_id == row.id
    )
    place = {
        "environment_id": work.environment_id,
        "delivery_id": row.id,
        "number": work.execute(logged).scalar_one() + 1,
    }
    insert_if_absent(work, hook_attempts, {**place, **msgspec.structs.asdict(attempt)})
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
