"""What Stripe sent: the door's place in the document, and the inbox to look into."""

from typing import Any

import lz4.frame
import msgspec
import sqlalchemy as sa

from paywright.api.call import Answer, Call, Open, listed, ok
from paywright.api.parsing import Listing, place, read_place
from paywright.kernel.instants import rfc3339, rfc3339_or_none
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.storage.work import Work
from paywright.webhooks.tables import stripe_events

STATUSES = ("pending", "processed", "failed", "ignored")
_SHOWN = tuple(
    stripe_events.c[name]
    for name in (
        "id",
        "type",
        "status",
        "reason",
        "attempts",
        "last_error",
        "received_at",
        "processed_at",
        "next_attempt_at",
    )
)


class StripeEventListing(Listing, frozen=True, kw_only=True):
    """Narrowed by Stripe's event type, and by status."""

    type: str | None = None
    status: str | None = None


def receive(_call: Open) -> Answer:
    """
    Stripe's door: 200 once a genuine event is stored.

    The body is checked against `Stripe-Signature` byte by byte: pass it on untouched.
    """
    raise AssertionError("answered in front of the router")


def list_stripe_events(call: Call) -> Answer | Refusal:
    """The inbox, newest first. What is ignored or failed says why."""
    query: StripeEventListing = call.query
    if query.status is not None and query.status not in STATUSES:
        return invalid_request("status", f"`status` is one of {', '.join(STATUSES)}.")
    after = read_place(query.cursor)
    if isinstance(after, Refusal):
        return after
    statement = sa.select(*_SHOWN).where(stripe_events.c.environment_id == call.environment.id)
    if query.type is not None:
        statement = statement.where(stripe_events.c.type == query.type)
    if query.status is not None:
        # A claimed row shows as pending: it is being worked on.
        among = ("pending", "processing") if query.status == "pending" else (query.status,)
        statement = statement.where(stripe_events.c.status.in_(among))
    if after is not None:
        statement = statement.where(sa.tuple_(stripe_events.c.received_at, stripe_events.c.id) < after)
    ordered = statement.order_by(stripe_events.c.received_at.desc(), stripe_events.c.id.desc()).limit(query.limit + 1)
    with call.app.database.read() as connection:
        rows = connection.execute(ordered).all()
    return listed(rows, limit=query.limit, cursor_of=lambda row: place(row.received_at, row.id), show=shown)


def read_stripe_event(call: Call) -> Answer | Refusal:
    """One event with its payload, which is kept for 90 days."""
    with call.app.database.read() as connection:
        row = connection.execute(
            sa.select(*_SHOWN, stripe_events.c.payload).where(
                stripe_events.c.environment_id == call.environment.id,
                stripe_events.c.id == call.parts["stripe_event_id"],
            )
        ).one_or_none()
    if row is None:
        return Refusal("not_found")
    payload = None if row.payload is None else msgspec.json.decode(lz4.frame.decompress(row.payload))
    return ok({**shown(row), "payload": payload})


def replay_stripe_event(call: Call, work: Work) -> Answer | Refusal:
    """Makes it due again, whatever became of it. Safe at any time: no fact has its effect twice."""
    raise AssertionError


def shown(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "type": row.type,
        "status": "pending" if row.status == "processing" else row.status,
        "reason": row.reason,
        "last_error": row.last_error,
        "attempts": row.attempts,
        "received_at": rfc3339(row.received_at),
        "processed_at": rfc3339_or_none(row.processed_at),
        "next_attempt_at": rfc3339_or_none(row.next_attempt_at),
    }
