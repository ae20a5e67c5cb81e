"""
Cancel, resume and revoke: what a customer or an operator asks of an owned product.

A subscription without Stripe changes in one work. One at Stripe goes in phases: our request is committed, Stripe is called with that row's id as key,
and the result is whatever a fetch then says: the same projection the webhook will run.
"""

from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from paywright.catalog import queries as catalog_queries
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.ids import new_id, wall_ms
from paywright.kernel.instants import rfc3339_or_none
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.outbox.actions import lock_customers, record
from paywright.ownership import actions as ownership
from paywright.ownership import queries as ownership_queries
from paywright.ownership.model import OwnedProduct
from paywright.ownership.present import own_id
from paywright.storage.work import Work
from paywright.stripe.gateway import StripeRefused, stripe_key
from paywright.subscriptions import actions as subscriptions
from paywright.subscriptions.tables import subscription_changes

CancelAt = Literal["period_end", "now"]


class Change(msgspec.Struct, frozen=True):
    """One request to Stripe, recorded before it is made. `method` is `post` or `delete`."""

    id: str
    subscription_id: str
    method: str
    parameters: dict[str, Any]


def cancel(
    app: App, environment: Environment, customer: Customer, name: str, *, at: CancelAt
) -> OwnedProduct | Refusal:
    """
    Ends a subscription at the end of its period, or now. `name` is an owned product's id, or a product's: all live purchases of it.

    Again answers the same; `now` after `period_end` ends it. Refuses `not_owned`, `not_a_subscription`, `product_is_default`.
    """
    changes: list[Change] = []
    with app.work(environment.id) as work:
        named = _named(work, environment, customer, name)
        if isinstance(named, Refusal):
            return named
        if not all(owned.is_subscription for owned in named):
            return Refusal("not_a_subscription")
        for owned in named:
            if owned.is_stripe_backed:
                changes.extend(_ask_to_cancel(work, owned, at))
            else:
                _cancel_by_the_calendar(work, environment, owned, at)
    refusal = _carry_out_all(app, environment, changes)
    return refusal or _as_it_is(app, environment, named[0])


def resume(app: App, environment: Environment, customer: Customer, name: str) -> OwnedProduct | Refusal:
    """Takes back a scheduled end while the subscription still lives. Refuses `not_owned`, `nothing_to_resume`."""
    changes: list[Change] = []
    with app.work(environment.id) as work:
        named = _named(work, environment, customer, name)
        if isinstance(named, Refusal):
            return named
        scheduled = [owned for owned in named if owned.ends_at is not None and owned.is_subscription]
        if not scheduled:
            return Refusal("nothing_to_resume")
        for owned in scheduled:
            assert owned.subscription is not None
            if owned.is_stripe_backed:
                changes.append(_request(work, owned.subscription.id, "post", {"cancel_at_period_end": False}))
            else:
                resumed = ownership.schedule_end(work, owned, None, cancel_at_period_end=False)
                _tell(work, resumed, "subscription.resumed")
    refusal = _carry_out_all(app, environment, [_undoing(app, environment, change) for change in changes])
    return refusal or _as_it_is(app, environment, scheduled[0])


def revoke(
    app: App, environment: Environment, customer: Customer, name: str, *, quantity: int | None = None
) -> OwnedProduct | Refusal:
    """
    Ends any purchase now, without a refund; at Stripe first where it lives there.

    `quantity` takes back so many units of one-time purchases, newest first; more than owned is `quantity_too_large`.
    """
    changes: list[Change] = []
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
                if owned.is_stripe_backed and owned.subscription is not None:
                    changes.append(_request(work, owned.subscription.id, "delete", {}))
                else:
                    ownership.end(work, environment, owned, "revoked")
    refusal = _carry_out_all(app, environment, changes, sync=False)
    if refusal is not None:
        return refusal
    if changes:
        with app.work(environment.id) as work:
            lock_customers(work, [customer])
            for owned in named:
                present = ownership_queries.owned_product(work.connection, environment.id, customer, owned.id)
                if present is not None and present.is_stripe_backed:
                    ownership.end(work, environment, present, "revoked")
        for change in changes:
            subscriptions.sync(app, environment, change.subscription_id)
    return _as_it_is(app, environment, named[0])


