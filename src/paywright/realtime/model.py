"""What a stream tells, and whose it is."""

from typing import Literal

import msgspec

from paywright.kernel.model import Customer

Why = Literal["revoked", "expired", "gone", "stopping"]
"""Why a stream is ended from our side. `gone`: the guest's purchases moved to an account."""


class Change(msgspec.Struct, frozen=True):
    """One commit that changed a customer: what its `customer.state_changed` event says."""

    version: int
    previous: int
    changes: list[str]


class Credential(msgspec.Struct, frozen=True):
    """
    What opened a stream, as far as it must be looked at again. Instants in wall-clock milliseconds.

    `kind` `key`: an API key's id, without an end of its own. `token`: a customer token's id. `process`: the app itself, in its own process.
    """

    kind: Literal["key", "token", "process"]
    environment_id: str
    id: str
    customers: frozenset[Customer] = frozenset()
    issued_at: int = 0
    expires_at: int | None = None

    @property
    def place(self) -> tuple[str, str]:
        return (self.kind, self.id)


class Head(msgspec.Struct, frozen=True):
    """A customer's counters: as far as a stream was told, or as they stand in the row."""

    version: int = 0
    next_sequence: int = 1
