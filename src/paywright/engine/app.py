"""
What actions take: settings, database, the clock, the way to Stripe, and one of each thing a room keeps per process.

`paywright.app` on floor 3 builds it; everybody else receives it.
"""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import msgspec
from sqlalchemy.engine import Connection

from paywright.environments import actions as environment_actions
from paywright.environments import clock, queries
from paywright.environments.actions import StripeCredentials
from paywright.environments.model import Environment
from paywright.kernel.ids import wall_ms
from paywright.kernel.settings import Settings
from paywright.outbox.actions import changed_customers
from paywright.storage.database import Database
from paywright.storage.work import Work, open_work
from paywright.stripe.fetches import next_fetch
from paywright.stripe.gateway import Gateway
from paywright.stripe.pace import Pace, per_s
from paywright.stripe.rounds import once_in_round

STRIPE_CALLS_MAX = 16
"""Calls to Stripe under way at once: a slow Stripe never takes all threads."""


class Closes(Protocol):
    def close(self) -> None: ...


Kept = TypeVar("Kept", bound=Closes)


class NotConnected(Exception):
    """The environment has no Stripe key."""


class App:
    """Thread-safe. `close` it when done: it ends what rooms keep, then the database."""

    def __init__(self, settings: Settings, *, wall: Callable[[], int] = wall_ms) -> None:
        self.settings = settings
        self.wall = wall
        self.database = Database(settings.database_url)
        self.news = threading.Event()
        """Set after a commit that left work for the worker; the worker waits on it and polls besides."""
        self._changed: set[str] = set()
        self._telling = threading.Lock()
        self.listeners: list[Callable[[str, Collection[str] | None], None]] = []
        """Called after every commit of an environment, with the customers it changed; None: unknown. Whoever committed waits for them."""
        self.announcers: list[Callable[[str, Collection[str]], None]] = []
        """Called after every commit of this process, to tell the others."""
        self.at_commit: list[Callable[[Work], None]] = []
        """What rooms to the right do last in every work, e.g. for what a room to the left left in its notes."""
        self._stripe_limiter = threading.Semaphore(STRIPE_CALLS_MAX)
        self._gateways: dict[tuple[str, StripeCredentials], Gateway] = {}
        self._kept: dict[type[Any], Any] = {}
        self._lock = threading.RLock()

    @contextmanager
    def work(self, environment_id: str) -> Iterator[Work]:
        """One transaction. Everything in the block commits together or not at all."""
        with open_work(self.database, environment_id, self._business_clock) as work:
            for finish in self.at_commit:
                work.before_commit(finish)
            work.after_commit(lambda: self.tell(environment_id, changed_customers(work)))
            yield work

    @contextmanager
    def quiet_work(self, environment_id: str) -> Iterator[Work]:
        """One transaction that leaves nobody anything to do: numbers, claims. Nobody is woken."""
        with open_work(self.database, environment_id, self._business_clock) as work:
            yield work

    def next_fetch(self, environment_id: str, root: str) -> int:
        """The object's next fetch number, taken and committed; in a round every object has one (`stripe.rounds`)."""

        def take() -> int:
            with self.quiet_work(environment_id) as work:
                return next_fetch(work, root)

        return once_in_round(("number", root), take)

    def tell(self, environment_id: str, customers: Collection[str] = ()) -> None:
        """Something was committed in this process that the worker may have to act on, and that changed these customers (`user:u_1`)."""
        self.hear(environment_id, customers)
        for pass_on in self.announcers:
            pass_on(environment_id, customers)

    def hear(self, environment_id: str, customers: Collection[str] | None) -> None:
        """The same, of a commit wherever it was made. `customers` None: it is not known whom it changed."""
        with self._telling:
            self._changed.add(environment_id)
            self.news.set()
        for listener in self.listeners:
            listener(environment_id, customers)

    def take_news(self) -> set[str]:
        """The environments told of since the last call."""
        with self._telling:
            self.news.clear()
            told, self._changed = self._changed, set()
            return told

    def now(self, environment_id: str) -> int:
        """Business time outside a work, in milliseconds."""
        with self.database.read() as connection:
            return self._business_clock(connection, environment_id)

    def environment(self, environment_id: str) -> Environment | None:
        with self.database.read() as connection:
            return queries.environment(connection, environment_id)

    def gateway(self, environment: Environment, *, as_platform: bool = False) -> Gateway:
        """`as_platform`: into the account the key is of, not the connected one. Raises `NotConnected` where there is no key to call with."""
        credentials = once_in_round(("credentials", environment.id), lambda: self._credentials(environment))
        if credentials is None:
            raise NotConnected(f"the environment `{environment.id}` has no Stripe key")
        if as_platform:
            credentials = msgspec.structs.replace(credentials, account=None)
        is_its_clock = environment.provider == "sandbox" and credentials.account == environment.stripe_account
        with self._lock:
            made = self._gateways.get((environment.id, credentials))
            if made is None:
                hear = self._clock_reader(environment) if is_its_clock else None
                made = Gateway(
                    credentials, limiter=self._stripe_limiter, read_clock=hear, pace=self._pace_of(environment)
                )
                self._gateways[environment.id, credentials] = made
            return made

    def _credentials(self, environment: Environment) -> StripeCredentials | None:
        with self.database.read() as connection:
            return environment_actions.stripe_credentials(connection, self.settings, environment)

    def publishable_key(self, environment: Environment) -> str | None:
        """Stripe's key for the browser; it is no secret."""
        selected = self.settings.environment == environment.id
        return (self.settings.stripe_publishable_key if selected else None) or environment.stripe_publishable_key

    def resource(self, kind: "type[Kept] | Callable[[App], Kept]") -> Kept:
        """The one `kind(app)` of this App, made when first asked for and closed with it."""
        known = self._kept.get(kind)  # type: ignore[arg-type]
        if known is not None:
            return known  # type: ignore[no-any-return]
        with self._lock:
            if kind not in self._kept:
                self._kept[kind] = kind(self)  # type: ignore[index, call-arg]
            return self._kept[kind]  # type: ignore[index, no-any-return]

    def close(self) -> None:
        with self._lock:
            kept, self._kept = list(self._kept.values()), {}
        for resource in reversed(kept):
            resource.close()
        self.database.close()

    def _business_clock(self, connection: Connection, environment_id: str) -> int:
        return clock.business_now(connection, environment_id, self.wall())

    def background_calls_per_s(self, environment: Environment) -> float | None:
        """None: background calls come as fast as they can."""
        setting = self.settings.background_calls_per_s
        return per_s(setting, provider=environment.provider, livemode=environment.livemode)

    def _pace_of(self, environment: Environment) -> Pace | None:
        allowed = self.background_calls_per_s(environment)
        return None if allowed is None else Pace(self.database, environment.id, allowed)

    def _clock_reader(self, environment: Environment) -> Callable[[int, bool], None]:
        heard: tuple[int, bool] | None = None

        def hear(shown: int, runs: bool) -> None:
            nonlocal heard
            if heard == (shown, runs):
                return  # The provider tells whole seconds, and a purchase makes many calls in one.
            with self.database.read() as connection:
                is_news = clock.is_news(connection, environment.id, shown, runs=runs, wall=self.wall())
            if is_news:
                with self.work(environment.id) as work:
                    clock.observe(work, shown, runs=runs, wall=self.wall())
            heard = shown, runs

        return hear
