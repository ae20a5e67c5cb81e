"""
`GET C/stream` as an iterator: `for update in user.stream(): …`, or `async for` on the asynchronous handles.

It goes on for ever. When the connection is lost, or the server restarts, it connects again and is told only what it missed; it ends with an exception
when the server says no, as after the token was revoked.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import aclosing, closing
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

import msgspec

from paywright.client.errors import RateLimited, Unavailable
from paywright.client.model import CustomerState
from paywright.client.transport import AsyncTransport, Frame, ListeningOver, Transport

if TYPE_CHECKING:
    from paywright.client.async_surface import AsyncSurface
    from paywright.client.surface import Surface

BACK_OFF_S = (0.1, 0.5, 2.0, 5.0)
TROUBLE = (Unavailable, RateLimited)
"""Passes by itself."""


class CustomerUpdate(msgspec.Struct, frozen=True):
    """
    A customer as they stand. `event` `snapshot`: everything, at the beginning or after too long a silence. `change`: one commit, with the names of
    what it changed (`products`, `items.credits`, `billing` …).

    `version` is the commit's; `state.version` may be ahead of it when several commits were read together.
    """

    event: Literal["snapshot", "change"]
    version: int
    state: CustomerState
    changes: list[str] = []
    previous: int | None = None


class _Change(msgspec.Struct, frozen=True):
    version: int
    previous: int
    changes: list[str]
    state: CustomerState


def update_of(frame: Frame) -> CustomerUpdate | None:
    """None for an event of a newer server, which this client does not know."""
    if frame.event == "snapshot":
        state = msgspec.json.decode(frame.text, type=CustomerState)
        return CustomerUpdate("snapshot", state.version, state)
    if frame.event == "change":
        told = msgspec.json.decode(frame.text, type=_Change)
        return CustomerUpdate("change", told.version, told.state, told.changes, told.previous)
    return None


class _Place:
    """How far one was told, and how long to wait after the last failure."""

    def __init__(self, seen: int | None) -> None:
        self.seen = seen
        self._failures = 0

    def told(self, frame: Frame) -> CustomerUpdate | None:
        self._failures = 0
        update = update_of(frame)
        if update is not None:
            self.seen = update.version
        return update

    def pause_s(self) -> float:
        self._failures += 1
        return BACK_OFF_S[min(self._failures, len(BACK_OFF_S)) - 1]


class CustomerStream:
    """An iterator over `CustomerUpdate`s. `close` it, leave its `with`, or let it go out of scope."""

    def __init__(self, transport: Transport, path: str, seen: int | None) -> None:
        self._transport, self._path = transport, path
        self._place = _Place(seen)
        self._updates = self._follow()

    def __iter__(self) -> Iterator[CustomerUpdate]:
        return self

    def __next__(self) -> CustomerUpdate:
        return next(self._updates)

    def close(self) -> None:
        """Hangs up. Nothing is told any more."""
        self._updates.close()

    def _follow(self) -> Generator[CustomerUpdate, None, None]:
        while True:
            try:
                with closing(self._transport.listen(self._path, self._place.seen)) as frames:
                    for frame in frames:
                        update = self._place.told(frame)
                        if update is not None:
                            yield update
            except ListeningOver:
                return
            except TROUBLE:
                time.sleep(self._place.pause_s())
            else:
                time.sleep(BACK_OFF_S[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncCustomerStream:
    """As `CustomerStream`, with `async for` and `async with`."""

    def __init__(self, transport: AsyncTransport, path: str, seen: int | None) -> None:
        self._transport, self._path = transport, path
        self._place = _Place(seen)
        self._updates = self._follow()

    def __aiter__(self) -> AsyncIterator[CustomerUpdate]:
        return self

    async def __anext__(self) -> CustomerUpdate:
        return await anext(self._updates)

    async def close(self) -> None:
        """Hangs up. Nothing is told any more."""
        await self._updates.aclose()

    async def _follow(self) -> AsyncGenerator[CustomerUpdate, None]:
        while True:
            try:
                async with aclosing(self._transport.listen(self._path, self._place.seen)) as frames:
                    async for frame in frames:
                        update = self._place.told(frame)
                        if update is not None:
                            yield update
            except ListeningOver:
                return
            except TROUBLE:
                await asyncio.sleep(self._place.pause_s())
            else:
                await asyncio.sleep(BACK_OFF_S[0])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class Streaming:
    """What a handle of a customer has of this."""

    _path: str
    _surface: "Surface"

    def stream(self, *, after_version: int | None = None) -> CustomerStream:
        """Follows the customer, beginning with everything; or, with the last version you know, with what came after it."""
        return CustomerStream(self._surface._transport, f"{self._path}/stream", after_version)


class AsyncStreaming:
    """The same for `async for`."""

    _path: str
    _surface: "AsyncSurface"

    def stream(self, *, after_version: int | None = None) -> AsyncCustomerStream:
        """Follows the customer, beginning with everything; or, with the last version you know, with what came after it."""
        return AsyncCustomerStream(self._surface._transport, f"{self._path}/stream", after_version)
