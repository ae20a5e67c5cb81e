"""The ASGI application: sends each path to its table. The only file that wires."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from . import control, pages, routes, web
from .access import caller_of
from .engine import Engine
from .errors import ApiError
from .faults import Trouble, fault_for, troubled
from .web import WebAnswer, WebRequest, json_answer

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = logging.getLogger("paywright_sandbox")

BODY_MAX = 20 * 1024 * 1024
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Request-Id, Stripe-Version, Stripe-Should-Retry, Idempotent-Replayed, Sandbox-Time, Sandbox-Clock",
}
PREFLIGHT = {
    **CORS,
    "Access-Control-Allow-Methods": "GET, POST, DELETE, PUT, PATCH",
    "Access-Control-Allow-Headers": "*, Authorization",
    "Access-Control-Max-Age": "300",
}
assert routes.LOADED
assert control.LOADED
assert pages.LOADED


class SandboxApp:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.ticker: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.lifespan(receive, send)
        elif scope["type"] == "http":
            await self.http(scope, receive, send)

    async def lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        self.engine.deliveries.start()
        self.ticker = asyncio.create_task(self.engine.tick())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.ticker.cancel()
        await self.engine.deliveries.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        body = await read_body(receive)
        request = WebRequest(
            scope["method"], scope["path"], scope["query_string"].decode("latin-1"), headers, body or b"", self.engine
        )
        if body is None:
            answer = json_answer(ApiError(413, "The request body is too large.").body(), 413)
        elif request.method == "OPTIONS" and request.path.startswith("/v1/"):
            answer = WebAnswer(204, b"", PREFLIGHT)
        else:
            answer = await self.answer(request)
        if answer.cut:
            await cut(send, receive)
        else:
            await write(send, answer, is_head=scope["method"] == "HEAD")

    async def answer(self, request: WebRequest) -> WebAnswer:
        self.engine.origin = request.origin
        if not request.path.startswith(("/v1/", "/v2/")):
            return await self.answer_page(request)
        fault = self.fault(request)
        answer = await troubled(self.engine, fault, request)
        answer.headers.update(CORS)
        return answer

    def fault(self, request: WebRequest) -> Trouble | None:
        try:
            account = caller_of(self.engine.store, request.headers).account
        except ApiError:
            return None
        return fault_for(account, request)

    async def answer_page(self, request: WebRequest) -> WebAnswer:
        found = web.find("GET" if request.method == "HEAD" else request.method, request.path)
        if not found:
            return json_answer(
                ApiError(404, f"Unrecognized request URL ({request.method}: {request.path}).").body(), 404
            )
        act, request.arguments = found
        try:
            return await act(request)
        except ApiError as refusal:
            return json_answer(refusal.body(), refusal.status)
        except Exception as error:
            log.exception("%s %s failed", request.method, request.path)
            said = f"The sandbox failed: {type(error).__name__}: {error}"
            return json_answer(ApiError(500, said, type="api_error").body(), 500)


async def read_body(receive: Receive) -> bytes | None:
    """None when it is longer than we take."""
    parts, length, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        part = message.get("body", b"")
        length += len(part)
        if length <= BODY_MAX:
            parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts) if length <= BODY_MAX else None


async def write(send: Send, answer: WebAnswer, *, is_head: bool) -> None:
    headers = {"Content-Length": str(len(answer.body)), "Cache-Control": "no-cache, no-store", **answer.headers}
    pairs = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
    await send({"type": "http.response.body", "body": b"" if is_head else answer.body})


async def cut(send: Send, receive: Receive) -> None:
    """Cuts the connection without a byte of answer. ASGI has no word for it; uvicorn's `send` belongs to the object that holds the transport."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None:
        transport.abort()
    while (await receive())["type"] != "http.disconnect":
        continue
