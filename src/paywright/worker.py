"""
The background work: a table of jobs, run by threads of this process until they are told to stop.

Everything that must happen is a row, so any number of processes may run this at once, and any of them may die: jobs claim what they do, and what was
claimed by a dead one comes back. A commit wakes the loop, in this process or another one, and once a second it looks by itself.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from paywright.catalog.push import push
from paywright.catalog.wanted import PUSH_COMMAND
from paywright.checkout import actions as checkout
from paywright.checkout import queries as checkout_queries
from paywright.checkout.opening import recover
from paywright.emails import sending as emails
from paywright.emails.writing import WRITE_LETTER
from paywright.emails.writing import write as write_letter
from paywright.engine.app import App, NotConnected
from paywright.environments import queries
from paywright.environments.model import Environment
from paywright.healing import beats, reconcile
from paywright.healing.reports import under_way
from paywright.hooks import listeners
from paywright.hooks.actions import fan_out, fan_out_late, has_news, send_due
from paywright.kernel.ids import wall_ms
from paywright.kernel.refusals import Refusal
from paywright.ledger import actions as ledger
from paywright.ledger.queries import customers_due
from paywright.ledger.warning import customers_expiring, warn_of_expiry
from paywright.outbox import commands, letters
from paywright.outbox.actions import lock_customers
from paywright.ownership import actions as ownership
from paywright.ownership import migrations
from paywright.ownership.queries import customers_with_due_ends
from paywright.ownership.turning import customers_turning, tell_turns
from paywright.pages.links import account_link
from paywright.payments import refunding
from paywright.payments.actions import refund_in_full
from paywright.payments.queries import unanswered_refunds
from paywright.payments.returns import CANCEL_AT_PERIOD_END
from paywright.realtime.bell import EVERYWHERE, Bell
from paywright.realtime.due import CONDITIONS, due
from paywright.storage import idempotency
from paywright.storage.database import DatabaseUnavailable
from paywright.stripe.background import background
from paywright.stripe.gateway import StripeBusy, StripeRefused, StripeUnknown
from paywright.subscriptions import actions as subscriptions
from paywright.subscriptions import changes, policy
from paywright.webhooks import actions as webhooks
from paywright.webhooks.door import Door

log = logging.getLogger("paywright.worker")

POLL_S = 1.0
TURN_GAP_S = 0.01
"""Between two turns, however often commits wake the loop; the first one after a rest begins at once."""
THREADS = 6
OUTAGES = (DatabaseUnavailable, StripeBusy, StripeUnknown, StripeRefused, NotConnected)
"""What passes by itself, or needs a person outside: one line in the log, no stack."""


def push_catalog(app: App, environment: Environment) -> None:
    """What an applied catalog owes Stripe. A checkout pushes what it needs itself; this makes the rest come."""
    for problem in push(app, environment.id).problems:
        log.warning("environment %s: %s: %s", environment.id, problem.path, problem.message)


COMMANDS: dict[str, Callable[[App, Environment, dict[str, str]], object]] = {
    PUSH_COMMAND: lambda app, environment, _: push_catalog(app, environment),
    ownership.CANCEL_SUBSCRIPTION: lambda app, environment, named: changes.cancel_at_stripe(
        app, environment, named["subscription_id"]
    ),
    CANCEL_AT_PERIOD_END: lambda app, environment, named: changes.cancel_at_period_end_at_stripe(
        app, environment, named["subscription_id"]
    ),
    subscriptions.REFUND_PAYMENT: lambda app, environment, named: refund_in_full(
        app, environment, named["payment_intent_id"]
    ),
    WRITE_LETTER: lambda app, environment, named: write_letter(app, environment, named["event_id"]),
}


class Job(msgspec.Struct, frozen=True):
    """
    `run` answers how much it did; as long as that is more than nothing it runs again at once. `every_s`: how long it may rest otherwise.

    One that `wakes` runs after every commit of this process too, so it must not write when there is nothing to do.
    """

    name: str
    run: Callable[[App, Environment], int]
    every_s: float
    wakes: bool = False
    at_once: int = 1
    """How many of it run side by side in this process, per environment."""


def carry_out_commands(app: App, environment: Environment) -> int:
    with app.database.read() as connection:
        if not commands.is_due(connection, environment.id):
            return 0
    lease_ms = int(app.settings.claim_timeout_s * 1000)
    with app.work(environment.id) as work:
        claimed = commands.claim_due(work, lease_ms=lease_ms)
    done: list[commands.Command] = []
    try:
        for command in claimed:
            try:
                COMMANDS[command.kind](app, environment, command.arguments)
            except Exception as error:
                with app.work(environment.id) as work:
                    commands.postpone(work, command, f"{type(error).__name__}: {error}")
                if not isinstance(error, OUTAGES):
                    raise
            else:
                done.append(command)
    finally:
        if done:
            with app.work(environment.id) as work:
                commands.finish(work, done)
    return len(claimed)


def process_inbox(app: App, environment: Environment) -> int:
    return webhooks.process_due(app, environment.id)


def tidy_inbox(app: App, environment: Environment) -> int:
    """Claims of the dead come back, what waited for a mapping wakes up, old payloads go, what the door refused is written down."""
    app.resource(Door).write_refused()
    done = webhooks.process_due(app, environment.id)
    with app.work(environment.id) as work:
        return done + webhooks.forget_old_payloads(work, app.wall(), days=app.settings.event_payload_days)


def recover_checkouts(app: App, environment: Environment) -> int:
    """Attempts whose answer from Stripe never reached us, and open ones whose end nobody told us of."""
    recovered = 0
    before = wall_ms() - int(app.settings.recovery_after_s * 1000)
    with app.database.read() as connection:
        unanswered = checkout_queries.unanswered(connection, attempted_before=before)
    for environment_id, session_id in unanswered:
        if environment_id == environment.id:
            recover(app, environment, session_id)
            recovered += 1
    now = app.now(environment.id)
    with app.database.read() as connection:
        overdue = checkout_queries.overdue(connection, environment.id, now)
    for session_id in overdue:
        ended = checkout.end_overdue(app, environment, session_id)
        recovered += isinstance(ended, Refusal) or ended.status != "open"
    return recovered


def recover_changes(app: App, environment: Environment) -> int:
    """Cancels and resumes that Stripe was never, or perhaps, asked for."""
    before = wall_ms() - int(app.settings.recovery_after_s * 1000)
    unanswered = changes.unanswered(app, environment, attempted_before=before)
    for change in unanswered:
        changes.carry_out(app, environment, change)
        subscriptions.sync(app, environment, change.subscription_id)
    return len(unanswered)


def recover_refunds(app: App, environment: Environment) -> int:
    """Refunds whose answer from Stripe never reached us."""
    return refunding.recover(app, environment, attempted_before=wall_ms() - int(app.settings.recovery_after_s * 1000))


def settle_customers(app: App, environment: Environment) -> int:
    """Known ends, turns of the calendar, repeats and expiries that are due: reads are right without it, this makes the events come on time."""
    now = app.now(environment.id)
    with app.database.read() as connection:
        ending = customers_with_due_ends(connection, environment.id, now)
        due = customers_due(connection, environment.id, now, limit=100)
        turning = customers_turning(connection, environment.id, now)
    for customer in sorted({*ending, *due, *turning}):
        with app.work(environment.id) as work:
            lock_customers(work, [customer])
            ownership.settle(work, environment, customer)
            tell_turns(work, environment, customer)
            ledger.settle(work, customer)
    return len({*ending, *due, *turning})


def warn_of_expiries(app: App, environment: Environment) -> int:
    """`item.expiring_soon`, as many hours before the loss as the environment says."""
    until = app.now(environment.id) + environment.policy.expiring_soon_hours * 3_600_000
    with app.database.read() as connection:
        losing = customers_expiring(connection, environment.id, until, limit=100)
    for customer in losing:
        with app.work(environment.id) as work:
            lock_customers(work, [customer])
            warn_of_expiry(work, customer, until=until)
    return len(losing)


def forget_old_keys(app: App, environment: Environment) -> int:
    with app.work(environment.id) as work:
        return idempotency.forget_old(work)


def send_letters(app: App, environment: Environment) -> int:
    return emails.send_due(app, environment, account_link)


def forget_old_letters(app: App, environment: Environment) -> int:
    with app.work(environment.id) as work:
        return letters.forget_old(work)


JOBS: tuple[Job, ...] = (
    Job("inbox", process_inbox, 1, wakes=True, at_once=3),
    Job("inbox upkeep", tidy_inbox, 10),
    Job("commands", carry_out_commands, 1, wakes=True),
    Job("outbox", fan_out, 1, wakes=True),
    Job("late events", fan_out_late, 10),
    Job("hooks", send_due, 1, wakes=True, at_once=2),
    Job("listeners", listeners.run_due, 1, wakes=True, at_once=2),
    Job("functions that are gone", listeners.disable_gone, 3600),
    Job("letters", send_letters, 1, wakes=True),
    Job("settling", settle_customers, 1),
    Job("owner migrations", migrations.advance_running, 1, wakes=True),
    Job("expiry warnings", warn_of_expiries, 10),
    Job("checkout recovery", recover_checkouts, 10),
    Job("subscription changes", recover_changes, 10),
    Job("refund recovery", recover_refunds, 10),
    Job("access policy", policy.apply_due, 10),
    Job("old letters", forget_old_letters, 3600),
    Job("old idempotency keys", forget_old_keys, 3600),
    Job("reconcile", reconcile.in_the_background, 5),
    Job("sign of life", beats.beat, beats.EVERY_S),
)


def waiting(app: App, environment: Environment) -> dict[str, int]:
    """What is due or in flight, by its name; empty when the environment has settled."""
    now = app.now(environment.id)
    with app.database.read() as connection:
        counted = {
            "commands": commands.count_due(connection, environment.id),
            "reconciliations": int(under_way(connection, environment.id) is not None),
            "letters": letters.count_untried(connection, environment.id),
            "ends": len(customers_with_due_ends(connection, environment.id, now)),
            "turns": len(customers_turning(connection, environment.id, now)),
            "refunds": len(unanswered_refunds(connection, environment.id, attempted_before=wall_ms() + 1)),
            "balances": len(customers_due(connection, environment.id, now, limit=100)),
        }
    counted["events"] = int(has_news(app, environment))
    # What is asked of Stripe at this moment counts too, or a test would look too early.
    counted["subscription_changes"] = len(changes.unanswered(app, environment, attempted_before=wall_ms() + 1))
    counted["stripe_events"] = int(not webhooks.settled(app, environment.id))
    return {name: number for name, number in counted.items() if number}


Place = tuple[str, str, int]
"""An environment, a job's name, and which of those running side by side."""


