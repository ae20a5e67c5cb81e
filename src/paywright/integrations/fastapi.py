"""
Paywright in a FastAPI app, or any app of Starlette.

    install(app, pay, customer_of=current_user_id)

    @app.post("/haiku")
    def write(user: Annotated[User, Depends(require_item("credits", 1))]): ...
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import quote

from fastapi import Depends, Request, Response
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool

from paywright.api.asgi import Asgi, Receive, Scope, Send
from paywright.client.async_customer import AsyncCustomerHandle
from paywright.client.async_surface import AsyncSurface
from paywright.client.customer import CustomerHandle
from paywright.client.errors import PaywrightError
from paywright.client.surface import Surface
from paywright.engine.app import App
from paywright.inprocess import AsyncPaywright, Paywright
from paywright.integrations import gating
from paywright.integrations.background import Background
from paywright.integrations.gating import Wanted, Who
from paywright.integrations.wsgi import checked_prefix

CustomerOf = Callable[[Request], Who | Awaitable[Who]]
Handle = CustomerHandle | AsyncCustomerHandle


class NotInstalled(RuntimeError):
    """The app has no Paywright yet: call `install(app, pay, customer_of=…)` on it."""

    def __init__(self) -> None:
        super().__init__("call paywright.integrations.fastapi.install(app, pay, customer_of=…) on this app first")


class Installed:
    """What the app was given. `app.state.paywright` holds it."""

    def __init__(self, pay: Surface | AsyncSurface, customer_of: CustomerOf, work: "Work | None" = None) -> None:
        self.pay = pay
        self._customer_of = customer_of
        self._work = work

    async def wake(self) -> None:
        if self._work is not None:
            await self._work.wake()

    async def who(self, request: Request) -> Who:
        """The app's own answer; its function is called in a thread unless it is a coroutine."""
        ask: Any = self._customer_of
        found = ask(request) if inspect.iscoroutinefunction(ask) else await run_in_threadpool(ask, request)
        who: Who = await found if inspect.isawaitable(found) else found
        return who

    def handle_of(self, who: Who) -> Handle:
        if isinstance(self.pay, AsyncSurface):
            return gating.async_customer(self.pay, who)
        return gating.customer(self.pay, who)


def install(
    app: Starlette,
    pay: Surface | AsyncSurface,
    *,
    customer_of: CustomerOf,
    prefix: str = "/paywright",
    worker: bool = True,
) -> None:
    """
    Gives the app Paywright's HTTP API and Stripe's webhook below `prefix`, the dependencies of this module, and answers to refusals.

    `customer_of(request)` says who asks: a user's id, a `Customer`, or None for a stranger; it may be a coroutine function. `worker`: this process
    does the background work while the app's lifespan lasts; in an app that is mounted in another one, which has no lifespan, from the first request
    until `pay` is closed or the process ends. With a `Client` the server is elsewhere: nothing is mounted.
    """
    engine = pay.app if isinstance(pay, Paywright | AsyncPaywright) else None
    work = Work(engine.resource(Background)) if engine is not None and worker else None
    app.state.paywright = Installed(pay, customer_of, work)
    app.add_exception_handler(PaywrightError, _refused)
    if engine is not None:
        below = checked_prefix(prefix)
        served: Any = Mounted(engine, below, work)
        app.mount(below, served, name="paywright")
        if work is not None:
            _work_during_lifespan(app, work)


async def customer(request: Request) -> Any:
    """A dependency: the handle of whoever asks, of the kind `pay` gives. 401 `unauthenticated` for a stranger."""
    installed = _installed(request)
    await installed.wake()
    return installed.handle_of(await installed.who(request))


def require_product(*product_ids: str, customer_of: Callable[..., Any] | None = None) -> Callable[..., Awaitable[Any]]:
    """
    A dependency: the handle of a customer who owns any of the products, with access. Others get 402 `not_entitled` with what would open it.

    `customer_of` instead of the app's own is any dependency of yours that answers a user's id or a `Customer`.
    """
    return _requiring(Wanted(product_ids=product_ids), customer_of)


def require_item(
    item_id: str, quantity: int = 1, *, customer_of: Callable[..., Any] | None = None
) -> Callable[..., Awaitable[Any]]:
    """As `require_product`, for so many units that can be spent. They are looked at, not spent: spend them where the work is done."""
    return _requiring(Wanted(item_id=item_id, quantity=quantity), customer_of)


def _requiring(wanted: Wanted, customer_of: Callable[..., Any] | None) -> Callable[..., Awaitable[Any]]:
    async def asked(request: Request) -> Who:
        return await _installed(request).who(request)

    async def required(request: Request, who: Any = Depends(customer_of or asked)) -> Any:  # noqa: B008  FastAPI's way to say it.
        installed = _installed(request)
        await installed.wake()
        handle = installed.handle_of(who)
        if isinstance(handle, AsyncCustomerHandle):
            await gating.require_async(handle, wanted)
        else:
            await run_in_threadpool(gating.require, handle, wanted)
        return handle

    return required


def _installed(request: Request) -> Installed:
    found = getattr(request.app.state, "paywright", None)
    if not isinstance(found, Installed):
        raise NotInstalled
    return found


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, PaywrightError)
    shown = gating.shown(error)
    return Response(shown.body, status_code=shown.status, headers=shown.headers)


class Mounted:
    """The API as a mounted application: it routes by the path as it was sent, below the prefix."""

    def __init__(self, app: App, prefix: str, work: "Work | None" = None) -> None:
        from paywright.api.server import (
            build,
        )  # Late: the HTTP server's libraries are heavy, and a client's app needs none of them.

        self._build = partial(build, app)
        self._prefix = prefix.encode()
        self._api = self._build()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        if self._work is not None:
            await self._work.wake()
        raw_path = self._below(scope)
        inner = {**scope, "root_path": "", "raw_path": raw_path, "path": raw_path.decode("latin-1")}
        await self._of_this_loop()(inner, receive, send)

    def _below(self, scope: Scope) -> bytes:
        """`root_path` is where we are mounted; a proxy may have cut its own part off before."""
        sent: bytes = (scope.get("raw_path") or quote(scope["path"]).encode()).partition(b"?")[0]
        for prefix in (quote(scope.get("root_path", "")).encode(), self._prefix):
            if sent.startswith(prefix):
                return sent[len(prefix) :] or b"/"
        return sent

    def _of_this_loop(self) -> Asgi:
        """What waits inside it belongs to one event loop; a test client may bring another one each time."""
        loop = asyncio.get_running_loop()
        if self._loop is not None and self._loop is not loop:
            self._api = self._build()
        self._loop = loop
        return self._api


class Work:
    """
    The background work of the process the app runs in.

    An app that is mounted in another one gets no lifespan from its server: then the first request begins it. Once there was a lifespan, only a
    lifespan begins it, so that a request that comes while the process ends does not begin it anew.
    """

    def __init__(self, background: Background) -> None:
        self._background = background
        self._has_lifespan = False

    async def wake(self) -> None:
        if not self._has_lifespan and not self._background.is_running:
            await run_in_threadpool(self._background.ensure)

    @asynccontextmanager
    async def during(self) -> AsyncIterator[None]:
        self._has_lifespan = True
        await run_in_threadpool(self._background.ensure)
        try:
            yield
        finally:
            await run_in_threadpool(self._background.close)


def _work_during_lifespan(app: Starlette, work: Work) -> None:
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(running: Any) -> AsyncIterator[Any]:
        async with inner(running) as state, work.during():
            yield state

    app.router.lifespan_context = lifespan
