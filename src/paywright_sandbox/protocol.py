"""
One request under /v1/ from bytes to bytes: caller, form, route, idempotency, parameters, work, answer.

The order matters. Nothing is kept under an idempotency key before the parameters are known to be good, and everything is kept after.
"""

import json
import logging
from dataclasses import dataclass
from typing import Any

from . import idempotency, routing
from .access import Caller, caller_of, check_publishable
from .account import Account
from .cards import without_numbers
from .engine import Engine
from .errors import ApiError, Json
from .params import API_VERSION, decode, decode_fields
from .params.traps import refuse_traps
from .publishable import PublishableCall, without_server_fields
from .serialise import rendered
from .web import WebAnswer, WebRequest

ANSWER_KEPT = 16_384

log = logging.getLogger("paywright_sandbox")


@dataclass
class Call:
    """A request as understood so far."""

    request: WebRequest
    caller: Caller
    request_id: str
    tree: Json
    key: str | None

    @property
    def account(self) -> Account:
        return self.caller.account


def answer(engine: Engine, request: WebRequest, injected: ApiError | None = None) -> WebAnswer:
    """
    Every failure is an answer in Stripe's shape; an exception of ours is a 500 `api_error` and goes to the log.

    `injected` is answered instead of doing the work, and is kept under the idempotency key as any first outcome.
    """
    call: Call | None = None
    try:
        with engine.store.lock:
            call = understood(engine, request)
            found = replayed(call) or (failed(engine, call, injected) if injected else performed(engine, call))
    except ApiError as refusal:
        found = refused(call, refusal)
    except Exception as error:
        log.exception("%s %s failed", request.method, request.path)
        found = refused(call, ApiError(500, f"The sandbox failed: {type(error).__name__}: {error}", type="api_error"))
    if call:
        record(call, found)
    return found


def understood(engine: Engine, request: WebRequest) -> Call:
    if request.method in ("GET", "DELETE"):
        tree = dict(request.query)
    else:
        tree = {**request.query, **request.form}
    in_form = tree.pop("key", None) if request.method == "POST" and "authorization" not in request.headers else None
    caller = caller_of(engine.store, request.headers, in_form)
    key = request.headers.get("idempotency-key") if request.method == "POST" else None
    return Call(request, caller, caller.account.ids.new("request", 14), tree, key)


def replayed(call: Call) -> WebAnswer | None:
    if not call.key:
        return None
    print_ = idempotency.fingerprint(call.request.method, call.request.path, call.tree)
    kept = idempotency.kept_outcome(call.account, call.key, print_)
    if kept is None:
        return None
    headers = {
        **common_headers(call),
        **kept["headers"],
        "Idempotent-Replayed": "true",
        "Request-Id": kept["request_id"],
    }
    return WebAnswer(kept["status"], kept["body"].encode(), headers)


def performed(engine: Engine, call: Call) -> WebAnswer:
    route, path_arguments = routing.find(call.request.method, call.request.path)
    check_publishable(call.caller, route.key)
    expand = expand_of(call.tree)
    seen_by = PublishableCall.of(call.tree) if call.caller.is_publishable else None
    tree = {name: value for name, value in call.tree.items() if name != "expand"}
    refuse_traps(route.key, tree)
    parameters = decode(route.key, tree) if route.fields is None else decode_fields(route.fields, tree)
    routing.refuse_what_is_not_acted_on(route.acts_on, parameters)
    try:
        is_strict = call.request.method != "GET" and call.account.settings["variant"].get("U14", "a") == "a"
        with engine.work(
            call.account, request_id=call.request_id, idempotency_key=call.key, meets_moving_clocks=is_strict
        ) as work:
            if seen_by:
                seen_by.check(work, route.key, path_arguments)
            result = route.act(work, parameters, **path_arguments)
            content = rendered(work, result, expand)
            if content.get("object") == "list" and "url" not in content:
                content["url"] = call.request.path
            if seen_by:
                content = without_server_fields(content, work.variant("U16"))
    except ApiError as refusal:
        return failed(engine, call, refusal)
    if engine.check and not seen_by:
        engine.check("response", content)
    found = WebAnswer(200, as_json(content), common_headers(call))
    keep(engine, call, found)
    return found


