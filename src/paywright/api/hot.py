"""
Routes that never meet the router: Stripe's door, and reading, increasing and decreasing an item.

They are asynchronous from end to end: a request waits for the commit of its batch. Authorization, bodies and answers are those of the route table.
"""

import re
from typing import Any

import anyio.to_thread
import msgspec

from paywright.access.identify import Credentials
from paywright.access.model import Caller
from paywright.access.rules import may
from paywright.api import cors, guests, items, parsing
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
from paywright.catalog.model import Item
from paywright.engine.app import App
from paywright.kernel.model import Customer, parse_customer
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.ledger.calls import Call as LedgerCall
from paywright.ledger.hot import do_async, read_item_async
from paywright.ledger.present import item_shown
from paywright.storage.idempotency import IdempotencyKey, idempotency_key
from paywright.webhooks.door import receive_async

WEBHOOK_ROUTE = "/webhooks/stripe/{environment}"
ITEM_ROUTE = "/v1/customers/{customer_type}/{customer_id}/items/{item_id}"
RECEIVED = Answer(200, b'{"received":true}')

_WEBHOOK = re.compile(r"/webhooks/stripe/([^/]+)")
_ITEM = re.compile(r"/v1/customers/([^/]+)/([^/]+)/items/([^/]+)(?:/(increase|decrease))?")
_PLAIN = re.compile(r"(?:user|team|custom)/[A-Za-z0-9_.~@:+-]{1,255}")
"""A customer in a path who is no guest and needs no decoding: nearly everybody."""

_BODIES: dict[str, Any] = {"increase": items.Increase, "decrease": items.Decrease}
_WANTED: dict[str, Any] = {"increase": items.increase_wanted, "decrease": items.decrease_wanted}


class Asked(msgspec.Struct, frozen=True):
    """A request for one item: the encoded parts of its path, and what is to be done. `verb` None: read it."""

    scope: Scope
    receive: Receive
    names: tuple[str, str, str]
    verb: str | None
    headers: dict[bytes, bytes]

    def header(self, name: bytes) -> str | None:
        """The last of that name, as `asgi.header`; made for those who ask several times."""
        found = self.headers.get(name)
        return None if found is None else found.decode("latin-1")

    @property
    def request_id(self) -> str:
        return str(self.scope["paywright.request_id"])


