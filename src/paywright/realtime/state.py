"""
`GET C` from the rows of one look.

What is due this instant, and defaults that nobody has written down yet, are read one by one, by the rules, in the transaction the look was made in.
"""

from typing import Any

import msgspec
from sqlalchemy.engine import Connection, Engine

from paywright.catalog import queries as catalog_queries
from paywright.catalog.model import Catalog, ProductVersion
from paywright.customers.model import Billing, Card, StandingBilling
from paywright.environments import clock
from paywright.kernel.model import Customer
from paywright.ledger.many import item_states
from paywright.ledger.model import ItemState
from paywright.ledger.opening import IncludedByDefault
from paywright.ledger.present import item_shown
from paywright.ledger.queries import item_state
from paywright.ownership import defaults, present
from paywright.ownership import queries as ownership_queries
from paywright.ownership.model import OwnedProduct
from paywright.realtime import queries
from paywright.realtime.queries import NO_CHANGES, UNSEEN, Asked, Key, Looked
from paywright.realtime.questions import InTransaction


class Standing(msgspec.Struct, frozen=True):
    """One customer as they stand, before anybody says to whom it is shown. `now` is business time."""

    customer: Customer
    version: int
    owned: list[OwnedProduct]
    items: list[ItemState]
    billing: StandingBilling
    catalog: Catalog
    currency: str
    now: int

    def shown(self, *, with_secret_key: bool) -> dict[str, Any]:
        """The body of `GET C`. Without a secret key, what is server-only is left out."""
        return {
            "customer": self.customer,
            "version": self.version,
            "products": [
                present.shown(
                    owned,
                    self.now,
                    catalog=self.catalog,
                    currency=self.currency,
                    with_secret_key=with_secret_key,
                )
                for owned in self.owned
                if with_secret_key or not owned.product.server_only
            ],
            "items": [item_shown(state, self.catalog.items[state.item_id]) for state in self.items],
            "billing": self.billing.shown(),
        }


def read(
    connection: Connection, environment_id: str, customer: Customer, wall: int, *, included: IncludedByDefault
) -> Standing:
    """One customer now, also one that was never written. The environment exists."""
    key = (environment_id, customer.key)
    (looked,) = queries.look(InTransaction(connection), [Asked(key, UNSEEN, NO_CHANGES)])
    return by_rules(connection, key, looked, wall, included=included)


def as_written(engine: Engine, key: Key, looked: Looked, wall: int) -> Standing | None:
    """Without asking the database again. None: something is due or not written down, or the catalog is new."""
    environment_id, now = key[0], clock.of_row(*looked.clock, wall)
    catalog = (
        catalog_queries.remembered(engine, environment_id, looked.applied_id) if looked.catalog_version else Catalog()
    )
    wanted = _versions_wanted(looked)
    versions = catalog_queries.remembered_versions(environment_id, wanted)
    if catalog is None or len(versions) < len(wanted):
        return None
    customer, owned = queries.of_key(key), _owned(looked, versions, now)
    if not _is_as_written(catalog, customer, owned) or any(row.next_due <= now for row in looked.balances or ()):
        return None
    items = item_states(
        _items(catalog, customer), looked.version, looked.balances or (), looked.grants or (), now, by_rules=_never
    )
    return Standing(customer, looked.version, owned, items, _billing(looked), catalog, looked.currency, now)


def by_rules(connection: Connection, key: Key, looked: Looked, wall: int, *, included: IncludedByDefault) -> Standing:
    """The same whatever is due. `looked` was read in this transaction."""
    environment_id, now, customer = key[0], clock.of_row(*looked.clock, wall), queries.of_key(key)
    catalog = catalog_queries.current(connection, environment_id)
    versions = catalog_queries.product_versions_of(connection, environment_id, sorted(_versions_wanted(looked)))
    owned = _owned(looked, versions, now)

    def ruled(item_id: str) -> ItemState:
        return item_state(connection, environment_id, customer, item_id, now, looked.version, included=included)

    if _is_as_written(catalog, customer, owned):
        items = item_states(
            _items(catalog, customer), looked.version, looked.balances or (), looked.grants or (), now, by_rules=ruled
        )
    else:
        owned = defaults.owned_by_default(connection, environment_id, customer, owned, now)
        items = [ruled(item_id) for item_id in _items(catalog, customer)]
    return Standing(customer, looked.version, owned, items, _billing(looked), catalog, looked.currency, now)


def _versions_wanted(looked: Looked) -> set[str]:
    owned = looked.owned or ()
    return {row.version_id for row in owned} | {row.change_version_id for row in owned if row.change_version_id}


def _owned(looked: Looked, versions: dict[str, ProductVersion], now: int) -> list[OwnedProduct]:
    live = [
        ownership_queries.of_row(row, versions[row.version_id].product)
        for row in looked.owned or ()
        if row.ends_at is None or row.ends_at > now
    ]
    return ownership_queries.as_they_are(live, versions, now)


def _is_as_written(catalog: Catalog, customer: Customer, owned: list[OwnedProduct]) -> bool:
    written = {each.product_id for each in owned if each.source == "default"}
    return written == defaults.wanted(catalog, customer, owned).keys()


def _items(catalog: Catalog, customer: Customer) -> list[str]:
    """A guest buys and holds what users do."""
    customer_type = "user" if customer.type == "guest" else customer.type
    return [item_id for item_id, item in catalog.items.items() if item.customer_type == customer_type]


def _billing(looked: Looked) -> StandingBilling:
    if looked.billing is None:
        return StandingBilling(Billing(False, None, None), None)
    stripe_customer_id, email, card = looked.billing
    return StandingBilling(
        Billing(stripe_customer_id is not None, email, msgspec.json.decode(card, type=Card | None)), stripe_customer_id
    )


def _never(item_id: str) -> ItemState:
    raise AssertionError(f"{item_id} is due")
