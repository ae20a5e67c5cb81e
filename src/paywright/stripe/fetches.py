"""
Who fetched last wins, not who applied last.

A fetch takes the next number of its object before it starts; what it found is applied only if its number is above the last one applied. So `sync`
from a success page needs no claim on the inbox, and any number of fetches of one object may run at once.
"""

from collections.abc import Iterable

import sqlalchemy as sa

from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work
from paywright.stripe.model import Fetched
from paywright.stripe.tables import stripe_objects


def next_fetch(work: Work, root: str) -> int:
    """Call it, and commit, before the fetch. `root` names kind and id."""
    insert_if_absent(work, stripe_objects, {"environment_id": work.environment_id, "root": root})
    raised = stripe_objects.update().where(_is(work, root)).values(fetch_number=stripe_objects.c.fetch_number + 1)
    return int(work.execute(raised.returning(stripe_objects.c.fetch_number)).scalar_one())


def lock(work: Work, fetched: Iterable[Fetched]) -> None:
    """Locks the roots of several fetches, and of all that is related to them, in sorted order. Do it before any customer's lock."""
    every = list(fetched)
    for each in every:
        every.extend(each.related)
    roots = sorted({each.root for each in every})
    here = stripe_objects.c.environment_id == work.environment_id
    rows = sa.select(stripe_objects.c.root).where(here, stripe_objects.c.root.in_(roots))
    work.execute(rows.order_by(stripe_objects.c.root).limit(len(roots)).with_for_update()).all()


def may_apply(work: Work, root: str, fetch_number: int) -> bool:
    """
    Locks the object until the work ends. False: something newer was applied already, and this fetch is to be dropped.

    Asked again in the same work it answers the same. A work that applies several objects calls `lock` with all of them first.
    """
    answers: dict[tuple[str, int], bool] = work.notes.setdefault("stripe.fetches", {})
    if (root, fetch_number) not in answers:
        answers[root, fetch_number] = _raise_applied(work, root, fetch_number)
    return answers[root, fetch_number]


def _raise_applied(work: Work, root: str, fetch_number: int) -> bool:
    raised = (
        stripe_objects.update()
        .where(_is(work, root), stripe_objects.c.applied_number < fetch_number)
        .values(applied_number=fetch_number)
    )
    return bool(work.execute(raised).rowcount == 1)


def _is(work: Work, root: str) -> sa.ColumnElement[bool]:
    return sa.and_(stripe_objects.c.environment_id == work.environment_id, stripe_objects.c.root == root)
