"""Holds, decreases of several balances at once, and the grants behind a balance."""

from typing import Annotated, Any

import msgspec

from paywright.api import guests, parsing
from paywright.api.call import Answer, Call, ok, whole
from paywright.api.items import AsOf, find_item, item_of
from paywright.api.parsing import Body, Note, Quantity
from paywright.api.shapes import CustomerNamed, as_customer
from paywright.catalog import queries as catalog_queries
from paywright.kernel.instants import rfc3339, rfc3339_or_none
from paywright.kernel.model import QUANTITY_MAX, Customer
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.ledger import holding, queries
from paywright.ledger.holding import EXPIRES_IN_S_DEFAULT, EXPIRES_IN_S_MAX, HeldItem
from paywright.ledger.model import NEVER, GrantShown
from paywright.ledger.opening import Opening
from paywright.ledger.present import item_shown
from paywright.storage.work import Work

LINES_MAX = 100


class NewHold(Body, frozen=True, kw_only=True):
    """`expires_in_s`: after so many seconds the units are free again by themselves."""

    quantity: Quantity
    expires_in_s: Annotated[int, msgspec.Meta(ge=1, le=EXPIRES_IN_S_MAX)] = EXPIRES_IN_S_DEFAULT
    note: Note | None = None


class Capture(Body, frozen=True, kw_only=True):
    """Without `quantity` all of it; less releases the rest, 0 releases it all."""

    quantity: Annotated[int, msgspec.Meta(ge=0, le=QUANTITY_MAX)] | None = None
    note: Note | None = None


class DecreaseLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    customer: CustomerNamed
    item_id: str
    quantity: Quantity


class Decreases(Body, frozen=True, kw_only=True):
    """1 to 100 lines, all or nothing. Lines on one balance are added up."""

    lines: Annotated[list[DecreaseLine], msgspec.Meta(min_length=1, max_length=LINES_MAX)]
    note: Note | None = None


def open_hold(call: Call, work: Work) -> Answer | Refusal:
    """Sets units aside, later captured or released, or 402 `insufficient_quantity` and nothing changed."""
    body: NewHold = call.body
    item = item_of(work.connection, call)
    if isinstance(item, Refusal):
        return item
    held = holding.open_hold(
        work,
        call.app.resource(Opening),
        call.owner,
        call.parts["item_id"],
        body.quantity,
        expires_in_s=body.expires_in_s,
        note=body.note,
        actor=call.caller.actor,
    )
    return held if isinstance(held, Refusal) else Answer(201, hold_shown(work, held))


def capture_hold(call: Call, work: Work) -> Answer | Refusal:
    """Spends the hold, or part of it; the rest is released."""
    body: Capture = call.body
    held = holding.capture_hold(work, call.parts["hold_id"], body.quantity, note=body.note, actor=call.caller.actor)
    return held if isinstance(held, Refusal) else ok(hold_shown(work, held))


def release_hold(call: Call, work: Work) -> Answer | Refusal:
    """Sets the units free. Again, or after its time was over, it has no effect."""
    held = holding.release_hold(work, call.parts["hold_id"], actor=call.caller.actor)
    return held if isinstance(held, Refusal) else ok(hold_shown(work, held))


def decrease_many(call: Call, work: Work) -> Answer | Refusal:
    """Spends on several balances, all or nothing: 402 `insufficient_quantity` names each line that is short."""
    body: Decreases = call.body
    catalog = catalog_queries.current(work.connection, work.environment_id)
    lines, items = [], []
    for line in body.lines:
        customer = as_customer(line.customer)
        if isinstance(customer, Refusal):
            return invalid_request("lines", customer.message)
        acts = guests.found(work.connection, call.caller, customer)
        if acts.refusal is not None:
            return acts.refusal
        customer = acts.customer
        item = find_item(catalog, line.item_id, customer)
        if isinstance(item, Refusal):
            return item
        lines.append(holding.DecreaseLine(customer, line.item_id, line.quantity))
        items.append(item)
    states = holding.decrease_many(work, call.app.resource(Opening), lines, note=body.note, actor=call.caller.actor)
    if isinstance(states, Refusal):
        return states
    return ok({"data": [item_shown(state, item) for state, item in zip(states, items, strict=True)]})


def list_grants(call: Call) -> Answer | Refusal:
    """The live grants behind a balance, soonest lost first, with what remains of each once spending is laid over them."""
    query: AsOf = call.query
    as_of = parsing.instant(query.as_of, "as_of")
    if isinstance(as_of, Refusal):
        return as_of
    now = call.app.now(call.environment.id)
    with call.app.database.read() as connection:
        item = item_of(connection, call)
        if isinstance(item, Refusal):
            return item
        rows = queries.breakdown(connection, call.environment.id, call.owner, call.parts["item_id"], now, as_of)
    return rows if isinstance(rows, Refusal) else whole([grant_shown(row) for row in rows])


def grant_shown(row: GrantShown) -> dict[str, Any]:
    return {
        "id": row.id,
        "source": row.source,
        "quantity": row.quantity,
        "remaining": row.remaining,
        "granted_at": rfc3339(row.granted_at),
        "expires_at": rfc3339_or_none(row.expires_at),
    }


def hold_shown(work: Work, held: HeldItem) -> dict[str, Any]:
    """The hold, and the item as this commit leaves it."""
    hold, customer = held.hold, Customer.of_key(held.hold.customer)
    catalog = catalog_queries.current(work.connection, work.environment_id)
    item = catalog.item(hold.item_id)
    assert item is not None, "a held item is known, archived or not"
    expires_at = hold.expires_at if hold.expires_at is not None and hold.expires_at < NEVER else None
    return {
        "id": hold.id,
        "customer": {"type": customer.type, "id": customer.id},
        "item_id": hold.item_id,
        "quantity": hold.quantity,
        "captured": hold.captured,
        "status": hold.status,
        "expires_at": rfc3339_or_none(expires_at),
        "item": item_shown(held.item, item),
    }
