"""
`GET C/stream`: server-sent events, read with `fetch`, because a token never travels in a URL.

The request's own task waits for the client to go away; a task that lives as long as one piece of news writes. So an idle stream is a socket and a few
small objects, and a client that does not read holds up nobody.
"""

import asyncio
import re
from collections.abc import Sequence

import anyio.to_thread
import msgspec

from paywright.access.identify import Credentials
from paywright.access.model import Caller
from paywright.api import cors, dispatch
from paywright.api.asgi import Receive, Scope, Send, header, send_answer
from paywright.api.call import Answer, Call, Request
from paywright.api.errors import raised, refused
from paywright.api.matching import match
from paywright.api.stopping import told_to_stop
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.refusals import Refusal
from paywright.realtime.dispatcher import Dispatcher
from paywright.realtime.model import Credential
from paywright.realtime.rules import last_event_id
from paywright.realtime.streams import Stream, Wake

STREAM_ROUTE = "/v1/customers/{customer_type}/{customer_id}/stream"
RETRY_AFTER_S = "10"
_STREAM = re.compile(r"/v1/customers/[^/]+/[^/]+/stream")
_HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store, no-transform"),
    # nginx would collect what it is sent, and so would everything that learned from it.
    (b"x-accel-buffering", b"no"),
)


class Allowed(msgspec.Struct, frozen=True):
    """A request that may stream, by which right, and what its answer says to other origins."""

    call: Call
    credential: Credential
    headers: dict[str, str]


class Streams:
    """The door of one App."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._dispatcher = app.resource(Dispatcher)
        self._dispatcher.stop_when(told_to_stop)
        self._wakes: tuple[asyncio.AbstractEventLoop, Wake] | None = None

    async def takes(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """True when the request was for a stream, which is over then."""
        if scope["method"] != "GET" or _STREAM.fullmatch(scope["path"]) is None:
            return False
        scope["paywright.route"] = STREAM_ROUTE
        request = _request(scope)
        allowed = await anyio.to_thread.run_sync(self._allowed, request)
        if isinstance(allowed, Answer):
            await send_answer(send, allowed)
            return True
        call, loop = allowed.call, asyncio.get_running_loop()
        stream = self._dispatcher.open(
            call.environment,
            call.owner,
            allowed.credential,
            sees_all=call.caller.has_secret_key,
            seen=last_event_id(header(scope, b"last-event-id")),
            wake=self._wake_of(loop),
        )
        if isinstance(stream, Refusal):
            answer = refused(stream, request.request_id)
            headers = {**answer.headers, **allowed.headers, "Retry-After": RETRY_AFTER_S}
            await send_answer(send, msgspec.structs.replace(answer, headers=headers))
            return True
        await Writer(self._dispatcher, stream, send, loop).run(receive, allowed.headers)
        return True

    def _allowed(self, request: Request) -> Allowed | Answer:
        """As `dispatch.answer`, up to the endpoint."""
        environment: Environment | None = None
        outcome: tuple[Call, Credential] | Refusal
        try:
            known = dispatch.who_asks(self._app, request)
            if isinstance(known, Refusal):
                outcome = known
            else:
                environment, caller = known
                outcome = self._prepared(request, environment, caller)
            answer = refused(outcome, request.request_id) if isinstance(outcome, Refusal) else None
        except Exception as error:  # noqa: BLE001  The boundary, as in `dispatch.answer`.
            answer = raised(error, request.request_id)
        headers = {} if request.origin is None else cors.of_answer(self._app, environment, request.origin)
        if answer is not None:
            return msgspec.structs.replace(answer, headers={**answer.headers, **headers})
        assert not isinstance(outcome, Refusal)
        return Allowed(*outcome, headers)

    def _prepared(
        self, request: Request, environment: Environment, caller: Caller
    ) -> tuple[Call, Credential] | Refusal:
        found = match("GET", request.path)
        assert found is not None, request.path
        route, parts = found
        call = dispatch.prepared(self._app, route, request, parts, environment, caller)
        if isinstance(call, Refusal):
            return call
        credential = self._credential(request, caller)
        return credential if isinstance(credential, Refusal) else (call, credential)

    def _credential(self, request: Request, caller: Caller) -> Credential | Refusal:
        """`caller` as the credential says it, before a claim token made somebody a guest."""
        if caller.kind != "customer_token":
            return Credential("key", caller.environment_id, caller.actor)
        token = self._app.resource(Credentials).token(request.authorization)
        if token is None:
            return Refusal("invalid_credentials")  # Taken back this very moment.
        return Credential(
            "token", token.environment_id, token.id, token.customers, token.issued_at, expires_at=token.expires_at
        )

    def _wake_of(self, loop: asyncio.AbstractEventLoop) -> Wake:
        """One function per loop, so that the dispatcher wakes a loop once for all its streams."""
        if self._wakes is None or self._wakes[0] is not loop:
            self._wakes = (loop, _waking(loop))
        return self._wakes[1]


def _waking(loop: asyncio.AbstractEventLoop) -> Wake:
    def wake(streams: Sequence[Stream]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(_write_all, streams)

    return wake


def _write_all(streams: Sequence[Stream]) -> None:
    for stream in streams:
        if isinstance(stream.reader, Writer):
            stream.reader.write_soon()


class Writer:
    """Carries one stream to its client."""

    def __init__(self, dispatcher: Dispatcher, stream: Stream, send: Send, loop: asyncio.AbstractEventLoop) -> None:
        self._dispatcher, self._stream, self._send, self._loop = dispatcher, stream, send, loop
        self._task: asyncio.Task[None] | None = None
        self._is_over = False

    async def run(self, receive: Receive, headers: dict[str, str]) -> None:
        """Until the client goes away, or the stream ends."""
        written = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        try:
            await self._send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, *written]})
            self._stream.reader = self
            self.write_soon()  # It may have been told something before anybody listened.
            while (await receive())["type"] != "http.disconnect":
                continue
        finally:
            self._is_over = True
            self._dispatcher.leave(self._stream)
            if self._task is not None:
                self._task.cancel()

    def write_soon(self) -> None:
        if self._task is None and not self._is_over:
            self._task = self._loop.create_task(self._write())

    async def _write(self) -> None:
        """What waits, as fast as the client takes it: `send` waits while the socket's buffer is full."""
        stream = self._stream
        try:
            while not self._is_over:
                frames = stream.take()
                if frames:
                    await self._send({"type": "http.response.body", "body": frames, "more_body": True})
                elif stream.ended:
                    self._is_over = True
                    await self._send({"type": "http.response.body", "body": b"", "more_body": False})
                else:
                    if stream.is_behind:
                        self._dispatcher.behind(stream)
                    return
        except OSError:
            self._is_over = True  # Gone; `receive` says so too.
        finally:
            self._task = None


def _request(scope: Scope) -> Request:
    client = scope.get("client")
    return Request(
        method="GET",
        path=scope["path"],
        request_id=scope["paywright.request_id"],
        query_string=scope["query_string"].decode("latin-1"),
        authorization=header(scope, b"authorization"),
        origin=header(scope, b"origin"),
        address=client[0] if client else "",
    )
