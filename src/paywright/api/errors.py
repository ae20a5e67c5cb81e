"""
Every "no" on the wire, in one shape: `{"error": {"code", "message", "param"?, "facts"?, "request_id"}}`.

A refusal brings its own status and sentence. What is raised is an outage or a bug of ours: `OUTAGES` says which outage is which code; anything else
is 500 `internal_error`, logged under its request id, and tells the caller nothing more.
"""

import logging
from collections.abc import Callable
from typing import Any

import msgspec

from paywright.api.call import Answer
from paywright.checkout.actions import Contended
from paywright.engine.app import NotConnected
from paywright.kernel.refusals import Refusal
from paywright.storage.database import DatabaseUnavailable
from paywright.stripe.gateway import StripeBusy, StripeRefused, StripeUnknown

log = logging.getLogger("paywright.api")

OUTAGES: dict[type[Exception], Callable[[Any], Refusal]] = {
    DatabaseUnavailable: lambda _: Refusal("unavailable"),
    Contended: lambda _: Refusal("unavailable"),
    StripeUnknown: lambda _: Refusal("stripe_unavailable"),
    StripeBusy: lambda _: Refusal("stripe_unavailable"),
    StripeRefused: lambda error: Refusal(
        "stripe_refused", {"stripe_message": error.message, "stripe_code": error.code}
    ),
    NotConnected: lambda _: Refusal("stripe_refused", {"stripe_message": NOT_CONNECTED}),
}
"""A subclass goes by its nearest ancestor in here."""

NOT_CONNECTED = "this environment has no Stripe key yet. Set STRIPE_SECRET_KEY, or connect Stripe to it."


def refused(refusal: Refusal, request_id: str) -> Answer:
    error: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
    if refusal.param is not None:
        error["param"] = refusal.param
    facts = {
        name: fact for name, fact in refusal.facts.items() if name != "reason" or refusal.code != "invalid_request"
    }
    if facts:
        error["facts"] = facts
    error["request_id"] = request_id
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else {}
    if refusal.status in (429, 503):
        headers["Retry-After"] = "1"
    return Answer(refusal.status, {"error": error}, headers)


def raised(error: Exception, request_id: str) -> Answer:
    """What to answer when an endpoint raised. The stack goes to the log, never to the caller."""
    for kind in type(error).__mro__:
        if kind in OUTAGES:
            log.warning("%s: %s: %s", request_id, type(error).__name__, error)
            return refused(OUTAGES[kind](error), request_id)
    log.error("%s: unhandled %s", request_id, type(error).__name__, exc_info=error)
    return refused(Refusal("internal_error"), request_id)


def encoded(body: Any) -> bytes:
    return body if isinstance(body, bytes) else msgspec.json.encode(body)
