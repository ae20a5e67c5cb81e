"""The HTTP application: Litestar routes made from the table, behind the front."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import anyio
import anyio.to_thread
from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from paywright.api import dispatch
from paywright.api.asgi import BODY_MAX, Asgi, BodyTooLarge, Receive, Scope, Send, header, read_body
from paywright.api.call import Answer
from paywright.api.call import Request as OurRequest
from paywright.api.errors import encoded, raised, refused
from paywright.api.front import Front
from paywright.api.matching import methods_of
from paywright.api.metrics import Metrics
from paywright.api.route import Route
from paywright.api.routes import ROUTES
from paywright.engine.app import STRIPE_CALLS_MAX, App
from paywright.kernel.refusals import Refusal
from paywright.pages import site

THREADS_MAX = 20
"""Endpoints under way at once. Those that call Stripe have threads of their own, so a slow Stripe never takes these."""


def build(app: App, *, mounts: Mapping[str, Asgi] | None = None) -> Asgi:
    metrics = app.resource(Metrics)
    return Front(app, _Router(app), metrics, {**site.mounts(app), **(mounts or {})})


class _Router:
    """The routes, asked for one App."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._threads = _Threads()
        self._routes: Any = _litestar()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["paywright.app"], scope["paywright.threads"] = self._app, self._threads
        await self._routes(scope, receive, send)


@cache
def _litestar() -> Litestar:
    """One for every App of this process: it knows the table of routes and nothing else, and is slow to make."""
    return Litestar(
        route_handlers=[_handler(route) for route in ROUTES],
        openapi_config=None,
        exception_handlers={HTTPException: _refused_by_router, BodyTooLarge: _too_large, Exception: _raised},
        request_max_body_size=None,  # Read by our own limit, which the hot routes share.
        logging_config=None,
    )


class _Threads:
    """The two limiters, made inside the event loop that uses them."""

    def __init__(self) -> None:
        self._made: tuple[anyio.CapacityLimiter, anyio.CapacityLimiter] | None = None

    def of(self, route: Route) -> anyio.CapacityLimiter:
        if self._made is None:
            self._made = anyio.CapacityLimiter(THREADS_MAX), anyio.CapacityLimiter(STRIPE_CALLS_MAX)
        return self._made[1 if route.calls_stripe else 0]


def _handler(route: Route) -> HTTPRouteHandler:
    async def endpoint(request: Request[Any, Any, Any]) -> Response[bytes]:
        scope: Any = request.scope
        scope["paywright.route"] = route.path
        app, threads = scope["paywright.app"], scope["paywright.threads"]
        asked = await _asked(request)
        answer = await anyio.to_thread.run_sync(
            dispatch.answer, app, route, asked, request.path_params, limiter=threads.of(route)
        )
        return _response(answer)

    path = route.path.replace("}", ":str}")
    return HTTPRouteHandler(path, http_method=route.method, name=route.name, status_code=200)(endpoint)


async def _asked(request: Request[Any, Any, Any]) -> OurRequest:
    scope: Any = request.scope
    receive: Any = request.receive
    client = scope.get("client")
    return OurRequest(
        method=scope["method"],
        path=scope["path"],
        request_id=scope["paywright.request_id"],
        query_string=scope["query_string"].decode("latin-1"),
        body=await read_body(scope, receive, BODY_MAX),
        authorization=header(scope, b"authorization"),
        idempotency_key=header(scope, b"idempotency-key"),
        origin=header(scope, b"origin"),
        address=client[0] if client else "",
    )


def _response(answer: Answer) -> Response[bytes]:
    headers = dict(answer.headers)
    # Litestar says the charset of text by itself.
    media_type = headers.pop("Content-Type", "application/json").removesuffix("; charset=utf-8")
    return Response(encoded(answer.body), status_code=answer.status, media_type=media_type, headers=headers)


def _refused_by_router(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """404 and 405: nothing of ours was asked yet."""
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code)
    if code is None:
        return _raised(request, error)
    answer = refused(Refusal(code), _request_id(request))
    response = _response(answer)
    if code == "method_not_allowed":
        response.headers["Allow"] = ", ".join(methods_of(request.scope["path"]))
    return response


def _too_large(request: Request[Any, Any, Any], error: BodyTooLarge) -> Response[bytes]:
    return _response(refused(Refusal("body_too_large", {"limit": error.limit}), _request_id(request)))


def _raised(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    return _response(raised(error, _request_id(request)))


def _request_id(request: Request[Any, Any, Any]) -> str:
    scope: Any = request.scope
    return str(scope["paywright.request_id"])
