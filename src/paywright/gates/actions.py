"""Looking at what a customer holds, for gates and for explanations. If the state can't be read the gate is shut, never open."""

import logging
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.catalog import queries as catalog_queries
from paywright.catalog.model import Catalog
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.gates.model import NOTHING, Condition, Explanation, Held
from paywright.gates.rules import check_known, gated, is_open, items_in, products_in
from paywright.kernel.model import Customer
from paywright.ledger import queries as ledger_queries
from paywright.ledger.model import NEVER
from paywright.ownership import queries as ownership_queries
from paywright.ownership.present import price_shown
from paywright.storage.database import DatabaseUnavailable

log = logging.getLogger(__name__)


def held(connection: Connection, environment_id: str, customer: Customer, asked: Condition, now: int) -> Held:
    """What the conditions ask about, as it is now."""
    owned = ownership_queries.live(connection, environment_id, customer, now) if products_in(asked) else []
    states = ledger_queries.item_states(connection, environment_id, customer, sorted(items_in(asked)), now)
    return Held(
        frozenset(each.product_id for each in owned if each.access and each.product_id is not None),
        {state.item_id: state.quantity for state in states},
    )


def opens(app: App, environment_id: str, customer: Customer, asked: Condition) -> bool:
    """Whether the customer meets the condition. Raises `UnknownEntitlement` for what the catalog does not have."""
    return is_open(asked, _held_or_nothing(app, environment_id, customer, asked))


def gate(
    app: App, environment_id: str, customer: Customer, record: Any, fields: Mapping[str, Condition]
) -> dict[str, Any]:
    """The record without the fields the customer is not entitled to. Never raises for lack of rights."""
    shown = record
    for name, asked in fields.items():
        shown = gated(shown, {name: asked}, _held_or_nothing(app, environment_id, customer, asked))
    return gated(shown, {}, NOTHING)


def explain_product(
    connection: Connection, environment: Environment, customer: Customer, product_id: str, now: int
) -> Explanation:
    """May they use the product, why, and what would let them."""
    owned = [
        each
        for each in ownership_queries.live(connection, environment.id, customer, now)
        if each.product_id == product_id
    ]
    granting = next((each for each in owned if each.access), None)
    if granting is not None:
        return Explanation(True, "owned", {"owned_product_id": granting.id, "source": granting.source})
    catalog = catalog_queries.current(connection, environment.id)
    options = _for_sale(catalog, {product_id})
    if owned:
        status = owned[0].subscription.status if owned[0].subscription is not None else "frozen"
        through = {"owned_product_id": owned[0].id, "source": owned[0].source, "status": status}
        return Explanation(False, "access_lost", through, upgrade_options=options)
    return Explanation(False, "not_owned", upgrade_options=options)


def explain_item(
    connection: Connection, environment: Environment, customer: Customer, item_id: str, quantity: int, now: int
) -> Explanation:
    """Could they spend that many units now, when do they get more, and what would give them more."""
    state = ledger_queries.item_state(connection, environment.id, customer, item_id, now)
    account = ledger_queries.account_of_customer(connection, environment.id, customer, item_id, now)
    resets_at = min((each.next_repeat_at for each in account.included if each.is_repeating), default=NEVER)
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


def _held_or_nothing(app: App, environment_id: str, customer: Customer, asked: Condition) -> Held:
    try:
        with app.database.read() as connection:
            catalog = catalog_queries.current(connection, environment_id)
            sold = frozenset(
                each for each in products_in(asked) if ownership_queries.has_owners(connection, environment_id, each)
            )
            check_known(asked, catalog, sold)
            return held(connection, environment_id, customer, asked, app.now(environment_id))
    except (DatabaseUnavailable, sa.exc.SQLAlchemyError):
        log.exception("a gate is shut, because the state of %s could not be read", customer.type)
        return NOTHING


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
