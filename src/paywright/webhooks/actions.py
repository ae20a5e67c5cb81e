"""
The inbox at work.

Claim all due rows of some roots; fetch them, outside any transaction; apply what was fetched and mark the rows, in one work for what belongs together
(`rounds`). A crash before that commit leaves claimed rows, which are due again when the claim is old. Rows that arrive after the fetch began are not
covered by it and cause another one.
"""

import lz4.frame
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.customers.actions import newly_mapped
from paywright.customers.tables import stripe_customers
from paywright.engine.app import App
from paywright.environments import queries as environment_queries
from paywright.environments.model import Environment
from paywright.environments.queries import environment_of
from paywright.outbox.audit import note
from paywright.storage.work import Work
from paywright.webhooks import claims, lanes, rounds
from paywright.webhooks.mirror import arrival
from paywright.webhooks.rules import why_ignored
from paywright.webhooks.tables import WAITING, stripe_events

ROOTS_MAX = 1_000
"""In one call of `process_due`: then other environments have their turn."""
ROOTS_AT_ONCE = 32
"""Claimed together, so that what a purchase is told by is fetched once."""
OF_A_PURCHASE = 8
"""Session, subscription, invoice, payment and customer; and their parts, which thin events name."""
REPLAY_MAX = 1_000
DAY_MS = 86_400_000


def process_due(app: App, environment_id: str, *, roots_max: int = ROOTS_MAX) -> int:
    """
    Works through what is due, several roots at a time; answers how many it dealt with, whatever came of each.

    Any number of processes may call it at once. 0: nothing is due, or the lane to Stripe rests. Raises `DatabaseUnavailable`.
    """
    now = app.wall()
    with app.database.read() as connection:
        due = _what_is_due(connection, environment_id, app, now)
        if not due:
            return 0
        environment = environment_queries.environment(connection, environment_id)
        rested_until = lanes.rests_until(connection, environment_id)
    if environment is None or (rested_until or 0) > now:
        return 0
    if due != {"due"}:
        with app.work(environment_id) as work:
            claims.give_up_old(work, life_ms=_life_ms(app), now=now)
            _wake_resolved(work)
    at_once = 1 if rested_until is not None else roots_at_once(app, environment)
    dealt_with = 0
    while dealt_with < roots_max:
        with app.quiet_work(environment_id) as work:
            claimed = claims.claim_due(work, app.wall(), roots_max=min(at_once, roots_max - dealt_with))
        done = rounds.deal_with(app, environment, claimed) if claimed else 0
        dealt_with += done
        if done < len(claimed) or not claimed:
            return dealt_with
        if rested_until is not None:
            rested_until, at_once = None, roots_at_once(app, environment)
            with app.work(environment_id) as work:
                lanes.resume(work)
    return dealt_with


def roots_at_once(app: App, environment: Environment) -> int:
    """
    As many as the pace of background calls lets be fetched in a second or two: what is claimed is not to wait long.

    But at least what a purchase is told by, because a call that is shared is worth more than haste.
    """
    per_s = app.background_calls_per_s(environment)
    return ROOTS_AT_ONCE if per_s is None else max(OF_A_PURCHASE, min(ROOTS_AT_ONCE, int(per_s)))


def _life_ms(app: App) -> int:
    """Of a claim."""
    return round(app.settings.claim_timeout_s * 1000)


def _what_is_due(connection: Connection, environment_id: str, app: App, now: int) -> set[str]:
    """Reads only: an idle inbox is asked every second and takes no write lock."""
    here = stripe_events.c.environment_id == environment_id
    conditions = {
        "due": here & (stripe_events.c.next_attempt_at <= now),
        "given up": here & claims.is_old(now, _life_ms(app)),
        "resolved": here & WAITING & (stripe_events.c.reason == "unresolved") & _of_known_customers(environment_id),
    }
    asked = sa.select(*(sa.exists().where(condition).label(name) for name, condition in conditions.items()))
    found = connection.execute(asked).one()
    return {name for name, is_so in found._mapping.items() if is_so}


def wake_newly_mapped(work: Work) -> None:
    """For `App.at_commit`: rows that waited for a Stripe Customer to be somebody's are due in the very work that says whose it is."""
    mapped = sorted(set(newly_mapped(work)))
    if mapped:
        _wake(work, stripe_events.c.stripe_customer_id.in_(mapped), ("unresolved", "not_ours"))


def _wake_resolved(work: Work) -> None:
    """A mapping may be written between an apply and its mark in another process: unresolved rows whose customer is known by now are due."""
    _wake(work, _of_known_customers(work.environment_id), ("unresolved",))


def _of_known_customers(environment_id: str) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        stripe_customers.c.environment_id == environment_id,
        stripe_customers.c.stripe_customer_id == stripe_events.c.stripe_customer_id,
    )


