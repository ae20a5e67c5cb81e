"""
Cancel, resume and revoke: what a customer or an operator asks of an owned product.

A subscription without Stripe changes in one work. One at Stripe goes in phases: our request is committed, Stripe is called with that row's id as key,
and the result is whatever a fetch then says: the same projection the webhook will run.

With an Idempotency-Key a repeat goes on with what the first request began (`begun`).
"""

from typing import Literal

from paywright.catalog import queries as catalog_queries
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.instants import rfc3339_or_none
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.outbox.actions import lock_customers, record
from paywright.outbox.audit import note
from paywright.ownership import actions as ownership
from paywright.ownership import queries as ownership_queries
from paywright.ownership.model import OwnedProduct
from paywright.ownership.present import own_id
from paywright.storage.idempotency import IdempotencyKey
from paywright.storage.work import Work
from paywright.subscriptions import actions as subscriptions
from paywright.subscriptions import queries
from paywright.subscriptions.begun import Owned, once, point_at
from paywright.subscriptions.leaving import ask_to_leave, is_shared
from paywright.subscriptions.requests import Ask, Change, carry_out, request, reworded, unanswered

__all__ = [
    "CancelAt",
    "cancel",
    "cancel_at_period_end_at_stripe",
    "cancel_at_stripe",
    "carry_out",
    "resume",
    "revoke",
    "unanswered",
]

CancelAt = Literal["period_end", "now"]


def cancel(
    app: App,
    environment: Environment,
    customer: Customer,
    name: str,
    *,
    at: CancelAt,
    key: IdempotencyKey | None = None,
) -> Owned:
    """
    Ends a subscription at the end of its period, or now. `name` is an owned product's id, or a product's: all live purchases of it.

    Again answers the same; `now` after `period_end` ends it. Refuses `not_owned`, `not_a_subscription`, `product_is_default`.
    """

    def go_on(begun: list[OwnedProduct]) -> Owned | None:
        return begun[0] if all(_ends(owned, at) for owned in begun) else None

    return once(app, environment, customer, key, go_on, lambda: _cancel(app, environment, customer, name, at, key))


def _ends(owned: OwnedProduct, at: CancelAt) -> bool:
    return owned.ended_at is not None or (at == "period_end" and owned.own_ends_at is not None)


def _cancel(
    app: App, environment: Environment, customer: Customer, name: str, at: CancelAt, key: IdempotencyKey | None
) -> Owned:
    changes: list[Change] = []
    leaving: list[OwnedProduct] = []
    with app.work(environment.id) as work:
        named = _named(work, environment, customer, name)
        if isinstance(named, Refusal):
            return named
        if not all(owned.is_subscription for owned in named):
            return Refusal("not_a_subscription")
        for owned in named:
            if not owned.is_stripe_backed:
                _cancel_by_the_calendar(work, environment, owned, at)
            elif is_shared(work, owned):
                leaving.append(owned)
            else:
                changes.extend(_ask_to_cancel(work, owned, at))
        point_at(work, key, named, is_over=not changes and not leaving)
    for owned in leaving:
        changes.extend(ask_to_leave(app, environment, owned, at))
    refusal = _carry_out_all(app, environment, changes, leaving)
    return refusal or _as_it_is(app, environment, named[0])


def resume(
    app: App, environment: Environment, customer: Customer, name: str, *, key: IdempotencyKey | None = None
) -> Owned:
    """Takes back whatever is scheduled, an end or a switch, while the subscription still lives. Refuses `not_owned`, `nothing_to_resume`."""

    def go_on(begun: list[OwnedProduct]) -> Owned | None:
        return None if any(_is_scheduled(owned) for owned in begun) else _still_owned(begun[0])

    return once(app, environment, customer, key, go_on, lambda: _resume(app, environment, customer, name, key))


def _resume(app: App, environment: Environment, customer: Customer, name: str, key: IdempotencyKey | None) -> Owned:
    changes: list[Change] = []
    with app.work(environment.id) as work:
        named = _named(work, environment, customer, name)
        if isinstance(named, Refusal):
            return named
        scheduled = [owned for owned in named if owned.is_subscription and _is_scheduled(owned)]
        if not scheduled:
            return Refusal("nothing_to_resume")
        for owned in scheduled:
            if owned.is_stripe_backed:
                changes.append(_ask_to_resume(work, owned))
            else:
                _resume_by_the_calendar(work, owned)
        point_at(work, key, scheduled, is_over=not changes)
    refusal = _carry_out_all(app, environment, [_undoing(app, environment, change) for change in changes])
    return refusal or _still_owned(_as_it_is(app, environment, scheduled[0]))


