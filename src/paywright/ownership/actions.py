"""
Beginning and ending to own, inside a work.

Every function needs the customer locked (`outbox.actions.lock_customers`) and applies known ends that are due before it looks. The order of events
of one beginning is: `product.granted`, `subscription.started`, then the entries of its included items.
"""

from collections.abc import Sequence

import msgspec

from paywright.catalog import queries as catalog_queries
from paywright.catalog.actions import pin_inline
from paywright.catalog.versions import product_version_id
from paywright.environments.model import Environment
from paywright.kernel.ids import new_id
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ledger import actions as ledger
from paywright.outbox.actions import command, lock_customers, record
from paywright.outbox.audit import note
from paywright.ownership import queries
from paywright.ownership.changing import apply_change, change_terms, drop_change, plan_change, switch
from paywright.ownership.defaults import align_later
from paywright.ownership.ending import (
    CANCEL_SUBSCRIPTION,
    bought,
    end,
    end_before_another,
    end_orphaned_add_ons,
    end_with_base,
    follow_bases,
    schedule_end,
)
from paywright.ownership.freezing import freeze, unfreeze
from paywright.ownership.model import AskedLine, OwnedProduct, ResolvedLine, Source, Subscription
from paywright.ownership.record import begin, rewrite, shown_in_event
from paywright.ownership.restoring import restore
from paywright.ownership.rules import Wish, conflict_with_owned, in_the_way, resolve
from paywright.storage.work import Work

__all__ = [
    "CANCEL_SUBSCRIPTION",
    "bought",
    "change_terms",
    "drop_change",
    "end",
    "follow_bases",
    "freeze",
    "grant",
    "own",
    "plan_change",
    "reduce",
    "refresh",
    "resolved",
    "restore",
    "schedule_end",
    "set_access",
    "settle",
    "switch",
    "unfreeze",
]


def grant(
    work: Work, environment: Environment, customer: Customer, line: AskedLine, *, with_secret_key: bool = True
) -> OwnedProduct | Refusal:
    """Gives a product without money. With a recurring price it is a subscription that renews by the calendar until somebody ends it."""
    lock_customers(work, [customer])
    lines = resolved(work, environment, customer, (line,), purpose="grant", with_secret_key=with_secret_key)
    if isinstance(lines, Refusal):
        return lines
    owned = own(work, environment, customer, lines[0], source="grant")
    if not isinstance(owned, Refusal):
        facts = {"product_id": line.product_id, "quantity": line.quantity, "customer": customer.key}
        note(work, "product.granted", owned.id, **facts)
    return owned


def resolved(
    work: Work,
    environment: Environment,
    customer: Customer,
    lines: tuple[AskedLine, ...],
    *,
    purpose: str,
    with_secret_key: bool,
    currency: str | None = None,
) -> tuple[ResolvedLine, ...] | Refusal:
    """Steps 1 to 13 of rules.md 4.1 against what the customer owns in this work."""
    assert purpose in ("checkout", "grant")
    wish = Wish(
        environment=environment,
        catalog=catalog_queries.current(work.connection, work.environment_id),
        customer=customer,
        with_secret_key=with_secret_key,
        purpose="grant" if purpose == "grant" else "checkout",
        lines=lines,
        owned=tuple(bought(work, customer)),
        inline_version=lambda product: product_version_id(None, product),
        currency=currency,
    )
    return resolve(wish)


def own(
    work: Work,
    environment: Environment,
    customer: Customer,
    line: ResolvedLine,
    *,
    source: Source,
    granted_at: int | None = None,
    subscription: Subscription | None = None,
    checkout_session_id: str | None = None,
    line_index: int | None = None,
) -> OwnedProduct | Refusal:
    """
    The customer owns it from `granted_at` (default now) on, included items and all. Refuses what conflicts with steps 11 to 13.

    A recurring line without a `subscription` of Stripe's becomes one that renews by the calendar. Subscriptions without Stripe that stand in the
    product line end at the same instant; one at Stripe is canceled there when this is a one-time purchase.
    """
    settle(work, environment, customer)
    catalog = catalog_queries.current(work.connection, work.environment_id)
    held = bought(work, customer)
    refusal = conflict_with_owned(held, [line], catalog, customer)
    if refusal is not None:
        return refusal
    starts = work.now if granted_at is None else granted_at
    owned = OwnedProduct(
        id=new_id("own"),
        customer=customer,
        product_id=line.product_id,
        version_id=line.version_id if line.product_id is not None else pin_inline(work, line.product).id,
        product=line.product,
        price_id=line.price_id,
        quantity=line.quantity,
        source=source,
        granted_at=starts,
        subscription=subscription or _by_the_calendar(line, starts),
        checkout_session_id=checkout_session_id,
        line_index=line_index,
    )
    replaced = [_replace(work, environment, other) for other in in_the_way(held, line)]
    begin(work, environment, owned)
    for other in replaced:
        end_orphaned_add_ons(work, environment, other)
    follow_bases(work, customer)
    align_later(work, customer)
    return owned


