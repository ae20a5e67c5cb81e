"""How a call reaches the engine: over HTTP (`http.py`), or straight into it in `paywright.inprocess`."""

from collections.abc import AsyncGenerator, Generator
from typing import Any, NamedTuple, Protocol, TypeVar
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

    def listen(self, path: str, seen: int | None) -> "Generator[Frame, None, None]":
        """A stream's events after a version, until the connection is lost. Raises a `PaywrightError` when it is refused, or `ListeningOver`."""
        ...


class Frame(NamedTuple):
    """One server-sent event, as it came."""

    event: str
    text: bytes


class Frames:
    """Takes bytes as they come in, gives whole events. Comments, which are heartbeats, are left out."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[Frame]:
        *blocks, self._rest = (self._rest + piece).split(b"\n\n")
        found = []
        for block in blocks:
            fields = dict(line.split(b": ", 1) for line in block.split(b"\n") if line and not line.startswith(b":"))
            if b"data" in fields:
                found.append(Frame(fields.get(b"event", b"message").decode(), fields[b"data"]))
        return found


class ListeningOver(Exception):
    """The engine was closed: there is nothing to connect to again."""


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

    def listen(self, path: str, seen: int | None) -> AsyncGenerator[Frame, None]: ...

    async def close(self) -> None: ...


def segment(part: str) -> str:
    """One part of a path; a slash in it stays inside, and `..` does not climb."""
    return part.replace(".", "%2E") if part in (".", "..") else quote(part, safe="")


def query_text(query: dict[str, Any] | None) -> dict[str, str]:
    return {name: str(value) for name, value in (query or {}).items() if value is not None}


def without_none(body: dict[str, Any]) -> dict[str, Any]:
    """A body with the fields that were given."""
    return {name: value for name, value in body.items() if value is not None}
