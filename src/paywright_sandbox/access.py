"""Keys and accounts: who asks, and in whose name."""

import base64
import binascii
import re
from dataclasses import dataclass

from .account import Account
from .errors import ApiError
from .store import Store

TEST_KEY = re.compile(r"^(sk|rk|pk)_test_\w+$")

PUBLISHABLE_ROUTES = frozenset(
    {
        "POST /v1/payment_methods",
        "POST /v1/tokens",
        "POST /v1/confirmation_tokens",
        "GET /v1/payment_intents/{intent}",
        "POST /v1/payment_intents/{intent}/confirm",
        "GET /v1/setup_intents/{intent}",
        "POST /v1/setup_intents/{intent}/confirm",
    }
)


@dataclass(frozen=True)
class Caller:
    account: Account
    key: str

    @property
    def is_publishable(self) -> bool:
        return self.key.startswith("pk_")


def caller_of(store: Store, headers: dict[str, str], key_in_form: str | None = None) -> Caller:
    """401 without a test key, 403 for a connected account that is not there. A test key nobody issued means the default account."""
    key = key_of(headers.get("authorization", "")) or key_in_form
    if not key:
        raise ApiError(
            401,
            "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth "
            "(e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        )
    if "_live_" in key:
        raise ApiError(401, "Invalid API Key provided: the sandbox has no live mode; use a test key.")
    if not TEST_KEY.match(key):
        raise ApiError(401, f"Invalid API Key provided: {key[:8]}{'*' * 8}")
    account = store.by_key.get(key, store.default)
    connected = headers.get("stripe-account") or headers.get("stripe-context")
    if connected and connected != account.id:
        found = store.accounts.get(connected)
        if found is None or found.parent != account.id:
            raise ApiError(
                403,
                f"The provided key '{key[:8]}{'*' * 8}' does not have access to account '{connected}' (or that account does not exist).",
                code="account_invalid",
            )
        account = found
    return Caller(account, key)


def key_of(authorization: str) -> str | None:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip() or None
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value).decode("utf-8").partition(":")[0] or None
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None


def check_publishable(caller: Caller, route_key: str) -> None:
    """A publishable key may do only what a browser must."""
    if caller.is_publishable and route_key not in PUBLISHABLE_ROUTES:
        first_form = caller.account.settings["variant"].get("U13", "a") == "a"
        raise ApiError(
            401 if first_form else 403,
            "This API call cannot be made with a publishable API key. Please use a secret API key. "
            "You can find a list of your API keys at /dashboard.",
            code="secret_key_required",
        )