class Worker:
    """`with Worker(app): …` runs the jobs of all environments until the block ends; what is under way is finished."""

    def __init__(self, app: App, *, jobs: tuple[Job, ...] = JOBS, poll_s: float = POLL_S) -> None:
        self._app = app
        self._jobs = jobs
        self._poll_s = poll_s
        self._stopping = threading.Event()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="paywright-job")
        self._under_way: set[Place] = set()
        self._missed: set[Place] = set()
        """Places that were told of news since they began to look."""
        self._places = threading.Lock()
        """A place ends and is told of news one after the other, or the news would be lost between the two."""
        self._rested_until: dict[Place, float] = {}
        self._looked_at = float("-inf")
        self._loop = threading.Thread(target=self._run, name="paywright-worker", daemon=True)

    def start(self) -> "Worker":
        self._app.resource(Bell).listen()
        self._loop.start()
        return self

    def stop(self) -> None:
        """Returns once nothing is under way any more."""
        self._stopping.set()
        self._app.news.set()
        self._loop.join()
        self._threads.shutdown(wait=True)

    def __enter__(self) -> "Worker":
        return self.start()

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._app.news.wait(self._poll_s)
            changed = self._app.take_news()
            if self._stopping.is_set():
                return
            try:
                self._turn(changed)
            except OUTAGES as error:
                log.warning("the worker waits: %s: %s", type(error).__name__, error)
            except Exception:
                # A worker that is dead and does not look it would be worse than one that complains every second.
                log.exception("the worker waits: unhandled")
                self._stopping.wait(self._poll_s)
            self._stopping.wait(TURN_GAP_S)

    def _turn(self, changed: set[str]) -> None:
        """A commit wakes the jobs of its own environment only: a server may hold hundreds. Once per poll all are looked at, in one query."""
        looks_at_all = EVERYWHERE in changed or time.monotonic() - self._looked_at >= self._poll_s
        if looks_at_all:
            self._looked_at = time.monotonic()
        names = [job.name for job in self._jobs]
        with self._app.database.read() as connection:
            found = due(connection, self._app.wall(), names, only=None if looks_at_all else changed)
            environments = queries.every_environment(connection) if found else []
        for environment in environments:
            told = {environment.id, EVERYWHERE}
            for job in self._jobs:
                is_due = job.name not in CONDITIONS or job.name in found.get(environment.id, ())
                for place in range(job.at_once if is_due else 0):
                    self._start_if_rested(
                        (environment.id, job.name, place), job, environment, not changed.isdisjoint(told)
                    )

    def _start_if_rested(self, key: Place, job: Job, environment: Environment, is_news: bool) -> None:
        is_news = is_news and job.wakes
        with self._places:
            if key in self._under_way:
                if is_news:
                    self._missed.add(key)  # It may have looked just before this commit.
                return
            if not is_news and time.monotonic() < self._rested_until.get(key, 0.0):
                return
            self._under_way.add(key)
        self._rested_until[key] = time.monotonic() + job.every_s
        self._threads.submit(self._do, key, job, environment)

    def _do(self, key: Place, job: Job, environment: Environment) -> None:
        try:
            with background():
                while not self._stopping.is_set():
                    self._missed.discard(key)
                    if not job.run(self._app, environment) and self._is_over(key):
                        return
        except OUTAGES as error:
            log.warning("environment %s, %s: %s: %s", environment.id, job.name, type(error).__name__, error)
        except Exception:
            log.exception("environment %s, %s: unhandled", environment.id, job.name)
        self._under_way.discard(key)

    def _is_over(self, key: Place) -> bool:
        with self._places:
            is_over = key not in self._missed
            if is_over:
                self._under_way.discard(key)
            return is_over
