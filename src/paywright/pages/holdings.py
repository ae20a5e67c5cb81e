"""What the customer page shows of one customer, read at once. As a customer token would see it: nothing server-only."""

from typing import Any

import msgspec
from sqlalchemy.engine import Connection

from paywright.catalog import queries as catalog_queries
from paywright.catalog.model import Catalog
from paywright.checkout import queries as checkout_queries
from paywright.customers import queries as customer_queries
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.invoices import queries as invoice_queries
from paywright.kernel.model import Customer
from paywright.ledger.opening import Opening
from paywright.ledger.queries import item_states
from paywright.ownership import queries as ownership_queries
from paywright.ownership.defaults import owned_by_default
from paywright.ownership.model import OwnedProduct
from paywright.ownership.present import own_id, switch_options
from paywright.pages import wording

INVOICES_SHOWN = 24


class Option(msgspec.Struct, frozen=True):
    """A price of a product of the line, this one's too; `to` is what the form sends. `is_counted`: one chooses how many."""

    to: str
    name: str
    price: str
    is_counted: bool = False


class Plan(msgspec.Struct, frozen=True):
    """One owned product. `standing` says how long and what comes next; `ends` is the day it is paid for until."""

    id: str
    name: str
    quantity: int
    price: str | None
    status: str | None
    standing: str
    ends: str | None
    has_access: bool
    may_cancel: bool
    may_resume: bool
    options: list[Option]

    @property
    def is_counted(self) -> bool:
        return any(option.is_counted for option in self.options)


def everything(app: App, environment: Environment, customer: Customer) -> dict[str, Any]:
    now = app.now(environment.id)
    with app.database.read() as connection:
        catalog = catalog_queries.current(connection, environment.id)
        known = customer_queries.billing(connection, environment.id, customer)
        return {
            "plans": _plans(connection, environment, customer, catalog, now),
            "balances": _balances(connection, app, environment, customer, catalog, now),
            "invoices": _invoices(connection, environment, customer),
            "card": known.default_payment_method,
            "has_stripe_customer": known.has_stripe_customer and environment.is_at_stripe,
        }


def plans(app: App, environment: Environment, customer: Customer) -> list[Plan]:
    now = app.now(environment.id)
    with app.database.read() as connection:
        catalog = catalog_queries.current(connection, environment.id)
        return _plans(connection, environment, customer, catalog, now)


def is_counted(app: App, environment: Environment, product_id: str) -> bool:
    """Whether one may have several of it."""
    with app.database.read() as connection:
        product = catalog_queries.current(connection, environment.id).products.get(product_id)
    return product is not None and product.stackable


def product_name(app: App, environment: Environment, product_id: str) -> str:
    with app.database.read() as connection:
        product = catalog_queries.current(connection, environment.id).products.get(product_id)
    return product_id if product is None else product.display_name


def _plans(
    connection: Connection, environment: Environment, customer: Customer, catalog: Catalog, now: int
) -> list[Plan]:
    live = ownership_queries.live(connection, environment.id, customer, now)
    owned = owned_by_default(connection, environment.id, customer, live, now)
    return [_plan(connection, environment, each, catalog, now) for each in owned if not each.product.server_only]


def _plan(connection: Connection, environment: Environment, owned: OwnedProduct, catalog: Catalog, now: int) -> Plan:
    currency = _currency(connection, environment, owned)
    subscription = owned.subscription
    is_scheduled = owned.own_ends_at is not None or owned.pending_change is not None
    period_end = None if subscription is None else subscription.period_end(now)
    options = switch_options(owned, catalog, environment.default_currency, with_secret_key=False)
    return Plan(
        id=owned.id if owned.source != "default" or owned.product_id is None else own_id(owned.product_id),
        name=owned.product.display_name,
        quantity=owned.quantity,
        price=None if currency is None else _price(owned, currency),
        status=None if subscription is None else wording.STATUSES.get(subscription.status, subscription.status),
        standing=_standing(owned, catalog, period_end),
        ends=None if period_end is None else wording.date(period_end),
        has_access=owned.access,
        may_cancel=subscription is not None and owned.own_ends_at is None,
        may_resume=subscription is not None and is_scheduled,
        options=[
            *_own_options(owned, catalog, currency or environment.default_currency),
            *_options(options, catalog, currency or environment.default_currency),
        ],
    )


