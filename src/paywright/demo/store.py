"""
The demo store: a small web app as a customer of Paywright would write it, with the Python client and nothing else of ours.

Buying is a form that opens a checkout and sends the buyer there. The success page asks Paywright to `sync` and says what came of it.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.exceptions import HTTPException

from paywright.client import AsyncClient, PaywrightError
from paywright.client.errors import InsufficientQuantity
from paywright.client.model import CheckoutSession, Payment
from paywright.demo.answers import HERE, Answers
from paywright.demo.outcome import CANCELED, STALE_FORM, UNKNOWN, outcome_of
from paywright.demo.shelf import INTERVALS, Purse, held_interval, shelf
from paywright.demo.visit import COOKIE, DEMO_USERS, Message, Visit, Visits

Asked = Request[Any, Any, Any]
Answering = Callable[[Asked], Coroutine[Any, Any, Response[Any]]]
STATIC = {
    "store.css": "text/css",
    "store.js": "text/javascript",
    "live.js": "text/javascript",
    "mark.svg": "image/svg+xml",
}
GLANCE = "store-glance"
"""The header by which the page's script asks for the page anew: nobody reads it as a page."""
TOKEN_TTL_S = 3600
CATALOG = Path(__file__).parent / "catalog.toml"
"""What the store sells when `dev` is given no catalog."""

logger = logging.getLogger(__name__)

OUT_OF_CREDITS = Message("kind", "You have none left to spend. More are one click away.", "See what there is", "#once")


class Unwelcome(Exception):
    """A form without this visit's token."""


def build(
    url: str, secret_key: str, *, prefix: str = "/store", checkout_origin: str = "https://checkout.stripe.com"
) -> Litestar:
    """
    The store as an ASGI app under `prefix`, selling what the Paywright at `url` sells.

    `checkout_origin` is where its checkouts are: forms may lead nowhere else.
    """
    visits = Visits(secret_key)
    store = Store(AsyncClient(url, secret_key), visits, Answers(prefix, visits, checkout_origin), url, prefix)
    pages: dict[str, Answering] = {
        "/": store.home,
        "/live": store.live,
        "/success": store.success,
        "/canceled": store.canceled,
        "/static/{name:str}": store.static,
    }
    forms: dict[str, Answering] = {
        "/user": store.choose_user,
        "/currency": store.choose_currency,
        "/buy": store.buy,
        "/spend": store.spend,
        "/cancel": store.cancel,
        "/resume": store.resume,
    }
    handlers = [
        *(get(path)(_handler(answer)) for path, answer in pages.items()),
        *(post(path, status_code=303)(_handler(answer)) for path, answer in forms.items()),
    ]
    return Litestar(
        path=prefix,
        route_handlers=handlers,
        openapi_config=None,
        exception_handlers={
            PaywrightError: store.refused,
            Unwelcome: store.unwelcome,
            HTTPException: store.mistaken,
            Exception: store.broken,
        },
        on_shutdown=[store.close],
        request_max_body_size=16_384,
        logging_config=None,
    )


def _handler(answer: Answering) -> Answering:
    async def endpoint(request: Asked) -> Response[Any]:
        return await answer(request)

    return endpoint


