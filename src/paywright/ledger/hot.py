"""
Increase, decrease and read one item: what an app does thousands of times a second.

`quantity` is 1 … 2^53-1 and the item is one of the catalog's (or archived), both checked by the caller. A reply follows the commit. With an
idempotency key a repeat gets the first answer, whatever happened in between, and whichever process it asks.
"""

import asyncio

from paywright.engine.app import App
from paywright.kernel.model import QUANTITY_MAX, Customer
from paywright.kernel.refusals import Refusal
from paywright.ledger import queries
from paywright.ledger.alone import run_alone
from paywright.ledger.batcher import Batcher, Reader
from paywright.ledger.calls import Call
from paywright.ledger.gather import UNAVAILABLE, Groups
from paywright.ledger.model import Answer, ItemState
from paywright.ledger.opening import Opening
from paywright.storage.idempotency import IdempotencyKey


def decrease(
    app: App,
    environment_id: str,
    customer: Customer,
    item_id: str,
    quantity: int,
    *,
    allow_negative: bool = False,
    idempotency: IdempotencyKey | None = None,
    note: str | None = None,
    actor: str | None = None,
) -> ItemState | Refusal:
    """Spends units. Refuses `insufficient_quantity` `{requested, available}`, `balance_out_of_range`, and what `do` refuses."""
    call = decrease_call(
        customer, item_id, quantity, allow_negative=allow_negative, idempotency=idempotency, note=note, actor=actor
    )
    return do(app, environment_id, call).result


def increase(
    app: App,
    environment_id: str,
    customer: Customer,
    item_id: str,
    quantity: int,
    *,
    expires_at: int | None = None,
    idempotency: IdempotencyKey | None = None,
    note: str | None = None,
    actor: str | None = None,
) -> ItemState | Refusal:
    """Hands out units that are lost at `expires_at`, or stay. Refuses `balance_out_of_range`, and what `do` refuses."""
    call = increase_call(
        customer, item_id, quantity, expires_at=expires_at, idempotency=idempotency, note=note, actor=actor
    )
    return do(app, environment_id, call).result


def decrease_call(
    customer: Customer,
    item_id: str,
    quantity: int,
    *,
    allow_negative: bool = False,
    idempotency: IdempotencyKey | None = None,
    note: str | None = None,
    actor: str | None = None,
) -> Call:
    assert 1 <= quantity <= QUANTITY_MAX, quantity
    return Call(customer.key, item_id, -quantity, allow_negative, 0, idempotency, note, actor)


def increase_call(
    customer: Customer,
    item_id: str,
    quantity: int,
    *,
    expires_at: int | None = None,
    idempotency: IdempotencyKey | None = None,
    note: str | None = None,
    actor: str | None = None,
) -> Call:
    assert 1 <= quantity <= QUANTITY_MAX, quantity
    # 0 means never in a call; 1970 and before has passed all the same.
    expiry = 0 if expires_at is None else (expires_at if expires_at > 0 else -1)
    return Call(customer.key, item_id, quantity, False, expiry, idempotency, note, actor)


def do(app: App, environment_id: str, call: Call) -> Answer:
    """
    Runs one call, once, and says whether its answer is a stored one.

    Refuses `idempotency_key_reused`, `idempotency_key_in_use`, and `unavailable` when too many wait already. Raises `DatabaseUnavailable`
    when the database can't be reached; then a repeat with the same key is safe.
    """
    return app.resource(Batcher).do(environment_id, call)


def read_item(app: App, environment_id: str, customer: Customer, item_id: str) -> ItemState:
    """One item as it is now; 0 when it was never touched, unless a default product includes it."""
    state = app.resource(Reader).read(environment_id, customer.key, item_id)
    return read_by_rules(app, environment_id, customer, item_id) if state is None else state


def read_by_rules(app: App, environment_id: str, customer: Customer, item_id: str) -> ItemState:
    """What is due, and what defaults include that nobody has written down, applied in memory."""
    now = app.now(environment_id)
    with app.database.read() as connection:
        return queries.item_state(
            connection, environment_id, customer, item_id, now, included=app.resource(Opening).included
        )


async def do_async(app: App, environment_id: str, call: Call) -> Answer:
    """`do`, awaited in the batch itself: no thread waits."""
    group = app.resource(Groups).of_this_loop()
    future = group.submit(environment_id, call)
    if future is None:
        return UNAVAILABLE
    answer = await future
    if answer is not None:
        return answer
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(group.threads, run_alone, app, environment_id, call)


async def read_item_async(app: App, environment_id: str, customer: Customer, item_id: str) -> ItemState:
    """`read_item`, gathered with the other reads of this moment."""
    group = app.resource(Groups).of_this_loop()
    state = await group.reads.read(environment_id, customer.key, item_id)
    if state is not None:
        return state
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(group.threads, read_by_rules, app, environment_id, customer, item_id)
