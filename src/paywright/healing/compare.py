"""
One object at Stripe against what we hold.

It is applied by the noun's own `apply`, in a work that is rolled back; the rows before and after are what is ours and what would be Stripe's. So
what is compared is what a webhook would have made of it, and with `fix` it is the same work, committed. The decision is docs/decisions/0009.
"""

from collections.abc import Callable

import msgspec

from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.healing.mirror import said
from paywright.healing.model import Difference
from paywright.healing.watched import Rows, differences, kept_against, overwrite, rows_about
from paywright.storage.work import RolledBack, Work
from paywright.stripe.fetches import lock, next_fetch
from paywright.stripe.model import Fetched
from paywright.webhooks import nouns
from paywright.webhooks.model import Noun, Root

Keep = Callable[[Work, list[Difference]], None]
"""Writes lines into the report, in the work that mends them."""

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
    changed = differences(before, after)
    if fix:
        return [msgspec.structs.replace(line, fixed=True) for line in changed] + [
            line for line in kept_against(said(fetched), after) if not _is_among(line, changed)
        ]
    return changed + [line for line in kept if not _is_among(line, changed)]


def _is_among(line: Difference, lines: list[Difference]) -> bool:
    return any((each.noun, each.id, each.field) == (line.noun, line.id, line.field) for each in lines)


def _rows(work: Work, fetched: Fetched) -> Rows:
    return rows_about(work.connection, work.environment_id, fetched)


def _anew(work: Work, fetched: Fetched) -> Fetched:
    """The same find under the next number, so that it may be applied once more in this work."""
    related = tuple(_anew(work, each) for each in fetched.related)
    return Fetched(fetched.root, next_fetch(work, fetched.root), fetched.found, fetched.lists, related)
