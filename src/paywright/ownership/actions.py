"""
Beginning and ending to own, inside a work.

Every function needs the customer locked (`outbox.actions.lock_customers`) and applies known ends that are due before it looks. The order of events
of one beginning is: `product.granted`, `subscription.started`, then the entries of its included items.
"""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from paywright.catalog import queries as catalog_queries
from paywright.catalog.actions import pin_inline
from paywright.catalog.versions import product_version_id
from paywright.environments.model import Environment
from paywright.kernel.ids import new_id
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ledger import actions as ledger
from paywright.outbox.actions import command, lock_customers, mark_changed, record
from paywright.ownership import queries
from paywright.ownership.defaults import align_later
from paywright.ownership.model import AskedLine, EndReason, OwnedProduct, ResolvedLine, Source, Subscription
from paywright.ownership.present import shown
from paywright.ownership.rules import Wish, conflict_with_owned, in_the_way, resolve
from paywright.ownership.tables import owned_products, product_holders, product_line_holders
from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work

CANCEL_SUBSCRIPTION = "cancel_subscription"
"""The command that ends a subscription at Stripe; `subscriptions` carries it out."""


def grant(
    work: Work, environment: Environment, customer: Customer, line: AskedLine, *, with_secret_key: bool = True
) -> OwnedProduct | Refusal:
    """Gives a product without money. With a recurring price it is a subscription that renews by the calendar until somebody ends it."""
    lock_customers(work, [customer])
    lines = resolved(work, environment, customer, (line,), purpose="grant", with_secret_key=with_secret_key)
    if isinstance(lines, Refusal):
        return lines
    return own(work, environment, customer, lines[0], source="grant")


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
    for other in in_the_way(held, line):
        _replace(work, environment, other)
    held_places = _hold_places(work, owned)
    assert held_places, "the checks above ran under the customer's lock"
    _insert(work, owned)
    _announce_beginning(work, environment, owned)
    _start_items(work, owned)
    align_later(work, customer)
    return owned


def _start_items(work: Work, owned: OwnedProduct) -> None:
    for item_id, included in owned.product.included_items.items():
        ledger.start_included(
            work,
            owned.customer,
            owned.id,
            item_id,
            included.quantity * owned.quantity,
            repeat=included.period,
            expires=included.expires,
            anchor=owned.granted_at,
            starts_at=owned.granted_at,
            ends_at=owned.ends_at,
        )


def end(
    work: Work, environment: Environment, owned: OwnedProduct, reason: EndReason, *, at: int | None = None
) -> OwnedProduct:
    """It is over, now or at `at` in the past: its place is free, its included items end as they were sold to. Twice is once."""
    if owned.ended_at is not None:
        return owned
    ended_at = work.now if at is None else at
    work.execute(owned_products.update().where(_is(work, owned)).values(ended_at=ended_at, end_reason=reason, access=0))
    for table in (product_line_holders, product_holders):
        held = table.c.environment_id == work.environment_id, table.c.owned_product_id == owned.id
        work.execute(table.delete().where(*held, table.c.customer == owned.customer.key))
    ledger.end_included(work, owned.customer, owned.id, at=ended_at)
    ended = msgspec.structs.replace(owned, ended_at=ended_at, end_reason=reason, access=False)
    record(
        work,
        "product.ended",
        {"product": _shown(work, environment, ended), "reason": reason},
        customer=owned.customer,
        change="products",
    )
    if ended.subscription is not None:
        facts = {"subscription": _shown(work, environment, ended)["subscription"], "reason": reason}
        record(work, "subscription.ended", facts, customer=owned.customer, change="products")
    _end_orphaned_add_ons(work, environment, ended)
    align_later(work, owned.customer)
    return ended


def reduce(work: Work, environment: Environment, held: Sequence[OwnedProduct], quantity: int) -> None:
    """Takes `quantity` units of these one-time purchases back, in the order given; a purchase with nothing left is revoked."""
    for owned in held:
        taken = min(quantity, owned.quantity)
        quantity -= taken
        if taken == owned.quantity:
            end(work, environment, owned, "revoked")
        elif taken > 0:
            left = owned.quantity - taken
            work.execute(owned_products.update().where(_is(work, owned)).values(quantity=left))
            mark_changed(work, owned.customer, "products")
            for item_id, included in owned.product.included_items.items():
                source = f"revoke:{new_id('rev')}"
                ledger.change_included(work, owned.customer, owned.id, item_id, included.quantity * left, source=source)
    assert quantity == 0, "the caller counted"


def settle(work: Work, environment: Environment, customer: Customer) -> None:
    """Applies the known ends that are due, oldest first. The customer is locked."""
    due = queries.unsettled(work.connection, work.environment_id, customer, work.now)
    for owned in sorted(due, key=lambda each: (each.ends_at or 0, each.id)):
        end(work, environment, owned, "canceled", at=owned.ends_at)
    align_later(work, customer)


def bought(work: Work, customer: Customer) -> list[OwnedProduct]:
    """What the customer owns apart from defaults, which never stand in the way, newest first."""
    live = queries.live(work.connection, work.environment_id, customer, work.now)
    return [each for each in live if each.source != "default"]


