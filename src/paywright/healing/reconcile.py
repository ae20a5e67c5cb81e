"""
Comparing with Stripe, from the beginning to the end, by whoever carries it on.

A reconciliation is a row. The command line, the API and the worker's clock ask for one; whoever has the time claims it, goes on from its place page
by page, and lets it go: a process that dies leaves a claim that grows old, and the next one begins at the page it was at.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable

from paywright.engine.app import App, NotConnected
from paywright.environments import queries as environment_queries
from paywright.environments.model import Environment
from paywright.environments.tables import environments
from paywright.healing import accounts, reports
from paywright.healing.model import AskedBy, Place, Reconciliation, Wish
from paywright.healing.reports import Held
from paywright.healing.run import Run
from paywright.healing.walk import STEPS, next_place
from paywright.kernel.refusals import Refusal
from paywright.outbox.actions import open_incident
from paywright.storage.database import DatabaseUnavailable
from paywright.stripe.background import background
from paywright.stripe.gateway import StripeBusy, StripeRefused, StripeUnknown

EVERY_MS = 3_600_000
FULL_EVERY_MS = 86_400_000
SLICE_S = 5.0
"""The worker's other jobs have their turn in between."""

_log = logging.getLogger("paywright.healing")

Progress = Callable[[str, int], None]
"""Told after each page: the step, and how many objects it has looked at."""


def ask(app: App, environment: Environment, wish: Wish, *, asked_by: AskedBy) -> Reconciliation | Refusal:
    """A reconciliation: the one under way, if there is one, else a new one. `not_at_stripe` where there is nothing to compare with."""
    if not environment.is_at_stripe:
        return Refusal("not_at_stripe", {"provider": environment.provider})
    with app.work(environment.id) as work:
        made = reports.ask(work, wish, asked_by=asked_by, wall=app.wall())
        found = reports.reconciliation(work.connection, environment.id, made)
    assert found is not None
    return found


def carry_on(
    app: App,
    environment: Environment,
    reconciliation_id: str,
    *,
    seconds: float | None = None,
    progress: Progress | None = None,
) -> Reconciliation | Refusal | None:
    """
    Goes on with it to its end, or for so many seconds; answers how it stands. None: somebody else is at it.

    Raises what the gateway raises: it rests then at its last page, and whoever carries it on begins there. `stripe_account_changed` when the key
    has become another account's: nothing is compared.
    """
    with app.work(environment.id) as work:
        held = reports.claim(work, reconciliation_id, wall=app.wall(), life_ms=_life_ms(app))
    if held is None:
        with app.database.read() as connection:
            found = reports.reconciliation(connection, environment.id, reconciliation_id)
        return found if found is not None and found.status in ("finished", "failed") else None
    try:
        with background():
            refusal = _go_on(app, environment, held, seconds, progress)
    except (StripeBusy, StripeUnknown, StripeRefused, NotConnected, DatabaseUnavailable) as outage:
        _rest(app, environment, held, f"{type(outage).__name__}: {outage}".partition("\n")[0])
        raise
    except BaseException:
        _rest(app, environment, held, None)
        raise
    if refusal is not None:
        return refusal
    with app.database.read() as connection:
        return reports.reconciliation(connection, environment.id, reconciliation_id)


def _go_on(
    app: App, environment: Environment, held: Held, seconds: float | None, progress: Progress | None
) -> Refusal | None:
    run = Run(app, environment, held, Counter(held.counts))
    place: Place | None = held.place
    if place is None:
        refusal = accounts.verify(app, environment)
        if refusal is not None:
            with app.work(environment.id) as work:
                reports.finish(work, held, run.counts, wall=app.wall(), error=refusal.message)
            return refusal
        place = Place(next(iter(STEPS)))
    until = None if seconds is None else time.monotonic() + seconds
    while place is not None:
        at = place
        place = next_place(at, STEPS[at.step](run, at))
        if progress is not None:
            progress(at.step, sum(run.counts.values()))
        if place is None:
            _finish(app, environment, run)
        elif not _saved(app, environment, run, place):
            return None  # It took too long, and somebody else has it now.
        elif until is not None and time.monotonic() >= until:
            _rest(app, environment, held, None)
            return None
    return None


def _saved(app: App, environment: Environment, run: Run, place: Place) -> bool:
    with app.work(environment.id) as work:
        return reports.save(work, run.held, place, run.counts, wall=app.wall(), life_ms=_life_ms(app))


def _rest(app: App, environment: Environment, held: Held, error: str | None) -> None:
    try:
        with app.work(environment.id) as work:
            reports.let_go(work, held, error=error)
    except DatabaseUnavailable:
        _log.warning("environment %s: %s stays claimed until the claim is old", environment.id, held.id)


def _finish(app: App, environment: Environment, run: Run) -> None:
    """Drift that was not there the last time is told once, not every hour."""
    with app.work(environment.id) as work:
        earlier = [
            each for _, each in reports.page(work.connection, environment.id, limit=5) if each.status == "finished"
        ]
        reports.finish(work, run.held, run.counts, wall=app.wall())
        found = reports.reconciliation(work.connection, environment.id, run.held.id)
        assert found is not None
        left = found.lines - found.fixed
        if left and not (earlier and earlier[0].lines - earlier[0].fixed == left):
            open_incident(work, "drift", {"reconciliation_id": found.id, "lines": left, "asked_by": found.asked_by})


def _life_ms(app: App) -> int:
    return round(app.settings.claim_timeout_s * 1000)


def in_the_background(app: App, environment: Environment) -> int:
    """The worker's job: carries on what was asked for, and asks by itself every hour, for everything once a day. 1: there is more to do."""
    if not environment.is_at_stripe:
        return 0
    wall = app.wall()
    with app.database.read() as connection:
        present = reports.under_way(connection, environment.id)
        last = reports.last_of_worker(connection, environment.id)
        last_full = reports.last_of_worker(connection, environment.id, only_full=True)
        made_at = connection.execute(
            environments.select()
            .with_only_columns(environments.c.created_at)
            .where(environments.c.environment_id == environment.id)
        ).scalar_one()
    if present is None:
        if wall < (last or made_at) + EVERY_MS:
            return 0
        depth = "full" if wall >= (last_full or made_at) + FULL_EVERY_MS else "light"
        asked = ask(app, environment, Wish(depth=depth), asked_by="worker")  # type: ignore[arg-type]
        assert not isinstance(asked, Refusal)
        present = asked.id
    here = environment_of(app, environment.id)
    carried = carry_on(app, here, present, seconds=SLICE_S)
    if isinstance(carried, Refusal):
        _log.warning("environment %s: %s", environment.id, carried.message)
        return 0
    return int(carried is not None and carried.status == "running")


def environment_of(app: App, environment_id: str) -> Environment:
    with app.database.read() as connection:
        found = environment_queries.environment(connection, environment_id)
    assert found is not None
    return found
