"""What an owned product becomes by a known change, and when an add-on loses its last base. Pure."""

from collections.abc import Collection, Sequence

import msgspec

from paywright.catalog.model import Product
from paywright.ownership.model import OwnedProduct, PendingChange, Subscription


def as_of(owned: OwnedProduct, now: int, product_to_come: Product | None) -> OwnedProduct:
    """The purchase as it is at `now`, whether or not anybody has applied what is due. `product_to_come` is that of the pending change."""
    if owned.changes_at is not None and owned.changes_at <= now:
        assert owned.pending_change is not None
        assert product_to_come is not None
        owned = changed(owned, owned.pending_change, product_to_come)
    if owned.access and owned.access_until is not None and owned.access_until <= now:
        return msgspec.structs.replace(owned, access=False)
    return owned


def changed(owned: OwnedProduct, change: PendingChange, product: Product) -> OwnedProduct:
    """After the change: the next owned product, or the same one with other terms. The subscription goes on."""
    assert owned.subscription is not None
    interval = product.prices[change.price_id].interval or owned.subscription.interval
    subscription = carried_on(owned.subscription, interval, change.at)
    if change.successor_id is None:
        return msgspec.structs.replace(
            owned,
            version_id=change.version_id,
            product=product,
            price_id=change.price_id,
            quantity=change.quantity,
            subscription=subscription,
            items_anchor=owned.repeats_from,
            pending_change=None,
        )
    return OwnedProduct(
        id=change.successor_id,
        customer=owned.customer,
        product_id=change.product_id,
        version_id=change.version_id,
        product=product,
        price_id=change.price_id,
        quantity=change.quantity,
        source=owned.source,
        granted_at=change.at,
        access=owned.access,
        frozen_by=owned.frozen_by,
        subscription=subscription,
        items_anchor=owned.repeats_from if interval == owned.subscription.interval else change.at,
    )


def carried_on(subscription: Subscription, interval: str, at: int) -> Subscription:
    """One interval keeps its anchor; another starts anew."""
    if interval == subscription.interval:
        return msgspec.structs.replace(subscription, cancel_at_period_end=False)
    return msgspec.structs.replace(subscription, interval=interval, anchor=at, cancel_at_period_end=False)


def end_of_bases(add_on: OwnedProduct, held: Sequence[OwnedProduct], defaults: Collection[str]) -> int | None:
    """When the last owned base of an add-on ends; None while one of them has no known end, or is owned by default."""
    bases = add_on.product.add_on_to
    if not add_on.product.ends_with_base or set(bases).intersection(defaults):
        return None
    ends = [_end_as_base(base, bases) for base in held if base.product_id in bases]
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None


def _end_as_base(base: OwnedProduct, bases: Collection[str]) -> int | None:
    """Its end, or a switch to a product that is no base of the add-on."""
    leaves = base.pending_change is not None and base.pending_change.product_id not in bases
    return sooner(base.ends_at, base.pending_change.at if base.pending_change is not None and leaves else None)


def sooner(one: int | None, other: int | None) -> int | None:
    return min((each for each in (one, other) if each is not None), default=None)
