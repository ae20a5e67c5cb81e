"""
Who works on which rows of the inbox.

All due rows of a root object are claimed together, in a small transaction of their own, because the fetch lies between the claim and the effects.
Several roots are claimed at once, and the numbers of their fetches are taken with them. A claim is a name on the rows: whoever marks them checks,
under lock, that the name is still his. One that is older than the claim's life is given up.
"""

from collections.abc import Collection, Sequence
from typing import Any

import lz4.frame
import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.kernel.ids import new_id
from paywright.storage.work import Work
from paywright.stripe.fetches import next_fetches
from paywright.stripe.model import Outcome
from paywright.webhooks.model import Root
from paywright.webhooks.rules import next_try_ms
from paywright.webhooks.tables import stripe_events

ROWS_PER_ROOT = 10
"""So many due rows are looked at, at most, for each root that may be claimed."""
ROWS_MAX = 1_000
ERROR_CHARACTERS_MAX = 500


class Claim(msgspec.Struct, frozen=True):
    """Rows about one root that are ours until `claim_timeout_s` is over. `number` is the root's next fetch number, taken with the claim."""

    environment_id: str
    name: str
    root: Root
    types: frozenset[str]
    was_unresolved: bool
    number: int


def claim_due(work: Work, now: int, *, roots_max: int) -> list[Claim]:
    """
    The due rows of so many roots, the longest due first; none when nothing is due that nobody else holds. `now` is the wall clock.

    A root that somebody is claiming or applying is passed over: it is looked at again soon.
    """
    waiting = _waiting(work, now, roots_max)
    numbers = next_fetches(work, waiting) if waiting else {}
    if not numbers:
        return []
    of_roots = (stripe_events.c.environment_id == work.environment_id) & stripe_events.c.root.in_(sorted(numbers))
    live = sa.select(stripe_events.c.root).where(of_roots, stripe_events.c.status == "processing").distinct()
    held = set(work.execute(live.order_by(stripe_events.c.root).limit(roots_max)).scalars())
    columns = (stripe_events.c.id, stripe_events.c.root, stripe_events.c.type, stripe_events.c.last_error)
    due = sa.select(*columns).where(_due(work, now), of_roots).order_by(stripe_events.c.id).limit(ROWS_MAX)
    by_root: dict[str, list[Any]] = {root: [] for root in waiting if root in numbers and root not in held}
    for row in work.execute(due.with_for_update()):
        if row.root in by_root:
            by_root[row.root].append(row)
    name = new_id("clm")
    taken = [row.id for rows in by_root.values() for row in rows]
    if taken:
        _take(work, taken, name, now)
    return [
        Claim(
            work.environment_id,
            name,
            Root.of(root),
            frozenset(row.type for row in rows),
            any(row.last_error == UNRESOLVED for row in rows),
            numbers[root],
        )
        for root, rows in by_root.items()
        if rows
    ]


def _waiting(work: Work, now: int, roots_max: int) -> list[str]:
    """Roots with something due and no live claim, the longest due first, and right after each what else is due of its Stripe Customer."""
    held = stripe_events.alias()
    is_held = sa.exists().where(
        held.c.environment_id == work.environment_id,
        held.c.root == stripe_events.c.root,
        held.c.status == "processing",
    )
    due = (
        sa.select(stripe_events.c.root, stripe_events.c.stripe_customer_id)
        .where(_due(work, now), ~is_held)
        .order_by(stripe_events.c.next_attempt_at, stripe_events.c.id)
        .limit(ROWS_PER_ROOT * roots_max)
    )
    of_whom: dict[str, list[str]] = {}
    for row in work.execute(due):
        of_whom.setdefault(row.stripe_customer_id or row.root, []).append(row.root)
    return list(dict.fromkeys(root for roots in of_whom.values() for root in roots))[:roots_max]


def _due(work: Work, now: int) -> sa.ColumnElement[bool]:
    return sa.and_(
        stripe_events.c.environment_id == work.environment_id,
        stripe_events.c.next_attempt_at <= now,
        stripe_events.c.status.in_(("pending", "failed")),
    )


def _take(work: Work, event_ids: list[str], name: str, now: int) -> None:
    work.execute(
        stripe_events.update()
        .where(stripe_events.c.environment_id == work.environment_id, stripe_events.c.id.in_(sorted(event_ids)))
        .values(
            status="processing",
            reason=None,
            claim=name,
            claimed_at=now,
            attempts=stripe_events.c.attempts + 1,
            next_attempt_at=None,
        )
    )


UNRESOLVED = "unresolved: no customer can be named yet"


