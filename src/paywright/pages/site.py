"""
The pages as ASGI applications, by the first word of their path: `purchase`, `account`, and `pages` for the style sheet.

They work without JavaScript and bring none. A form carries a token that belongs to the browser it was shown in. The way to another site is a page of
its own with a refresh, so that forms may lead nowhere but here.
"""

import hashlib
import hmac
import logging
import secrets
from collections.abc import Callable, Coroutine, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
from jinja2 import Environment as Templates
from jinja2 import FileSystemLoader, StrictUndefined
from litestar import Litestar, Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from markupsafe import Markup

from paywright.api.asgi import Asgi, Receive, Scope, Send
from paywright.engine.app import STRIPE_CALLS_MAX, App
from paywright.kernel.vault import derived_key
from paywright.pages import account, letters, links, purchase
from paywright.pages.asked import Asked, Reply
from paywright.storage.database import DatabaseUnavailable
from paywright.stripe.gateway import StripeBusy, StripeRefused, StripeUnknown

HERE = Path(__file__).parent
STATIC = {"pages.css": "text/css", "mark.svg": "image/svg+xml"}
COOKIE = "paywright_pages"
FORM_BYTES_MAX = 16_384
OUTAGES = (DatabaseUnavailable, StripeBusy, StripeUnknown, StripeRefused)
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

FRAMED = {
    **HEADERS,
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
}
"""An e-mail in its frame: it looks as it will, and can do nothing, load nothing and lead nowhere."""

Page = Callable[[Asked], Reply]
Answering = Callable[[Request[Any, Any, Any]], Coroutine[Any, Any, Response[Any]]]

PAGES: dict[str, Page] = {
    "/purchase/{token:str}": purchase.show,
    "/account/{token:str}": account.show,
    "/account/{token:str}/cancel/{owned_id:str}": account.ask_cancel,
    "/account/{token:str}/switch/{owned_id:str}": account.ask_switch,
}
FORMS: dict[str, Page] = {
    "/purchase/{token:str}": purchase.choose,
    "/account/{token:str}/cancel/{owned_id:str}": account.cancel,
    "/account/{token:str}/resume/{owned_id:str}": account.resume,
    "/account/{token:str}/switch/{owned_id:str}": account.quote_switch,
    "/account/{token:str}/switch/{owned_id:str}/confirm": account.confirm_switch,
    "/account/{token:str}/card": account.change_card,
}

STALE_FORM = Reply(
    "outcome.html",
    {
        "tone": "kind",
        "title": "This form was not yours, or too old",
        "text": "Nothing was done. Go back, load the page again, and try once more.",
    },
    403,
)
TROUBLE = Reply(
    "outcome.html",
    {
        "tone": "bad",
        "title": "That did not work",
        "text": "Something is out of reach for a moment. Try again in a minute.",
    },
    503,
)
MISSING = Reply(
    "outcome.html", {"tone": "kind", "title": "There is nothing here", "text": "The address is not one of ours."}, 404
)

log = logging.getLogger("paywright.pages")


def mounts(app: App) -> Mapping[str, Asgi]:
    """What the server answers besides the API."""
    site = Site(app, _pages())
    return {"purchase": site, "account": site, "pages": site}


def letters_mount(app: App) -> Asgi:
    """The local outbox, for `dev` alone: everybody's letters, shown to this machine only."""
    return Site(app, _letters())


