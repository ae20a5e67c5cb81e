"""
Who a Stripe Customer is, as the operator says: a file of `stripe_customer_id -> user:u_1`, or a key of the app's own metadata. Reading files is
all it does.

CSV: two columns, `cus_…,user:u_1`, with or without a heading. JSON: an object, `{"cus_…": "user:u_1"}`. A customer without a type is a `user`.
"""

import csv
import json
from pathlib import Path
from typing import Any

from paywright.kernel.model import Customer, parse_customer
from paywright.kernel.refusals import Refusal
from paywright.stripe import metadata
from paywright.stripe.metadata import metadata_of

Names = dict[str, Customer]
HEADINGS = frozenset({"stripe_customer_id", "stripe customer id", "stripe_customer"})


class NamesUnreadable(Exception):
    """The file is no list of customers; the message says where."""


def read_names(path: Path) -> Names:
    """Raises `NamesUnreadable`: for two names of one Stripe Customer and for two Stripe Customers of one name as well."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise NamesUnreadable(f"{path}: {error}") from error
    names: Names = {}
    taken: dict[Customer, str] = {}
    for place, stripe_id, written in _pairs(path, text):
        customer = named(written)
        if isinstance(customer, Refusal):
            raise NamesUnreadable(f"{path}, {place}: {customer.message}")
        if names.get(stripe_id, customer) != customer:
            raise NamesUnreadable(f"{path}, {place}: {stripe_id} has two names")
        if taken.setdefault(customer, stripe_id) != stripe_id:
            raise NamesUnreadable(
                f"{path}, {place}: {customer.key} is two Stripe Customers, {taken[customer]} and {stripe_id}"
            )
        names[stripe_id] = customer
    return names


def _pairs(path: Path, text: str) -> list[tuple[str, str, str]]:
    """Where it stands, the Stripe Customer, the name."""
    if path.suffix == ".json":
        try:
            document = json.loads(text)
        except ValueError as error:
            raise NamesUnreadable(f"{path}: {error}") from error
        if not isinstance(document, dict) or not all(isinstance(value, str) for value in document.values()):
            raise NamesUnreadable(f"{path}: it is not an object of texts")
        return [(stripe_id, stripe_id, written) for stripe_id, written in document.items()]
    pairs = []
    for number, cells in enumerate(csv.reader(text.splitlines()), start=1):
        cells = [cell.strip() for cell in cells]
        if not any(cells) or (number == 1 and cells[0].lower() in HEADINGS):
            continue
        if len(cells) != 2 or not all(cells):
            raise NamesUnreadable(f"{path}, line {number}: two columns are wanted, stripe_customer_id and customer")
        pairs.append((f"line {number}", cells[0], cells[1]))
    return pairs


def named(written: str) -> Customer | Refusal:
    """`user:u_1`, or only `u_1`."""
    customer_type, colon, customer_id = written.partition(":")
    if not colon or customer_type not in ("user", "team", "custom"):
        return parse_customer("user", written)
    return parse_customer(customer_type, customer_id)


def name_of(
    stripe_customer: dict[str, Any], environment_id: str, names: Names, metadata_key: str | None
) -> Customer | str:
    """Whose a Stripe Customer is: our metadata, the operator's file, the app's own metadata; else the reason why nobody can say, as a sentence."""
    keys = metadata_of(stripe_customer)
    if keys.get(metadata.ENVIRONMENT, environment_id) != environment_id:
        return f"It belongs to the environment `{keys[metadata.ENVIRONMENT]}`."
    if metadata.CUSTOMER in keys:
        return _sound(named(keys[metadata.CUSTOMER]))
    if stripe_customer["id"] in names:
        return names[stripe_customer["id"]]
    if metadata_key is not None and keys.get(metadata_key):
        return _sound(named(keys[metadata_key]))
    return "Nobody says who this is: name it in the file of --customers, or name the metadata key that does."


def _sound(customer: Customer | Refusal) -> Customer | str:
    return customer if isinstance(customer, Customer) else customer.message