def _wake(work: Work, of_whom: sa.ColumnElement[bool], reasons: tuple[str, ...]) -> None:
    """Due since they arrived, which is now on every clock."""
    work.execute(
        stripe_events.update()
        .where(stripe_events.c.environment_id == work.environment_id, of_whom, stripe_events.c.root.is_not(None))
        .where(WAITING, stripe_events.c.status.in_(("failed", "ignored")), stripe_events.c.reason.in_(reasons))
        .values(status="pending", reason=None, next_attempt_at=stripe_events.c.received_at, processed_at=None)
    )


def replay(work: Work, event_id: str, now: int) -> bool:
    """
    Makes a Stripe event due again, whatever became of it; False when there is no such one. Safe at any time: no fact has its effect twice.

    One that was ignored is judged anew, as if it came today: a type that this version does not act on stays ignored.
    """
    return bool(_replay(work, [event_id], now))


def replay_many(
    work: Work, now: int, *, failed: bool = False, ignored: str | None = None, since: int | None = None
) -> list[str]:
    """
    All that failed, or were ignored for a reason, or arrived since an instant (wall clock); several narrow each other.

    At most 1,000, the oldest first. Answers their ids; ones that stay ignored are among them.
    """
    assert failed or ignored is not None or since is not None
    chosen = sa.select(stripe_events.c.id).where(
        stripe_events.c.environment_id == work.environment_id, stripe_events.c.status != "processing"
    )
    if failed:
        chosen = chosen.where(stripe_events.c.status == "failed")
    if ignored is not None:
        chosen = chosen.where(stripe_events.c.status == "ignored", stripe_events.c.reason == ignored)
    if since is not None:
        chosen = chosen.where(stripe_events.c.received_at >= since)
    ordered = chosen.order_by(stripe_events.c.received_at, stripe_events.c.id).limit(REPLAY_MAX)
    return _replay(work, list(work.execute(ordered).scalars()), now)


def _replay(work: Work, event_ids: list[str], now: int) -> list[str]:
    environment = environment_of(work)
    here = stripe_events.c.environment_id == work.environment_id
    columns = (stripe_events.c.id, stripe_events.c.status, stripe_events.c.root, stripe_events.c.payload)
    chosen = sa.select(*columns).where(here, stripe_events.c.id.in_(event_ids)).order_by(stripe_events.c.id)
    rows = work.execute(chosen.limit(REPLAY_MAX).with_for_update()).all()
    for row in rows:
        if row.status == "processing" or (row.root is None and row.payload is None):
            continue  # Somebody is at it, or nothing is left to judge by.
        values: dict[str, object] = {
            "status": "pending",
            "reason": None,
            "attempts": 0,
            "next_attempt_at": now,
            "processed_at": None,
        }
        values |= _judged_anew(environment, row.payload)
        work.execute(stripe_events.update().where(here, stripe_events.c.id == row.id).values(**values))
    if rows:
        note(work, "stripe_events.replayed", rows[0].id, events=len(rows))
    found = {row.id for row in rows}
    return [event_id for event_id in event_ids if event_id in found]


def _judged_anew(environment: Environment, payload: bytes | None) -> dict[str, object]:
    """What the columns are by today's rules. After 90 days only what was read from the payload is left."""
    arrived = None if payload is None else arrival(lz4.frame.decompress(payload))
    if arrived is None:
        return {}
    ignored = why_ignored(arrived, environment)
    root: dict[str, object] = {"root": None if arrived.root is None else str(arrived.root)}
    if ignored is None:
        return root
    return {**root, "status": "ignored", "reason": ignored, "next_attempt_at": None}


def settled(app: App, environment_id: str) -> bool:
    """Nothing is being worked on, and nothing waits for its first try or is due again."""
    with app.database.read() as connection:
        open_rows = (
            sa.select(stripe_events.c.id)
            .where(stripe_events.c.environment_id == environment_id)
            .where(
                stripe_events.c.status.in_(("pending", "processing"))
                | ((stripe_events.c.status == "failed") & (stripe_events.c.next_attempt_at <= app.wall()))
            )
            .limit(1)
        )
        return connection.execute(open_rows).one_or_none() is None


def forget_old_payloads(work: Work, now: int, *, days: int = 90, limit: int = 1_000) -> int:
    """Payloads go after so many days; ids, reasons and facts stay for ever. Answers how many went."""
    here = stripe_events.c.environment_id == work.environment_id
    old = (
        sa.select(stripe_events.c.id)
        .where(here, stripe_events.c.received_at < now - days * DAY_MS, stripe_events.c.payload.is_not(None))
        .order_by(stripe_events.c.received_at, stripe_events.c.id)
        .limit(limit)
    )
    ids = list(work.execute(old).scalars())
    work.execute(stripe_events.update().where(here, stripe_events.c.id.in_(ids)).values(payload=None))
    return len(ids)