class Site:
    """The routes of pages, asked for one App."""

    def __init__(self, app: App, routes: Litestar) -> None:
        self._app = app
        self._routes: Any = routes
        self._threads: anyio.CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["paywright.site"] = self
        await self._routes(scope, receive, send)

    async def shown(self, request: Request[Any, Any, Any], page: Page) -> Response[Any]:
        return await self._answer(request, page, {})

    async def taken(self, request: Request[Any, Any, Any], page: Page) -> Response[Any]:
        form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
        cookie = request.cookies.get(COOKIE, "")
        if not cookie or not hmac.compare_digest(self._csrf(cookie).encode(), form.get("csrf", "").encode()):
            return self.rendered(request, STALE_FORM)
        return await self._answer(request, page, form)

    async def _answer(self, request: Request[Any, Any, Any], page: Page, form: dict[str, str]) -> Response[Any]:
        named = {name: str(value) for name, value in request.path_params.items()}
        asked = Asked(self._app, named.get("token", ""), dict(request.query_params.items()), form, named)
        if self._threads is None:
            self._threads = anyio.CapacityLimiter(STRIPE_CALLS_MAX)
        reply = await anyio.to_thread.run_sync(page, asked, limiter=self._threads)
        return self.rendered(request, reply)

    def rendered(self, request: Request[Any, Any, Any], reply: Reply) -> Response[Any]:
        if reply.location is not None and not _is_ours(reply.location, links.public_url(self._app.settings)):
            reply = Reply("leave.html", {"location": reply.location, "host": urlsplit(reply.location).hostname or ""})
        if reply.location is not None:
            headers = {**HEADERS, "Location": reply.location}
            return Response("", status_code=reply.status, media_type="text/plain", headers=headers)
        if reply.letter is not None:
            return Response(reply.letter, status_code=reply.status, media_type="text/html", headers=FRAMED)
        cookie = request.cookies.get(COOKIE) or secrets.token_urlsafe(24)
        field = Markup('<input type="hidden" name="csrf" value="{}">').format(self._csrf(cookie))
        template = _templates().get_template(reply.template)
        text = template.render(**{"csrf": lambda: field, "return_url": None, "refresh_to": None, **reply.shown})
        is_secure = links.public_url(self._app.settings).startswith("https:")
        policy = HEADERS["Content-Security-Policy"] + ("; frame-src 'self'" if reply.has_frame else "")
        headers = {**HEADERS, "Content-Security-Policy": policy}
        kept = Cookie(COOKIE, value=cookie, path="/", httponly=True, samesite="lax", secure=is_secure)
        return Response(text, status_code=reply.status, media_type="text/html", headers=headers, cookies=[kept])

    def _csrf(self, cookie: str) -> str:
        key = derived_key(self._app.settings.require_secret(), "pages:forms")
        return hmac.new(key, cookie.encode(), hashlib.sha256).hexdigest()


@cache
def _templates() -> Templates:
    return Templates(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _pages() -> Litestar:
    """One for every App of this process, and so the next: they know no App, and are slow to make."""
    shown = [get(path)(_shows(page)) for path, page in PAGES.items()]
    taken = [post(path, status_code=200)(_takes(page)) for path, page in FORMS.items()]
    return _litestar([*shown, *taken, get("/pages/{name:str}")(_static)])


@cache
def _letters() -> Litestar:
    shown: dict[str, Page] = {
        "/letters": letters.show,
        "/letters/{letter_id:str}": letters.show_one,
        "/letters/{letter_id:str}/html": letters.show_html,
    }
    return _litestar([get(path)(_shows(page, only_here=True)) for path, page in shown.items()])


def _litestar(handlers: list[HTTPRouteHandler]) -> Litestar:
    return Litestar(
        route_handlers=handlers,
        openapi_config=None,
        exception_handlers={HTTPException: _mistaken, Exception: _broken},
        request_max_body_size=FORM_BYTES_MAX,
        logging_config=None,
    )


def _site(request: Request[Any, Any, Any]) -> Site:
    scope: Any = request.scope
    site = scope["paywright.site"]
    assert isinstance(site, Site)
    return site


def _shows(page: Page, *, only_here: bool = False) -> Answering:
    async def show(request: Request[Any, Any, Any]) -> Response[Any]:
        if only_here and not _is_here(request):
            return _site(request).rendered(request, MISSING)
        return await _site(request).shown(request, page)

    return show


def _takes(page: Page) -> Answering:
    async def take(request: Request[Any, Any, Any]) -> Response[Any]:
        return await _site(request).taken(request, page)

    return take


def _mistaken(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    reply = MISSING if error.status_code == 404 else _with_status(STALE_FORM, error.status_code)
    return _site(request).rendered(request, reply)


def _broken(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The path is left out of the log: its token opens the page."""
    if isinstance(error, OUTAGES):
        log.warning("a page is out of reach: %s: %s", type(error).__name__, error)
        return _site(request).rendered(request, TROUBLE)
    log.error("a page failed: %s", type(error).__name__, exc_info=error)
    return _site(request).rendered(request, _with_status(TROUBLE, 500))


async def _static(request: Request[Any, Any, Any]) -> Response[bytes]:
    name = request.path_params["name"]
    if name not in STATIC:
        raise HTTPException(status_code=404)
    headers = {"Cache-Control": "max-age=300", "X-Content-Type-Options": "nosniff"}
    return Response((HERE / "static" / name).read_bytes(), media_type=STATIC[name], headers=headers)


def _with_status(reply: Reply, status: int) -> Reply:
    return Reply(reply.template, reply.shown, status)


def _is_ours(location: str, public_url: str) -> bool:
    return location == public_url or location.startswith(f"{public_url}/")


def _is_here(request: Request[Any, Any, Any]) -> bool:
    """From this machine, and asked for by its own name: a page elsewhere that resolves to us is not."""
    client = request.scope.get("client")
    name = request.headers.get("host", "").rsplit(":", 1)[0]
    is_loopback = client is not None and (client[0].startswith("127.") or client[0] == "::1")
    return is_loopback and name in ("127.0.0.1", "localhost", "[::1]")
