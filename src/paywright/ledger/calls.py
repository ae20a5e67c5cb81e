"""An increase or a decrease on its way through the group commit."""

from typing import Any

import msgspec

from paywright.ledger.model import Answer, Expiring, ItemState
from paywright.storage.idempotency import IdempotencyKey

BATCH_MAX = 1_024
"""Calls in one transaction. More would only make each of them wait longer."""

WAITING_MAX = 8_192
"""Calls that may wait for a batch; the next one is refused as `unavailable` rather than kept in memory."""


class Call(msgspec.Struct):
    """
    `delta` is below zero for a decrease. `expires_at` 0 is never.

    `waiter` belongs to whoever queued it (a lock or a future); `entry_id` is what it was going to write in a batch whose end nobody saw.
    """

    customer: str
    item_id: str
    delta: int
    allow_negative: bool = False
    expires_at: int = 0
    key: IdempotencyKey | None = None
    note: str | None = None
    actor: str | None = None
    waiter: Any = None
    answer: Answer | None = None
    error: BaseException | None = None
    entry_id: str | None = None
    is_held: bool = False


class Held(msgspec.Struct, frozen=True):
    """Instead of an answer: somebody else held the customer's row. The call goes into a batch that waits for it."""


HELD = Held()


class BatchFailed(Exception):
    """Nothing of the batch was done. Each call is to be run alone, so that one bad call can't harm its neighbours."""


class ConnectionLost(Exception):
    """Nobody saw the end of the batch. Each call, run alone, first looks whether its entry is there."""


def in_account_order(call: Call) -> tuple[str, str]:
    """Sorting by it is stable: calls on one balance keep their order of arrival."""
    return call.customer, call.item_id


def without_twins(calls: list[Call]) -> tuple[list[Call], list[Call]]:
    """Calls of which no two have the same idempotency key, and the others: they find the first one's answer afterwards."""
    seen: set[tuple[str, bytes]] = set()
    first, twins = list[Call](), list[Call]()
    for call in calls:
        mark = None if call.key is None else (call.key.caller, call.key.key_hash)
        if mark is not None and mark in seen:
            twins.append(call)
            continue
        if mark is not None:
            seen.add(mark)
        first.append(call)
    return first, twins


def answer_of(call: Call, balance: int, held: int, version: int, lost_then: tuple[Expiring, ...]) -> Answer:
    return Answer(ItemState(call.item_id, balance - held, held, version, lost_then))


def laid(spent: int, pending: list[tuple[int, int]]) -> tuple[Expiring, ...]:
    """What is left of (instant, live units), soonest first, once `spent` is laid over them."""
    left = []
    for due, live in pending:
        covered = min(spent, live)
        spent -= covered
        if live > covered:
            left.append(Expiring(live - covered, due))
    return tuple(left)