class Store:
    def __init__(self, client: AsyncClient, visits: Visits, answers: Answers, url: str, prefix: str) -> None:
        self._client, self._visits, self._answers, self._url, self._prefix = client, visits, answers, url, prefix

    async def home(self, request: Asked) -> Response[str]:
        visit = self._visit(request)
        user = self._client.user(visit.user.id)
        products, state, purse = await asyncio.gather(
            self._client.list_products(), user.get_state(), self._purse(visit)
        )
        owned = state.products
        asked = request.query_params.get("interval", "")
        interval = asked if asked in INTERVALS else held_interval(products, owned)
        shown = shelf(products, owned, currency=visit.currency, interval=interval)
        return self._answers.page(
            "store.html",
            visit,
            is_glance=GLANCE in request.headers,
            shelf=shown,
            purse=purse,
            version=state.version,
            interval=interval,
            attempt=secrets.token_urlsafe(12),
        )

    async def live(self, request: Asked) -> Response[str]:
        """Where the page follows its visitor, and a token that reads this one customer and nothing else."""
        user = self._client.user(self._visit(request).user.id)
        made = await self._client.create_customer_token([user], ttl_s=TOKEN_TTL_S, scopes=["read"])
        return self._answers.json({"url": f"/v1/customers/user/{user.id}/stream", "token": made.token})

    async def choose_user(self, request: Asked) -> Response[str]:
        visit, form = await self._posted(request)
        chosen = next((user for user in DEMO_USERS if user.id == form.get("user_id")), visit.user)
        return self._answers.home(msgspec.structs.replace(visit, user_id=chosen.id))

    async def choose_currency(self, request: Asked) -> Response[str]:
        visit, form = await self._posted(request)
        products = await self._client.list_products()
        sold_in = {amount.currency for product in products for price in product.prices for amount in price.amounts}
        chosen = form.get("currency", "")
        visit = msgspec.structs.replace(visit, currency=chosen if chosen in sold_in else visit.currency)
        yearly = "?interval=1+year" if form.get("interval") == "1 year" else ""
        return self._answers.home(visit, place=f"{yearly}#plans")

    async def buy(self, request: Asked) -> Response[str]:
        """A double click opens one checkout. One that is over already (the page came from the browser's history) is begun anew."""
        visit, form = await self._posted(request)
        quantity = form.get("quantity", "1")
        line = {
            "product_id": form.get("product_id", ""),
            "price_id": form.get("price_id", ""),
            "quantity": int(quantity) if quantity.isdecimal() else 0,
        }
        place = f"{self._origin(request)}{self._prefix}"
        attempt = ":".join(["buy", form.get("attempt", ""), visit.currency, *map(str, line.values())])
        for key in (attempt, None):
            session = await self._client.user(visit.user.id).create_checkout_session(
                [line],
                currency=visit.currency,
                customer_email=visit.user.email,
                success_url=f"{place}/success?session_id={{CHECKOUT_SESSION_ID}}",
                cancel_url=f"{place}/canceled",
                idempotency_key=key,
            )
            if session.url is not None:
                return self._answers.redirect(session.url, visit)
        return self._answers.home(visit, Message("bad", "This checkout could not be opened. Try again in a moment."))

    async def success(self, request: Asked) -> Response[str]:
        """The truth, asked now: the webhook may be late, and nobody should be thanked too early."""
        visit = self._visit(request)
        session_id = request.query_params.get("session_id", "")
        try:
            session = await self._client.sync_checkout_session(session_id) if session_id else None
        except PaywrightError as error:
            if error.code != "checkout_session_not_found":
                raise
            session = None
        if session is None or session.customer is None or session.customer.id != visit.user.id:
            return self._answers.outcome(UNKNOWN, visit, status=404)
        payment = await self._payment_of(session, visit) if session.payment_status == "unpaid" else None
        return self._answers.outcome(outcome_of(session, payment), visit, purse=await self._purse(visit))

    async def _payment_of(self, session: CheckoutSession, visit: Visit) -> Payment | None:
        """A bank debit may bounce days after the checkout was completed; only the payment says so."""
        newest = await self._client.user(visit.user.id).list_payments(limit=100)
        return next((each for each in newest.data if each.checkout_session_id == session.id), None)

    async def canceled(self, request: Asked) -> Response[str]:
        return self._answers.outcome(CANCELED, self._visit(request))

    async def spend(self, request: Asked) -> Response[str]:
        """One credit. The form's attempt is the idempotency key: however often it is sent, it spends once."""
        visit, form = await self._posted(request)
        purse = await self._purse(visit)
        if purse is None:
            return self._answers.home(visit, Message("kind", "This catalog has nothing that could be spent."))
        item = await self._client.user(visit.user.id).get_item(purse.item_id)
        try:
            await item.decrease_quantity(
                1, note="the demo store's button", idempotency_key=f"spend:{form.get('attempt', '')}"
            )
        except InsufficientQuantity:
            message = OUT_OF_CREDITS
        else:
            message = Message("good", f"One {purse.one} spent.")
        if "application/json" not in request.headers.get("accept", ""):
            return self._answers.home(visit, message)
        item = await item.refresh()
        shown = {"quantity": item.non_negative_quantity, "tone": message.tone, "text": message.text}
        return self._answers.json({**shown, "attempt": secrets.token_urlsafe(12)})

    async def cancel(self, request: Asked) -> Response[str]:
        visit, form = await self._posted(request)
        ended = await self._client.user(visit.user.id).cancel_subscription(form.get("owned_id", ""))
        text = f"{ended.display_name} stays yours until the end of the period, and then ends."
        return self._answers.home(visit, Message("good", text))

    async def resume(self, request: Asked) -> Response[str]:
        visit, form = await self._posted(request)
        kept = await self._client.user(visit.user.id).resume_subscription(form.get("owned_id", ""))
        return self._answers.home(visit, Message("good", f"{kept.display_name} goes on as before."))

    async def static(self, request: Asked) -> Response[bytes]:
        name = request.path_params["name"]
        if name not in STATIC:
            raise HTTPException(status_code=404)
        headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
        return Response((HERE / "static" / name).read_bytes(), media_type=STATIC[name], headers=headers)

    def refused(self, request: Asked, error: PaywrightError) -> Response[str]:
        """Paywright's no, in its own words: they are made to be shown."""
        visit = self._visit(request)
        if request.method == "POST":
            return self._answers.home(visit, Message("kind" if error.status < 500 else "bad", error.message))
        return self._answers.page("trouble.html", visit, status=error.status, error=error)

    def unwelcome(self, request: Asked, _: Unwelcome) -> Response[str]:
        return self._answers.outcome(STALE_FORM, self._visit(request), status=403)

    def mistaken(self, request: Asked, error: HTTPException) -> Response[str]:
        return self._answers.page("trouble.html", self._visit(request), status=error.status_code, error=None)

    def broken(self, request: Asked, error: Exception) -> Response[str]:
        logger.error("the demo store failed at %s", request.scope["path"], exc_info=error)
        return self._answers.page("trouble.html", self._visit(request), status=500, error=None)

    async def close(self) -> None:
        await self._client.close()

    def _visit(self, request: Asked) -> Visit:
        return self._visits.read(request.cookies.get(COOKIE))

    async def _posted(self, request: Asked) -> tuple[Visit, dict[str, str]]:
        """The visit and its form, whose token must be the visit's own."""
        visit = self._visit(request)
        form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
        if not visit.may_post(form.get("csrf", "")):
            raise Unwelcome
        return visit, form

    async def _purse(self, visit: Visit) -> Purse | None:
        """What the store counts: the first item of the catalog. None where the catalog has none."""
        items = await self._client.user(visit.user.id).list_items()
        return Purse(items[0].id, items[0].display_name.lower(), items[0].non_negative_quantity) if items else None

    def _origin(self, request: Asked) -> str:
        """Where the buyer's browser found us, if that is this machine; else the address we were given."""
        host = request.headers.get("host", "")
        name = host.rsplit(":", 1)[0]
        return f"{request.scope['scheme']}://{host}" if name in ("127.0.0.1", "localhost", "[::1]") else self._url
