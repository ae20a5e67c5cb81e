"""
The whole engine in your process: `Paywright()`. Synchronous, thread-safe; `AsyncPaywright` is the same, awaited.

It has the methods of `paywright.client`, and calls what the HTTP routes call, without a socket. SQLAlchemy, the database driver and `stripe` load
when one is constructed or first used.
"""

from typing import TYPE_CHECKING, Any

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
