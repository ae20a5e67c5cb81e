"""What a customer has of an item, and the entries that explain it."""

import asyncio
import time
from typing import Any

from sqlalchemy.engine import Connection

from paywright.api import parsing
from paywright.api.call import Answer, Call, listed, ok, whole
from paywright.api.errors import refused
from paywright.api.parsing import Body, Listing, Note, Quantity, Query
from paywright.catalog import queries as catalog_queries
from paywright.catalog.model import Catalog, Item
from paywright.engine.app import App
from paywright.kernel.instants import rfc3339, rfc3339_or_none
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.ledger import queries
from paywright.ledger.calls import Call as LedgerCall
from paywright.ledger.hot import decrease_call, do, do_async, increase_call
from paywright.ledger.model import Answer as LedgerAnswer
from paywright.ledger.model import Entry
from paywright.ledger.opening import Opening
from paywright.ledger.present import item_shown as shown
from paywright.storage.idempotency import IdempotencyKey

NEAR_S = 1.0


class AsOf(Query, frozen=True, kw_only=True):
    """`as_of`: an instant of the past or the future, at which the balance is shown."""

    as_of: str | None = None


class EntryListing(Listing, frozen=True, kw_only=True):
    """`as_of` leaves out what came later."""

    as_of: str | None = None


class Increase(Body, frozen=True, kw_only=True):
    """`expires_at`: when the unspent part is lost; never, if left out."""

    quantity: Quantity
    expires_at: str | None = None
    note: Note | None = None


class Decrease(Body, frozen=True, kw_only=True):
    """`allow_negative` lets the balance become a debt."""

    quantity: Quantity
    allow_negative: bool = False
    note: Note | None = None


def list_customer_items(call: Call) -> Answer | Refusal:
    """Every item of the customer's type, untouched ones too, in catalog order."""
    as_of = parsing.instant(call.query.as_of, "as_of")
    if isinstance(as_of, Refusal):
        return as_of
    now = call.app.now(call.environment.id)
    with call.app.database.read() as connection:
        catalog = catalog_queries.current(connection, call.environment.id)
        ids = [item_id for item_id, item in catalog.items.items() if item.customer_type == owner_type(call.owner)]
        if as_of is None:
            states = queries.item_states(
                connection, call.environment.id, call.owner, ids, now, included=call.app.resource(Opening).included
            )
            return whole([shown(state, catalog.items[state.item_id]) for state in states])
        rows = []
        for item_id in ids:
            state = queries.item_state_as_of(connection, call.environment.id, call.owner, item_id, now, as_of)
            if isinstance(state, Refusal):
                return state
            rows.append(shown(state, catalog.items[item_id]))
    return whole(rows)


def read_item(call: Call) -> Answer | Refusal:
    """One item: what can be spent now, what is held, what expires when."""
    as_of = parsing.instant(call.query.as_of, "as_of")
    if isinstance(as_of, Refusal):
        return as_of
    now = call.app.now(call.environment.id)
    with call.app.database.read() as connection:
        item = item_of(connection, call)
        if isinstance(item, Refusal):
            return item
        item_id = call.parts["item_id"]
        if as_of is not None:
            state = queries.item_state_as_of(connection, call.environment.id, call.owner, item_id, now, as_of)
            return state if isinstance(state, Refusal) else ok(shown(state, item))
        included = call.app.resource(Opening).included
        return ok(
            shown(
                queries.item_state(connection, call.environment.id, call.owner, item_id, now, included=included), item
            )
        )


def list_entries(call: Call) -> Answer | Refusal:
    """The entries of one balance, newest first. They are never changed or deleted."""
    query: EntryListing = call.query
    as_of = parsing.instant(query.as_of, "as_of")
    if isinstance(as_of, Refusal):
        return as_of
    cursor = parsing.read_cursor(query.cursor)
    if isinstance(cursor, Refusal) or (cursor is not None and not (cursor.isdecimal() and len(cursor) <= 18)):
        return invalid_request("cursor", parsing.CURSOR_UNKNOWN)
    with call.app.database.read() as connection:
        item = item_of(connection, call)
        if isinstance(item, Refusal):
            return item
        rows = queries.entries(
            connection,
            call.environment.id,
            call.owner,
            call.parts["item_id"],
            before_sequence=None if cursor is None else int(cursor),
            as_of=as_of,
            limit=query.limit + 1,
        )
    return listed(rows, limit=query.limit, cursor_of=lambda row: parsing.cursor_of(str(row.sequence)), show=entry_shown)


def item_of(connection: Connection, call: Call) -> Item | Refusal:
    """The item the path names, archived ones too: their balances stay readable and usable."""
    return find_item(catalog_queries.current(connection, call.environment.id), call.parts["item_id"], call.owner)


def find_item(catalog: Catalog, item_id: str, customer: Customer) -> Item | Refusal:
    item = catalog.item(item_id)
    if item is None:
        return Refusal("item_not_found")
    if item.customer_type != owner_type(customer):
        return Refusal("customer_type_mismatch", {"expected": item.customer_type, "actual": customer.type})
    return item


