"""Rows of owned products, and the events that tell of them, inside a work that holds the customer's lock."""

from typing import Any

import sqlalchemy as sa

from paywright.environments.model import Environment
from paywright.ledger import actions as ledger
from paywright.outbox.actions import mark_changed, record
from paywright.ownership.model import OwnedProduct, PendingChange
from paywright.ownership.present import shown
from paywright.ownership.tables import owned_products, product_holders, product_line_holders
from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work


def begin(work: Work, environment: Environment, owned: OwnedProduct, *, goes_on: bool = False) -> None:
    """Its place, its row, its events, its included items, in this order. `goes_on`: its subscription began before, with another product."""
    held_places = hold_places(work, owned)
    assert held_places, "the checks before ran under the customer's lock"
    insert(work, owned)
    announce_beginning(work, environment, owned, goes_on=goes_on)
    start_items(work, owned)


def hold_places(work: Work, owned: OwnedProduct) -> bool:
    """The places in the product line and of the product, where there is but one. False: somebody holds it."""
    places: list[tuple[sa.Table, dict[str, str]]] = []
    if owned.product_id is not None and not owned.product.stackable:
        places.append((product_holders, {"product_id": owned.product_id}))
        if owned.product_line is not None and not owned.product.is_add_on:
            places.append((product_line_holders, {"product_line": owned.product_line}))
    row = {"environment_id": work.environment_id, "customer": owned.customer.key, "owned_product_id": owned.id}
    return all(insert_if_absent(work, table, {**row, **place}) for table, place in places)


def insert(work: Work, owned: OwnedProduct) -> None:
    subscription = owned.subscription
    of_subscription = (
        {
            "subscription_id": subscription.id,
            "stripe_backed": int(subscription.is_stripe_backed),
            "status": subscription.status,
            "anchor": subscription.anchor,
            "interval": subscription.interval,
            "current_period_end": subscription.current_period_end,
            "turns_at": None if subscription.is_stripe_backed else subscription.period_end(owned.granted_at),
            "cancel_at_period_end": int(subscription.cancel_at_period_end),
        }
        if subscription is not None
        else {}
    )
    work.execute(
        owned_products.insert().values(
            environment_id=work.environment_id,
            customer=owned.customer.key,
            id=owned.id,
            product_id=owned.product_id,
            version_id=owned.version_id,
            price_id=owned.price_id,
            quantity=owned.quantity,
            source=owned.source,
            granted_at=owned.granted_at,
            checkout_session_id=owned.checkout_session_id,
            line_index=owned.line_index,
            # What the policy says is not known of one that is frozen; its subscription tells when it is looked at again.
            access=int(owned.access or owned.is_frozen),
            frozen_by=" ".join(owned.frozen_by) or None,
            items_anchor=owned.items_anchor,
            **of_subscription,
        )
    )


def announce_beginning(work: Work, environment: Environment, owned: OwnedProduct, *, goes_on: bool = False) -> None:
    product = shown_in_event(work, environment, owned)
    record(work, "product.granted", {"product": product}, customer=owned.customer, change="products")
    if owned.subscription is not None and not goes_on:
        trialing = owned.subscription.status == "trialing"
        event_type = "subscription.trial_started" if trialing else "subscription.started"
        record(work, event_type, {"subscription": product["subscription"]}, customer=owned.customer, change="products")


def start_items(work: Work, owned: OwnedProduct) -> None:
    for item_id, included in owned.product.included_items.items():
        ledger.start_included(
            work,
            owned.customer,
            owned.id,
            item_id,
            included.quantity * owned.quantity,
            repeat=included.period,
            expires=included.expires,
            anchor=owned.repeats_from,
            starts_at=owned.granted_at,
            ends_at=owned.ends_at,
        )


def free_places(work: Work, owned: OwnedProduct) -> None:
    for table in (product_line_holders, product_holders):
        held = table.c.environment_id == work.environment_id, table.c.owned_product_id == owned.id
        work.execute(table.delete().where(*held, table.c.customer == owned.customer.key))


def rewrite(work: Work, owned: OwnedProduct, **values: Any) -> None:
    """Writes columns of its row; `GET C` differs after this work."""
    work.execute(owned_products.update().where(where_is(work, owned)).values(**values))
    mark_changed(work, owned.customer, "products")


def columns_of(change: PendingChange | None) -> dict[str, Any]:
    """A pending change as its row keeps it."""
    return {
        "change_at": None if change is None else change.at,
        "change_product_id": None if change is None else change.product_id,
        "change_version_id": None if change is None else change.version_id,
        "change_price_id": None if change is None else change.price_id,
        "change_quantity": None if change is None else change.quantity,
        "change_owned_id": None if change is None else change.successor_id,
    }


def shown_in_event(work: Work, environment: Environment, owned: OwnedProduct) -> dict[str, Any]:
    """As an event tells it: no server metadata, no options."""
    return shown(owned, work.now, catalog=None, currency=environment.default_currency, with_secret_key=False)


def where_is(work: Work, owned: OwnedProduct) -> sa.ColumnElement[bool]:
    return sa.and_(
        owned_products.c.environment_id == work.environment_id,
        owned_products.c.customer == owned.customer.key,
        owned_products.c.id == owned.id,
    )
