"""
One increase or decrease in a work of its own, by the rules: what the batch leaves to it.

A call comes here when its balance is new, something is due, its row is locked by somebody slow, its idempotency key stands already, its batch
failed, or nobody saw how its batch ended. It answers the truth in every case: with a key, the key tells; without one, the entry that the batch was
going to write.
"""

from typing import Any

import msgspec
import psycopg.errors
import sqlalchemy as sa

from paywright.engine.app import App
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ledger import actions
from paywright.ledger.calls import Call
from paywright.ledger.model import Answer, ItemState
from paywright.ledger.opening import Opening, open_customer
from paywright.ledger.queries import answer_of_entry
from paywright.outbox.actions import lock_customers
from paywright.storage import idempotency
from paywright.storage.idempotency import IdempotencyKey, Kept
from paywright.storage.work import RolledBack, Work

TWIN_WAIT_MS = 10_000
"""How long a repeat waits for the first request that is still running."""


class StoredRefusal(msgspec.Struct, frozen=True):
    """How a refusal stands under its idempotency key."""

    code: str
    facts: dict[str, Any]


def run_alone(app: App, environment_id: str, call: Call) -> Answer:
    """
    Raises `DatabaseUnavailable` when the database can't be reached or its row is not to be had in time.

    If that happens at the very commit, nobody knows whether it was done; repeating it with its key is safe.
    """
    answer: Answer | None = None
    with app.work(environment_id) as work:
        answer = _meet_key(work, call.key) if call.key is not None else None
        if answer is None:
            answer = _move(app, work, call)
            if isinstance(answer.result, Refusal):
                raise RolledBack
            if call.key is not None:
                idempotency.store(work, call.key, 200, msgspec.json.encode(answer.result).decode())
    assert answer is not None
    if isinstance(answer.result, Refusal) and call.key is not None and not answer.replayed:
        return _store_refusal(app, environment_id, call.key, answer.result)
    return answer


def _meet_key(work: Work, key: IdempotencyKey) -> Answer | None:
    """None: the key is ours now. A twin in flight is waited for."""
    if work.dialect == "postgresql":
        work.execute(sa.text(f"SET LOCAL lock_timeout = {TWIN_WAIT_MS}"))
    try:
        kept = idempotency.claim(work, key)
    except sa.exc.OperationalError as error:
        if isinstance(error.orig, psycopg.errors.LockNotAvailable):
            work.connection.rollback()
            return Answer(Refusal("idempotency_key_in_use"), replayed=True)
        raise
    return None if kept is None else replayed(work, kept)


def replayed(work: Work, kept: Kept | Refusal) -> Answer:
    """The first answer again, or why there is none."""
    if isinstance(kept, Refusal):
        return Answer(kept, replayed=True)
    if kept.status is None:
        return Answer(Refusal("idempotency_key_in_use"), replayed=True)
    if kept.status != 200:
        assert kept.body is not None
        refusal = msgspec.json.decode(kept.body, type=StoredRefusal)
        return Answer(Refusal(refusal.code, refusal.facts), replayed=True)
    if kept.body is not None:
        return Answer(msgspec.json.decode(kept.body, type=ItemState), replayed=True)
    assert kept.subject_id is not None
    found = answer_of_entry(work.connection, work.environment_id, kept.subject_id)
    assert found is not None, "a key is stored in the transaction of its entry"
    return Answer(found, replayed=True)


def _move(app: App, work: Work, call: Call) -> Answer:
    customer = Customer.of_key(call.customer)
    lock_customers(work, [customer])
    if call.entry_id is not None:
        done = answer_of_entry(work.connection, work.environment_id, call.entry_id)
        if done is not None:
            return Answer(done)
    open_customer(work, app.resource(Opening), customer)
    return Answer(apply_call(work, customer, call))


def apply_call(work: Work, customer: Customer, call: Call) -> ItemState | Refusal:
    if call.delta < 0:
        return actions.decrease(
            work,
            customer,
            call.item_id,
            -call.delta,
            source=None,
            allow_negative=call.allow_negative,
            note=call.note,
            actor=call.actor,
        )
    return actions.grant(
        work,
        customer,
        call.item_id,
        call.delta,
        source=None,
        expires_at=call.expires_at or None,
        note=call.note,
        actor=call.actor,
    )


def _store_refusal(app: App, environment_id: str, key: IdempotencyKey, refusal: Refusal) -> Answer:
    """In a work of its own, because nothing may remain of a refused action but its answer. A twin that got in between has stored its own."""
    with app.work(environment_id) as work:
        met = _meet_key(work, key)
        if met is not None:
            return met
        body = msgspec.json.encode(StoredRefusal(refusal.code, refusal.facts)).decode()
        idempotency.store(work, key, refusal.status, body)
    return Answer(refusal)
