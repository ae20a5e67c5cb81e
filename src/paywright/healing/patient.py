"""What doctor's checks look at, each thing asked of Stripe at most once."""

from functools import cached_property
from typing import Any

from paywright.engine.app import App, NotConnected
from paywright.environments.model import Environment
from paywright.healing.model import Check
from paywright.stripe.gateway import Gateway, StripeBusy, StripeRefused, StripeUnknown

UNANSWERED = (StripeBusy, StripeUnknown)


class Patient:
    """One environment, while it is examined."""

    def __init__(self, app: App, environment: Environment) -> None:
        self.app, self.environment = app, environment

    @property
    def wall(self) -> int:
        return self.app.wall()

    @cached_property
    def gateway(self) -> Gateway | None:
        """None: there is no key to call with."""
        try:
            return self.app.gateway(self.environment)
        except NotConnected:
            return None

    @cached_property
    def platform(self) -> Gateway:
        """Where the endpoint is, also that of a connected account."""
        return self.app.gateway(self.environment, as_platform=True)

    @cached_property
    def account(self) -> dict[str, Any] | StripeRefused | None:
        """Whose key it is; the refusal; None: there is none to ask with."""
        if self.gateway is None:
            return None
        try:
            return self.gateway.get("/v1/account")
        except StripeRefused as refused:
            return refused

    @property
    def may_ask(self) -> bool:
        """The key works, whatever it is allowed."""
        refused = isinstance(self.account, StripeRefused) and self.account.status == 401
        return self.account is not None and not refused

    @cached_property
    def endpoints(self) -> list[dict[str, Any]]:
        """All of the account's. Raises `StripeRefused` where the key may not list them."""
        return list(self.platform.pages("/v1/webhook_endpoints"))


def fine(name: str, says: str) -> Check:
    return Check(name, True, says)


def wrong(name: str, says: str, mend: str) -> Check:
    return Check(name, False, says, mend)


def unknown(name: str, says: str, mend: str | None = None) -> Check:
    """It could not be looked at, or is worth knowing and not wrong."""
    return Check(name, None, says, mend)
