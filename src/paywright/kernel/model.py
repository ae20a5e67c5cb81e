"""Nouns every room shares."""

import re
from typing import Any, Literal

import msgspec

from paywright.kernel.refusals import Refusal, invalid_request

CustomerType = Literal["user", "team", "custom", "guest"]
CUSTOMER_TYPES = ("user", "team", "custom", "guest")
Mode = Literal["test", "live"]
Provider = Literal["stripe", "sandbox", "instant"]

QUANTITY_MAX = 2**53 - 1

Json = Any
"""A JSON value: what msgspec decodes without a type."""


class Customer(msgspec.Struct, frozen=True, order=True):
    """Whoever owns purchases. `id` is the app's own, case-sensitive, never checked for existence."""

    type: CustomerType
    id: str

    @property
    def key(self) -> str:
        """The one text column a customer is stored in, `user:u_1`."""
        return f"{self.type}:{self.id}"

    @classmethod
    def of_key(cls, key: str) -> "Customer":
        customer_type, _, customer_id = key.partition(":")
        assert customer_type in CUSTOMER_TYPES, key
        return cls(customer_type, customer_id)  # type: ignore[arg-type]


_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def parse_customer(customer_type: str, customer_id: str) -> Customer | Refusal:
    """A customer from outside, or `invalid_request`: the id is any 1-255 printable characters."""
    if customer_type not in CUSTOMER_TYPES:
        return invalid_request("customer", "The customer type is one of user, team, custom, guest.")
    if not 1 <= len(customer_id) <= 255 or _UNPRINTABLE.search(customer_id):
        return invalid_request("customer", "A customer id is 1 to 255 printable characters.")
    return Customer(customer_type, customer_id)  # type: ignore[arg-type]


def normal_address(email: str) -> str:
    """An e-mail address as it is compared: trimmed, without regard to case."""
    return email.strip().lower()


class Money(msgspec.Struct, frozen=True):
    """`amount` in minor units of `currency` (lower-case ISO 4217)."""

    amount: int
    currency: str
