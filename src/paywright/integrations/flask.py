"""
Paywright in a Flask app.

    install(app, pay, customer_of=lambda request: session.get("user_id"))

    @app.post("/haiku")
    @require_item("credits", 1)
    def write(): ...
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import Flask, Request, Response, current_app, g, request

from paywright.client.customer import CustomerHandle
from paywright.client.errors import PaywrightError
from paywright.client.surface import Surface
from paywright.inprocess import Paywright
from paywright.integrations import gating
from paywright.integrations.background import Background
from paywright.integrations.gating import Wanted, Who
from paywright.integrations.wsgi import WsgiApi, checked_prefix, mounted

EXTENSION = "paywright"

CustomerOf = Callable[[Request], Who]
Given = ParamSpec("Given")
Answered = TypeVar("Answered")


class NotInstalled(RuntimeError):
    """The app has no Paywright yet: call `install(app, pay, customer_of=…)` on it."""

    def __init__(self) -> None:
        super().__init__("call paywright.integrations.flask.install(app, pay, customer_of=…) on this app first")


class Installed:
    """What the app was given. `app.extensions["paywright"]` holds it."""

    def __init__(self, pay: Surface, customer_of: CustomerOf) -> None:
        self.pay = pay
        self.customer_of = customer_of


def install(
    app: Flask, pay: Surface, *, customer_of: CustomerOf, prefix: str = "/paywright", worker: bool = True
) -> None:
    """
    Gives the app Paywright's HTTP API and Stripe's webhook below `prefix`, the decorators of this module, and answers to refusals.

    `customer_of(request)` says who asks: a user's id, a `Customer`, or None for a stranger. `worker`: a process does the background work from its
    first request on. With a `Client` the server is elsewhere: nothing is mounted. An `errorhandler` of your own for `PaymentRequired` wins over
    the JSON answer.
    """
    app.extensions[EXTENSION] = Installed(pay, customer_of)
    app.register_error_handler(PaywrightError, _refused)
    if isinstance(pay, Paywright):
        background = pay.app.resource(Background) if worker else None
        api = WsgiApi(pay.app, background)
        wrapped: Any = mounted(api, checked_prefix(prefix), app.wsgi_app)
        app.wsgi_app = wrapped  # type: ignore[method-assign]
        if background is not None:
            app.before_request(background.ensure)


def customer() -> CustomerHandle:
    """The handle of whoever asks. Raises `NotSignedIn` for a stranger, which is answered with 401 `unauthenticated`."""
    if "paywright_customer" not in g:
        found = current_app.extensions.get(EXTENSION)
        if not isinstance(found, Installed):
            raise NotInstalled
        g.paywright_customer = gating.customer(found.pay, found.customer_of(request))
    handle: CustomerHandle = g.paywright_customer
    return handle


def require_product(*product_ids: str) -> Callable[[Callable[Given, Answered]], Callable[Given, Answered]]:
    """For whoever owns any of the products, with access. Others get 402 `not_entitled` with what would open it."""
    return _requiring(Wanted(product_ids=product_ids))


def require_item(item_id: str, quantity: int = 1) -> Callable[[Callable[Given, Answered]], Callable[Given, Answered]]:
    """For whoever has so many units to spend. They are looked at, not spent: spend them where the work is done."""
    return _requiring(Wanted(item_id=item_id, quantity=quantity))


def _requiring(wanted: Wanted) -> Callable[[Callable[Given, Answered]], Callable[Given, Answered]]:
    def decorate(view: Callable[Given, Answered]) -> Callable[Given, Answered]:
        @wraps(view)
        def required(*args: Given.args, **kwargs: Given.kwargs) -> Answered:
            gating.require(customer(), wanted)
            answer: Answered = current_app.ensure_sync(view)(*args, **kwargs)
            return answer

        return required

    return decorate


def _refused(error: PaywrightError) -> Response:
    shown = gating.shown(error)
    return Response(shown.body, status=shown.status, headers=shown.headers)
