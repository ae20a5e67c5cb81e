"""
From a request to its answer, the same way for every route: who asks, may they, what do they want, do it.

Authorization comes before anything is read that belongs to somebody: a stranger learns nothing from a 404.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from paywright.access.identify import identify
from paywright.access.model import Caller
from paywright.access.rules import may
from paywright.api import cors, guests, once, parsing
from paywright.api.call import Answer, Call, Open, Request
from paywright.api.errors import raised, refused
from paywright.api.route import Route
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.model import parse_customer
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.outbox.audit import acting
from paywright.storage.idempotency import IdempotencyKey, idempotency_key


def answer(app: App, route: Route, request: Request, encoded_parts: Mapping[str, str]) -> Answer:
    """Never raises for what an endpoint does: an outage and a bug of ours have answers too."""
    environment: Environment | None = None
    outcome: Answer | Refusal
    try:
        if route.who.audience == "open":
            outcome = route.act(Open(app, request))
        else:
            known = who_asks(app, request)
            if isinstance(known, Refusal):
                outcome = known
            else:
                environment, caller = known
                outcome = perform(app, route, request, encoded_parts, environment, caller)
    except Exception as error:  # noqa: BLE001  The boundary: whatever broke, the caller gets the error shape and the log gets the stack.
        outcome = raised(error, request.request_id)
    shown = refused(outcome, request.request_id) if isinstance(outcome, Refusal) else outcome
    if request.origin is None:
        return shown
    return msgspec.structs.replace(shown, headers={**shown.headers, **cors.of_answer(app, environment, request.origin)})


def who_asks(app: App, request: Request) -> tuple[Environment, Caller] | Refusal:
    caller = identify(app, request.authorization, remote=request.address or None)
    if isinstance(caller, Refusal):
        return caller
    environment = app.environment(caller.environment_id)
    return Refusal("environment_not_found") if environment is None else (environment, caller)


def perform(
    app: App,
    route: Route,
    request: Request,
    encoded_parts: Mapping[str, str],
    environment: Environment,
    caller: Caller,
) -> Answer | Refusal:
    """For a caller who is known: an in-process `Paywright` begins here."""
    call = prepared(app, route, request, encoded_parts, environment, caller)
    return call if isinstance(call, Refusal) else run(route, call)


def prepared(
    app: App,
    route: Route,
    request: Request,
    encoded_parts: Mapping[str, str],
    environment: Environment,
    caller: Caller,
) -> Call | Refusal:
    """Authorised, and everything read that was sent; nothing done yet."""
    parts = decoded(encoded_parts)
    if isinstance(parts, Refusal):
        return parts
    customer = parse_customer(parts["customer_type"], parts["customer_id"]) if route.of_customer else None
    if isinstance(customer, Refusal):
        return customer
    assert route.who.audience != "open"
    not_there = None
    if customer is not None:
        found = guests.acting(app, caller, customer)
        caller, customer, not_there = found.caller, found.customer, found.refusal
    refusal = may(caller, route.who.audience, route.who.scope, customer=customer) or not_there
    if refusal is not None:
        return refusal
    if route.endpoint is None:
        return Refusal("not_implemented", {"what": f"{route.method} {route.path}"})
    return parsed(route, Call(app, environment, caller, request, parts, customer=customer))


def run(route: Route, call: Call) -> Answer | Refusal:
    with acting(call.caller.actor, call.request.request_id):
        return _run(route, call)


def _run(route: Route, call: Call) -> Answer | Refusal:
    match route.once:
        case "work":
            return once.in_work(call, route.act)
        case "phases":
            return once.in_phases(call, route.act)
        case _:
            outcome: Answer | Refusal = route.act(call)
            return outcome


def parsed(route: Route, call: Call) -> Call | Refusal:
    """The call with its query, its body and its key."""
    query = parsing.parse_query(call.request.query_string, route.query)
    if isinstance(query, Refusal):
        return query
    body: Any = None
    if route.body is not None:
        body = parsing.parse_body(call.request.body, route.body)
        if isinstance(body, Refusal):
            return body
    elif route.method == "POST" and call.request.body.strip() not in (b"", b"{}"):
        return invalid_request("body", "This route takes no body.")
    key = read_key(call)
    if isinstance(key, Refusal):
        return key
    return msgspec.structs.replace(call, query=query, body=body, key=key)


def read_key(call: Call) -> IdempotencyKey | Refusal | None:
    given = call.request.idempotency_key
    if given is None or call.request.method != "POST":
        return None
    refusal = parsing.key_refused(given)
    if refusal is not None:
        return refusal
    body = parsing.normalised(call.request.body)
    return idempotency_key(
        call.caller.idempotency_caller, given, method=call.request.method, path=call.request.path, body=body
    )


def decoded(encoded_parts: Mapping[str, str]) -> dict[str, str] | Refusal:
    parts: dict[str, str] = {}
    for name, encoded in encoded_parts.items():
        part = parsing.path_part(encoded)
        if part is None or "\x00" in part:
            return invalid_request(name, f"`{name}` in the path is not percent-encoded UTF-8 text.")
        parts[name] = part
    return parts
