"""
Who fetched last wins, not who applied last.

A fetch takes the next number of its object before it starts; what it found is applied only if its number is above the last one applied. So `sync`
from a success page needs no claim on the inbox, and any number of fetches of one object may run at once.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Concatenate, ParamSpec

import sqlalchemy as sa

from paywright.storage.statements import insert_if_absent, insert_many_if_absent
from paywright.storage.work import Work
from paywright.stripe.model import PROCESSED, Fetched, Outcome
from paywright.stripe.tables import stripe_objects

Named = ParamSpec("Named")


def next_fetch(work: Work, root: str) -> int:
    """Call it, and commit, before the fetch. `root` names kind and id."""
    insert_if_absent(work, stripe_objects, {"environment_id": work.environment_id, "root": root})
    raised = stripe_objects.update().where(_is(work, root)).values(fetch_number=stripe_objects.c.fetch_number + 1)
    return int(work.execute(raised.returning(stripe_objects.c.fetch_number)).scalar_one())


def next_fetches(work: Work, roots: Sequence[str]) -> dict[str, int]:
    """As `next_fetch` for several at once, and locks them. One that somebody holds is passed over."""
    here = stripe_objects.c.environment_id == work.environment_id
    named = sorted(set(roots))
    insert_many_if_absent(
        work, stripe_objects, [{"environment_id": work.environment_id, "root": each} for each in named]
    )
    free = (
        sa.select(stripe_objects.c.root)
        .where(here, stripe_objects.c.root.in_(named))
        .order_by(stripe_objects.c.root)
        .limit(len(named))
        .with_for_update(skip_locked=True)
    )
    locked = list(work.execute(free).scalars())
    raised = (
        stripe_objects.update()
        .where(here, stripe_objects.c.root.in_(locked))
        .values(fetch_number=stripe_objects.c.fetch_number + 1)
        .returning(stripe_objects.c.root, stripe_objects.c.fetch_number)
    )
    return {row.root: int(row.fetch_number) for row in work.execute(raised)}


def lock(work: Work, fetched: Iterable[Fetched]) -> set[str]:
    """
    Locks the roots of several fetches, and of all that is related to them, in sorted order. Do it before any customer's lock.

    Answers those that this work holds by now: what was never fetched is not there to be locked.
    """
    return set(_lock(work, {root for each in fetched for root in each.roots}))


def may_apply(work: Work, root: str, fetch_number: int) -> bool:
    """
    Locks the object until the work ends. False: something newer was applied already, and this fetch is to be dropped.

    Asked again in the same work it answers the same. A work that applies several objects calls `lock` with all of them first.
    """
    answers: dict[tuple[str, int], bool] = work.notes.setdefault("stripe.fetches", {})
    if (root, fetch_number) not in answers:
        applied = _lock(work, {root})
        is_newer = root in applied and applied[root] < fetch_number
        if is_newer:
            applied[root] = fetch_number
            raised: dict[str, int] = work.notes.setdefault("stripe.raised", {})
            if not raised:
                work.before_commit(_write_applied)
            raised[root] = fetch_number
        answers[root, fetch_number] = is_newer
    return answers[root, fetch_number]


def _lock(work: Work, roots: set[str]) -> dict[str, int]:
    """The numbers applied last of what this work holds."""
    applied: dict[str, int] = work.notes.setdefault("stripe.numbers", {})
    asked = sorted(roots - applied.keys())
    if asked:
        here = stripe_objects.c.environment_id == work.environment_id
        rows = sa.select(stripe_objects.c.root, stripe_objects.c.applied_number)
        ordered = rows.where(here, stripe_objects.c.root.in_(asked)).order_by(stripe_objects.c.root).limit(len(asked))
        applied.update((row.root, int(row.applied_number)) for row in work.execute(ordered.with_for_update()))
    return applied


def _write_applied(work: Work) -> None:
    raised: dict[str, int] = work.notes["stripe.raised"]
    rows = [{"of_root": root, "number": number} for root, number in sorted(raised.items())]
    is_it = (stripe_objects.c.environment_id == work.environment_id) & (
        stripe_objects.c.root == sa.bindparam("of_root")
    )
    work.execute(stripe_objects.update().where(is_it).values(applied_number=sa.bindparam("number")), rows)


def once(
    apply: Callable[Concatenate[Work, Fetched, Named], Outcome],
) -> Callable[Concatenate[Work, Fetched, Named], Outcome]:
    """
    A room's `apply` that passes over what the same work has made effective already, wherever it was reached from.

    One that brings a list or a related object which the earlier one did not have is applied. Only what was processed is remembered: who led to an
    object that could not be placed may know whose it is.
    """

    @wraps(apply)
    def applied_once(work: Work, fetched: Fetched, /, *args: Named.args, **named: Named.kwargs) -> Outcome:
        done: dict[tuple[str, int], set[tuple[str, str]]] = work.notes.setdefault("stripe.applied", {})
        brought = _parts(fetched)
        known = done.get((fetched.root, fetched.number))
        if known is not None and brought <= known:
            return PROCESSED
        outcome = apply(work, fetched, *args, **named)
        if outcome == PROCESSED:
            done[fetched.root, fetched.number] = brought | (known or set())
        return outcome

    return applied_once


def _parts(fetched: Fetched) -> set[tuple[str, str]]:
    own = {(fetched.root, name) for name in ("found", *fetched.lists)}
    return own.union(*(_parts(each) for each in fetched.related))


def _is(work: Work, root: str) -> sa.ColumnElement[bool]:
    return sa.and_(stripe_objects.c.environment_id == work.environment_id, stripe_objects.c.root == root)
