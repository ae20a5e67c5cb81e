"""
One object at Stripe against what we hold.

It is applied by the noun's own `apply`, in a work that is rolled back; the rows before and after are what is ours and what would be Stripe's. So
what is compared is what a webhook would have made of it, and with `fix` it is the same work, committed. The decision is docs/decisions/0009.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.healing.mirror import said
from paywright.healing.model import Difference
from paywright.healing.watched import Rows, differences, kept_against, overwrite, rows_about, that_were_told
from paywright.kernel.model import Customer
from paywright.outbox.actions import lock_customers
from paywright.storage.database import DatabaseUnavailable
from paywright.storage.work import RolledBack, Work
from paywright.stripe.fetches import lock, next_fetch
from paywright.stripe.model import Fetched
from paywright.webhooks import nouns
from paywright.webhooks.model import Noun, Root

Keep = Callable[[Work, list[Difference]], None]
"""Writes lines into the report, in the work that mends them."""

TOGETHER_MAX = 20
"""Objects applied in one work: their customers are held for some 30 ms, and on SQLite everybody who writes."""

NEWEST = 2**62
"""A fetch number above all others; it is never committed."""

ALL_BESIDE: dict[Noun, frozenset[str]] = {
    "payment_intent": frozenset({"refund.updated", "charge.dispute.updated"}),
    "charge": frozenset({"refund.updated", "charge.dispute.updated"}),
    "invoice": frozenset({"invoice.paid"}),
}
"""Event types that make a fetch bring everything that may be in question."""


def look(app: App, environment: Environment, root: Root, *, fix: bool, keep: Keep) -> list[Difference]:
    """Fetches it and says what differs; with `fix` ours is Stripe's afterwards. Raises what the gateway raises."""
    fetched = nouns.fetch(app, environment, root, ALL_BESIDE.get(root.noun, frozenset()))
    root = Root.of(fetched.root)  # Of a refund or a dispute: the payment.
    lines: list[Difference] = []
    with app.work(environment.id) as work:
        lock(work, [fetched])
        lines += _applied(work, root, fetched, fix=fix)
        if fix and lines:
            keep(work, lines)
        else:
            _undo()
    if lines and not fix:
        with app.work(environment.id) as work:
            keep(work, lines)
    return lines


def differs(app: App, environment: Environment, root: Root, stripe_object: dict[str, object]) -> bool:
    """Whether an object as a list showed it is worth a look. Writes nothing, and calls nobody."""
    lines: list[Difference] = []
    with app.work(environment.id) as work:
        fetched = Fetched(str(root), next_fetch(work, str(root)), stripe_object)
        lines += _applied(work, root, fetched, fix=False)
        _undo()
    return bool(lines)


def agreeing(app: App, environment: Environment, noun: Noun, page: Sequence[dict[str, Any]]) -> set[str]:
    """
    Ids of the objects of a list that are worth no look, found a few objects at a time: what `differs` would say of each.

    Those that are applied together agree as a whole or not at all; the others are for `differs`, one by one.
    """
    found: set[str] = set()
    for start in range(0, len(page), TOGETHER_MAX):
        some = page[start : start + TOGETHER_MAX]
        if _agree(app, environment, noun, some):
            found |= {each["id"] for each in some}
    return found


def _agree(app: App, environment: Environment, noun: Noun, some: Sequence[dict[str, Any]]) -> bool:
    fetched = {each["id"]: Fetched(str(Root(noun, each["id"])), NEWEST, each) for each in some}
    agree = True
    try:
        with app.work(environment.id) as work:
            before = rows_about(work.connection, environment.id, fetched.values())
            _hold(work, fetched.values(), before)
            for stripe_id, each in fetched.items():
                outcome = nouns.apply(work, Root(noun, stripe_id), each)
                agree = (
                    agree and outcome.status != "unresolved" and outcome.reason not in ("object_gone", "stale_fetch")
                )
            after = rows_about(work.connection, environment.id, fetched.values())
            told = {of_row: fields for each in fetched.values() for of_row, fields in said(each).items()}
            agree = agree and before == that_were_told(before, after) and not kept_against(told, after)
            _undo()
    except (DatabaseUnavailable, sa.exc.DBAPIError):
        return False  # Whatever it is, whoever looks at each alone will hear of it.
    return agree


def _hold(work: Work, fetched: Collection[Fetched], rows: Rows) -> None:
    """The locks of all of them in the order everybody takes them: objects, then customers."""
    held = lock(work, fetched)
    for root in sorted({each.root for each in fetched} - held):
        next_fetch(work, root)
    lock_customers(work, {Customer.of_key(str(row["customer"])) for row in rows.values() if row.get("customer")})


def _undo() -> None:
    raise RolledBack


def _applied(work: Work, root: Root, fetched: Fetched, *, fix: bool) -> list[Difference]:
    before = _rows(work, fetched)
    outcome = nouns.apply(work, root, fetched)
    if outcome.status == "unresolved":
        return [Difference(root.noun, root.id, "customer", None, outcome.stripe_customer_id)]
    if outcome.reason == "object_gone":
        return [Difference(noun, row_id, "exists", True, False) for noun, row_id in before if noun == root.noun]
    if outcome.status == "ignored" or outcome.reason == "stale_fetch":
        return []
    after = _rows(work, fetched)
    kept = kept_against(said(fetched), after)
    if fix and kept:
        overwrite(work, kept)
        nouns.apply(work, root, _anew(work, fetched))
        after = _rows(work, fetched)
    changed = differences(before, that_were_told(before, after))
    if fix:
        return [msgspec.structs.replace(line, fixed=True) for line in changed] + [
            line for line in kept_against(said(fetched), after) if not _is_among(line, changed)
        ]
    return changed + [line for line in kept if not _is_among(line, changed)]


def _is_among(line: Difference, lines: list[Difference]) -> bool:
    return any((each.noun, each.id, each.field) == (line.noun, line.id, line.field) for each in lines)


def _rows(work: Work, fetched: Fetched) -> Rows:
    return rows_about(work.connection, work.environment_id, [fetched])


def _anew(work: Work, fetched: Fetched) -> Fetched:
    """The same find under the next number, so that it may be applied once more in this work."""
    related = tuple(_anew(work, each) for each in fetched.related)
    return Fetched(fetched.root, next_fetch(work, fetched.root), fetched.found, fetched.lists, related)
