"""
The door: verify, store once, answer. Nothing else happens while Stripe waits.

Stripe waits for this answer before it sends a buyer back from hosted Checkout, and an unanswered delivery is repeated for three days. So a genuine
event is never refused, whatever is in it: what we do not act on is stored as ignored, with the reason.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from itertools import groupby
from typing import Any

import lz4.frame
import msgspec
import sqlalchemy as sa

from paywright.engine.app import App
from paywright.environments import queries as environment_queries
from paywright.environments.accounts import home_of
from paywright.environments.actions import accepted_webhook_secrets
from paywright.environments.model import Environment
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.outbox.actions import open_incident
from paywright.storage.work import Work
from paywright.webhooks import failures
from paywright.webhooks.failures import Refused
from paywright.webhooks.gather import Gatherer
from paywright.webhooks.mirror import arrival
from paywright.webhooks.model import Arrival, Received
from paywright.webhooks.rules import BODY_BYTES_MAX, signature_fault, why_ignored
from paywright.webhooks.storing import insert_new
from paywright.webhooks.tables import stripe_events

SECRETS_KEPT_S = 1.0
INCIDENT_EVERY_MS = 86_400_000
"""One `wrong_mode` incident a day: an endpoint of the wrong mode sends everything here."""

_log = logging.getLogger("paywright.webhooks")


class Delivery(msgspec.Struct, frozen=True):
    """A genuine event on its way into the inbox."""

    environment_id: str
    arrival: Arrival
    ignored: str | None
    raw_body: bytes
    received_at: int


class Known(msgspec.Struct, frozen=True):
    """What the door needs to know of an environment, for at most a second."""

    environment: Environment
    secrets: list[str]
    read_at: float


class Door:
    """One per App: the secrets of the last second, and the deliveries on their way to disk. Thread-safe."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._known: dict[str, Known] = {}
        self._lock = threading.Lock()
        self._gatherer: Gatherer[Delivery | Refused] = Gatherer(self._store)
        self._refused = failures.Counter()

    def close(self) -> None:
        self.write_refused()
        self._gatherer.close()

    def write_refused(self) -> None:
        """Those of the last second, which nothing has followed that would have taken them along."""
        for refused in self._refused.rest():
            self._gatherer.put(refused)

    def known(self, environment_id: str, *, only_kept: bool = False) -> Known | Refusal | None:
        """None with `only_kept`: it must be read from the database. An environment that can't receive is not remembered."""
        with self._lock:
            kept = self._known.get(environment_id)
        if kept is not None and time.monotonic() - kept.read_at < SECRETS_KEPT_S:
            return kept
        if only_kept:
            return None
        read_at = time.monotonic()
        with self._app.database.read() as connection:
            environment = environment_queries.environment(connection, environment_id)
            if environment is None:
                return Refusal("environment_not_found")
            secrets = accepted_webhook_secrets(connection, self._app.settings, environment_id)
        if not secrets:
            return Refusal("webhook_secret_missing")
        known = Known(environment, secrets, read_at)
        with self._lock:
            self._known[environment_id] = known
        return known

    def judge(self, known: Known, raw_body: bytes, signature_header: str | None) -> Delivery | Refusal:
        """Pure but for the clock and the log: no database."""
        now = self._app.wall()
        fault = signature_fault(known.secrets, raw_body, signature_header, now_s=now // 1000)
        if fault is not None:
            hint = ": is the raw body passed on, and is it this endpoint's secret?" if fault == "wrong" else ""
            _log.warning("environment %s: a delivery's signature is %s%s", known.environment.id, fault, hint)
            refused = self._refused.add(known.environment.id, fault, now)
            if refused is not None:
                self._gatherer.put(refused)  # Whoever sent it does not wait for that.
            return Refusal("bad_signature", {"reason": fault})
        arrived = arrival(raw_body)
        if arrived is None:
            return invalid_request("body", "The body is signed, but it is no Stripe event.")
        return Delivery(known.environment.id, arrived, why_ignored(arrived, known.environment), raw_body, now)

    def put(self, delivery: Delivery) -> "Future[None]":
        return self._gatherer.put(delivery)

    def put_async(self, delivery: Delivery) -> "asyncio.Future[None]":
        return self._gatherer.put_async(delivery)

    def _store(self, gathered: "Sequence[Delivery | Refused]") -> None:
        for refused in gathered:
            if isinstance(refused, Refused):
                with self._app.work(refused.environment_id) as work:
                    failures.write(work, refused)
        deliveries = [self._at_home(each) for each in gathered if isinstance(each, Delivery)]
        ordered = sorted(deliveries, key=lambda each: (each.environment_id, each.arrival.id))
        for environment_id, group in groupby(ordered, key=lambda each: each.environment_id):
            with self._app.work(environment_id) as work:
                store(work, list(group))

    def _at_home(self, delivery: Delivery) -> Delivery:
        """A platform's shared endpoint hears of all its connected accounts: an event of one that is another environment's goes there."""
        if delivery.ignored not in ("wrong_mode", "wrong_account") or delivery.arrival.account is None:
            return delivery
        arrived = delivery.arrival
        with self._app.database.read() as connection:
            door = environment_queries.environment(connection, delivery.environment_id)
            assert door is not None
            home = home_of(connection, self._app.settings, door, arrived.account, livemode=arrived.livemode)
        if home is None:
            return delivery
        return msgspec.structs.replace(delivery, environment_id=home.id, ignored=why_ignored(arrived, home))


def receive(app: App, environment_id: str, raw_body: bytes, signature_header: str | None) -> Received | Refusal:
    """
    A delivery of Stripe's. `Received`: it is on disk, exactly once however often it comes.

    Refusals: `environment_not_found`, `webhook_secret_missing`, `body_too_large`, `bad_signature` with the reason, `invalid_request` for a signed
    body that is no event. Raises `DatabaseUnavailable`: not stored, so not acknowledged. `raw_body` is the body as it came, before any decoding.
    """
    door = app.resource(Door)
    known = door.known(environment_id)
    assert known is not None
    delivery = _judged(door, known, raw_body, signature_header)
    if isinstance(delivery, Refusal):
        return delivery
    door.put(delivery).result()
    return Received()


async def receive_async(
    app: App, environment_id: str, raw_body: bytes, signature_header: str | None
) -> Received | Refusal:
    """As `receive`, from an event loop: it waits for the commit without a thread of its own."""
    door = app.resource(Door)
    known = door.known(environment_id, only_kept=True)
    if known is None:
        known = await asyncio.to_thread(door.known, environment_id)
        assert known is not None
    delivery = _judged(door, known, raw_body, signature_header)
    if isinstance(delivery, Refusal):
        return delivery
    await door.put_async(delivery)
    return Received()


def _judged(door: Door, known: Known | Refusal, raw_body: bytes, signature_header: str | None) -> Delivery | Refusal:
    if isinstance(known, Refusal):
        return known
    if len(raw_body) > BODY_BYTES_MAX:
        return Refusal("body_too_large", {"limit": BODY_BYTES_MAX})
    return door.judge(known, raw_body, signature_header)


def store(work: Work, deliveries: Sequence[Delivery]) -> list[str]:
    """One row per Stripe event id, for ever; answers the new ones. One that was there and had failed is due again now."""
    new = insert_new(work, [_row(delivery) for delivery in deliveries])
    for delivery in deliveries:
        if delivery.ignored in ("wrong_mode", "wrong_account") and delivery.arrival.id in new:
            _tell_wrong_mode(work, delivery)
    repeated = sorted({delivery.arrival.id for delivery in deliveries} - new)
    if repeated:
        work.execute(
            stripe_events.update()
            .where(stripe_events.c.environment_id == work.environment_id, stripe_events.c.id.in_(repeated))
            .where(stripe_events.c.status == "failed")
            .values(status="pending", reason=None, next_attempt_at=deliveries[0].received_at)
        )
    return sorted(new)


def _row(delivery: Delivery) -> dict[str, Any]:
    arrived, ignored = delivery.arrival, delivery.ignored
    return {
        "id": arrived.id,
        "type": arrived.type,
        "livemode": int(arrived.livemode),
        "account": arrived.account,
        "root": None if arrived.root is None else str(arrived.root),
        "stripe_customer_id": arrived.stripe_customer_id,
        "status": "pending" if ignored is None else "ignored",
        "reason": ignored,
        "next_attempt_at": delivery.received_at if ignored is None else None,
        "received_at": delivery.received_at,
        "processed_at": None if ignored is None else delivery.received_at,
        "payload": lz4.frame.compress(delivery.raw_body),
    }


def _tell_wrong_mode(work: Work, delivery: Delivery) -> None:
    told = (
        sa.select(stripe_events.c.id)
        .where(stripe_events.c.environment_id == work.environment_id, stripe_events.c.status == "ignored")
        .where(stripe_events.c.reason.in_(("wrong_mode", "wrong_account")), stripe_events.c.id != delivery.arrival.id)
        .where(stripe_events.c.received_at > delivery.received_at - INCIDENT_EVERY_MS)
        .limit(1)
    )
    if work.execute(told).one_or_none() is not None:
        return
    facts = {
        "stripe_event_id": delivery.arrival.id,
        "reason": delivery.ignored,
        "livemode": delivery.arrival.livemode,
        "account": delivery.arrival.account,
    }
    open_incident(work, "wrong_mode", facts)