def _still_owned(owned: OwnedProduct) -> Owned:
    """A switch to come was taken back too when the subscription ended meanwhile."""
    return owned if owned.ended_at is None else Refusal("not_owned")


def _is_scheduled(owned: OwnedProduct) -> bool:
    """By itself: the end that comes from its base is taken back with the base's."""
    return owned.own_ends_at is not None or owned.pending_change is not None


def _ask_to_resume(work: Work, owned: OwnedProduct) -> Change:
    assert owned.subscription is not None
    row = queries.row_of(work.connection, work.environment_id, owned.subscription.id)
    if row is not None and row.ends_at is None and row.schedule_id is not None:
        return request(work, owned.subscription.id, Ask("release", object_id=row.schedule_id))
    return request(work, owned.subscription.id, Ask("update", {"cancel_at_period_end": False}))


def _resume_by_the_calendar(work: Work, owned: OwnedProduct) -> None:
    owned = ownership.drop_change(work, owned)
    if owned.own_ends_at is not None:
        owned = ownership.schedule_end(work, owned, None, cancel_at_period_end=False)
    _tell(work, owned, "subscription.resumed")


def revoke(
    app: App,
    environment: Environment,
    customer: Customer,
    name: str,
    *,
    quantity: int | None = None,
    key: IdempotencyKey | None = None,
) -> Owned:
    """
    Ends any purchase now, without a refund; at Stripe first where it lives there.

    `quantity` takes back so many units of one-time purchases, newest first; more than owned is `quantity_too_large`.
    """

    def go_on(begun: list[OwnedProduct]) -> Owned | None:
        if any(owned.ended_at is None for owned in begun):
            return None
        with app.work(environment.id) as work:
            _note_revoked(work, begun[0], quantity)
            point_at(work, key, begun, is_over=True)
        return begun[0]

    return once(
        app, environment, customer, key, go_on, lambda: _revoke(app, environment, customer, name, quantity, key)
    )


def _revoke(
    app: App,
    environment: Environment,
    customer: Customer,
    name: str,
    quantity: int | None,
    key: IdempotencyKey | None,
) -> Owned:
    changes: list[Change] = []
    leaving: list[OwnedProduct] = []
    with app.work(environment.id) as work:
        named = _named(work, environment, customer, name)
        if isinstance(named, Refusal):
            return named
        if quantity is not None:
            one_time = [owned for owned in named if not owned.is_subscription]
            if quantity > sum(owned.quantity for owned in one_time):
                return Refusal("quantity_too_large")
            ownership.reduce(work, environment, one_time, quantity)
        else:
            for owned in named:
                if owned.is_stripe_backed and is_shared(work, owned):
                    leaving.append(owned)
                elif owned.is_stripe_backed and owned.subscription is not None:
                    changes.append(request(work, owned.subscription.id, Ask("cancel")))
                else:
                    ownership.end(work, environment, owned, "revoked")
        is_over = not changes and not leaving
        if is_over:
            _note_revoked(work, named[0], quantity)
        point_at(work, key, named, is_over=is_over)
    for owned in leaving:
        changes.extend(ask_to_leave(app, environment, owned, "now"))
    refusal = _carry_out_all(app, environment, changes, sync=False)
    if not is_over and refusal is None:
        with app.work(environment.id) as work:
            lock_customers(work, [customer])
            for owned in named:
                present = ownership_queries.owned_product(work.connection, environment.id, customer, owned.id)
                if present is not None and present.is_stripe_backed:
                    ownership.end(work, environment, present, "revoked")
            _note_revoked(work, named[0], quantity)
            point_at(work, key, named, is_over=True)
    for change in changes:
        subscriptions.sync(app, environment, change.subscription_id)
    return refusal or _as_it_is(app, environment, named[0])


def _note_revoked(work: Work, owned: OwnedProduct, quantity: int | None) -> None:
    facts = {"product_id": owned.product_id, "quantity": quantity, "customer": owned.customer.key}
    note(work, "product.revoked", owned.id, **facts)


def cancel_at_stripe(app: App, environment: Environment, subscription_id: str) -> None:
    """The command `cancel_subscription`: ends it at Stripe and takes in what that means. Safe to repeat."""
    with app.work(environment.id) as work:
        change = request(work, subscription_id, Ask("cancel"))
    carry_out(app, environment, change)
    subscriptions.sync(app, environment, subscription_id)


