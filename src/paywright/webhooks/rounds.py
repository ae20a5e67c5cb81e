"""
A round of the inbox: what was claimed together is fetched together, and what belongs together is applied together.

The roots of a purchase name each other, so its events share their fetches (`stripe.rounds`), and one work applies them: what shares an object or a
Stripe Customer. A work that fails is undone as a whole, and then each of its roots is fetched and applied alone, so that one object's trouble is
that object's, and its rows say what it was.
"""

import logging
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from paywright.engine.app import App, NotConnected
from paywright.environments.model import Environment
from paywright.outbox.actions import open_incident
from paywright.storage.database import DatabaseUnavailable
from paywright.storage.work import RolledBack
from paywright.stripe.background import background
from paywright.stripe.fetches import lock
from paywright.stripe.gateway import StripeBusy, StripeRefused, StripeUnknown
from paywright.stripe.metadata import id_of
from paywright.stripe.model import Fetched, Outcome
from paywright.stripe.rounds import Round
from paywright.stripe.versions import normal
from paywright.webhooks import claims, lanes, nouns
from paywright.webhooks.claims import Claim
from paywright.webhooks.lanes import LanePaused

FETCHES_AT_ONCE = 6
"""In one process, of background work: buyers' calls have the rest of `STRIPE_CALLS_MAX`."""
DATABASE_PAUSE_MS = 1_000
DELETED = frozenset({"customer.deleted", "customer.subscription.deleted"})
"""Types whose object Stripe may not know any more. A deleted invoice was a draft, which goes (`invoices`)."""

_log = logging.getLogger("paywright.webhooks")


class Brought(msgspec.Struct, frozen=True):
    """A claim, and what its root is now."""

    claim: Claim
    fetched: Fetched

    @property
    def stripe_customer_id(self) -> str | None:
        found = self.fetched.found or {}
        return id_of(found.get("id") if found.get("object") == "customer" else found.get("customer"))


class Fetchers:
    """The threads that fetch for the inbox: one pool per App, kept so that each keeps its connection to Stripe."""

    def __init__(self, _app: App) -> None:
        self._threads = ThreadPoolExecutor(FETCHES_AT_ONCE, thread_name_prefix="paywright-fetch")

    def close(self) -> None:
        self._threads.shutdown(wait=True)

    def each(
        self, fetch: Callable[[Claim], Fetched | Exception], claimed: Sequence[Claim]
    ) -> list[Fetched | Exception]:
        """In the order of `claimed`. A single one is fetched by the caller himself. Once the lane has to rest, nothing more is begun."""
        if len(claimed) == 1:
            return [fetch(claimed[0])]
        paused: list[LanePaused] = []

        def fetch_unless_paused(place: int) -> Fetched | Exception:
            if paused and place >= FETCHES_AT_ONCE:
                return paused[0]
            found = fetch(claimed[place])
            if isinstance(found, LanePaused):
                paused.append(found)
            return found

        return list(self._threads.map(fetch_unless_paused, range(len(claimed))))


def deal_with(app: App, environment: Environment, claimed: Sequence[Claim], *, is_alone: bool = False) -> int:
    """
    Fetches, applies and marks, whatever comes of each. Answers how many were dealt with: the others were put back, and the lane to Stripe rests.

    `is_alone`: what failed among others is tried by itself, with numbers and fetches of its own.
    """
    together = Round({} if is_alone else {str(claim.root): claim.number for claim in claimed})
    fetched = app.resource(Fetchers).each(lambda claim: _fetched(app, environment, claim, together), claimed)
    brought, unreached = [], []
    pause: LanePaused | None = None
    for claim, found in zip(claimed, fetched, strict=True):
        if isinstance(found, Fetched):
            brought.append(Brought(claim, found))
        elif isinstance(found, LanePaused):
            pause = pause or found
            unreached.append(claim)
        else:
            _settle_failed(app, environment, claim, found)
    dealt_with = len(claimed) - len(unreached)
    for group in belonging_together(brought):
        dealt_with -= _apply_or_settle(app, environment, group)
    if pause is not None:
        _log.warning("environment %s: the lane to Stripe rests: %s", environment.id, pause.reason)
        with app.work(environment.id) as work:
            claims.put_back(work, unreached, lanes.pause(work, pause.reason, app.wall(), random.random()))
    return dealt_with


