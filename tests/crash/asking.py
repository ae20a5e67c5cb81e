"""One request under an Idempotency-Key, and its answer without what is different every time."""

import re
from typing import Any

import msgspec

from paywright.access.model import SCOPES, Caller
from paywright.api import dispatch
from paywright.api.call import Request
from paywright.api.errors import encoded, refused
from paywright.api.matching import match
from paywright.kernel import faults
from paywright.kernel.refusals import Refusal
from tests.crash.deeds import Shopper

WHOEVER = Caller("secret", "test", frozenset(SCOPES), frozenset(), "secret", "key_1")
IDS = re.compile(r"\b([a-z]+(_test)?_)[A-Za-z0-9_]{14,}")


class Post(msgspec.Struct, frozen=True):
    """`hears_first`: Stripe's news and the worker come before the one who asks again."""

    name: str
    path: str
    body: dict[str, Any]
    hears_first: bool = False


def answered(shopper: Shopper, post: Post) -> list[Any]:
    if post.hears_first:
        shopper.hear()
    route, parts = match("POST", post.path) or (None, {})
    assert route is not None, post.path
    request = Request("POST", post.path, "req_1", body=msgspec.json.encode(post.body), idempotency_key="a key")
    outcome = dispatch.perform(shopper.app, route, request, parts, shopper.environment, WHOEVER)
    answer = refused(outcome, "req_1") if isinstance(outcome, Refusal) else outcome
    faults.arm()  # It is answered: how Stripe's news are heard is told by the other deeds.
    shopper.hear()
    return [answer.status, IDS.sub(r"\1…", encoded(answer.body).decode())]