class Hot:
    def __init__(self, app: App) -> None:
        self._app = app
        self._credentials = app.resource(Credentials)
        self._catalogs = app.resource(items.NearCatalogs)

    async def takes(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """True when the request was one of these and is answered."""
        path = scope["path"]
        item = _ITEM.fullmatch(path)
        if item is not None:
            verb = item[4]
            if scope["method"] != ("GET" if verb is None else "POST") or (verb is None and scope["query_string"]):
                return False  # Another method, or a read as of another time: the router knows.
            scope["paywright.route"] = ITEM_ROUTE if verb is None else f"{ITEM_ROUTE}/{verb}"
            asked = Asked(scope, receive, (item[1], item[2], item[3]), verb, dict(scope["headers"]))
            await send_answer(send, await self._item(asked))
            return True
        webhook = _WEBHOOK.fullmatch(path)
        if webhook is not None and scope["method"] == "POST":
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

    async def _item(self, asked: Asked) -> Answer:
        authorization = asked.header(b"authorization")
        caller = self._credentials.recall(authorization) or await self._identified(authorization, asked.scope)
        if isinstance(caller, Refusal):
            answer = refused(caller, asked.request_id)
        else:
            try:
                outcome = await self._item_as(caller, asked)
                answer = refused(outcome, asked.request_id) if isinstance(outcome, Refusal) else outcome
            except (BodyTooLarge, Disconnected):
                raise
            except Exception as error:  # noqa: BLE001  The boundary, so that the answer gets its CORS headers too.
                answer = raised(error, asked.request_id)
        origin = asked.header(b"origin")
        if origin is None:
            return answer
        environment_id = None if isinstance(caller, Refusal) else caller.environment_id
        more = await anyio.to_thread.run_sync(cors.of_caller, self._app, environment_id, origin)
        return msgspec.structs.replace(answer, headers={**answer.headers, **more})

    async def _identified(self, authorization: str | None, scope: Scope) -> Caller | Refusal:
        client = scope.get("client")
        return await anyio.to_thread.run_sync(self._credentials.identify, authorization, client[0] if client else None)

    async def _item_as(self, caller: Caller, asked: Asked) -> Answer | Refusal:
        """As `dispatch.perform`: who, whose, what, and then one call of the ledger."""
        named = read_names(*asked.names)
        if isinstance(named, Refusal):
            return named
        customer, item_id = named
        not_there = None
        if customer.type == "guest":
            found = await anyio.to_thread.run_sync(guests.acting, self._app, caller, customer)
            caller, customer, not_there = found.caller, found.customer, found.refusal
        if asked.verb is None:
            refusal = may(caller, "customer", "read", customer=customer) or not_there
            return refusal or await self._read(caller, customer, item_id)
        refusal = may(caller, "secret", "ledger", customer=customer) or not_there
        if refusal is not None:
            return refusal
        raw = await read_body(asked.scope, asked.receive, BODY_MAX)
        wanted = read_wanted(caller, asked, raw, customer, item_id)
        if isinstance(wanted, Refusal):
            return wanted
        near = self._catalogs.near(caller.environment_id, item_id, customer)
        item = near or await self._of_catalog(caller, customer, item_id)
        if isinstance(item, Refusal):
            return item
        return items.answered(await do_async(self._app, caller.environment_id, wanted), item, asked.request_id)

    async def _read(self, caller: Caller, customer: Customer, item_id: str) -> Answer | Refusal:
        near = self._catalogs.near(caller.environment_id, item_id, customer)
        item = near or await self._of_catalog(caller, customer, item_id)
        if isinstance(item, Refusal):
            return item
        return Answer(200, item_shown(await read_item_async(self._app, caller.environment_id, customer, item_id), item))

    async def _of_catalog(self, caller: Caller, customer: Customer, item_id: str) -> Item | Refusal:
        return await anyio.to_thread.run_sync(self._catalogs.item, caller.environment_id, item_id, customer)


def read_names(customer_type: str, customer_id: str, item_id: str) -> tuple[Customer, str] | Refusal:
    if _PLAIN.fullmatch(f"{customer_type}/{customer_id}") and "%" not in item_id:
        return Customer(customer_type, customer_id), item_id  # type: ignore[arg-type]
    decoded = [path_part(each) for each in (customer_type, customer_id, item_id)]
    names = [each for each in decoded if each is not None and "\x00" not in each]
    if len(names) < len(decoded):
        return invalid_request("path", "The path is not percent-encoded UTF-8 text.")
    customer = parse_customer(names[0], names[1])
    return customer if isinstance(customer, Refusal) else (customer, names[2])


def read_wanted(caller: Caller, asked: Asked, raw: bytes, customer: Customer, item_id: str) -> LedgerCall | Refusal:
    query_string, verb = asked.scope["query_string"], asked.verb
    if query_string:
        refusal = parsing.parse_query(query_string.decode("latin-1"), parsing.Query)
        if isinstance(refusal, Refusal):
            return refusal
    assert verb is not None
    body = parsing.parse_body(raw, _BODIES[verb])
    if isinstance(body, Refusal):
        return body
    key = read_key(caller, asked, raw)
    if isinstance(key, Refusal):
        return key
    wanted: LedgerCall | Refusal = _WANTED[verb](customer, item_id, body, key, caller.actor)
    return wanted


def read_key(caller: Caller, asked: Asked, raw: bytes) -> IdempotencyKey | Refusal | None:
    given = asked.header(b"idempotency-key")
    if given is None:
        return None
    refusal = parsing.key_refused(given)
    if refusal is not None:
        return refusal
    body = parsing.normalised(raw)
    return idempotency_key(caller.idempotency_caller, given, method="POST", path=asked.scope["path"], body=body)
