"""Looking at what a customer holds, for gates and for explanations. If the state can't be read the gate is shut, never open."""

import logging
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.catalog import queries as catalog_queries
from paywright.catalog.model import Catalog
from paywright.claims.queries import guest_of
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.gates.model import AllOf, Condition, Explanation, Held, OwnsAny
from paywright.gates.rules import UnknownEntitlement, check_known, claims_in, is_open, items_in, products_in, without
from paywright.kernel.instants import rfc3339_or_none
from paywright.kernel.model import Customer
from paywright.ledger import queries as ledger_queries
from paywright.ledger.model import NEVER
from paywright.ownership import queries as ownership_queries
from paywright.ownership.defaults import included_by_default, owned_by_default
from paywright.ownership.model import OwnedProduct
from paywright.ownership.present import price_shown
from paywright.storage.database import DatabaseUnavailable
from paywright.subscriptions.rules import policy_for

log = logging.getLogger(__name__)


def held(connection: Connection, environment_id: str, customer: Customer, asked: Condition, now: int) -> Held:
    """What the conditions ask about, as it is now."""
    owned = _owned(connection, environment_id, customer, now) if products_in(asked) else []
    states = ledger_queries.item_states(
        connection, environment_id, customer, sorted(items_in(asked)), now, included=included_by_default
    )
    return Held(
        frozenset(each.product_id for each in owned if each.access and each.product_id is not None),
        {state.item_id: state.quantity for state in states},
        {token: _claimed(connection, environment_id, token, now) for token in sorted(claims_in(asked))},
    )


def opens(app: App, environment_id: str, customer: Customer, asked: Condition) -> bool:
    """Whether the customer meets the condition. Raises `UnknownEntitlement` for what the catalog does not have."""
    return bool(opened(app, environment_id, customer, {"": asked}))


def gate(
    app: App, environment_id: str, customer: Customer, record: Any, fields: Mapping[str, Condition]
) -> dict[str, Any]:
    """The record without the fields the customer is not entitled to. Never raises for lack of rights."""
    open_fields = opened(app, environment_id, customer, fields)
    return without(record, fields.keys() - open_fields)


def opened(
    app: App, environment_id: str, customer: Customer, fields: Mapping[str, Condition], *, hidden: bool = False
) -> frozenset[str]:
    """
    Which of the fields are open, by one look at the customer's state; none, if it can't be read.

    Raises `UnknownEntitlement` for what the catalog does not have; with `hidden`, for server-only products too.
    """
    asked = AllOf(tuple(fields.values()))
    try:
        with app.database.read() as connection:
            check_known(asked, *_known(connection, environment_id, asked), hidden=hidden)
            found = held(connection, environment_id, customer, asked, app.now(environment_id))
    except (DatabaseUnavailable, sa.exc.SQLAlchemyError):
        log.exception("a gate is shut, because the state of a %s could not be read", customer.type)
        return frozenset()
    return frozenset(name for name, condition in fields.items() if is_open(condition, found))


def is_known_product(connection: Connection, environment_id: str, product_id: str, *, hidden: bool = False) -> bool:
    """Whether a gate may ask about it; `hidden` as in `opened`."""
    asked = OwnsAny((product_id,))
    try:
        check_known(asked, *_known(connection, environment_id, asked), hidden=hidden)
    except UnknownEntitlement:
        return False
    return True


def explain_product(
    connection: Connection, environment: Environment, customer: Customer, product_id: str, now: int
) -> Explanation:
    """May they use the product, why, and what would let them."""
    owned = [each for each in _owned(connection, environment.id, customer, now) if each.product_id == product_id]
    granting = next((each for each in owned if each.access), None)
    if granting is not None:
        return Explanation(True, "owned", _through(granting, environment))
    catalog = catalog_queries.current(connection, environment.id)
    options = _for_sale(catalog, {product_id})
    if owned:
        reason = "frozen" if owned[0].is_frozen else "access_lost"
        return Explanation(False, reason, _through(owned[0], environment), upgrade_options=options)
    return Explanation(False, "not_owned", upgrade_options=options)


def _through(owned: OwnedProduct, environment: Environment) -> dict[str, Any]:
    """
    The purchase that decides: with its subscription's status and what the environment's policy says of that status, if it has a say.

    So an app sees that somebody who may still use the product owes money (`past_due`), and until when (`access_until`, as far as it is known).
    """
    status = None if owned.subscription is None else owned.subscription.status
    return {
        "owned_product_id": owned.id,
        "source": owned.source,
        "status": status,
        "policy": None if status is None else policy_for(status, environment.policy.access),
        "access_until": rfc3339_or_none(owned.access_until if owned.access else None),
        "ends_at": rfc3339_or_none(owned.ends_at),
    }


def explain_item(
    connection: Connection, environment: Environment, customer: Customer, item_id: str, quantity: int, now: int
) -> Explanation:
    """Could they spend that many units now, when do they get more, and what would give them more."""
    state = ledger_queries.item_state(connection, environment.id, customer, item_id, now, included=included_by_default)
    account = ledger_queries.account_of_customer(
        connection, environment.id, customer, item_id, now, included=included_by_default
    )
    resets_at = min(
        (each.next_repeat_at for each in account.included if each.is_repeating and each.quantity), default=NEVER
    )
    allowed = state.quantity >= quantity
    catalog = catalog_queries.current(connection, environment.id)
    giving = {product_id for product_id, product in catalog.products.items() if item_id in product.included_items}
    return Explanation(
        allowed,
        "enough" if allowed else "insufficient_quantity",
        remaining=state.quantity,
        resets_at=None if resets_at >= NEVER else resets_at,
        upgrade_options=[] if allowed else _for_sale(catalog, giving),
    )


def _owned(connection: Connection, environment_id: str, customer: Customer, now: int) -> list[OwnedProduct]:
    """With the products included by default, which are owned without being rows."""
    live = ownership_queries.live(connection, environment_id, customer, now)
    return owned_by_default(connection, environment_id, customer, live, now)


def _claimed(connection: Connection, environment_id: str, token: str, now: int) -> frozenset[str]:
    """What the token's guest owns with access; an inline product goes by its own id. Nothing, once it moved to an account."""
    guest = guest_of(connection, environment_id, token)
    if guest is None or guest.attached_to is not None:
        return frozenset()
    owned = ownership_queries.live(connection, environment_id, guest.customer, now)
    return frozenset(each.product_id or each.id for each in owned if each.access)


def _known(connection: Connection, environment_id: str, asked: Condition) -> tuple[Catalog, frozenset[str]]:
    """The catalog, and products it may have lost but somebody still owns."""
    catalog = catalog_queries.current(connection, environment_id)
    missing = products_in(asked) - catalog.products.keys()
    return catalog, frozenset(
        each for each in missing if ownership_queries.has_owners(connection, environment_id, each)
    )


def _for_sale(catalog: Catalog, product_ids: set[str]) -> list[dict[str, Any]]:
    return [
        {
            "product_id": product_id,
            "display_name": product.display_name,
            "prices": [
                price_shown(price_id, price) for price_id, price in product.prices.items() if not price.server_only
            ],
        }
        for product_id, product in catalog.products.items()
        if product_id in product_ids and not product.server_only and not product.include_by_default
    ]
