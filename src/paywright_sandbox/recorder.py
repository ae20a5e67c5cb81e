"""A webhook endpoint for tests: an ASGI application that checks each signature and writes down what came."""

import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from .errors import Json
from .signing import verifies


@dataclass(frozen=True)
class Received:
    """One post that was rightly signed. `status` is what it was answered."""

    event: Json
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def type(self) -> str:
        return str(self.event["type"])


class Recorder:
    """`secret` is put in once the endpoint has one; what is signed otherwise is answered 400 and kept in `refused`."""

    def __init__(self) -> None:
        self.secret = ""
        self.received: list[Received] = []
        self.refused: list[bytes] = []
        self.answers: list[int] = []

    def answer(self, *statuses: int) -> None:
        """The next posts are answered so, in turn; then 200 again."""
        self.answers.extend(statuses)

    def types(self) -> list[str]:
        """Of every post, in the order they came; a doubled event stands twice."""
        return [each.type for each in self.received]

    def events(self, type: str | None = None) -> list[Json]:
        return [each.event for each in self.received if type in (None, each.type)]

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            return
        parts, more = [], True
        while more:
            message = await receive()
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        status = self.taken(b"".join(parts), {name.decode(): value.decode() for name, value in scope["headers"]})
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def taken(self, body: bytes, headers: dict[str, str]) -> int:
        """The status to answer."""
        if not verifies(body, headers.get("stripe-signature", ""), self.secret, int(time.time())):
            self.refused.append(body)
            return 400
        status = self.answers.pop(0) if self.answers else 200
        self.received.append(Received(json.loads(body), headers, body, status))
        return status
