"""How a call reaches the engine: over HTTP (`http.py`), or straight into it in `paywright.inprocess`."""

from typing import Any, Protocol, TypeVar
from urllib.parse import quote

Shown = TypeVar("Shown")

TIMEOUT_S = 35.0
"""Above what the server may wait for Stripe and for a twin of the same request."""


class Transport(Protocol):
    def call(
        self,
        method: str,
        path: str,
        shows: type[Shown],
        *,
        query: dict[str, Any] | None = None,
        body: Any = None,
        idempotency_key: str | None = None,
    ) -> Shown:
        """The answer as `shows`. Raises a `PaywrightError` for everything from 400 on."""
        ...

    def close(self) -> None: ...


class AsyncTransport(Protocol):
    async def call(
        self,
        method: str,
        path: str,
        shows: type[Shown],
        *,
        query: dict[str, Any] | None = None,
        body: Any = None,
        idempotency_key: str | None = None,
    ) -> Shown: ...

    async def close(self) -> None: ...


def segment(part: str) -> str:
    """One part of a path; a slash in it stays inside, and `..` does not climb."""
    return part.replace(".", "%2E") if part in (".", "..") else quote(part, safe="")


def query_text(query: dict[str, Any] | None) -> dict[str, str]:
    return {name: str(value) for name, value in (query or {}).items() if value is not None}


def without_none(body: dict[str, Any]) -> dict[str, Any]:
    """A body with the fields that were given."""
    return {name: value for name, value in body.items() if value is not None}
