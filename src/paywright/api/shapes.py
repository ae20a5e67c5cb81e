"""Pieces of request bodies that several routes take."""

import msgspec

from paywright.kernel.model import Customer, parse_customer
from paywright.kernel.refusals import Refusal


class CustomerNamed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`{"type": "user", "id": "u_1"}`."""

    type: str
    id: str


def as_customer(named: CustomerNamed) -> Customer | Refusal:
    return parse_customer(named.type, named.id)