def _standing(owned: OwnedProduct, catalog: Catalog, period_end: int | None) -> str:
    change = owned.pending_change
    if owned.source == "default":
        return "Included"
    if owned.ends_at is not None:
        return f"Ends on {wording.date(owned.ends_at)}"
    if change is not None:
        target = catalog.products.get(change.product_id)
        name = change.product_id if target is None else target.display_name
        return f"Changes to {name} on {wording.date(change.at)}"
    if period_end is not None and owned.subscription is not None:
        word = "First payment" if owned.subscription.status == "trialing" else "Renews"
        return f"{word} on {wording.date(period_end)}"
    return f"Yours since {wording.date(owned.granted_at)}"


def _currency(connection: Connection, environment: Environment, owned: OwnedProduct) -> str | None:
    """What it is paid in; nobody pays for what was granted. A plan that was switched to has its invoices, and no checkout of its own."""
    if owned.checkout_session_id is not None:
        session = checkout_queries.session(connection, environment.id, owned.checkout_session_id)
        return None if session is None else session.currency
    if owned.subscription is None or not owned.is_stripe_backed:
        return None
    rows = invoice_queries.page(connection, environment.id, customer=owned.customer, limit=INVOICES_SHOWN)
    return next((str(row.currency) for row in rows if row.subscription_id == owned.subscription.id), None)


def _price(owned: OwnedProduct, currency: str) -> str | None:
    price = owned.product.prices.get(owned.price_id or "")
    if price is None or currency not in price.amounts:
        return None
    return wording.priced(price, currency, owned.quantity)


def _options(shown: list[dict[str, Any]], catalog: Catalog, currency: str) -> list[Option]:
    """One per price that is sold in the currency."""
    found = []
    for option in shown:
        product = catalog.products[option["product_id"]]
        for each in option["prices"]:
            price = product.prices[each["id"]]
            if currency in price.amounts:
                to = f"{option['product_id']}/{each['id']}"
                text = wording.priced(price, currency)
                found.append(Option(to, product.display_name, text, product.stackable))
    return found


def _own_options(owned: OwnedProduct, catalog: Catalog, currency: str) -> list[Option]:
    """The same product by another price; where quantities are chosen, by the same one too."""
    product = catalog.products.get(owned.product_id or "")
    if product is None or owned.subscription is None or product.is_add_on:
        return []
    return [
        Option(
            f"{owned.product_id}/{price_id}", product.display_name, wording.priced(price, currency), product.stackable
        )
        for price_id, price in product.prices.items()
        if price.is_recurring
        and not price.server_only
        and currency in price.amounts
        and (product.stackable or price_id != owned.price_id)
    ]


def _balances(
    connection: Connection, app: App, environment: Environment, customer: Customer, catalog: Catalog, now: int
) -> list[dict[str, Any]]:
    owner = "user" if customer.type == "guest" else customer.type
    ids = [item_id for item_id, item in catalog.items.items() if item.customer_type == owner]
    included = app.resource(Opening).included
    states = item_states(connection, environment.id, customer, ids, now, included=included)
    return [
        {
            "name": catalog.items[state.item_id].display_name,
            "quantity": f"{state.quantity:,}",
            "held": state.held,
            "expiring": [(f"{units.quantity:,}", wording.date(units.expires_at)) for units in state.expiring],
        }
        for state in states
    ]


def _invoices(connection: Connection, environment: Environment, customer: Customer) -> list[dict[str, Any]]:
    rows = invoice_queries.page(
        connection, environment.id, customer=customer, status=None, after=None, limit=INVOICES_SHOWN
    )
    return [
        {
            "number": row.number or row.id,
            "date": wording.date(row.created_at),
            "total": wording.money(row.total, row.currency),
            "status": row.status,
            "url": row.hosted_invoice_url,
        }
        for row in rows[:INVOICES_SHOWN]
    ]
