"""
Rows of ours that wait without anybody coming for them: reported, and with `fix` looked after as the worker would.

An incident is not needed for these: doctor and the report show them as long as they are so.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.catalog import queries as catalog_queries
from paywright.checkout import actions as checkout
from paywright.checkout import queries as checkout_queries
from paywright.checkout.opening import recover
from paywright.checkout.tables import checkout_sessions
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.healing.model import Difference
from paywright.kernel.instants import rfc3339
from paywright.payments import refunding
from paywright.payments.queries import unanswered_refunds
from paywright.payments.tables import payments, refunds
from paywright.storage.work import Work
from paywright.subscriptions.model import SubscriptionItem
from paywright.subscriptions.tables import subscription_changes, subscriptions
from paywright.webhooks import actions as webhooks
from paywright.webhooks.tables import stripe_events

ROWS_MAX = 1_000
"""Of each kind, in one report."""
PENDING_TOO_LONG_MS = 7 * 86_400_000

Keep = Callable[[Work, list[Difference]], None]
Mend = Callable[[App, Environment, str], bool]


def tell(app: App, environment: Environment, *, fix: bool, keep: Keep) -> int:
    """Writes the lines; answers how many."""
    told = 0
    for line, mend in list(found(app, environment)):
        fixed = fix and mend is not None and mend(app, environment, line.id)
        with app.work(environment.id) as work:
            keep(work, [msgspec.structs.replace(line, fixed=fixed)])
        told += 1
    return told


def found(app: App, environment: Environment) -> Iterator[tuple[Difference, Mend | None]]:
    """Each with what would mend it; None: only a person can."""
    now = app.now(environment.id)
    before = app.wall() - round(app.settings.recovery_after_s * 1000)
    with app.database.read() as connection:
        for session_id in checkout_queries.overdue(connection, environment.id, now, limit=ROWS_MAX):
            yield Difference("checkout_session", session_id, "overdue", "open", None), _end
        yield from _unanswered(connection, environment.id, before)
        yield from _pending_too_long(connection, environment.id, now)
        yield from _waiting_events(connection, environment.id)
        yield from _two_in_a_line(connection, environment.id)


def _unanswered(connection: Connection, environment_id: str, before: int) -> Iterator[tuple[Difference, Mend | None]]:
    """Asked of Stripe, and no answer kept: the worker repeats these, unless it is not running."""
    sessions = checkout_queries.unanswered(connection, attempted_before=before, limit=ROWS_MAX)
    for owner, session_id in sessions:
        if owner == environment_id:
            yield Difference("checkout_session", session_id, "unanswered", "initialized", None), _reopen
    for refund in unanswered_refunds(connection, environment_id, attempted_before=before, limit=ROWS_MAX):
        yield Difference("refund", refund.id, "unanswered", "requested", None), _ask_again
    c = subscription_changes.c
    asked = sa.select(c.id, c.kind, c.status).where(
        c.environment_id == environment_id, c.status.in_(("requested", "due")), c.created_at < before
    )
    for row in connection.execute(asked.order_by(c.created_at, c.id).limit(ROWS_MAX)):
        yield Difference("subscription_change", row.id, "unanswered", f"{row.kind} {row.status}", None), None


def _pending_too_long(
    connection: Connection, environment_id: str, now: int
) -> Iterator[tuple[Difference, Mend | None]]:
    p = payments.c
    old = sa.select(p.fact, p.created_at).where(
        p.environment_id == environment_id, p.status == "pending", p.created_at < now - PENDING_TOO_LONG_MS
    )
    for row in connection.execute(old.order_by(p.created_at, p.id).limit(ROWS_MAX)):
        stripe_id = row.fact.partition(" ")[2]
        yield Difference("payment", stripe_id, "pending", f"since {rfc3339(row.created_at)}", None), None


def _waiting_events(connection: Connection, environment_id: str) -> Iterator[tuple[Difference, Mend | None]]:
    e = stripe_events.c
    waiting = sa.select(e.id, e.reason, e.last_error).where(
        e.environment_id == environment_id, e.status == "failed", e.reason.in_(("dead_letter", "unresolved"))
    )
    for row in connection.execute(waiting.order_by(e.received_at, e.id).limit(ROWS_MAX)):
        mend = _replay if row.reason == "dead_letter" else None
        yield Difference("stripe_event", row.id, row.reason, row.last_error, None), mend


def _two_in_a_line(connection: Connection, environment_id: str) -> Iterator[tuple[Difference, Mend | None]]:
    """Somebody pays twice for one thing: which of the two goes, and what is returned, is for a person to say."""
    s = subscriptions.c
    live = (s.environment_id == environment_id) & s.ended_at.is_(None) & (s.status != "incomplete")
    several = sa.select(s.customer).where(live).group_by(s.customer).having(sa.func.count() > 1)
    held = (
        sa.select(s.id, s.customer, s["items"])
        .where(live, s.customer.in_(several))
        .order_by(s.customer, s.started_at, s.id)
    )
    lines: dict[tuple[str, str], list[str]] = {}
    for row in connection.execute(held.limit(ROWS_MAX)):
        for product_line in _product_lines(connection, environment_id, row[2]):
            lines.setdefault((row.customer, product_line), []).append(row.id)
    for (customer, product_line), ids in lines.items():
        for later in ids[1:]:
            yield Difference("subscription", later, "second_in_line", f"{customer} {product_line}", ids[0]), None


def _product_lines(connection: Connection, environment_id: str, items: str) -> Iterable[str]:
    prices = [each.stripe_price_id for each in msgspec.json.decode(items, type=tuple[SubscriptionItem, ...])]
    sold = catalog_queries.by_stripe_price(connection, environment_id, prices)
    versions = catalog_queries.product_versions_of(
        connection, environment_id, sorted({each.product_version for each in sold.values()})
    )
    plans = (each.product for each in versions.values() if not each.product.add_on_to)
    return sorted({product.product_line for product in plans if product.product_line is not None})


def _end(app: App, environment: Environment, session_id: str) -> bool:
    checkout.end_overdue(app, environment, session_id)
    return bool(_status(app, environment, checkout_sessions, session_id) != "open")


def _reopen(app: App, environment: Environment, session_id: str) -> bool:
    recover(app, environment, session_id)
    return bool(_status(app, environment, checkout_sessions, session_id) != "initialized")


def _ask_again(app: App, environment: Environment, refund_id: str) -> bool:
    before = app.wall() - round(app.settings.recovery_after_s * 1000)
    refunding.recover(app, environment, attempted_before=before)
    return bool(_status(app, environment, refunds, refund_id) != "requested")


def _replay(app: App, environment: Environment, event_id: str) -> bool:
    """Once more, now: it is mended when it is processed."""
    with app.work(environment.id) as work:
        webhooks.replay(work, event_id, app.wall())
    webhooks.process_due(app, environment.id)
    return _status(app, environment, stripe_events, event_id) in ("processed", "ignored")


def _status(app: App, environment: Environment, table: sa.Table, row_id: str) -> Any:
    with app.database.read() as connection:
        is_it = (table.c.environment_id == environment.id) & (table.c.id == row_id)
        return connection.execute(sa.select(table.c.status).where(is_it)).scalar_one_or_none()
