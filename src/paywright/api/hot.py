"""
Routes that never meet the router: Stripe's door, and increasing and decreasing an item.

They are asynchronous from end to end: a request waits for the commit of its batch. Authorization, bodies and answers are those of the route table.
"""

import re
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import msgspec

from paywright.access.identify import Credentials
from paywright.access.model import Caller
from paywright.access.rules import may
from paywright.api import cors, items, parsing
from paywright.api.asgi import (
    BODY_MAX,
    WEBHOOK_BODY_MAX,
    BodyTooLarge,
    Disconnected,
    Receive,
    Scope,
    Send,
    header,
    read_body,
    send_answer,
)
from paywright.api.call import Answer
from paywright.api.errors import raised, refused
from paywright.api.parsing import path_part
from paywright.engine.app import App
from paywright.kernel.model import Customer, parse_customer
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.ledger.calls import Call as LedgerCall
from paywright.ledger.hot import do_async
from paywright.storage.idempotency import IdempotencyKey, idempotency_key
from paywright.webhooks.door import receive_async

CALLS_MAX = 128
"""Increases and decreases under way at once; more wait their turn outside."""

WEBHOOK_ROUTE = "/webhooks/stripe/{environment}"
ITEM_ROUTE = "/v1/customers/{{customer_type}}/{{customer_id}}/items/{{item_id}}/{}"
RECEIVED = Answer(200, b'{"received":true}')

_WEBHOOK = re.compile(r"/webhooks/stripe/([^/]+)")
_ITEM = re.compile(r"/v1/customers/([^/]+)/([^/]+)/items/([^/]+)/(increase|decrease)")

_BODIES: dict[str, Any] = {"increase": items.Increase, "decrease": items.Decrease}
_WANTED: dict[str, Any] = {"increase": items.increase_wanted, "decrease": items.decrease_wanted}


class Hot:
    def __init__(self, app: App) -> None:
        self._app = app
        self._credentials = app.resource(Credentials)
        self._catalogs = app.resource(items.NearCatalogs)
        self._threads: anyio.CapacityLimiter | None = None

    async def takes(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """True when the request was one of these and is answered."""
        if scope["method"] != "POST":
            return False
        path = scope["path"]
        changed = _ITEM.fullmatch(path)
        if changed is not None:
            scope["paywright.route"] = ITEM_ROUTE.format(changed[4])
            await send_answer(send, await self._change(scope, receive, *changed.groups()))
            return True
        webhook = _WEBHOOK.fullmatch(path)
        if webhook is not None:
            scope["paywright.route"] = WEBHOOK_ROUTE
            await send_answer(send, await self._receive(scope, receive, webhook[1]))
            return True
        return False

    async def _receive(self, scope: Scope, receive: Receive, encoded_environment: str) -> Answer:
        """Stripe's delivery: on disk before it is answered."""
        body = await read_body(scope, receive, WEBHOOK_BODY_MAX)
        environment_id = path_part(encoded_environment)
        request_id = scope["paywright.request_id"]
        if environment_id is None or "\x00" in environment_id:
            return refused(Refusal("environment_not_found"), request_id)
        outcome = await receive_async(self._app, environment_id, body, header(scope, b"stripe-signature"))
        return refused(outcome, request_id) if isinstance(outcome, Refusal) else RECEIVED

    async def _change(
        self, scope: Scope, receive: Receive, customer_type: str, customer_id: str, item_id: str, verb: str
    ) -> Answer:
        request_id = scope["paywright.request_id"]
        caller = await self._caller(scope)
        if isinstance(caller, Refusal):
            answer = refused(caller, request_id)
        else:
            try:
                answer = await self._change_as(caller, scope, receive, customer_type, customer_id, item_id, verb)
            except (BodyTooLarge, Disconnected):
                raise
            except Exception as error:  # noqa: BLE001  The boundary, so that the answer gets its CORS headers too.
                answer = raised(error, request_id)
        origin = header(scope, b"origin")
        if origin is None:
            return answer
        environment_id = None if isinstance(caller, Refusal) else caller.environment_id
        more = await self._in_thread(partial(cors.of_caller, self._app, environment_id, origin))
        return msgspec.structs.replace(answer, headers={**answer.headers, **more})

    async def _caller(self, scope: Scope) -> Caller | Refusal:
        authorization = header(scope, b"authorization")
        recalled = self._credentials.recall(authorization)
        if recalled is not None:
            return recalled
        client = scope.get("client")
        found: Caller | Refusal = await self._in_thread(
            partial(self._credentials.identify, authorization, client[0] if client else None)
        )
        return found

    async def _change_as(
        self,
        caller: Caller,
        scope: Scope,
        receive: Receive,
        customer_type: str,
        customer_id: str,
        item_id: str,
        verb: str,
    ) -> Answer:
        """As `dispatch.perform`: who, whose, what, and then one call of the ledger."""
        request_id = scope["paywright.request_id"]
        named = read_names(customer_type, customer_id, item_id)
        if isinstance(named, Refusal):
            return refused(named, request_id)
        customer, item_name = named
        refusal = may(caller, "secret", "ledger", customer=customer)
        if refusal is not None:
            return refused(refusal, request_id)
        raw = await read_body(scope, receive, BODY_MAX)
        wanted = read_wanted(caller, scope, raw, customer, item_name, verb)
        if isinstance(wanted, Refusal):
            return refused(wanted, request_id)
        item = self._catalogs.near(caller.environment_id, item_name, customer)
        if item is None:
            found = await self._in_thread(partial(self._catalogs.item, caller.environment_id, item_name, customer))
            if isinstance(found, Refusal):
                return refused(found, request_id)
            item = found
        answer = await do_async(self._app, caller.environment_id, wanted)
        return items.answered(answer, item, request_id)

    async def _in_thread(self, act: Any) -> Any:
        if self._threads is None:
            self._threads = anyio.CapacityLimiter(CALLS_MAX)
        return await anyio.to_thread.run_sync(act, limiter=self._threads)


def read_names(customer_type: str, customer_id: str, item_id: str) -> tuple[Customer, str] | Refusal:
    decoded = [path_part(each) for each in (customer_type, customer_id, item_id)]
    names = [each for each in decoded if each is not None and "\x00" not in each]
    if len(names) < len(decoded):
        return invalid_request("path", "The path is not percent-encoded UTF-8 text.")
    customer = parse_customer(names[0], names[1])
    return customer if isinstance(customer, Refusal) else (customer, names[2])


def read_wanted(
    caller: Caller, scope: Scope, raw: bytes, customer: Customer, item_id: str, verb: str
) -> LedgerCall | Refusal:
    if scope["query_string"]:
        refusal = parsing.parse_query(scope["query_string"].decode("latin-1"), parsing.Query)
        if isinstance(refusal, Refusal):
            return refusal
    body = parsing.parse_body(raw, _BODIES[verb])
    if isinstance(body, Refusal):
        return body
    key = read_key(caller, scope, raw)
    if isinstance(key, Refusal):
        return key
    wanted: LedgerCall | Refusal = _WANTED[verb](customer, item_id, body, key, caller.actor)
    return wanted


def read_key(caller: Caller, scope: Scope, raw: bytes) -> IdempotencyKey | Refusal | None:
    given = header(scope, b"idempotency-key")
    if given is None:
        return None
    refusal = parsing.key_refused(given)
    if refusal is not None:
        return refusal
    body = parsing.normalised(raw)
    return idempotency_key(caller.idempotency_caller, given, method="POST", path=scope["path"], body=body)
