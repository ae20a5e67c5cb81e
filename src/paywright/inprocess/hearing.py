"""
`@pay.on`: functions of the app that hear events, and the thread that runs those that hear them after the commit.

`serve` and `worker` run them in their own worker, when `PAYWRIGHT_APP` names the `Paywright` they were given to. Otherwise the process that has them
does, from its first call on: not earlier, because servers that fork would leave the thread behind in the parent.
"""

import asyncio
import atexit
import importlib
import inspect
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec

from paywright.client.model import Event
from paywright.engine.app import App
from paywright.hooks.listeners import Listener, Listeners, run_due
from paywright.kernel.settings import SettingsInvalid

if TYPE_CHECKING:
    from paywright.worker import Worker

Function = TypeVar("Function", bound=Callable[..., Any])
OWN_JOBS = frozenset({"outbox", "late events", "listeners"})
LAST_WORDS_S = 5.0

log = logging.getLogger("paywright.listeners")


def hear(
    app: App, events: tuple[str, ...], *, when: Literal["after", "inside"], name: str | None, may_await: bool
) -> Callable[[Function], Function]:
    if when not in ("after", "inside"):
        raise ValueError("`when` is `after` or `inside`")

    def listen(function: Function) -> Function:
        named = name or f"{function.__module__}.{function.__qualname__}"
        app.resource(Listeners).add(
            Listener(named, tuple(dict.fromkeys(events)), when, _run(function, when, may_await))
        )
        return function

    return listen


class Hearing:
    """One per App: `app.resource(Hearing)`. `ensure` starts the thread in this process, once, if there is anything to run."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._worker: Worker | None = None
        self._process: int | None = None

    def ensure(self) -> None:
        listeners = self._app.resource(Listeners)
        if listeners.is_adopted or not listeners.after():
            return
        listeners.make_known()
        if self._process == os.getpid():
            return
        with self._lock:
            if self._process == os.getpid():
                return
            from paywright.worker import JOBS, Worker

            own = tuple(job for job in JOBS if job.name in OWN_JOBS)
            self._worker = Worker(self._app, jobs=own).start()
            self._process = os.getpid()
            atexit.register(self.close)

    def close(self) -> None:
        """Returns once nothing is under way any more, and what this process did was heard, if that is quick. Twice is once."""
        with self._lock:
            worker, self._worker = self._worker, None
            is_ours = worker is not None and self._process == os.getpid()
            self._process = None
            atexit.unregister(self.close)
            if worker is not None and is_ours:
                worker.stop()
                self._hear_the_rest()

    def _hear_the_rest(self) -> None:
        """So that a script that ends right after its last call has heard it. What does not come to its end here is a row, and waits."""
        from paywright.hooks.actions import fan_out
        from paywright.worker import OUTAGES

        environment = self._app.environment(self._app.settings.environment)
        deadline = time.monotonic() + LAST_WORDS_S
        try:
            while environment is not None and time.monotonic() < deadline:
                if not fan_out(self._app, environment) + run_due(self._app, environment):
                    return
        except OUTAGES as error:
            log.warning("what was recorded last waits for the next process: %s: %s", type(error).__name__, error)


def load(app: App) -> Callable[[], None]:
    """The functions of `PAYWRIGHT_APP`, heard by this App from now on. Answers what closes it. Raises `SettingsInvalid`."""
    named = app.settings.app
    if not named:
        return lambda: None
    module_name, _, attribute = named.partition(":")
    if not module_name or not attribute:
        raise SettingsInvalid("PAYWRIGHT_APP is `module:name` of your `Paywright`, such as `shop.billing:pay`.")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        pay = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise SettingsInvalid(f"PAYWRIGHT_APP: `{named}` can't be loaded: {error}") from error
    theirs = getattr(pay, "app", None)
    if not isinstance(theirs, App):
        raise SettingsInvalid(f"PAYWRIGHT_APP: `{named}` is no `Paywright`.")
    ours = (app.settings.database_url, app.settings.environment)
    if (theirs.settings.database_url, theirs.settings.environment) != ours:
        raise SettingsInvalid(f"PAYWRIGHT_APP: `{named}` is on another database or environment than this server.")
    app.resource(Listeners).adopt(theirs.resource(Listeners))
    app.resource(Listeners).make_known()
    return theirs.close


def _run(function: Callable[..., Any], when: str, may_await: bool) -> Callable[[bytes, Any], None]:
    if inspect.iscoroutinefunction(function):
        if when == "inside":
            raise TypeError("a coroutine function can't hear inside the transaction, which waits for nobody")
        if not may_await:
            raise TypeError("a coroutine function hears with `AsyncPaywright` only")
        # A loop of its own: the thread that runs it has none, and the app's is busy or not there.
        return lambda body, _: asyncio.run(function(_event(body)))
    if when == "inside" and _takes_two(function):
        return lambda body, connection: function(_event(body), connection)
    return lambda body, _: function(_event(body))


def _takes_two(function: Callable[..., Any]) -> bool:
    """The event, and the transaction it is in."""
    try:
        inspect.signature(function).bind("event", "connection")
    except TypeError:
        return False
    return True


def _event(body: bytes) -> Event:
    return msgspec.json.decode(body, type=Event)
