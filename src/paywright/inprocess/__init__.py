"""
The whole engine in your process: `Paywright()`. Synchronous, thread-safe; `AsyncPaywright` is the same, awaited.

It has the methods of `paywright.client`, and calls what the HTTP routes call, without a socket. SQLAlchemy, the database driver and `stripe` load
when one is constructed or first used.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from paywright.client import model
from paywright.client.async_surface import AsyncSurface
from paywright.client.errors import (
    AuthenticationFailed,
    Conflict,
    InsufficientQuantity,
    InvalidRequest,
    NotFound,
    PaymentRequired,
    PaywrightError,
    PermissionDenied,
    RuleBroken,
    Unavailable,
)
from paywright.client.surface import Surface
from paywright.kernel.model import Provider

if TYPE_CHECKING:
    from paywright.engine.app import App
    from paywright.inprocess.spending import InProcessCustom, InProcessGuest, InProcessTeam, InProcessUser


Function = TypeVar("Function", bound=Callable[..., Any])


class Paywright(Surface):
    """
    Settings come from the environment, `.env` and `paywright.toml`; arguments win over them.

    `catalog` is a file or a dict in the shape of `PUT /v1/catalog`: it is put in force where it differs, in test environments only. `provider` is
    what a first start makes the environment `test` with: `stripe`, `sandbox`, or `instant`, the quickest way to try anything.
    """

    def __init__(
        self,
        *,
        database_url: str | None = None,
        catalog: "str | dict[str, Any] | None" = None,
        environment: str | None = None,
        stripe_secret_key: str | None = None,
        secret: str | None = None,
        provider: Provider = "stripe",
        **settings: Any,
    ) -> None:
        from paywright.inprocess.transport import InProcess, started

        given = {
            "database_url": database_url,
            "environment": environment,
            "stripe_secret_key": stripe_secret_key,
            "secret": secret,
        }
        self._app = started(catalog, provider, {**given, **settings})
        super().__init__(InProcess(self._app))

    def user(self, user_id: str) -> "InProcessUser":
        """A handle on one of your users, by your own id. Besides what the clients have, it spends inside your own `transaction`."""
        from paywright.inprocess.spending import InProcessUser

        return InProcessUser(self, "user", user_id)

    def team(self, team_id: str) -> "InProcessTeam":
        """A handle on one of your teams."""
        from paywright.inprocess.spending import InProcessTeam

        return InProcessTeam(self, "team", team_id)

    def custom(self, custom_id: str) -> "InProcessCustom":
        """Anything else that may own something."""
        from paywright.inprocess.spending import InProcessCustom

        return InProcessCustom(self, "custom", custom_id)

    def guest(self, claim_token: str) -> "InProcessGuest":
        """Whoever bought without an account, by their claim token."""
        from paywright.inprocess.spending import InProcessGuest

        return InProcessGuest(self, "guest", claim_token)

    def on(
        self, *events: str, when: Literal["after", "inside"] = "after", name: str | None = None
    ) -> Callable[[Function], Function]:
        """
        A decorator: the function hears these events (`payment.paid`, `payment.*`, `*`), given a `model.Event`.

        `after` the commit, at least once, in each customer's order, in a process that has the function: what it raises is tried again, and in the
        end a failed delivery of the hook `app:{name}`. `inside` the transaction that makes the change: what it raises undoes the change and reaches
        whoever asked for it. With a second parameter it is given the transaction's SQLAlchemy connection. It must not call `pay`. `item.*` and
        `customer.state_changed` are written in batches and can't be heard inside.
        `name` is the function's own, unless given: it names the function to the database, so it outlives moves in your code.
        """
        from paywright.inprocess.hearing import hear

        return hear(self._app, events, when=when, name=name, may_await=False)

    @property
    def app(self) -> "App":
        """The engine, for what has no method here."""
        return self._app


class AsyncPaywright(AsyncSurface):
    """As `Paywright`, awaited. Spending and reading items waits for the batch, not for a thread; construct it before the loop is busy."""

    def __init__(
        self,
        *,
        database_url: str | None = None,
        catalog: "str | dict[str, Any] | None" = None,
        environment: str | None = None,
        stripe_secret_key: str | None = None,
        secret: str | None = None,
        provider: Provider = "stripe",
        **settings: Any,
    ) -> None:
        from paywright.inprocess.transport import AsyncInProcess, started

        given = {
            "database_url": database_url,
            "environment": environment,
            "stripe_secret_key": stripe_secret_key,
            "secret": secret,
        }
        self._app = started(catalog, provider, {**given, **settings})
        super().__init__(AsyncInProcess(self._app))

    def on(
        self, *events: str, when: Literal["after", "inside"] = "after", name: str | None = None
    ) -> Callable[[Function], Function]:
        """
        A decorator: the function hears these events (`payment.paid`, `payment.*`, `*`), given a `model.Event`.

        `after` the commit, at least once, in each customer's order, in a process that has the function: what it raises is tried again, and in the
        end a failed delivery of the hook `app:{name}`. `inside` the transaction that makes the change: what it raises undoes the change and reaches
        whoever asked for it. With a second parameter it is given the transaction's SQLAlchemy connection. It must not call `pay`. `item.*` and
        `customer.state_changed` are written in batches and can't be heard inside.
        A coroutine function is run in a loop of its own, and hears after the commit only.
        `name` is the function's own, unless given: it names the function to the database, so it outlives moves in your code.
        """
        from paywright.inprocess.hearing import hear

        return hear(self._app, events, when=when, name=name, may_await=True)

    @property
    def app(self) -> "App":
        """The engine, for what has no method here."""
        return self._app


__all__ = [
    "AsyncPaywright",
    "AuthenticationFailed",
    "Conflict",
    "InsufficientQuantity",
    "InvalidRequest",
    "NotFound",
    "PaymentRequired",
    "Paywright",
    "PaywrightError",
    "PermissionDenied",
    "RuleBroken",
    "Unavailable",
    "model",
]
