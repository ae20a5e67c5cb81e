"""
`GET C` for many customers at once: a fixed number of statements, however many there are.

Only what is due this instant, and defaults that nobody has written down yet, are read one by one, by the rules.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.catalog import queries as catalog_queries
from paywright.catalog.model import Catalog
from paywright.customers import queries as customer_queries
from paywright.customers.model import StandingBilling
from paywright.environments.model import Environment
from paywright.kernel.model import Customer
from paywright.ledger.many import item_states_of
from paywright.ledger.model import ItemState
from paywright.ledger.opening import IncludedByDefault
from paywright.ledger.present import item_shown
from paywright.outbox.tables import customers
from paywright.ownership import defaults, present
from paywright.ownership import queries as ownership_queries
from paywright.ownership.model import OwnedProduct

CUSTOMERS_MAX = 100
"""Of one reading: so many fit well into a statement."""


class Standing(msgspec.Struct, frozen=True):
    """One customer as they stand, before anybody says to whom it is shown."""

    customer: Customer
    version: int
    owned: list[OwnedProduct]
    items: list[ItemState]
    billing: StandingBilling

    def shown(self, environment: Environment, catalog: Catalog, now: int, *, with_secret_key: bool) -> dict[str, Any]:
        """The body of `GET C`. Without a secret key, what is server-only is left out."""
        return {
            "customer": self.customer,
            "version": self.version,
            "products": [
                present.shown(
                    owned,
                    now,
                    catalog=catalog,
                    currency=environment.default_currency,
                    with_secret_key=with_secret_key,
                )
                for owned in self.owned
                if with_secret_key or not owned.product.server_only
            ],
            "items": [item_shown(state, catalog.items[state.item_id]) for state in self.items],
            "billing": self.billing.shown(),
        }


def standings(
    connection: Connection,
    environment_id: str,
    owners: Sequence[Customer],
    now: int,
    *,
    included: IncludedByDefault,
    versions: Mapping[Customer, int] | None = None,
) -> tuple[Catalog, dict[Customer, Standing]]:
    """
    At most `CUSTOMERS_MAX`, in one environment, with the catalog they are shown by. Customers that were never written too.

    `versions` saves a query where they are known.
    """
    assert len(owners) <= CUSTOMERS_MAX, len(owners)
    catalog = catalog_queries.current(connection, environment_id)
    if versions is None:
        versions = _versions(connection, environment_id, owners)
    owned = ownership_queries.live_of(connection, environment_id, owners, now)
    unwritten = set()
    for customer, rows in owned.items():
        if _is_as_written(catalog, customer, rows):
            continue
        owned[customer] = defaults.owned_by_default(connection, environment_id, customer, rows, now)
        unwritten.add(customer)
    names = {customer: _items(catalog, customer) for customer in owners}
    items = item_states_of(
        connection, environment_id, versions, names, now, unwritten=frozenset(unwritten), included=included
    )
    billing = customer_queries.billing_of(connection, environment_id, owners)
    return catalog, {
        customer: Standing(customer, versions.get(customer, 0), owned[customer], items[customer], billing[customer])
        for customer in owners
    }


def _is_as_written(catalog: Catalog, customer: Customer, rows: Sequence[OwnedProduct]) -> bool:
    written = {each.product_id for each in rows if each.source == "default"}
    return written == defaults.wanted(catalog, customer, rows).keys()


def _items(catalog: Catalog, customer: Customer) -> list[str]:
    """A guest buys and holds what users do."""
    customer_type = "user" if customer.type == "guest" else customer.type
    return [item_id for item_id, item in catalog.items.items() if item.customer_type == customer_type]


def _versions(connection: Connection, environment_id: str, owners: Sequence[Customer]) -> dict[Customer, int]:
    keys = [customer.key for customer in owners]
    columns = (customers.c.customer, customers.c.version)
    wanted = sa.select(*columns).where(customers.c.environment_id == environment_id, customers.c.customer.in_(keys))
    return {Customer.of_key(row.customer): row.version for row in connection.execute(wanted)}
