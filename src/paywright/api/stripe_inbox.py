"""What Stripe sent: the door's place in the document, and the inbox to look into."""

from paywright.api.call import Answer, Call, Open, listed, ok
from paywright.api.parsing import Body, Listing, place, read_place
from paywright.kernel.instants import parse_instant
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.storage.work import Work
from paywright.webhooks import actions, queries
from paywright.webhooks.model import STATUSES


class StripeEventListing(Listing, frozen=True, kw_only=True):
    """Narrowed by Stripe's event type, by status, and by the reason something was ignored or failed."""

    type: str | None = None
    status: str | None = None
    reason: str | None = None


class ReplayOfMany(Body, frozen=True, kw_only=True):
    """Which ones; several narrow each other, and one of them is needed. `ignored` is a reason, `since` an instant of arrival."""

    failed: bool = False
    ignored: str | None = None
    since: str | None = None


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
    with call.app.database.read() as connection:
        rows = queries.page(
            connection,
            call.environment.id,
            type=query.type,
            status=query.status,
            reason=query.reason,
            after=after,
            limit=query.limit,
        )
    return listed(rows, limit=query.limit, cursor_of=lambda row: place(row.received_at, row.id), show=queries.shown)


def read_stripe_event(call: Call) -> Answer | Refusal:
    """One event with its payload, which is kept for 90 days."""
    with call.app.database.read() as connection:
        found = queries.stripe_event(connection, call.environment.id, call.parts["stripe_event_id"])
    return Refusal("not_found") if found is None else ok(found)


def replay_stripe_event(call: Call, work: Work) -> Answer | Refusal:
    """Makes it due again, whatever became of it. Safe at any time: no fact has its effect twice."""
    event_id = call.parts["stripe_event_id"]
    if not actions.replay(work, event_id, call.app.wall()):
        return Refusal("not_found")
    found = queries.stripe_event(work.connection, call.environment.id, event_id)
    assert found is not None
    return ok(found)


def replay_stripe_events(call: Call, work: Work) -> Answer | Refusal:
    """Makes many due again, at most a thousand at once, the oldest first. Safe at any time: no fact has its effect twice."""
    body: ReplayOfMany = call.body
    since = None if body.since is None else parse_instant(body.since)
    if body.since is not None and since is None:
        return invalid_request("since", "`since` is an instant with its offset, such as 2026-11-20T12:00:00Z.")
    if not body.failed and body.ignored is None and since is None:
        return invalid_request("failed", "Say which ones: `failed`, `ignored` or `since`.")
    replayed = actions.replay_many(work, call.app.wall(), failed=body.failed, ignored=body.ignored, since=since)
    return ok({"replayed": replayed, "has_more": len(replayed) == actions.REPLAY_MAX})