def owner_type(customer: Customer) -> str:
    """A guest buys and holds what users do."""
    return "user" if customer.type == "guest" else customer.type


def entry_shown(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "seq": entry.seq,
        "kind": entry.kind,
        "quantity": entry.quantity,
        "delta": entry.delta,
        "balance_after": entry.balance_after,
        "held_after": entry.held_after,
        "at": rfc3339(entry.at),
        "effective_at": rfc3339(entry.effective_at),
        "expires_at": rfc3339_or_none(entry.expires_at),
        "source": entry.source,
        "note": entry.note,
        "actor": entry.actor,
    }


def increase(call: Call) -> Answer | Refusal:
    """Hands over units. They pay a debt first."""
    return changed(call, increase_wanted(call.owner, call.parts["item_id"], call.body, call.key, call.caller.actor))


def decrease(call: Call) -> Answer | Refusal:
    """Spends units, or is refused with 402 `insufficient_quantity` and changes nothing."""
    return changed(call, decrease_wanted(call.owner, call.parts["item_id"], call.body, call.key, call.caller.actor))


async def increase_awaited(call: Call) -> Answer | Refusal:
    body = call.body
    return await change_awaited(
        call, increase_wanted(call.owner, call.parts["item_id"], body, call.key, call.caller.actor)
    )


async def decrease_awaited(call: Call) -> Answer | Refusal:
    body = call.body
    return await change_awaited(
        call, decrease_wanted(call.owner, call.parts["item_id"], body, call.key, call.caller.actor)
    )


def increase_wanted(
    customer: Customer, item_id: str, body: Increase, key: IdempotencyKey | None, actor: str
) -> LedgerCall | Refusal:
    expires_at = parsing.instant(body.expires_at, "expires_at")
    if isinstance(expires_at, Refusal):
        return expires_at
    return increase_call(
        customer, item_id, body.quantity, expires_at=expires_at, idempotency=key, note=body.note, actor=actor
    )


def decrease_wanted(
    customer: Customer, item_id: str, body: Decrease, key: IdempotencyKey | None, actor: str
) -> LedgerCall | Refusal:
    return decrease_call(
        customer,
        item_id,
        body.quantity,
        allow_negative=body.allow_negative,
        idempotency=key,
        note=body.note,
        actor=actor,
    )


def changed(call: Call, wanted: LedgerCall | Refusal) -> Answer | Refusal:
    if isinstance(wanted, Refusal):
        return wanted
    item = call.app.resource(NearCatalogs).item(call.environment.id, wanted.item_id, call.owner)
    if isinstance(item, Refusal):
        return item
    return answered(do(call.app, call.environment.id, wanted), item, call.request.request_id)


async def change_awaited(call: Call, wanted: LedgerCall | Refusal) -> Answer | Refusal:
    """As `changed`, in the batch of this event loop."""
    if isinstance(wanted, Refusal):
        return wanted
    catalogs, environment_id = call.app.resource(NearCatalogs), call.environment.id
    item = catalogs.near(environment_id, wanted.item_id, call.owner)
    if item is None:
        found = await asyncio.to_thread(catalogs.item, environment_id, wanted.item_id, call.owner)
        if isinstance(found, Refusal):
            return found
        item = found
    return answered(await do_async(call.app, environment_id, wanted), item, call.request.request_id)


def answered(answer: LedgerAnswer, item: Item, request_id: str) -> Answer:
    """A stored answer is shown as it was, refusals too."""
    headers = {"Idempotent-Replayed": "true"} if answer.replayed else {}
    if isinstance(answer.result, Refusal):
        no = refused(answer.result, request_id)
        is_about_the_key = answer.result.code.startswith("idempotency_key")
        return no if is_about_the_key else Answer(no.status, no.body, {**no.headers, **headers})
    return Answer(200, shown(answer.result, item), headers)


class NearCatalogs:
    """
    The items of each environment's catalog, for calls that come by the thousand: read again after a second, and when an item is not found.

    What an item is called and whose it is hardly ever changes; what somebody has of it is never kept.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._read: dict[str, tuple[float, Catalog]] = {}

    def near(self, environment_id: str, item_id: str, customer: Customer) -> Item | None:
        """Without asking the database; None when that has to be done."""
        read_at, catalog = self._read.get(environment_id, (float("-inf"), None))
        if catalog is None or time.monotonic() - read_at > NEAR_S:
            return None
        item = find_item(catalog, item_id, customer)
        return None if isinstance(item, Refusal) else item

    def item(self, environment_id: str, item_id: str, customer: Customer) -> Item | Refusal:
        item = self.near(environment_id, item_id, customer)
        if item is not None:
            return item
        read_at = time.monotonic()
        with self._app.database.read() as connection:
            catalog = catalog_queries.current(connection, environment_id)
        self._read[environment_id] = read_at, catalog
        return find_item(catalog, item_id, customer)

    def close(self) -> None:
        """Nothing to end: it lives and goes with its App."""
