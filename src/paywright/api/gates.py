"""What a customer may use: which gates are open, and one decision explained."""

from typing import Annotated, Any

import msgspec

from paywright.api.call import Answer, Call, ok
from paywright.api.items import find_item
from paywright.api.parsing import Body, Quantity, Query
from paywright.catalog import queries as catalog_queries
from paywright.gates import actions
from paywright.gates.model import AllOf, AnyOf, Condition, Explanation, HasClaim, HasItem, OwnsAny
from paywright.gates.rules import UnknownEntitlement
from paywright.kernel.instants import rfc3339_or_none
from paywright.kernel.refusals import Refusal, invalid_request

DEPTH_MAX = 5
FIELDS_MAX = 100
LISTED_MAX = 50

ProductIds = Annotated[list[str], msgspec.Meta(max_length=LISTED_MAX)]


class ConditionWanted(Body, frozen=True, kw_only=True):
    """
    One of: `products`, any of them owned with access; `item` with at least `quantity` units to spend; `any` or `all` of further conditions;
    `claim_token`, what was bought with it is there (one of `products`, if they are named too).
    """

    products: ProductIds | None = None
    item: str | None = None
    quantity: Quantity = 1
    claim_token: str | None = None
    any: Annotated[list["ConditionWanted"], msgspec.Meta(max_length=LISTED_MAX)] | None = None
    all: Annotated[list["ConditionWanted"], msgspec.Meta(max_length=LISTED_MAX)] | None = None


class GatesAsked(Body, frozen=True, kw_only=True):
    """`fields`: a condition by the name of what it protects. A product id stands for that product, a list of ids for any of them."""

    fields: Annotated[dict[str, str | ProductIds | ConditionWanted], msgspec.Meta(max_length=FIELDS_MAX)]


class AccessAsked(Query, frozen=True, kw_only=True):
    """`product`, or `item` and how many units of it."""

    product: str | None = None
    item: str | None = None
    quantity: Quantity = 1


def ask_gates(call: Call) -> Answer | Refusal:
    """Which fields the customer may see. State that can't be read shuts all of them; an unknown product or item is refused at once."""
    asked: GatesAsked = call.body
    fields: dict[str, Condition] = {}
    for name, written in asked.fields.items():
        condition = read_condition(written, f"fields.{name}")
        if isinstance(condition, Refusal):
            return condition
        fields[name] = condition
    hidden = not call.caller.has_secret_key
    try:
        opened = actions.opened(call.app, call.environment.id, call.owner, fields, hidden=hidden)
    except UnknownEntitlement as unknown:
        return Refusal(f"{unknown.kind}_not_found", {f"{unknown.kind}_id": unknown.name})
    return ok({"open": sorted(opened)})


def read_access(call: Call) -> Answer | Refusal:
    """May they use a product, or spend so many units; why; and what would open it."""
    asked: AccessAsked = call.query
    if (asked.product is None) == (asked.item is None):
        return invalid_request("product", "Ask about a `product` or an `item`, one of them.")
    now = call.app.now(call.environment.id)
    with call.app.database.read() as connection:
        catalog = catalog_queries.current(connection, call.environment.id)
        if asked.item is not None:
            item = find_item(catalog, asked.item, call.owner)
            if isinstance(item, Refusal):
                return item
            found = actions.explain_item(connection, call.environment, call.owner, asked.item, asked.quantity, now)
            return ok(shown(found))
        assert asked.product is not None
        if not actions.is_known_product(
            connection, call.environment.id, asked.product, hidden=not call.caller.has_secret_key
        ):
            return Refusal("product_not_found", {"product_id": asked.product})
        return ok(shown(actions.explain_product(connection, call.environment, call.owner, asked.product, now)))


def shown(found: Explanation) -> dict[str, Any]:
    return {
        "allowed": found.allowed,
        "reason": found.reason,
        "from": found.through,
        "remaining": found.remaining,
        "resets_at": rfc3339_or_none(found.resets_at),
        "upgrade_options": found.upgrade_options,
    }


def read_condition(written: str | list[str] | ConditionWanted, param: str, depth: int = 1) -> Condition | Refusal:
    """A condition of the wire as one of ours; `invalid_request` when it says nothing, or two things."""
    if isinstance(written, str):
        return OwnsAny((written,))
    if isinstance(written, list):
        return OwnsAny(tuple(written))
    if depth > DEPTH_MAX:
        return invalid_request(param, f"Conditions are nested at most {DEPTH_MAX} deep.")
    branches = written.any if written.any is not None else written.all
    said = [
        written.item,
        written.any,
        written.all,
        written.products if written.claim_token is None else written.claim_token,
    ]
    if sum(each is not None for each in said) != 1:
        return invalid_request(param, "A condition is `products`, `item`, `claim_token`, `any` or `all`, one of them.")
    if written.item is not None:
        return HasItem(written.item, written.quantity)
    if written.claim_token is not None:
        return HasClaim(written.claim_token, tuple(written.products or ()))
    if branches is None:
        return OwnsAny(tuple(written.products or ()))
    conditions: list[Condition] = []
    for each in branches:
        read = read_condition(each, param, depth + 1)
        if isinstance(read, Refusal):
            return read
        conditions.append(read)
    return AnyOf(tuple(conditions)) if written.any is not None else AllOf(tuple(conditions))
