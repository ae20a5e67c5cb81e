"""The ledger's nouns."""

from typing import Literal

import msgspec

from paywright.kernel.refusals import Refusal

NEVER = 2**62
"""An instant that does not come: stored where there is no expiry, no end and nothing due, so that comparing needs no null."""

EntryKind = Literal[
    "grant",
    "included",
    "repeat",
    "decrease",
    "hold",
    "capture",
    "release",
    "expiry",
    "end",
    "take_back",
    "give_back",
    "transfer",
]
Expires = Literal["never", "when_purchase_expires", "when_repeated"]
TakeBackPolicy = Literal["unspent", "all", "none"]
HoldStatus = Literal["open", "captured", "released", "timed_out"]


class Expiring(msgspec.Struct, frozen=True):
    """Unspent units that are lost at one instant; held units count as spent."""

    quantity: int
    expires_at: int


class ItemState(msgspec.Struct, frozen=True):
    """What `GET C/items/{item_id}` shows, less the display name. `quantity` is what can be spent now: the balance less what is held."""

    item_id: str
    quantity: int
    held: int
    version: int
    expiring: tuple[Expiring, ...] = ()

    @property
    def non_negative_quantity(self) -> int:
        return max(0, self.quantity)


class Answer(msgspec.Struct, frozen=True):
    """What a hot call came to. `replayed`: this is the stored answer of an earlier call with the same idempotency key."""

    result: ItemState | Refusal
    replayed: bool = False


class IdempotencyKey(msgspec.Struct, frozen=True):
    """`caller` as rules.md 2.4 groups callers; `fingerprint` 32 bytes, SHA-256 of method, path and normalised body."""

    caller: str
    key: str
    fingerprint: bytes


class Entry(msgspec.Struct, frozen=True):
    """
    One line of the ledger. `delta` is the signed change of the balance, `quantity` the size of the fact.

    `sequence` is the customer's, shared with events; `seq` counts 1, 2, 3 … within the balance. `at` is when the ledger took it in,
    `effective_at` when it happened.
    """

    id: str
    customer: str
    item_id: str
    seq: int
    sequence: int
    kind: EntryKind
    quantity: int
    delta: int
    balance_after: int
    held_after: int
    at: int
    effective_at: int
    expires_at: int | None
    source: str
    note: str | None
    actor: str | None


class GrantShown(msgspec.Struct, frozen=True):
    """One live item grant of the breakdown, `spent` laid over it."""

    id: str
    source: str
    quantity: int
    remaining: int
    granted_at: int
    expires_at: int | None


class Hold(msgspec.Struct, frozen=True):
    """Units reserved. `quantity` and `captured` in units; `expires_at` None: a dispute's, which no app call can touch."""

    id: str
    customer: str
    item_id: str
    quantity: int
    captured: int
    status: HoldStatus
    expires_at: int | None


class TakenBack(msgspec.Struct, frozen=True):
    """Units a take-back removed from one item, and the entry's source."""

    item_id: str
    quantity: int
    source: str
