"""
Switches: another product of the line takes the place of this one, or the same one goes on with another price or quantity.

Without Stripe a switch at the end of the period is data on the owned product: the ledger is told too, so that reads and spends are right from that
instant on, and settling writes it down. At Stripe the pending change is only shown; it is made when Stripe says so. The customer is locked.
"""

from typing import Any

import msgspec

from paywright.catalog.actions import pin_inline
from paywright.catalog.model import Product
from paywright.catalog.queries import product_versions_of
from paywright.environments.model import Environment
from paywright.kernel.ids import new_id
from paywright.kernel.instants import rfc3339
from paywright.ledger import actions as ledger
from paywright.outbox.actions import record
from paywright.ownership.defaults import align_later
from paywright.ownership.ending import call_off, end_alone, end_orphaned_add_ons, follow_bases
from paywright.ownership.model import OwnedProduct, PendingChange, ResolvedLine
from paywright.ownership.record import begin, columns_of, rewrite, shown_in_event
from paywright.ownership.succession import changed
from paywright.storage.work import Work


def plan_change(work: Work, environment: Environment, owned: OwnedProduct, line: ResolvedLine, at: int) -> OwnedProduct:
    """At `at`, the end of the period, `owned` becomes `line`. What was scheduled before is replaced."""
    assert line.product_id is not None
    assert line.price_id is not None
    owned = _without_change(work, owned)
    version_id, product = line.version_id, line.product
    successor_id = None
    if line.product_id == owned.product_id:
        version_id, product = _with_price(work, owned, line)
    elif not owned.is_stripe_backed:
        successor_id = new_id("own")
    change = PendingChange(line.product_id, version_id, line.price_id, line.quantity, at, successor_id)
    planned = msgspec.structs.replace(owned, pending_change=change)
    rewrite(work, planned, **columns_of(change))
    if not owned.is_stripe_backed:
        _tell_ledger(work, planned, change, product)
    follow_bases(work, owned.customer)
    told = shown_in_event(work, environment, planned)["subscription"]
    facts = {"subscription": told, "pending_change": told["pending_change"], "ends_at": rfc3339(at)}
    record(work, "subscription.change_scheduled", facts, customer=owned.customer, change="products")
    return planned


def drop_change(work: Work, owned: OwnedProduct) -> OwnedProduct:
    """The pending change is called off; nothing happens when there is none. Whoever asked for it tells of it."""
    dropped = _without_change(work, owned)
    if dropped != owned:
        follow_bases(work, owned.customer)
    return dropped


def apply_change(work: Work, environment: Environment, owned: OwnedProduct) -> OwnedProduct:
    """The instant of a pending change without Stripe has come."""
    change = owned.pending_change
    assert change is not None
    product = product_versions_of(work.connection, work.environment_id, [change.version_id])[change.version_id].product
    after = changed(owned, change, product)
    rewrite(work, owned, **columns_of(None))
    owned = msgspec.structs.replace(owned, pending_change=None)
    if change.successor_id is not None:
        return _take_place(work, environment, owned, after, at=change.at)
    return _write_terms(work, environment, owned, after)


def switch(
    work: Work, environment: Environment, owned: OwnedProduct, line: ResolvedLine, *, at: int | None = None
) -> OwnedProduct:
    """
    `line`, another product, takes the place of `owned` now, or at `at` in the past; its subscription goes on.

    The old one's included items end as they were sold to, the new one's are granted in full, and their repeats keep the anchor when the interval
    is the same.
    """
    assert line.product_id is not None
    assert line.price_id is not None
    owned = _without_change(work, owned)
    instant = work.now if at is None else at
    change = PendingChange(line.product_id, line.version_id, line.price_id, line.quantity, instant, new_id("own"))
    return _take_place(work, environment, owned, changed(owned, change, line.product), at=instant)


