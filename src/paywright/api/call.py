"""
One request, whichever way it came: over HTTP, or from a `Paywright` in the same process.

Nothing in here knows a web framework. `Request` is what came in, `Call` is what an endpoint is handed once we know who asks and what for, and
`Answer` is what it gives back.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from paywright.access.model import Caller
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.storage.idempotency import IdempotencyKey

LIMIT_DEFAULT = 10
LIMIT_MAX = 100


class Request(msgspec.Struct, frozen=True):
    """`path` and `query_string` as they were sent, percent-encoded."""

    method: str
    path: str
    request_id: str
    query_string: str = ""
    body: bytes = b""
    authorization: str | None = None
    idempotency_key: str | None = None
    origin: str | None = None
    address: str = ""
    """Who is at the other end of the connection; empty in process."""


class Answer(msgspec.Struct, frozen=True):
    """`body` is anything msgspec encodes, or bytes to be sent as they are."""

    status: int
    body: Any
    headers: dict[str, str] = {}
    is_secret: bool = False
    """Holds a key or token: kept encrypted under an Idempotency-Key."""


class Call(msgspec.Struct, frozen=True):
    """`query` and `body` are the structs of the route; `customer` is the one the path names, which the caller may act for."""

    app: App
    environment: Environment
    caller: Caller
    request: Request
    parts: dict[str, str]
    query: Any = None
    body: Any = None
    customer: Customer | None = None
    key: IdempotencyKey | None = None

    @property
    def owner(self) -> Customer:
        """The customer of a `C` route."""
        assert self.customer is not None, "this route names no customer"
        return self.customer


class Open(msgspec.Struct, frozen=True):
    """What an endpoint is handed that asks nobody who they are: health, documents."""

    app: App
    request: Request


Endpoint = Any
"""`(call) -> Answer | Refusal`, or `(call, work) -> …` for what happens inside one work."""


def ok(body: Any) -> Answer:
    return Answer(200, body)


def created(body: Any) -> Answer:
    return Answer(201, body)


def ok_unless_refused(outcome: Any, show: Any = None) -> Answer | Refusal:
    """200 with what the action answered, shown by `show` when given; a refusal as it is."""
    if isinstance(outcome, Refusal):
        return outcome
    return Answer(200, outcome if show is None else show(outcome))


def listed(rows: Sequence[Any], *, limit: int, cursor_of: Any, show: Any) -> Answer:
    """A page of a list that was asked for one row more than `limit`."""
    shown = rows[:limit]
    more = len(rows) > limit
    cursor = cursor_of(shown[-1]) if more else None
    return Answer(200, {"data": [show(row) for row in shown], "has_more": more, "next_cursor": cursor})


def whole(rows: Sequence[Any]) -> Answer:
    """A list that is always short, on one page."""
    return Answer(200, {"data": list(rows), "has_more": False, "next_cursor": None})
