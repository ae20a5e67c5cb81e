"""
Payouts: what Stripe sends to the bank. Nobody's in particular, so their events have no customer.

`paid` means that Stripe expects it to arrive; a bank may send it back days later, and then it is `failed`.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.environments.queries import environment_of
from paywright.kernel.instants import rfc3339, rfc3339_or_none
from paywright.outbox.actions import record
from paywright.payments.tables import payouts
from paywright.storage.statements import upsert
from paywright.storage.work import Work
from paywright.stripe.fetches import may_apply
from paywright.stripe.gateway import StripeRefused
from paywright.stripe.model import GONE, PROCESSED, STALE, WRONG_MODE, Fetched, Outcome

TOLD = frozenset({"paid", "failed"})


def root_of(payout_id: str) -> str:
    return f"payout {payout_id}"


def fetch(app: App, environment: Environment, payout_id: str) -> Fetched:
    """The payout as it is now. Raises what the gateway raises, except for a missing one."""
    number = app.next_fetch(environment.id, root_of(payout_id))
    try:
        found = app.gateway(environment).get(f"/v1/payouts/{payout_id}")
    except StripeRefused as refused:
        if not refused.is_missing:
            raise
        return Fetched(root_of(payout_id), number, None)
    return Fetched(root_of(payout_id), number, found)


def sync(app: App, environment: Environment, payout_id: str) -> Outcome:
    """Fetch and apply. Any number at once, any number of times."""
    fetched = fetch(app, environment, payout_id)
    with app.work(environment.id) as work:
        return apply(work, fetched)


def apply(work: Work, fetched: Fetched) -> Outcome:
    """Makes our row agree with what was fetched, in this work; `payout.paid` and `payout.failed` are told once each."""
    if not may_apply(work, fetched.root, fetched.number):
        return STALE
    if fetched.found is None:
        return GONE
    environment = environment_of(work)
    if fetched.found["livemode"] != environment.livemode:
        return WRONG_MODE
    found = fetched.found
    before = _row(work.connection, work.environment_id, found["id"])
    upsert(work, payouts, _values(work, found), key=("environment_id", "id"))
    if found["status"] in TOLD and (before is None or before.status != found["status"]):
        row = _row(work.connection, work.environment_id, found["id"])
        record(work, f"payout.{found['status']}", {"payout": shown(row)})
    return PROCESSED


def page(
    connection: Connection, environment_id: str, *, after: tuple[int, str] | None = None, limit: int = 10
) -> list[Any]:
    """Newest first, one more than `limit` to tell whether there are more. `after` is the last one seen: its `created_at` and id."""
    statement = sa.select(*payouts.c).where(payouts.c.environment_id == environment_id)
    if after is not None:
        statement = statement.where(sa.tuple_(payouts.c.created_at, payouts.c.id) < after)
    ordered = statement.order_by(payouts.c.created_at.desc(), payouts.c.id.desc()).limit(limit + 1)
    return list(connection.execute(ordered).all())


def shown(row: Any) -> dict[str, Any]:
    """As `GET /v1/payouts` shows it, and events tell it."""
    failure = {"code": row.failure_code, "message": row.failure_message}
    return {
        "id": row.id,
        "status": row.status,
        "amount": {"amount": row.amount, "currency": row.currency},
        "automatic": bool(row.automatic),
        "arrives_at": rfc3339_or_none(row.arrives_at),
        "failure": failure if row.failure_code is not None else None,
        "created_at": rfc3339(row.created_at),
    }


def _row(connection: Connection, environment_id: str, payout_id: str) -> Any:
    where = (payouts.c.environment_id == environment_id) & (payouts.c.id == payout_id)
    return connection.execute(sa.select(*payouts.c).where(where)).one_or_none()


def _values(work: Work, found: dict[str, Any]) -> dict[str, Any]:
    arrives = found.get("arrival_date")
    return {
        "environment_id": work.environment_id,
        "id": found["id"],
        "status": found["status"],
        "amount": found["amount"],
        "currency": found["currency"],
        "automatic": int(found["automatic"]),
        "arrives_at": None if arrives is None else arrives * 1000,
        "failure_code": found.get("failure_code"),
        "failure_message": found.get("failure_message"),
        "created_at": found["created"] * 1000,
        "seen_at": work.now,
    }
