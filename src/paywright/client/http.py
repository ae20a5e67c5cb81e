"""The calls over HTTP. httpx takes 100 ms to import, so it is imported when a client is made."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Generator
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from paywright.client.errors import Unavailable, of_answer
from paywright.client.transport import TIMEOUT_S, Frame, Frames, query_text

if TYPE_CHECKING:
    import httpx

Shown = TypeVar("Shown")

TRIES_MAX = 3
BACK_OFF_S = 0.2
READ_TIMEOUT_S = 60.0
"""A stream that says nothing for so long, not even a heartbeat, is of a server that is gone."""


class _Http:
    """What the two HTTP transports share. A POST always carries a key, so that it can be sent again when no answer came."""

    def __init__(self, url: str, credential: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {credential}", "User-Agent": "paywright-python"}

    def request(
        self, method: str, path: str, query: dict[str, Any] | None, body: Any, idempotency_key: str | None
    ) -> dict[str, Any]:
        headers = dict(self._headers)
        if method == "POST":
            headers["Idempotency-Key"] = idempotency_key or f"auto-{uuid.uuid4()}"
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(body)
        url = f"{self._url}{path}"
        return {"method": method, "url": url, "params": query_text(query), "content": content, "headers": headers}

    def listening(self, path: str, seen: int | None) -> dict[str, Any]:
        import httpx

        headers = self._headers if seen is None else {**self._headers, "Last-Event-ID": str(seen)}
        # Connecting is quick; what follows comes when something happens, and a heartbeat in between.
        timeout = httpx.Timeout(TIMEOUT_S, read=READ_TIMEOUT_S)
        return {"method": "GET", "url": f"{self._url}{path}", "headers": headers, "timeout": timeout}

    def may_repeat(self, method: str, answer: "httpx.Response | None", attempt: int) -> bool:
        if attempt >= TRIES_MAX or method not in ("GET", "POST", "PUT"):
            return False
        return answer is None or answer.status_code == 503

    def read(self, answer: "httpx.Response", shows: type[Shown]) -> Shown:
        if answer.status_code < 400:
            return msgspec.json.decode(answer.content, type=shows)
        try:
            body = msgspec.json.decode(answer.content)
        except msgspec.DecodeError:
            body = None
        raise of_answer(answer.status_code, body)


def unreachable(error: "httpx.HTTPError") -> Unavailable:
    return Unavailable("unavailable", f"The server did not answer: {type(error).__name__}.", status=503)


class HttpTransport(_Http):
    """Thread-safe: one connection pool."""

    def __init__(self, url: str, credential: str, *, timeout_s: float = TIMEOUT_S) -> None:
        import httpx

        super().__init__(url, credential)
        self._outage = httpx.TransportError
        self._client = httpx.Client(timeout=timeout_s)

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
        request = self.request(method, path, query, body, idempotency_key)
        for attempt in range(1, TRIES_MAX + 1):
            answer, failure = None, None
            try:
                answer = self._client.request(**request)
            except self._outage as error:
                failure = error
            if not self.may_repeat(method, answer, attempt):
                break
            time.sleep(BACK_OFF_S * attempt)
        if answer is None:
            assert failure is not None
            raise unreachable(failure) from failure
        return self.read(answer, shows)

    def listen(self, path: str, seen: int | None) -> Generator[Frame, None, None]:
        frames = Frames()
        try:
            with self._client.stream(**self.listening(path, seen)) as answer:
                if answer.status_code >= 400:
                    answer.read()
                    self.read(answer, bytes)
                for piece in answer.iter_bytes():
                    yield from frames.feed(piece)
        except self._outage as error:
            raise unreachable(error) from error

    def close(self) -> None:
        self._client.close()


class AsyncHttpTransport(_Http):
    def __init__(self, url: str, credential: str, *, timeout_s: float = TIMEOUT_S) -> None:
        import httpx

        super().__init__(url, credential)
        self._outage = httpx.TransportError
        self._client = httpx.AsyncClient(timeout=timeout_s)

    async def call(
        self,
        method: str,
        path: str,
        shows: type[Shown],
        *,
        query: dict[str, Any] | None = None,
        body: Any = None,
        idempotency_key: str | None = None,
    ) -> Shown:
        request = self.request(method, path, query, body, idempotency_key)
        for attempt in range(1, TRIES_MAX + 1):
            answer, failure = None, None
            try:
                answer = await self._client.request(**request)
            except self._outage as error:
                failure = error
            if not self.may_repeat(method, answer, attempt):
                break
            await asyncio.sleep(BACK_OFF_S * attempt)
        if answer is None:
            assert failure is not None
            raise unreachable(failure) from failure
        return self.read(answer, shows)

    async def listen(self, path: str, seen: int | None) -> AsyncGenerator[Frame, None]:
        frames = Frames()
        try:
            async with self._client.stream(**self.listening(path, seen)) as answer:
                if answer.status_code >= 400:
                    await answer.aread()
                    self.read(answer, bytes)
                async for piece in answer.aiter_bytes():
                    for frame in frames.feed(piece):
                        yield frame
        except self._outage as error:
            raise unreachable(error) from error

    async def close(self) -> None:
        await self._client.aclose()
