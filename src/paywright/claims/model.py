"""A guest, and what their claim token shows."""

from typing import Any, Literal

import msgspec

from paywright.kernel.model import Customer

ClaimState = Literal["pending", "active", "refunded", "attached"]


class Guest(msgspec.Struct, frozen=True):
    """Whoever holds one of its claim tokens. `attached_to`: the account its purchases moved to; the tokens then open nothing."""

    customer: Customer
    attached_to: Customer | None = None


class Claim(msgspec.Struct, frozen=True):
    """`pending`: nothing is paid. `refunded`: all of it was taken back. Having a token is no proof of purchase."""

    state: ClaimState
    products: list[dict[str, Any]] = []
    items: list[dict[str, Any]] = []


class SignedIn(msgspec.Struct, frozen=True):
    """What a right code opens: a customer token for all guests of the address, and a fresh claim token for each."""

    customer_token: str
    claims: list[str]