def belonging_together(brought: Sequence[Brought]) -> list[list[Brought]]:
    """Those that share an object or a Stripe Customer, directly or through others; each group, and the groups, in the order they came."""
    groups: list[tuple[set[str], list[Brought]]] = []
    for each in brought:
        names = each.fetched.roots
        if each.stripe_customer_id:
            names.add(f"customer {each.stripe_customer_id}")
        joined: tuple[set[str], list[Brought]] = (names, [])
        rest = []
        for group in groups:
            if group[0].isdisjoint(names):
                rest.append(group)
            else:
                joined[0].update(group[0])
                joined[1].extend(group[1])
        joined[1].append(each)
        groups = [*rest, joined]
    return [group for _, group in groups]


def _fetched(app: App, environment: Environment, claim: Claim, together: Round) -> Fetched | Exception:
    try:
        with background(), together.taking_part():
            return _fetch(app, environment, claim)
    except Exception as error:  # noqa: BLE001 — one object's trouble must not stop the others; its rows say what it was.
        return error


def _fetch(app: App, environment: Environment, claim: Claim) -> Fetched:
    try:
        fetched = nouns.fetch(app, environment, claim.root, claim.types)
    except StripeBusy as busy:
        raise LanePaused("busy") from busy
    except StripeUnknown as outage:
        raise LanePaused("unknown") from outage
    except NotConnected as unconnected:
        raise LanePaused("not_connected") from unconnected
    except StripeRefused as refused:
        if refused.is_key_dead:
            raise LanePaused("key_refused") from refused
        raise
    if fetched.found is not None or not DELETED & claim.types:
        return fetched
    return msgspec.structs.replace(fetched, found=_as_told(app, claim))


def _as_told(app: App, claim: Claim) -> dict[str, Any] | None:
    """Stripe no longer knows what its own event says was deleted: then the payload is all there is, as the pinned version would show it."""
    with app.database.read() as connection:
        payload = claims.last_payload(connection, claim, DELETED)
    if payload is None:
        return None
    told = normal(msgspec.json.decode(payload))["data"]["object"]
    if told.get("object") == "customer":
        return {
            "id": told["id"],
            "object": "customer",
            "deleted": True,
        }  # Go by the event's type: its object has no such mark.
    return dict(told)


def _apply_or_settle(app: App, environment: Environment, group: Sequence[Brought]) -> int:
    """Answers how many of them had to be put back because the lane to Stripe rests by now."""
    try:
        apply(app, environment, group)
    except Exception as error:  # noqa: BLE001 — as above.
        if isinstance(error, DatabaseUnavailable) or len(group) == 1:
            for each in group:
                _settle_failed(app, environment, each.claim, error)
            return 0
        _log.info(
            "environment %s: %d objects failed together, each is tried alone: %s", environment.id, len(group), error
        )
        return sum(1 - deal_with(app, environment, [each.claim], is_alone=True) for each in group)
    return 0


def apply(app: App, environment: Environment, group: Sequence[Brought]) -> None:
    """Effects and "done" commit together, or not at all."""
    with app.work(environment.id) as work:
        lock(work, [each.fetched for each in group])
        held = claims.still_ours(work, [each.claim for each in group])
        outcomes: dict[tuple[Outcome, str | None], list[Claim]] = {}
        for each in group:
            claim = each.claim
            if claim.root not in held:  # Whoever has the rows now fetches again.
                _log.warning("environment %s: the claim on %s was given up meanwhile", environment.id, claim.root)
                continue
            outcome = nouns.apply(work, claim.root, each.fetched, claim.types)
            if outcome.status == "again":
                claims.put_back(work, [claim], app.wall())
                continue
            outcomes.setdefault((outcome, each.stripe_customer_id), []).append(claim)
            if outcome.status == "unresolved" and not claim.was_unresolved:
                facts = {"object": str(claim.root), "stripe_customer_id": outcome.stripe_customer_id}
                open_incident(work, "unresolved_event", facts)
        if not held:
            raise RolledBack
        for (outcome, whose), done in outcomes.items():
            claims.mark(work, done, outcome, app.wall(), stripe_customer_id=whose)


def _settle_failed(app: App, environment: Environment, claim: Claim, error: Exception) -> None:
    if isinstance(error, DatabaseUnavailable):
        _log.warning("environment %s: %s waits for the database: %s", environment.id, claim.root, error)
        with app.work(environment.id) as work:
            claims.put_back(work, [claim], app.wall() + DATABASE_PAUSE_MS)
        return
    _log.error("environment %s: %s failed", environment.id, claim.root, exc_info=error)
    with app.work(environment.id) as work:
        dead = claims.mark_failed(work, claim, _told(error), app.wall(), random.random())
    if dead:
        _log.error("environment %s: dead letters about %s: %s", environment.id, claim.root, ", ".join(dead))


def _told(error: Exception) -> str:
    """The first line only: a database's error goes on with the statement and its values, which are nobody's to read here."""
    return f"{type(error).__name__}: {error}".partition("\n")[0]