def carry_out(app: App, environment: Environment, change: Change) -> Refusal | None:
    """
    Phase 2 of a recorded request, repeated by the worker until Stripe has answered. Canceling what is gone already counts as done.

    `stripe_refused` when Stripe says no.
    """
    path = f"/v1/subscriptions/{change.subscription_id}"
    error = None
    try:
        if change.method == "delete":
            app.gateway(environment).delete(path)
        else:
            key = stripe_key(environment.id, change.id, "change")
            app.gateway(environment).post(path, change.parameters, idempotency_key=key)
    except StripeRefused as refused:
        if refused.is_key_dead:
            raise
        error = refused.message
    is_done = error is None or change.method == "delete"
    with app.work(environment.id) as work:
        where = subscription_changes.c.environment_id == environment.id, subscription_changes.c.id == change.id
        status = "done" if is_done else "refused"
        work.execute(subscription_changes.update().where(*where).values(status=status, last_error=error))
    return None if is_done else Refusal("stripe_refused", {"stripe_message": error})


def cancel_at_stripe(app: App, environment: Environment, subscription_id: str) -> None:
    """The command `cancel_subscription`: ends it at Stripe and takes in what that means. Safe to repeat."""
    carry_out(app, environment, Change(new_id("chg"), subscription_id, "delete", {}))
    subscriptions.sync(app, environment, subscription_id)


def unanswered(app: App, environment: Environment, *, attempted_before: int) -> list[Change]:
    """Requests whose answer never reached us, oldest first, at most a hundred."""
    columns = subscription_changes.c
    statement = (
        sa.select(columns.id, columns.subscription_id, columns.method, columns.parameters)
        .where(
            columns.environment_id == environment.id,
            columns.status == "requested",
            columns.created_at < attempted_before,
        )
        .order_by(columns.created_at, columns.id)
        .limit(100)
    )
    with app.database.read() as connection:
        rows = connection.execute(statement).all()
    return [Change(row.id, row.subscription_id, row.method, msgspec.json.decode(row.parameters)) for row in rows]


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
        return [_request(work, owned.subscription.id, "delete", {})]
    if owned.ends_at is not None:
        return []
    return [_request(work, owned.subscription.id, "post", {"cancel_at_period_end": True})]


def _cancel_by_the_calendar(work: Work, environment: Environment, owned: OwnedProduct, at: CancelAt) -> None:
    assert owned.subscription is not None
    if at == "now":
        ownership.end(work, environment, owned, "canceled")
    elif owned.ends_at is None:
        ends_at = owned.subscription.period_end(work.now)
        _tell(
            work,
            ownership.schedule_end(work, owned, ends_at, cancel_at_period_end=True),
            "subscription.cancel_scheduled",
        )


def _tell(work: Work, owned: OwnedProduct, event_type: str) -> None:
    assert owned.subscription is not None
    subscription = {"id": owned.subscription.id, "status": owned.subscription.status, "product_id": owned.product_id}
    told = {"subscription": subscription, "ends_at": rfc3339_or_none(owned.ends_at)}
    record(work, event_type, told, customer=owned.customer, change="products")


def _request(work: Work, subscription_id: str, method: str, parameters: dict[str, Any]) -> Change:
    change = Change(new_id("chg"), subscription_id, method, parameters)
    work.execute(
        subscription_changes.insert().values(
            environment_id=work.environment_id,
            id=change.id,
            subscription_id=subscription_id,
            method=method,
            parameters=msgspec.json.encode(parameters).decode(),
            status="requested",
            created_at=wall_ms(),
        )
    )
    return change


def _undoing(app: App, environment: Environment, change: Change) -> Change:
    """Stripe's portal schedules an end by `cancel_at` alone; that is cleared by its own name."""
    found = app.gateway(environment).get(f"/v1/subscriptions/{change.subscription_id}")
    if found.get("cancel_at_period_end") or found.get("cancel_at") is None:
        return change
    changed = msgspec.structs.replace(change, parameters={"cancel_at": ""})
    with app.work(environment.id) as work:
        where = subscription_changes.c.environment_id == environment.id, subscription_changes.c.id == change.id
        work.execute(
            subscription_changes.update()
            .where(*where)
            .values(parameters=msgspec.json.encode(changed.parameters).decode())
        )
    return changed


def _carry_out_all(app: App, environment: Environment, changes: list[Change], *, sync: bool = True) -> Refusal | None:
    refusal = None
    for change in changes:
        refusal = carry_out(app, environment, change) or refusal
        if sync:
            subscriptions.sync(app, environment, change.subscription_id)
    return refusal


def _as_it_is(app: App, environment: Environment, owned: OwnedProduct) -> OwnedProduct:
    with app.database.read() as connection:
        return ownership_queries.owned_product(connection, environment.id, owned.customer, owned.id) or owned