def schedule_end(work: Work, owned: OwnedProduct, ends_at: int | None, *, cancel_at_period_end: bool) -> OwnedProduct:
    """A known end, or none any more. Access stays until then, and the end is applied on time whether or not anybody looks."""
    values = {"ends_at": ends_at, "cancel_at_period_end": int(cancel_at_period_end)}
    work.execute(owned_products.update().where(_is(work, owned)).values(**values))
    if ends_at != owned.ends_at:
        ledger.set_end(work, owned.customer, owned.id, ends_at)
    mark_changed(work, owned.customer, "products")
    subscription = owned.subscription
    if subscription is not None:
        subscription = msgspec.structs.replace(subscription, cancel_at_period_end=cancel_at_period_end)
    return msgspec.structs.replace(owned, ends_at=ends_at, subscription=subscription)


def refresh(work: Work, owned: OwnedProduct, subscription: Subscription) -> OwnedProduct:
    """Status and period as Stripe has them now."""
    if owned.subscription == subscription:
        return owned
    values = {
        "status": subscription.status,
        "current_period_end": subscription.current_period_end,
        "cancel_at_period_end": int(subscription.cancel_at_period_end),
    }
    work.execute(owned_products.update().where(_is(work, owned)).values(**values))
    mark_changed(work, owned.customer, "products")
    return msgspec.structs.replace(owned, subscription=subscription)


def set_access(work: Work, environment: Environment, owned: OwnedProduct, access: bool, reason: str) -> OwnedProduct:
    """Access is lost or back: units stay, repeats pause or go on."""
    if owned.access == access:
        return owned
    work.execute(owned_products.update().where(_is(work, owned)).values(access=int(access)))
    (ledger.resume_repeats if access else ledger.pause_repeats)(work, owned.customer, owned.id)
    changed = msgspec.structs.replace(owned, access=access)
    facts = {"product": _shown(work, environment, changed), "reason": reason}
    record(work, "product.access_changed", facts, customer=owned.customer, change="products")
    return changed


def _replace(work: Work, environment: Environment, other: OwnedProduct) -> None:
    if other.is_stripeless_subscription:
        end(work, environment, other, "replaced")
        return
    # What somebody pays for is canceled at Stripe too, after this commit; the place in the line must be free now.
    assert other.subscription is not None, "a one-time purchase in the line was refused before"
    command(work, CANCEL_SUBSCRIPTION, other.subscription.id, {"subscription_id": other.subscription.id})
    end(work, environment, other, "replaced")


def _end_orphaned_add_ons(work: Work, environment: Environment, ended: OwnedProduct) -> None:
    """An add-on ends with the last of its bases, unless it was sold to outlive them."""
    held = bought(work, ended.customer)
    catalog = catalog_queries.current(work.connection, work.environment_id)
    standing = {each.product_id for each in held} | catalog.defaults(ended.customer.type).keys()
    for add_on in held:
        bases = add_on.product.add_on_to
        if bases and add_on.product.ends_with_base and ended.product_id in bases and not standing.intersection(bases):
            if add_on.is_stripe_backed and add_on.subscription is not None:
                command(work, CANCEL_SUBSCRIPTION, add_on.subscription.id, {"subscription_id": add_on.subscription.id})
            end(work, environment, add_on, "base_ended", at=ended.ended_at)


def _by_the_calendar(line: ResolvedLine, starts: int) -> Subscription | None:
    if line.price is None or line.price.interval is None:
        return None
    return Subscription(
        new_id("sub"), is_stripe_backed=False, status="active", anchor=starts, interval=line.price.interval
    )


def _hold_places(work: Work, owned: OwnedProduct) -> bool:
    """The places in the product line and of the product, where there is but one. False: somebody holds it."""
    places: list[tuple[sa.Table, dict[str, str]]] = []
    if owned.product_id is not None and not owned.product.stackable:
        places.append((product_holders, {"product_id": owned.product_id}))
        if owned.product_line is not None and not owned.product.is_add_on:
            places.append((product_line_holders, {"product_line": owned.product_line}))
    row = {"environment_id": work.environment_id, "customer": owned.customer.key, "owned_product_id": owned.id}
    return all(insert_if_absent(work, table, {**row, **place}) for table, place in places)


def _insert(work: Work, owned: OwnedProduct) -> None:
    subscription = owned.subscription
    of_subscription = (
        {
            "subscription_id": subscription.id,
            "stripe_backed": int(subscription.is_stripe_backed),
            "status": subscription.status,
            "anchor": subscription.anchor,
            "interval": subscription.interval,
            "current_period_end": subscription.current_period_end,
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
            **of_subscription,
        )
    )


def _announce_beginning(work: Work, environment: Environment, owned: OwnedProduct) -> None:
    product = _shown(work, environment, owned)
    record(work, "product.granted", {"product": product}, customer=owned.customer, change="products")
    if owned.subscription is not None:
        trialing = owned.subscription.status == "trialing"
        event_type = "subscription.trial_started" if trialing else "subscription.started"
        record(work, event_type, {"subscription": product["subscription"]}, customer=owned.customer, change="products")


def _shown(work: Work, environment: Environment, owned: OwnedProduct) -> dict[str, object]:
    """As an event tells it: no server metadata, no options."""
    return shown(owned, work.now, catalog=None, currency=environment.default_currency, with_secret_key=False)


def _is(work: Work, owned: OwnedProduct) -> sa.ColumnElement[bool]:
    return sa.and_(
        owned_products.c.environment_id == work.environment_id,
        owned_products.c.customer == owned.customer.key,
        owned_products.c.id == owned.id,
    )
