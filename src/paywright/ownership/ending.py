"""Ends: now, at a known instant, and of add-ons with the last of their bases. Inside a work that holds the customer's lock."""

import msgspec

from paywright.catalog import queries as catalog_queries
from paywright.environments.model import Environment
from paywright.kernel.model import Customer
from paywright.ledger import actions as ledger
from paywright.outbox.actions import command, record
from paywright.ownership import queries
from paywright.ownership.defaults import align_later
from paywright.ownership.model import EndReason, OwnedProduct
from paywright.ownership.record import columns_of, free_places, rewrite, shown_in_event
from paywright.ownership.succession import end_of_bases, sooner
from paywright.storage.work import Work

CANCEL_SUBSCRIPTION = "cancel_subscription"
"""The command that ends a subscription at Stripe; `subscriptions` carries it out."""

BASES_DEPTH_MAX = 10
"""Add-ons of add-ons of add-ons: a catalog with more levels is a mistake."""


def end(
    work: Work, environment: Environment, owned: OwnedProduct, reason: EndReason, *, at: int | None = None
) -> OwnedProduct:
    """It is over, now or at `at` in the past: its place is free, its included items end as they were sold to. Twice is once."""
    if owned.ended_at is not None:
        return owned
    ended = end_before_another(work, environment, owned, reason, at=at)
    end_orphaned_add_ons(work, environment, ended)
    follow_bases(work, owned.customer)
    align_later(work, owned.customer)
    return ended


def end_before_another(
    work: Work, environment: Environment, owned: OwnedProduct, reason: EndReason, *, at: int | None = None
) -> OwnedProduct:
    """Another product takes its place in this work: whether its add-ons end is asked once that one is there (`end_orphaned_add_ons`)."""
    ended = end_alone(work, environment, owned, reason, at=at)
    if ended.subscription is not None:
        facts = {"subscription": shown_in_event(work, environment, ended)["subscription"], "reason": reason}
        record(work, "subscription.ended", facts, customer=owned.customer, change="products")
    return ended


def end_alone(
    work: Work, environment: Environment, owned: OwnedProduct, reason: EndReason, *, at: int | None
) -> OwnedProduct:
    """The product and its items, but not its subscription and not what stands on it."""
    ended_at = work.now if at is None else at
    if owned.changes_at is not None:
        call_off(work, owned)
    rewrite(work, owned, ended_at=ended_at, end_reason=reason, access=0, **columns_of(None))
    free_places(work, owned)
    ledger.end_included(work, owned.customer, owned.id, at=ended_at)
    ended = msgspec.structs.replace(
        owned, ended_at=ended_at, end_reason=reason, access=False, access_until=None, pending_change=None
    )
    facts = {"product": shown_in_event(work, environment, ended), "reason": reason}
    record(work, "product.ended", facts, customer=owned.customer, change="products")
    return ended


def call_off(work: Work, owned: OwnedProduct) -> None:
    """What the ledger was told of a change that the calendar will not make after all."""
    change = owned.pending_change
    assert change is not None
    if change.successor_id is not None:
        ledger.end_included(work, owned.customer, change.successor_id)
        ledger.set_end(work, owned.customer, owned.id, owned.ends_at)
        return
    for item_id in owned.product.included_items:
        ledger.plan_quantity(work, owned.customer, owned.id, item_id, None, None)


def bought(work: Work, customer: Customer) -> list[OwnedProduct]:
    """What the customer owns apart from defaults, which never stand in the way, newest first."""
    live = queries.live(work.connection, work.environment_id, customer, work.now)
    return [each for each in live if each.source != "default"]


def schedule_end(work: Work, owned: OwnedProduct, ends_at: int | None, *, cancel_at_period_end: bool) -> OwnedProduct:
    """A known end, or none any more. Access stays until then, and the end is applied on time whether or not anybody looks."""
    rewrite(work, owned, own_ends_at=ends_at, ends_at=ends_at, cancel_at_period_end=int(cancel_at_period_end))
    if ends_at != owned.ends_at:
        ledger.set_end(work, owned.customer, owned.id, ends_at)
    follow_bases(work, owned.customer)
    subscription = owned.subscription
    if subscription is not None:
        subscription = msgspec.structs.replace(subscription, cancel_at_period_end=cancel_at_period_end)
    return msgspec.structs.replace(owned, ends_at=ends_at, own_ends_at=ends_at, subscription=subscription)


def end_orphaned_add_ons(work: Work, environment: Environment, ended: OwnedProduct) -> None:
    """An add-on ends with the last of its bases, unless it was sold to outlive them."""
    held = bought(work, ended.customer)
    catalog = catalog_queries.current(work.connection, work.environment_id)
    standing = {each.product_id for each in held} | catalog.defaults(ended.customer.type).keys()
    for add_on in held:
        bases = add_on.product.add_on_to
        if bases and add_on.product.ends_with_base and ended.product_id in bases and not standing.intersection(bases):
            end_with_base(work, environment, add_on, at=ended.ended_at)


def end_with_base(work: Work, environment: Environment, add_on: OwnedProduct, *, at: int | None) -> None:
    """Its subscription at Stripe ends too, if it is one of its own: one that was bought together with the base is the base's to end."""
    subscription = add_on.subscription
    if subscription is not None and subscription.is_stripe_backed:
        sharing = queries.of_subscription(work.connection, work.environment_id, subscription.id)
        if all(each.id == add_on.id for each in sharing):
            command(work, CANCEL_SUBSCRIPTION, subscription.id, {"subscription_id": subscription.id})
    end(work, environment, add_on, "base_ended", at=at)


def follow_bases(work: Work, customer: Customer) -> None:
    """An add-on shows the end of its last base as its own, and no longer when that is taken back."""
    catalog = catalog_queries.current(work.connection, work.environment_id)
    defaults = catalog.defaults(customer.type).keys()
    for _ in range(BASES_DEPTH_MAX):
        held = bought(work, customer)
        moved = False
        for add_on in (each for each in held if each.product.is_add_on):
            ends_at = sooner(add_on.own_ends_at, end_of_bases(add_on, held, defaults))
            if ends_at != add_on.ends_at:
                rewrite(work, add_on, ends_at=ends_at)
                ledger.set_end(work, customer, add_on.id, sooner(ends_at, add_on.leaves_at))
                moved = True
        if not moved:
            return
