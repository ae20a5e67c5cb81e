"""
Paywright over HTTP, with the same methods as in process. It needs httpx and msgspec, and nothing of the engine.

    from paywright.client import Client
    pay = Client("http://127.0.0.1:8787", key="pw_sk_test_…")
    pay.user("u_1").get_item("credits").try_decrease_quantity(1)
"""

from paywright.client import model
from paywright.client.async_surface import AsyncSurface
from paywright.client.errors import (
    AuthenticationFailed,
    Conflict,
    InsufficientQuantity,
    InvalidRequest,
    NotFound,
    NotImplementedYet,
    PaymentRequired,
    PaywrightError,
    PermissionDenied,
    RateLimited,
    RuleBroken,
    Unavailable,
)
from paywright.client.http import AsyncHttpTransport, HttpTransport
from paywright.client.surface import Surface
from paywright.client.transport import TIMEOUT_S
from paywright.kernel.model import Customer, Money


class Client(Surface):
    """`key` is an API key; `token` a customer token instead of it. Thread-safe; `close` it, or use it in a `with`."""

    def __init__(
        self, url: str, key: str | None = None, *, token: str | None = None, timeout_s: float = TIMEOUT_S
    ) -> None:
        super().__init__(HttpTransport(url, _credential(key, token), timeout_s=timeout_s))


class AsyncClient(AsyncSurface):
    """As `Client`, awaited."""

    def __init__(
        self, url: str, key: str | None = None, *, token: str | None = None, timeout_s: float = TIMEOUT_S
    ) -> None:
        super().__init__(AsyncHttpTransport(url, _credential(key, token), timeout_s=timeout_s))


def _credential(key: str | None, token: str | None) -> str:
    credential = key or token
    if credential is None:
        raise TypeError("give an API key, or a customer token")
    return credential


__all__ = [
    "AsyncClient",
    "AuthenticationFailed",
    "Client",
    "Conflict",
    "Customer",
    "InsufficientQuantity",
    "InvalidRequest",
    "Money",
    "NotFound",
    "NotImplementedYet",
    "PaymentRequired",
    "PaywrightError",
    "PermissionDenied",
    "RateLimited",
    "RuleBroken",
    "Unavailable",
    "model",
]
