"""
Paywright in a Django project. In its settings, by dotted paths:

    PAYWRIGHT = {"pay": "shop.billing.pay", "customer_of": "shop.billing.customer_of"}

In `urls.py`, the HTTP API and Stripe's webhook: `path("paywright/", include("paywright.integrations.django"))`. On views: `@require_product("pro")`.
"""

from collections.abc import Callable
from functools import cache, wraps
from typing import Any
from urllib.parse import quote

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import re_path
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt

from paywright.client.customer import CustomerHandle
from paywright.client.errors import PaywrightError
from paywright.client.surface import Surface
from paywright.inprocess import Paywright
from paywright.integrations import gating
from paywright.integrations.background import Background
from paywright.integrations.door import Asked, Door
from paywright.integrations.gating import Wanted, Who
from paywright.integrations.wsgi import path_as_sent

View = Callable[..., Any]
KEYS = {"pay", "customer_of", "on_refusal", "worker"}


def user_of(request: HttpRequest) -> Who:
    """What `customer_of` is by default: the signed-in user's primary key."""
    user = getattr(request, "user", None)
    return str(user.pk) if user is not None and user.is_authenticated else None


class Installed:
    """What the settings say."""

    def __init__(self, given: dict[str, Any]) -> None:
        unknown = given.keys() - KEYS
        if "pay" not in given or unknown:
            raise ImproperlyConfigured(f"PAYWRIGHT has {sorted(given)}; it needs `pay` and may have {sorted(KEYS)}")
        self.pay: Surface = _imported(given["pay"])
        self.customer_of: Callable[[HttpRequest], Who] = _imported(given.get("customer_of", user_of))
        self.on_refusal: Callable[[HttpRequest, PaywrightError], HttpResponse] = _imported(
            given.get("on_refusal", as_json)
        )
        engine = self.pay.app if isinstance(self.pay, Paywright) else None
        self.door = None if engine is None else Door(engine)
        self._background = engine.resource(Background) if engine is not None and given.get("worker", True) else None

    def ensure_worker(self) -> None:
        """A process does the background work from its first request on."""
        if self._background is not None:
            self._background.ensure()


@cache
def installed() -> Installed:
    given = getattr(settings, "PAYWRIGHT", None)
    if not isinstance(given, dict):
        raise ImproperlyConfigured('settings.PAYWRIGHT is missing: {"pay": "shop.billing.pay"}')
    return Installed(given)


def customer(request: HttpRequest) -> CustomerHandle:
    """The handle of whoever asks. Raises `NotSignedIn` for a stranger."""
    found = installed()
    found.ensure_worker()
    return gating.customer(found.pay, found.customer_of(request))


def refusal_of(
    request: HttpRequest, *products: str, item: str | None = None, quantity: int = 1
) -> PaywrightError | None:
    """Why this visitor may not, or None, for views that decide themselves: `refusal_of(request, "pro")`, `refusal_of(request, item="credits")`."""
    try:
        gating.require(customer(request), Wanted(products, item, quantity))
    except PaywrightError as refusal:
        return refusal
    return None


def as_json(_request: HttpRequest, error: PaywrightError) -> HttpResponse:
    """The refusal in the HTTP API's error shape, with its status."""
    shown = gating.shown(error)
    return HttpResponse(shown.body, status=shown.status, headers=shown.headers)


def answers_refusals(view: View) -> View:
    """A view whose `PaywrightError`s become answers: `InsufficientQuantity` is 402, not a server error."""
    if iscoroutinefunction(view):

        async def answered_later(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            try:
                return await view(request, *args, **kwargs)
            except PaywrightError as error:
                return await sync_to_async(installed().on_refusal)(request, error)

        return wraps(view)(markcoroutinefunction(answered_later))

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return view(request, *args, **kwargs)
        except PaywrightError as error:
            return installed().on_refusal(request, error)

    return answered


def require_product(*product_ids: str) -> Callable[[View], View]:
    """
    For whoever owns any of the products, with access. Others get 402 `not_entitled` with what would open it, or what `on_refusal` answers.

    Refusals that the view itself raises are answered in the same way.
    """
    return _requiring(Wanted(product_ids=product_ids))


def require_item(item_id: str, quantity: int = 1) -> Callable[[View], View]:
    """For whoever has so many units to spend. They are looked at, not spent: spend them where the work is done."""
    return _requiring(Wanted(item_id=item_id, quantity=quantity))


def _requiring(wanted: Wanted) -> Callable[[View], View]:
    def check(request: HttpRequest) -> None:
        gating.require(customer(request), wanted)

    def decorate(view: View) -> View:
        if iscoroutinefunction(view):

            async def required_later(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
                await sync_to_async(check)(request)
                return await view(request, *args, **kwargs)

            return answers_refusals(wraps(view)(markcoroutinefunction(required_later)))

        @wraps(view)
        def required(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            check(request)
            return view(request, *args, **kwargs)

        return answers_refusals(required)

    return decorate


@csrf_exempt
@transaction.non_atomic_requests
def api(request: HttpRequest, tail: str) -> HttpResponse:
    """The whole API. Keys, tokens and signatures are its credentials, never a cookie, so it takes no CSRF token."""
    found = installed()
    if found.door is None:
        raise ImproperlyConfigured("PAYWRIGHT['pay'] is a client of a server elsewhere, so there is no API to mount")
    found.ensure_worker()
    prefix = quote(request.path[: len(request.path) - len(tail)]).rstrip("/")
    answer = found.door.answer(
        Asked(
            method=request.method or "GET",
            path=path_as_sent(prefix, f"/{quote(tail)}", _target(request)),
            query_string=request.META.get("QUERY_STRING", ""),
            header=request.headers.get,
            read_body=lambda limit: request.read(limit + 1),
            address=request.META.get("REMOTE_ADDR") or "",
        )
    )
    return HttpResponse(answer.body, status=answer.status, headers=answer.headers)


def _target(request: HttpRequest) -> str | None:
    """The request line as it was sent, where the server tells it."""
    raw_path = getattr(request, "scope", {}).get("raw_path")
    if raw_path is not None:
        return str(raw_path.decode("latin-1"))
    target = request.META.get("RAW_URI") or request.META.get("REQUEST_URI")
    return None if target is None else str(target)


def _imported(named: Any) -> Any:
    return import_string(named) if isinstance(named, str) else named


urlpatterns = [re_path(r"^(?P<tail>.*)$", api, name="paywright")]