def is_old(now: int, life_ms: int) -> sa.ColumnElement[bool]:
    """
    Whoever claimed these rows died, or hangs.

    Rows that were claimed before have twice the time, four times, up to sixteen: where a machine is slower than the life that was set, all would be
    given up shortly before their end, again and again.
    """
    begun = {times: sa.literal(now - life_ms * times, sa.BigInteger) for times in (1, 2, 4, 8, 16)}
    by_attempts = {1: begun[1], 2: begun[2], 3: begun[4], 4: begun[8]}
    claimed_before = sa.case(by_attempts, value=stripe_events.c.attempts, else_=begun[16])
    return (stripe_events.c.status == "processing") & (stripe_events.c.claimed_at <= claimed_before)


def give_up_old(work: Work, *, life_ms: int, now: int) -> int:
    """Rows whose worker died or hangs become due again; answers how many."""
    freed = work.execute(
        stripe_events.update()
        .where(stripe_events.c.environment_id == work.environment_id, is_old(now, life_ms))
        .values(status="pending", claim=None, claimed_at=None, next_attempt_at=now)
    )
    return freed.rowcount


def still_ours(work: Work, claimed: Sequence[Claim]) -> set[Root]:
    """Locks the claimed rows. A root that is missing was given up, and somebody else has its rows."""
    columns = (stripe_events.c.id, stripe_events.c.root)
    rows = sa.select(*columns).where(_held(claimed)).order_by(stripe_events.c.id).limit(ROWS_MAX)
    return {Root.of(row.root) for row in work.execute(rows.with_for_update())}


def last_payload(connection: Connection, claim: Claim, types: Collection[str]) -> bytes | None:
    """The body of the newest claimed row of one of `types`; None where it is no longer kept."""
    newest = (
        sa.select(stripe_events.c.payload)
        .where(_held([claim]), stripe_events.c.type.in_(sorted(types)))
        .where(stripe_events.c.payload.is_not(None))
        .order_by(stripe_events.c.received_at.desc(), stripe_events.c.id.desc())
        .limit(1)
    )
    payload = connection.execute(newest).scalar_one_or_none()
    return None if payload is None else bytes(lz4.frame.decompress(payload))


def mark(
    work: Work, claimed: Sequence[Claim], outcome: Outcome, now: int, *, stripe_customer_id: str | None = None
) -> None:
    """
    The claimed rows are done, in the work of what they caused. An unresolved one waits, without retries, for its customer's mapping.

    `stripe_customer_id` is whose the fetched object is, which thin events and older versions do not say: one that is not ours yet wakes by it.
    """
    values: dict[str, object] = {"status": "failed", "reason": "unresolved", "last_error": UNRESOLVED}
    if outcome.status != "unresolved":
        values = {"status": outcome.status, "reason": outcome.reason, "last_error": None, "processed_at": now}
    customer = outcome.stripe_customer_id or stripe_customer_id
    _settle(work, claimed, values if customer is None else {**values, "stripe_customer_id": customer})


def mark_failed(work: Work, claim: Claim, error: str, now: int, spread: float) -> list[str]:
    """The last try raised: due again by the schedule of each row, or a dead letter. Answers the dead ones."""
    columns = (stripe_events.c.id, stripe_events.c.attempts)
    rows = work.execute(
        sa.select(*columns).where(_held([claim])).order_by(stripe_events.c.id).limit(ROWS_MAX).with_for_update()
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
        _settle(work, [claim], {**tried, "last_error": error[:ERROR_CHARACTERS_MAX]}, only=[row.id])
    return dead


def put_back(work: Work, claimed: Sequence[Claim], due: int) -> None:
    """Not tried at all: Stripe, or our database, could not be reached. Costs no attempt."""
    _settle(work, claimed, {"status": "pending", "next_attempt_at": due, "attempts": stripe_events.c.attempts - 1})


def _held(claimed: Sequence[Claim]) -> sa.ColumnElement[bool]:
    """Of one claiming, so they share its name."""
    [environment_id] = {claim.environment_id for claim in claimed}
    [name] = {claim.name for claim in claimed}
    return sa.and_(
        stripe_events.c.environment_id == environment_id,
        stripe_events.c.root.in_(sorted(str(claim.root) for claim in claimed)),
        stripe_events.c.status == "processing",
        stripe_events.c.claim == name,
    )


def _settle(
    work: Work, claimed: Sequence[Claim], values: dict[str, object], *, only: Sequence[str] | None = None
) -> None:
    where = _held(claimed)
    if only is not None:
        where = sa.and_(where, stripe_events.c.id.in_(only))
    work.execute(stripe_events.update().where(where).values(**values, claim=None, claimed_at=None))