def change_terms(
    work: Work, environment: Environment, owned: OwnedProduct, line: ResolvedLine, *, at: int | None = None
) -> OwnedProduct:
    """
    The same product goes on with another price or quantity. Units that are given once differ at once, those of repeats from the next one on.

    `at` in the past is when the new price's periods begin.
    """
    assert line.product_id == owned.product_id
    assert line.price_id is not None
    owned = _without_change(work, owned)
    version_id, product = _with_price(work, owned, line)
    instant = work.now if at is None else at
    change = PendingChange(owned.product_id or "", version_id, line.price_id, line.quantity, instant)
    after = changed(owned, change, product)
    for item_id, included in product.included_items.items():
        source = f"change:{new_id('chg')}"
        ledger.change_included(
            work, owned.customer, owned.id, item_id, included.quantity * line.quantity, source=source
        )
    return _write_terms(work, environment, owned, after)


def _without_change(work: Work, owned: OwnedProduct) -> OwnedProduct:
    if owned.pending_change is None:
        return owned
    if not owned.is_stripe_backed:
        call_off(work, owned)
    rewrite(work, owned, **columns_of(None))
    return msgspec.structs.replace(owned, pending_change=None)


def _tell_ledger(work: Work, owned: OwnedProduct, change: PendingChange, product: Product) -> None:
    """From `change.at` on balances are right by themselves."""
    if change.successor_id is None:
        for item_id, included in product.included_items.items():
            quantity = included.quantity * change.quantity
            ledger.plan_quantity(work, owned.customer, owned.id, item_id, quantity, change.at)
        return
    after = changed(owned, change, product)
    ledger.set_end(work, owned.customer, owned.id, change.at)
    for item_id, included in product.included_items.items():
        ledger.plan_included(
            work,
            owned.customer,
            after.id,
            item_id,
            included.quantity * change.quantity,
            repeat=included.period,
            expires=included.expires,
            anchor=after.repeats_from,
            starts_at=change.at,
        )


def _take_place(
    work: Work, environment: Environment, owned: OwnedProduct, after: OwnedProduct, *, at: int
) -> OwnedProduct:
    ended = end_alone(work, environment, owned, "switched", at=at)
    begin(work, environment, after, goes_on=True)
    if not after.access:
        ledger.pause_repeats(work, after.customer, after.id)
    _tell_switched(work, environment, owned, after)
    end_orphaned_add_ons(work, environment, ended)
    follow_bases(work, owned.customer)
    align_later(work, owned.customer)
    return after


def _write_terms(work: Work, environment: Environment, owned: OwnedProduct, after: OwnedProduct) -> OwnedProduct:
    assert after.subscription is not None
    subscription = after.subscription
    rewrite(
        work,
        owned,
        version_id=after.version_id,
        price_id=after.price_id,
        quantity=after.quantity,
        interval=subscription.interval,
        anchor=subscription.anchor,
        turns_at=None if subscription.is_stripe_backed else subscription.period_end(work.now),
        items_anchor=after.items_anchor,
        cancel_at_period_end=int(subscription.cancel_at_period_end),
    )
    _tell_switched(work, environment, owned, after)
    return after


def _tell_switched(work: Work, environment: Environment, owned: OwnedProduct, after: OwnedProduct) -> None:
    facts = {
        "subscription": shown_in_event(work, environment, after)["subscription"],
        "from": _terms(owned),
        "to": _terms(after),
    }
    record(work, "subscription.switched", facts, customer=owned.customer, change="products")


def _terms(owned: OwnedProduct) -> dict[str, Any]:
    return {
        "id": owned.id,
        "product_id": owned.product_id,
        "price_id": owned.price_id,
        "quantity": owned.quantity,
    }


def _with_price(work: Work, owned: OwnedProduct, line: ResolvedLine) -> tuple[str, Product]:
    """
    The product as it was sold, with the price it is paid at from now on: owners keep what they bought.

    A price that came into the catalog later, or costs something else now, is added to a version of this owner's own.
    """
    assert line.price is not None
    assert line.price_id is not None
    if owned.product.prices.get(line.price_id) == line.price:
        return owned.version_id, owned.product
    prices = {**owned.product.prices, line.price_id: line.price}
    product = msgspec.structs.replace(owned.product, prices=prices)
    return pin_inline(work, product).id, product
