"""
Stripe events that never came.

Stripe's log knows which of its events some endpoint has not answered. Those we do not hold enter the inbox as if they had been delivered; should
Stripe deliver one later after all, it is a duplicate. The log goes back 30 days.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.stripe.gateway import Gateway, StripeRefused
from paywright.webhooks.door import Delivery, store
from paywright.webhooks.mirror import arrival
from paywright.webhooks.rules import EVENT_TYPES, why_ignored
from paywright.webhooks.tables import stripe_events

PAGE_SIZE = 100
OVERLAP_S = 600
"""Events appear in the log a little out of order; so much of it is looked at again."""


class Page(msgspec.Struct, frozen=True):
    """Events in Stripe's order, newest first. `after` leads on; None: this was the last page."""

    events: list[dict[str, Any]]
    after: str | None


def page(gateway: Gateway, after: str | None, *, undelivered: bool) -> Page:
    """
    One page of the log. `after` None begins at the newest and goes back; `<evt_…` goes on backwards; `>evt_…` goes forwards, oldest first.

    An event that the log no longer holds is as good as none: everything is looked at.
    """
    asked: dict[str, Any] = {"limit": PAGE_SIZE}
    if undelivered:
        asked["delivery_success"] = False
    direction, event_id = (after or "")[:1], (after or "")[1:]
    if direction == "<":
        asked["starting_after"] = event_id
    elif direction == ">":
        asked["ending_before"] = event_id
    try:
        found = gateway.get("/v1/events", asked)
    except StripeRefused as refused:
        if direction != ">" or refused.is_key_dead:
            raise
        return page(gateway, None, undelivered=undelivered)
    events = found["data"]
    if not events or not found["has_more"]:
        return Page(events, None)
    # Forwards from the first of a page, because that is the newest one of it; backwards from the last.
    forwards = direction == ">"
    return Page(events, f">{events[0]['id']}" if forwards else f"<{events[-1]['id']}")


def take_in(app: App, environment: Environment, events: Sequence[dict[str, Any]]) -> list[str]:
    """Puts those we do not hold, and act on, into the inbox, oldest first; answers their ids."""
    wanted = [event for event in reversed(events) if event["type"] in EVENT_TYPES]
    with app.database.read() as connection:
        held = _held(connection, environment.id, [event["id"] for event in wanted])
    deliveries = [
        delivery for event in wanted if event["id"] not in held if (delivery := _delivery(app, environment, event))
    ]
    if not deliveries:
        return []
    with app.work(environment.id) as work:
        return store(work, deliveries)


def newest_to_begin_at(events: Sequence[dict[str, Any]]) -> str | None:
    """Where the next search begins: the newest event that is old enough for all older ones to have appeared."""
    if not events:
        return None
    settled = [event for event in events if event["created"] <= events[0]["created"] - OVERLAP_S]
    return str(settled[0]["id"]) if settled else None


def _delivery(app: App, environment: Environment, event: dict[str, Any]) -> Delivery | None:
    """A listed event of a connected account does not say whose it is: it was asked for with that account."""
    if environment.stripe_account is not None:
        event = {**event, "account": environment.stripe_account}
    raw_body = msgspec.json.encode(event)
    arrived = arrival(raw_body)
    if arrived is None:
        return None
    return Delivery(environment.id, arrived, why_ignored(arrived, environment), raw_body, app.wall())


def _held(connection: Connection, environment_id: str, event_ids: list[str]) -> set[str]:
    here = stripe_events.c.environment_id == environment_id
    found = sa.select(stripe_events.c.id).where(here, stripe_events.c.id.in_(event_ids)).order_by(stripe_events.c.id)
    return set(connection.execute(found.limit(PAGE_SIZE)).scalars())


def last_held(connection: Connection, environment_id: str) -> str | None:
    """The newest event that came to us, as far as its id is one of Stripe's log."""
    here = stripe_events.c.environment_id == environment_id
    newest = sa.select(stripe_events.c.id).where(here)
    return connection.execute(
        newest.order_by(stripe_events.c.received_at.desc(), stripe_events.c.id.desc()).limit(1)
    ).scalar_one_or_none()
