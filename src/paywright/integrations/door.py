"""
The HTTP API for frameworks that answer in the request's own thread: what `paywright.api.front` is for ASGI.

The same routes, authorization, limits, headers, log line and counters. Requests wait for the commit of their batch, in their thread.
"""

import re
import time
from collections.abc import Callable

import msgspec

from paywright.api import access_log, cors, dispatch
from paywright.api.asgi import BODY_MAX, WEBHOOK_BODY_MAX
from paywright.api.call import Answer, Request
from paywright.api.errors import encoded, raised, refused
from paywright.api.front import SAFE_HEADERS
from paywright.api.matching import match
from paywright.api.metrics import Metrics
from paywright.api.parsing import path_part
from paywright.engine.app import App
from paywright.kernel.ids import new_id
from paywright.kernel.refusals import Refusal
from paywright.webhooks.door import receive

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
WEBHOOK_ROUTE = "/webhooks/stripe/{environment}"
_WEBHOOK = re.compile(r"/webhooks/stripe/([^/]+)")


class Asked(msgspec.Struct, frozen=True):
    """`path` percent-encoded and without the prefix; `header` by lower-case name; `read_body(limit)` answers at most one byte more than that."""

    method: str
    path: str
    query_string: str
    header: Callable[[str], str | None]
    read_body: Callable[[int], bytes]
    address: str = ""


class Door:
    """Thread-safe."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._metrics = app.resource(Metrics)

    def answer(self, asked: Asked) -> Answer:
        """Never raises for what a route does. Body and headers are complete."""
        started = time.perf_counter()
        request_id = new_id("req")
        route, answer = "none", refused(Refusal("internal_error"), request_id)
        try:
            route, answer = self._answered(asked, request_id)
        except Exception as error:  # noqa: BLE001  The boundary: the error shape for the caller, the stack for the log.
            answer = raised(error, request_id)
        finally:
            seconds = time.perf_counter() - started
            self._metrics.count(asked.method, route, answer.status, seconds)
            access_log.write(asked.method, asked.path, answer.status, seconds, request_id)
        return _complete(answer, request_id)

    def _answered(self, asked: Asked, request_id: str) -> tuple[str, Answer]:
        if asked.method == "OPTIONS":
            return "none", self._preflight(asked)
        webhook = _WEBHOOK.fullmatch(asked.path)
        if webhook is not None and asked.method == "POST":
            return WEBHOOK_ROUTE, self._receive(asked, webhook[1], request_id)
        found = match(asked.method, asked.path)
        if found is None:
            return "none", _nowhere(asked, request_id)
        route, parts = found
        body = asked.read_body(BODY_MAX)
        if len(body) > BODY_MAX:
            return route.path, refused(Refusal("body_too_large", {"limit": BODY_MAX}), request_id)
        request = Request(
            method=asked.method,
            path=asked.path,
            request_id=request_id,
            query_string=asked.query_string,
            body=body,
            authorization=asked.header("authorization"),
            idempotency_key=asked.header("idempotency-key"),
            origin=asked.header("origin"),
            address=asked.address,
        )
        return route.path, dispatch.answer(self._app, route, request, parts)

    def _receive(self, asked: Asked, encoded_environment: str, request_id: str) -> Answer:
        """Stripe's delivery: on disk before it is answered."""
        body = asked.read_body(WEBHOOK_BODY_MAX)
        if len(body) > WEBHOOK_BODY_MAX:
            return refused(Refusal("body_too_large", {"limit": WEBHOOK_BODY_MAX}), request_id)
        environment_id = path_part(encoded_environment)
        if environment_id is None or "\x00" in environment_id:
            return refused(Refusal("environment_not_found"), request_id)
        outcome = receive(self._app, environment_id, body, asked.header("stripe-signature"))
        return refused(outcome, request_id) if isinstance(outcome, Refusal) else Answer(200, {"received": True})

    def _preflight(self, asked: Asked) -> Answer:
        origin = asked.header("origin")
        if origin is None or not self._app.resource(cors.Origins).allowed_somewhere(origin):
            return Answer(204, b"")
        return Answer(204, b"", cors.preflight_headers(origin))


def _nowhere(asked: Asked, request_id: str) -> Answer:
    allowed = [method for method in METHODS if match(method, asked.path) is not None]
    if not allowed:
        return refused(Refusal("not_found"), request_id)
    answer = refused(Refusal("method_not_allowed"), request_id)
    return msgspec.structs.replace(answer, headers={**answer.headers, "Allow": ", ".join(allowed)})


def _complete(answer: Answer, request_id: str) -> Answer:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    headers |= {name.decode().title(): value.decode() for name, value in SAFE_HEADERS}
    headers |= {**answer.headers, "Request-Id": request_id}
    return Answer(answer.status, encoded(answer.body), headers)
