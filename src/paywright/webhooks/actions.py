"""
The inbox at work.

Claim all due rows of one root; fetch it, outside any transaction; apply what was fetched and mark the rows, in one work. A crash before that commit
leaves claimed rows, which are due again when the claim is old. Rows that arrive after the fetch began are not covered by it and cause another one.
"""

import logging
import random
from typing import Any

import lz4.frame
import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.customers.actions import newly_mapped
from paywright.customers.tables import stripe_customers
from paywright.engine.app import App, NotConnected
from paywright.environments import queries as environment_queries
from paywright.environments.model import Environment
from paywright.outbox.actions import open_incident
from paywright.outbox.audit import note
from paywright.storage.database import DatabaseUnavailable
from paywright.storage.work import RolledBack, Work
from paywright.stripe.background import background
from paywright.stripe.fetches import lock
from paywright.stripe.gateway import StripeBusy, StripeRefused, StripeUnknown
from paywright.stripe.metadata import id_of
from paywright.stripe.model import Fetched
from paywright.stripe.versions import normal
from paywright.webhooks import claims, lanes, nouns
from paywright.webhooks.claims import Claim
from paywright.webhooks.lanes import LanePaused
from paywright.webhooks.mirror import arrival
from paywright.webhooks.rules import why_ignored
from paywright.webhooks.tables import WAITING, stripe_events

ROOTS_MAX = 1_000
"""In one call of `process_due`: then other environments have their turn."""
DATABASE_PAUSE_MS = 1_000
REPLAY_MAX = 1_000
DAY_MS = 86_400_000
DELETED = frozenset({"customer.deleted", "customer.subscription.deleted"})
"""Types whose object Stripe may not know any more. A deleted invoice was a draft, which goes (`invoices`)."""

_log = logging.getLogger("paywright.webhooks")


def process_due(app: App, environment_id: str, *, roots_max: int = ROOTS_MAX) -> int:
    """
    Works through what is due, root by root; answers how many it dealt with, whatever came of each.

    Any number of processes may call it at once. 0: nothing is due, or the lane to Stripe rests. Raises `DatabaseUnavailable`.
    """
    environment = app.environment(environment_id)
    now = app.wall()
    with app.database.read() as connection:
        rests_until = lanes.rests_until(connection, environment_id)
        if (
            environment is None
            or (rests_until or 0) > now
            or not _is_anything_due(connection, environment_id, app, now)
        ):
            return 0
    with app.work(environment_id) as work:
        claims.give_up_old(work, claimed_before=_claimed_before(app, now), now=now)
        _wake_resolved(work)
    for dealt_with in range(roots_max):
        with app.work(environment_id) as work:
            claim = claims.claim_next(work, app.wall())
        if claim is None or not _deal_with(app, environment, claim):
            return dealt_with
        if rests_until is not None:
            rests_until = None
            with app.work(environment_id) as work:
                lanes.resume(work)
    return roots_max


def _claimed_before(app: App, now: int) -> int:
    return now - round(app.settings.claim_timeout_s * 1000)


def _is_anything_due(connection: Connection, environment_id: str, app: App, now: int) -> bool:
    """Reads only: an idle inbox is asked every second and takes no write lock."""
    here = stripe_events.c.environment_id == environment_id
    conditions = (
        here & (stripe_events.c.next_attempt_at <= now),
        here & (stripe_events.c.status == "processing") & (stripe_events.c.claimed_at <= _claimed_before(app, now)),
        here & WAITING & (stripe_events.c.reason == "unresolved") & _of_known_customers(environment_id),
    )
    return any(
        connection.execute(sa.select(stripe_events.c.id).where(condition).limit(1)).one_or_none() is not None
        for condition in conditions
    )


def _deal_with(app: App, environment: Environment, claim: Claim) -> bool:
    """False: the lane to Stripe rests, so there is no sense in going on."""
    try:
        fetched = _fetch(app, environment, claim)
        _apply(app, environment, claim, fetched)
    except LanePaused as paused:
        _log.warning("environment %s: the lane to Stripe rests: %s", environment.id, paused.reason)
        with app.work(environment.id) as work:
            claims.put_back(work, claim, lanes.pause(work, paused.reason, app.wall(), random.random()))
        return False
    except DatabaseUnavailable as outage:
        _log.warning("environment %s: %s waits for the database: %s", environment.id, claim.root, outage)
        with app.work(environment.id) as work:
            claims.put_back(work, claim, app.wall() + DATABASE_PAUSE_MS)
    except Exception as error:  # noqa: BLE001 — one object's trouble must not stop the others; its rows say what it was.
        _log.exception("environment %s: %s failed", environment.id, claim.root)
        with app.work(environment.id) as work:
            dead = claims.mark_failed(work, claim, _told(error), app.wall(), random.random())
        if dead:
            _log.error("environment %s: dead letters about %s: %s", environment.id, claim.root, ", ".join(dead))
    return True


def _told(error: Exception) -> str:
    """The first line only: a database's error goes on with the statement and its values, which are nobody's to read here."""
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def _fetch(app: App, environment: Environment, claim: Claim) -> Fetched:
    try:
        with background():
            fetched = nouns.fetch(app, environment, claim.root, claim.types)
    except StripeBusy as busy:
        raise LanePaused("busy") from busy
    except StripeUnknown as outage:
        raise LanePaused("unknown") from outage
    except NotConnected as unconnected:
        raise LanePaused("not_connected") from unconnected
    except StripeRefused as refused:
        if refused.is_key_dead:
            raise LanePaused("key_refused") from refused
        raise
    if fetched.found is not None or not DELETED & claim.types:
        return fetched
    return msgspec.structs.replace(fetched, found=_as_told(app, claim))


def _as_told(app: App, claim: Claim) -> dict[str, Any] | None:
    """Stripe no longer knows what its own event says was deleted: then the payload is all there is, as the pinned version would show it."""
    with app.database.read() as connection:
        payload = claims.last_payload(connection, claim, DELETED)
    if payload is None:
        return None
    told = normal(msgspec.json.decode(payload))["data"]["object"]
    if told.get("object") == "customer":
        return {
            "id": told["id"],
            "object": "customer",
            "deleted": True,
        }  # Go by the event's type: its object has no such mark.
    return dict(told)


def _apply(app: App, environment: Environment, claim: Claim, fetched: Fetched) -> None:
    """Effects and "done" commit together, or not at all."""
    with app.work(environment.id) as work:
        lock(work, [fetched])
        if not claims.is_still_ours(work, claim):
            _log.warning("environment %s: the claim on %s was given up meanwhile", environment.id, claim.root)
            raise RolledBack  # Whoever has the rows now fetches again.
        outcome = nouns.apply(work, claim.root, fetched, claim.types)
        whose = id_of((fetched.found or {}).get("customer"))
        claims.mark(work, claim, outcome, app.wall(), stripe_customer_id=whose)
        if outcome.status == "unresolved" and not claim.was_unresolved:
            facts = {"object": str(claim.root), "stripe_customer_id": outcome.stripe_customer_id}
            open_incident(work, "unresolved_event", facts)


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
    environment = environment_queries.environment(work.connection, work.environment_id)
    assert environment is not None
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