def failed(engine: Engine, call: Call, refusal: ApiError) -> WebAnswer:
    """A refusal after the parameters were known to be good: kept under the key."""
    found = refused(call, refusal)
    keep(engine, call, found)
    return found


def expand_of(tree: Json) -> list[str]:
    wish = tree.get("expand", {})
    if not isinstance(wish, dict):
        raise ApiError(400, "Invalid array: expand must be an array.", param="expand")
    return [path for path in wish.values() if isinstance(path, str)]


def refused(call: Call | None, refusal: ApiError) -> WebAnswer:
    body = refusal.body()
    headers = common_headers(call) if call else {"Content-Type": "application/json", "Stripe-Version": API_VERSION}
    if call:
        body["error"]["request_log_url"] = f"{call.request.origin}/dashboard/requests/{call.request_id}"
    if refusal.should_retry is not None:
        headers["Stripe-Should-Retry"] = "true" if refusal.should_retry else "false"
    elif refusal.status >= 500:
        headers["Stripe-Should-Retry"] = "false"
    return WebAnswer(refusal.status, as_json(body), headers)


def reserve(engine: Engine, request: WebRequest) -> str | None:
    """Marks the request's idempotency key as in use while the request is held up; answers the key. None when there is none to mark."""
    call = understood(engine, request)
    if not call.key or call.key in call.account.idempotency:
        return None
    print_ = idempotency.fingerprint(request.method, request.path, call.tree)
    call.account.idempotency[call.key] = {"at": call.account.clock.now(), "print": print_, "running": True}
    return call.key


def keep(engine: Engine, call: Call, found: WebAnswer) -> None:
    if not call.key or found.status in idempotency.NOT_KEPT:
        return
    outcome: dict[str, Any] = {
        "at": call.account.clock.now(),
        "print": idempotency.fingerprint(call.request.method, call.request.path, call.tree),
        "request_id": call.request_id,
        "status": found.status,
        "headers": {name: value for name, value in found.headers.items() if name == "Stripe-Should-Retry"},
        "body": found.body.decode(),
    }
    idempotency.keep(engine.store, call.account, call.key, outcome)


def common_headers(call: Call) -> dict[str, str]:
    asked = call.request.headers.get("stripe-version", API_VERSION)
    headers = {
        "Content-Type": "application/json",
        "Request-Id": call.request_id,
        "Stripe-Version": asked,
        **call.account.clock.headers(),
    }
    if asked != API_VERSION:
        headers["Sandbox-Warning"] = f"asked for {asked}, answered in the shapes of {API_VERSION}"
    if call.key:
        headers["Idempotency-Key"] = call.key
    if call.caller.account.parent:
        headers["Stripe-Account"] = call.caller.account.id
    return headers


def as_json(content: Json) -> bytes:
    return json.dumps(content, indent=2, ensure_ascii=False).encode()


def record(call: Call, found: WebAnswer) -> None:
    """For `GET /_sandbox/requests`: what was asked and answered; the key only by its kind, card numbers not at all."""
    call.account.requests.append(
        {
            "id": call.request_id,
            "at": call.account.clock.now(),
            "method": call.request.method,
            "path": call.request.path,
            "parameters": without_card_numbers(call.tree),
            "key": f"{call.caller.key[:8]}…{call.caller.key[-4:]}",
            "headers": {k: v for k, v in call.request.headers.items() if k not in ("authorization", "cookie")},
            "status": found.status,
            "idempotency_key": call.key,
            "answer": found.body if len(found.body) <= ANSWER_KEPT else b"null",
        }
    )


def without_card_numbers(tree: Any) -> Any:
    if isinstance(tree, str):
        return without_numbers(tree)
    if not isinstance(tree, dict):
        return tree
    return {
        name: "…" if name in ("number", "cvc", "account_number", "iban") else without_card_numbers(value)
        for name, value in tree.items()
    }
