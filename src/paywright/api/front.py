"""
What every request passes, in front of the router: an id, a log line, a count, the safe headers, the preflight, and the hot routes.

Paths are routed as they were sent, percent-encoded, so that `%2F` in a customer's id stays inside its segment.
"""

import time
from collections.abc import Mapping, MutableMapping
from typing import Any

import anyio.to_thread

from paywright.api import access_log, cors
from paywright.api.asgi import Asgi, BodyTooLarge, Disconnected, Receive, Scope, Send, header, send_answer
from paywright.api.call import Answer
from paywright.api.errors import raised, refused
from paywright.api.hot import Hot
from paywright.api.metrics import Metrics
from paywright.api.streaming import Streams
from paywright.engine.app import App
from paywright.kernel.ids import new_id
from paywright.kernel.refusals import Refusal
from paywright.realtime.dispatcher import Dispatcher

SAFE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class Front:
    """`mounts` are further ASGI applications by the first word of their path, e.g. the demo store."""

    def __init__(self, app: App, router: Asgi, metrics: Metrics, mounts: Mapping[str, Asgi]) -> None:
        self._app = app
        self._router = router
        self._metrics = metrics
        self._mounts = dict(mounts)
        self._hot = Hot(app)
        self._streams = Streams(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._router(scope, receive, send)
            return
        raw_path = scope.get("raw_path") or scope["path"].encode()
        first = raw_path.split(b"/", 2)[1].decode("latin-1")
        if first in self._mounts:
            await self._mounts[first](scope, receive, send)
            return
        scope["path"] = raw_path.decode("latin-1")
        await self._answered(scope, receive, send)

    def stopping(self) -> None:
        """The server will not wait for streams: they end now."""
        self._app.resource(Dispatcher).stop_streams()

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request_id = scope["paywright.request_id"] = new_id("req")
        sent = _Sent(send, request_id)
        try:
            await self._route(scope, receive, sent)
        except Disconnected:
            return
        except BodyTooLarge as error:
            await send_answer(sent, refused(Refusal("body_too_large", {"limit": error.limit}), request_id))
        except Exception as error:  # noqa: BLE001  The boundary: the error shape for the caller, the stack for the log.
            answer = raised(error, request_id)
            if not sent.status:
                await send_answer(sent, answer)
        finally:
            seconds = (sent.answered_at or time.perf_counter()) - started
            self._metrics.count(scope["method"], scope.get("paywright.route", "none"), sent.status, seconds)
            access_log.write(scope["method"], scope["path"], sent.status, seconds, request_id)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "OPTIONS":
            await self._preflight(scope, send)
        elif "//" in scope["path"]:
            # The router would close the gap an empty id leaves, and take the next word for the id.
            await send_answer(send, refused(Refusal("not_found"), scope["paywright.request_id"]))
        elif not (await self._hot.takes(scope, receive, send) or await self._streams.takes(scope, receive, send)):
            await self._router(scope, receive, send)

    async def _preflight(self, scope: Scope, send: Send) -> None:
        origin = header(scope, b"origin")
        origins = self._app.resource(cors.Origins)
        if origin is None or not await anyio.to_thread.run_sync(origins.allowed_somewhere, origin):
            await send_answer(send, Answer(204, b""))
            return
        await send_answer(send, Answer(204, b"", cors.preflight_headers(origin)))


class _Sent:
    """`send`, with the headers every answer has, and a note of the status and of when it was sent: a stream goes on for hours after it."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 0
        self.answered_at = 0.0

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status, self.answered_at = message["status"], time.perf_counter()
            names = {name for name, _ in message["headers"]}
            added = [each for each in SAFE_HEADERS if each[0] not in names]
            if b"cache-control" not in names:
                added.append((b"cache-control", b"no-store"))
            message["headers"] = [*message["headers"], *added, (b"request-id", self._request_id.encode())]
        await self._send(message)