def reduce(work: Work, environment: Environment, held: Sequence[OwnedProduct], quantity: int) -> None:
    """Takes `quantity` units of these one-time purchases back, in the order given; a purchase with nothing left is revoked."""
    for owned in held:
        taken = min(quantity, owned.quantity)
        quantity -= taken
        if taken == owned.quantity:
            end(work, environment, owned, "revoked")
        elif taken > 0:
            left = owned.quantity - taken
            rewrite(work, owned, quantity=left)
            for item_id, included in owned.product.included_items.items():
                source = f"revoke:{new_id('rev')}"
                ledger.change_included(work, owned.customer, owned.id, item_id, included.quantity * left, source=source)
    assert quantity == 0, "the caller counted"


def settle(work: Work, environment: Environment, customer: Customer) -> None:
    """Applies the known ends, changes and losses of access that are due, in the order of time. The customer is locked."""
    for _ in range(queries.OWNED_MAX):
        due = queries.unsettled(work.connection, work.environment_id, customer, work.now)
        if not due:
            break
        # A base goes before its add-ons: they end with it, and for that reason.
        first = min(due, key=lambda each: (each.next_due or 0, each.product.is_add_on, each.id))
        _apply_due(work, environment, first)
    align_later(work, customer)


def _apply_due(work: Work, environment: Environment, owned: OwnedProduct) -> None:
    instant = owned.next_due
    if instant == owned.ends_at:
        if owned.own_ends_at == owned.ends_at:
            end(work, environment, owned, "canceled", at=owned.ends_at)
        else:
            end_with_base(work, environment, owned, at=owned.ends_at)
    elif instant == owned.changes_at:
        apply_change(work, environment, owned)
    else:
        reason = owned.subscription.status if owned.subscription is not None else "past_due"
        set_access(work, environment, owned, False, reason)


def refresh(work: Work, owned: OwnedProduct, subscription: Subscription) -> OwnedProduct:
    """Status and period as Stripe has them now."""
    if owned.subscription == subscription:
        return owned
    rewrite(
        work,
        owned,
        status=subscription.status,
        current_period_end=subscription.current_period_end,
        cancel_at_period_end=int(subscription.cancel_at_period_end),
    )
    return msgspec.structs.replace(owned, subscription=subscription)


def set_access(
    work: Work, environment: Environment, owned: OwnedProduct, access: bool, reason: str, *, until: int | None = None
) -> OwnedProduct:
    """Access is lost or back: units stay, repeats pause or go on. `until`: it will be lost then, and that needs nobody to look."""
    until = until if access else None
    if owned.is_frozen:
        # Nothing to see before the dispute is over: what the policy says is only written down.
        rewrite(work, owned, access=int(access), access_until=until)
        return msgspec.structs.replace(owned, access_until=until)
    if owned.access_until != until:
        rewrite(work, owned, access_until=until)
        ledger.plan_pause(work, owned.customer, owned.id, until)
        owned = msgspec.structs.replace(owned, access_until=until)
    if owned.access == access:
        return owned
    rewrite(work, owned, access=int(access))
    (ledger.resume_repeats if access else ledger.pause_repeats)(work, owned.customer, owned.id)
    changed = msgspec.structs.replace(owned, access=access)
    facts = {"product": shown_in_event(work, environment, changed), "reason": reason}
    record(work, "product.access_changed", facts, customer=owned.customer, change="products")
    return changed


def _replace(work: Work, environment: Environment, other: OwnedProduct) -> OwnedProduct:
    if not other.is_stripeless_subscription:
        # What somebody pays for is canceled at Stripe too, after this commit; the place in the line must be free now.
        assert other.subscription is not None, "a one-time purchase in the line was refused before"
        command(work, CANCEL_SUBSCRIPTION, other.subscription.id, {"subscription_id": other.subscription.id})
    return end_before_another(work, environment, other, "replaced")


def _by_the_calendar(line: ResolvedLine, starts: int) -> Subscription | None:
    if line.price is None or line.price.interval is None:
        return None
    return Subscription(
        new_id("sub"), is_stripe_backed=False, status="active", anchor=starts, interval=line.price.interval
    )
