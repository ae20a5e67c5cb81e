"""
Who works on which rows of the inbox.

All due rows of one root object are claimed together, in a small transaction of their own, because the fetch lies between the claim and the effects. A
claim is a name on the rows: whoever marks them checks, under lock, that the name is still his. One that is older than the claim's life is given up.
"""

from collections.abc import Collection, Sequence

import lz4.frame
import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.kernel.ids import new_id
from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work
from paywright.stripe.model import Outcome
from paywright.stripe.tables import stripe_objects
from paywright.webhooks.model import Root
from paywright.webhooks.rules import next_try_ms
from paywright.webhooks.tables import stripe_events

CANDIDATES_MAX = 100
ROWS_MAX = 1_000
ERROR_CHARACTERS_MAX = 500


class Claim(msgspec.Struct, frozen=True):
    """Rows about one root that are ours until `claim_timeout_s` is over."""

    environment_id: str
    name: str
    root: Root
    types: frozenset[str]
    was_unresolved: bool


def claim_next(work: Work, now: int) -> Claim | None:
    """The due rows of one root, the longest due first; None when nothing is due that nobody else holds. `now` is the wall clock."""
    due = (
        sa.select(stripe_events.c.id, stripe_events.c.root)
        .where(_due(work, now))
        .order_by(stripe_events.c.next_attempt_at, stripe_events.c.id)
        .limit(CANDIDATES_MAX)
    )
    for root in dict.fromkeys(row.root for row in work.execute(due)):
        claim = _claim(work, root, now) if _lock_root(work, root) else None
        if claim is not None:
            return claim
    return None


def _due(work: Work, now: int) -> sa.ColumnElement[bool]:
    return sa.and_(
        stripe_events.c.environment_id == work.environment_id,
        stripe_events.c.next_attempt_at <= now,
        stripe_events.c.status.in_(("pending", "failed")),
    )


def _lock_root(work: Work, root: str) -> bool:
    """One claimer per root at a time. A root that somebody is claiming or applying is passed over: it is looked at again soon."""
    insert_if_absent(work, stripe_objects, {"environment_id": work.environment_id, "root": root})
    where = (stripe_objects.c.environment_id == work.environment_id) & (stripe_objects.c.root == root)
    return (
        work.execute(sa.select(stripe_objects.c.root).where(where).with_for_update(skip_locked=True)).one_or_none()
        is not None
    )


def _claim(work: Work, root: str, now: int) -> Claim | None:
    of_root = (stripe_events.c.environment_id == work.environment_id) & (stripe_events.c.root == root)
    live = sa.select(stripe_events.c.id).where(of_root, stripe_events.c.status == "processing").limit(1)
    if work.execute(live).one_or_none() is not None:
        return None
    columns = (stripe_events.c.id, stripe_events.c.type, stripe_events.c.last_error)
    rows = work.execute(
        sa.select(*columns)
        .where(_due(work, now), stripe_events.c.root == root)
        .order_by(stripe_events.c.next_attempt_at, stripe_events.c.id)
        .limit(ROWS_MAX)
        .with_for_update()
    ).all()
    if not rows:
        return None
    name = new_id("clm")
    work.execute(
        stripe_events.update()
        .where(of_root, stripe_events.c.id.in_(sorted(row.id for row in rows)))
        .values(
            status="processing",
            reason=None,
            claim=name,
            claimed_at=now,
            attempts=stripe_events.c.attempts + 1,
            next_attempt_at=None,
        )
    )
    types = frozenset(row.type for row in rows)
    was_unresolved = any(row.last_error == UNRESOLVED for row in rows)
    return Claim(work.environment_id, name, Root.of(root), types, was_unresolved)


UNRESOLVED = "unresolved: no customer can be named yet"


def give_up_old(work: Work, *, claimed_before: int, now: int) -> int:
    """Rows whose worker died or hangs become due again; answers how many."""
    where = (stripe_events.c.environment_id == work.environment_id) & (stripe_events.c.status == "processing")
    freed = work.execute(
        stripe_events.update()
        .where(where, stripe_events.c.claimed_at <= claimed_before)
        .values(status="pending", claim=None, claimed_at=None, next_attempt_at=now)
    )
    return freed.rowcount


def is_still_ours(work: Work, claim: Claim) -> bool:
    """Locks the claimed rows. False: the claim was given up, and somebody else has them."""
    rows = sa.select(stripe_events.c.id).where(_held(claim)).order_by(stripe_events.c.id).limit(ROWS_MAX)
    return bool(work.execute(rows.with_for_update()).all())


def last_payload(connection: Connection, claim: Claim, types: Collection[str]) -> bytes | None:
    """The body of the newest claimed row of one of `types`; None where it is no longer kept."""
    newest = (
        sa.select(stripe_events.c.payload)
        .where(_held(claim), stripe_events.c.type.in_(sorted(types)))
        .where(stripe_events.c.payload.is_not(None))
        .order_by(stripe_events.c.received_at.desc(), stripe_events.c.id.desc())
        .limit(1)
    )
    payload = connection.execute(newest).scalar_one_or_none()
    return None if payload is None else bytes(lz4.frame.decompress(payload))


def mark(work: Work, claim: Claim, outcome: Outcome, now: int, *, stripe_customer_id: str | None = None) -> None:
    """
    The claimed rows are done, in the work of what they caused. An unresolved one waits, without retries, for its customer's mapping.

    `stripe_customer_id` is whose the fetched object is, which thin events and older versions do not say: one that is not ours yet wakes by it.
    """
    values: dict[str, object] = {"status": "failed", "reason": "unresolved", "last_error": UNRESOLVED}
    if outcome.status != "unresolved":
        values = {"status": outcome.status, "reason": outcome.reason, "last_error": None, "processed_at": now}
    customer = outcome.stripe_customer_id or stripe_customer_id
    _settle(work, claim, values if customer is None else {**values, "stripe_customer_id": customer})


def mark_failed(work: Work, claim: Claim, error: str, now: int, spread: float) -> list[str]:
    """The last try raised: due again by the schedule of each row, or a dead letter. Answers the dead ones."""
    columns = (stripe_events.c.id, stripe_events.c.attempts)
    rows = work.execute(
        sa.select(*columns).where(_held(claim)).order_by(stripe_events.c.id).limit(ROWS_MAX).with_for_update()
    ).all()
    dead = []
    for row in rows:
        due = next_try_ms(row.attempts, now, spread)
        if due is None:
            dead.append(row.id)
        tried: dict[str, object] = {
            "status": "failed",
            "reason": "dead_letter" if due is None else None,
            "next_attempt_at": due,
        }
        _settle(work, claim, {**tried, "last_error": error[:ERROR_CHARACTERS_MAX]}, only=[row.id])
    return dead


def put_back(work: Work, claim: Claim, due: int) -> None:
    """Not tried at all: Stripe, or our database, could not be reached. Costs no attempt."""
    _settle(work, claim, {"status": "pending", "next_attempt_at": due, "attempts": stripe_events.c.attempts - 1})


def _held(claim: Claim) -> sa.ColumnElement[bool]:
    return sa.and_(
        stripe_events.c.environment_id == claim.environment_id,
        stripe_events.c.root == str(claim.root),
        stripe_events.c.status == "processing",
        stripe_events.c.claim == claim.name,
    )


def _settle(work: Work, claim: Claim, values: dict[str, object], *, only: Sequence[str] | None = None) -> None:
    where = _held(claim)
    if only is not None:
        where = sa.and_(where, stripe_events.c.id.in_(only))
    work.execute(stripe_events.update().where(where).values(**values, claim=None, claimed_at=None))