def cancel_at_period_end_at_stripe(app: App, environment: Environment, subscription_id: str) -> None:
    """The command `cancel_subscription_at_period_end`, for a refund that asked for it. Safe to repeat; nothing is done when its end is known."""
    with app.work(environment.id) as work:
        live = ownership_queries.of_subscription(work.connection, work.environment_id, subscription_id)
        going = [owned for owned in live if owned.ended_at is None and owned.own_ends_at is None]
        changes = _ask_to_cancel(work, going[0], "period_end") if going else []
    for change in changes:
        carry_out(app, environment, change)
        subscriptions.sync(app, environment, subscription_id)


def _named(work: Work, environment: Environment, customer: Customer, name: str) -> list[OwnedProduct] | Refusal:
    """Live purchases by that name, newest first; the customer is locked by this."""
    lock_customers(work, [customer])
    ownership.settle(work, environment, customer)
    named = [owned for owned in ownership.bought(work, customer) if name in (owned.id, owned.product_id)]
    if named:
        return named
    catalog = catalog_queries.current(work.connection, work.environment_id)
    if name in {each for default in catalog.defaults(customer.type) for each in (default, own_id(default))}:
        return Refusal("product_is_default", {"product_id": name})
    return Refusal("not_owned")


def _ask_to_cancel(work: Work, owned: OwnedProduct, at: CancelAt) -> list[Change]:
    assert owned.subscription is not None
    if at == "now":
        return [request(work, owned.subscription.id, Ask("cancel"))]
    if owned.own_ends_at is not None:
        return []
    ask = Ask("update", {"cancel_at_period_end": True})
    schedule_id = queries.schedule_of(work.connection, work.environment_id, owned.subscription.id)
    if schedule_id is not None:
        # One thing is scheduled at a time: the switch that was to come gives way.
        ask = Ask("release", object_id=schedule_id, then=(ask,))
    return [request(work, owned.subscription.id, ask)]


def _cancel_by_the_calendar(work: Work, environment: Environment, owned: OwnedProduct, at: CancelAt) -> None:
    assert owned.subscription is not None
    if at == "now":
        ownership.end(work, environment, owned, "canceled")
    elif owned.own_ends_at is None:
        owned = ownership.drop_change(work, owned)
        assert owned.subscription is not None
        ends_at = owned.subscription.period_end(work.now)
        scheduled = ownership.schedule_end(work, owned, ends_at, cancel_at_period_end=True)
        _tell(work, scheduled, "subscription.cancel_scheduled")


def _tell(work: Work, owned: OwnedProduct, event_type: str) -> None:
    assert owned.subscription is not None
    subscription = {"id": owned.subscription.id, "status": owned.subscription.status, "product_id": owned.product_id}
    told = {"subscription": subscription, "ends_at": rfc3339_or_none(owned.ends_at)}
    record(work, event_type, told, customer=owned.customer, change="products")


def _undoing(app: App, environment: Environment, change: Change) -> Change:
    """Stripe's portal schedules an end by `cancel_at` alone; that is cleared by its own name."""
    if change.ask.kind != "update":
        return change
    found = app.gateway(environment).get(f"/v1/subscriptions/{change.subscription_id}")
    if found.get("cancel_at_period_end") or found.get("cancel_at") is None:
        return change
    with app.work(environment.id) as work:
        return reworded(work, change, {"cancel_at": ""})


def _carry_out_all(
    app: App,
    environment: Environment,
    changes: list[Change],
    left: list[OwnedProduct] | None = None,
    *,
    sync: bool = True,
) -> Refusal | None:
    """`left` have left their subscriptions, as we asked or before we could: that is seen there."""
    refusal = None
    for change in changes:
        refusal = carry_out(app, environment, change) or refusal
    if sync:
        touched = [change.subscription_id for change in changes]
        touched += [owned.subscription.id for owned in left or () if owned.subscription is not None]
        for subscription_id in dict.fromkeys(touched):
            subscriptions.sync(app, environment, subscription_id)
    return refusal


def _as_it_is(app: App, environment: Environment, owned: OwnedProduct) -> OwnedProduct:
    with app.database.read() as connection:
        return ownership_queries.owned_product(connection, environment.id, owned.customer, owned.id) or owned
