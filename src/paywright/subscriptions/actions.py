"""
Subscriptions at Stripe: fetch one, and make what is owned agree with it.

What a subscription grants is decided by its items' prices, looked up to the product sold at that price; metadata only tells which version was sold.
Owning begins with proof of money or a trial, follows the status through the access policy, and ends at Stripe's own end instant, for ever.
"""

from typing import Any

import msgspec

from paywright.catalog import queries as catalog_queries
from paywright.catalog.queries import SoldPrice
from paywright.customers.actions import owner
from paywright.engine.app import App
from paywright.environments import queries as environment_queries
from paywright.environments.model import Environment
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.outbox.actions import command, lock_customers, open_incident, record
from paywright.ownership import actions as ownership
from paywright.ownership import queries as ownership_queries
from paywright.ownership.model import OwnedProduct, ResolvedLine, Subscription
from paywright.storage.statements import insert_if_absent, upsert
from paywright.storage.work import Work
from paywright.stripe import metadata
from paywright.stripe.fetches import may_apply, next_fetch
from paywright.stripe.gateway import StripeRefused
from paywright.stripe.model import GONE, NOT_OURS, PROCESSED, STALE, WRONG_MODE, Fetched, Outcome
from paywright.subscriptions import queries
from paywright.subscriptions.mirror import subscription_facts
from paywright.subscriptions.model import SubscriptionFacts
from paywright.subscriptions.rules import access, begins_at, may_begin
from paywright.subscriptions.tables import subscriptions, trial_uses

EXPAND = ["latest_invoice.payments", "default_payment_method", "schedule", "test_clock"]
REFUND_PAYMENT = "refund_payment"
"""The command that returns a payment in full; `payments` carries it out."""


def root_of(subscription_id: str) -> str:
    return f"subscription {subscription_id}"


def fetch(app: App, environment: Environment, subscription_id: str) -> Fetched:
    """The subscription as it is now. Raises what the gateway raises, except for a missing one."""
    with app.work(environment.id) as work:
        number = next_fetch(work, root_of(subscription_id))
    gateway = app.gateway(environment)
    try:
        found = gateway.get(f"/v1/subscriptions/{subscription_id}", {"expand": EXPAND})
    except StripeRefused as refused:
        if not refused.is_missing:
            raise
        return Fetched(root_of(subscription_id), number, None)
    items = found["items"]["data"]
    if found["items"]["has_more"]:
        items = list(gateway.pages("/v1/subscription_items", {"subscription": subscription_id}))
    return Fetched(root_of(subscription_id), number, found, {"items": items})


def sync(app: App, environment: Environment, subscription_id: str) -> Outcome:
    """Fetch and apply. Any number at once, any number of times."""
    fetched = fetch(app, environment, subscription_id)
    with app.work(environment.id) as work:
        return apply(work, fetched)


def apply(work: Work, fetched: Fetched) -> Outcome:
    """Makes our row and what is owned agree with what was fetched, in this work."""
    if not may_apply(work, fetched.root, fetched.number):
        return STALE
    if fetched.found is None:
        return GONE
    environment = environment_queries.environment(work.connection, work.environment_id)
    assert environment is not None
    facts = subscription_facts(fetched.found, fetched.lists.get("items"))
    if facts.livemode != environment.livemode:
        return WRONG_MODE
    customer = owner(work, facts.metadata, facts.stripe_customer_id)
    sold = catalog_queries.by_stripe_price(
        work.connection, work.environment_id, [item.stripe_price_id for item in facts.items]
    )
    if isinstance(customer, Outcome):
        if customer == NOT_OURS and sold:
            return Outcome("unresolved", "unresolved", facts.stripe_customer_id)
        return customer
    lock_customers(work, [customer])
    before = queries.row_of(work.connection, work.environment_id, facts.id)
    if before is not None and before.ended_at is not None:
        return PROCESSED  # Terminal: a subscription never comes back, whatever is heard later.
    past_due_since = _past_due_since(before, facts, work.now)
    _save(work, customer, facts, past_due_since)
    _project(work, environment, customer, facts, sold, past_due_since)
    _announce(work, customer, before, facts)
    return PROCESSED


def _project(
    work: Work,
    environment: Environment,
    customer: Customer,
    facts: SubscriptionFacts,
    sold: dict[str, SoldPrice],
    past_due_since: int | None,
) -> None:
    """What is owned through this subscription becomes what its items say."""
    ownership.settle(work, environment, customer)
    held = [
        each
        for each in ownership_queries.of_subscription(work.connection, work.environment_id, facts.id)
        if each.ended_at is None
    ]
    if facts.is_terminal:
        reason = "unpaid" if facts.ended_by == "payment_failed" else "canceled"
        for owned in held:
            ownership.end(work, environment, owned, "unpaid" if reason == "unpaid" else "canceled", at=facts.ended_at)
        return
    lines = _lines(work, facts, sold)
    wanted = {line.product_id for line in lines}
    for owned in held:
        if owned.product_id not in wanted:
            ownership.end(work, environment, owned, "switched")
    by_product = {owned.product_id: owned for owned in held}
    decided = access(facts.status, environment.policy.access, past_due_since=past_due_since, now=work.now)
    for line in lines:
        present = by_product.get(line.product_id)
        if present is None and may_begin(facts):
            present = _begin(work, environment, customer, facts, line)
        if present is not None:
            _follow(work, environment, present, facts, decided.allowed, decided.reason)


def _begin(
    work: Work, environment: Environment, customer: Customer, facts: SubscriptionFacts, line: ResolvedLine
) -> OwnedProduct | None:
    """The first time it is paid for. The loser of a race is canceled and refunded, and somebody is told."""
    if any(
        each.product_id == line.product_id
        for each in ownership_queries.of_subscription(work.connection, work.environment_id, facts.id)
    ):
        return None  # Owned through this subscription once and ended by us: revoked, refunded or replaced.
    owned = ownership.own(
        work,
        environment,
        customer,
        line,
        source="checkout",
        granted_at=begins_at(facts),
        subscription=_subscription(facts, line),
        checkout_session_id=facts.metadata.get(metadata.CHECKOUT_SESSION),
    )
    if isinstance(owned, Refusal):
        undo_duplicate(work, customer, facts, owned)
        return None
    if facts.trial_end is not None and line.place is not None:
        _use_trial(work, customer, line.place, facts)
    return owned


def _use_trial(work: Work, customer: Customer, place: str, facts: SubscriptionFacts) -> None:
    """Once per customer and product line, and never given back."""
    row = {"environment_id": work.environment_id, "customer": customer.key, "place": place}
    insert_if_absent(work, trial_uses, {**row, "subscription_id": facts.id, "started_at": facts.started_at})


def undo_duplicate(work: Work, customer: Customer, facts: SubscriptionFacts, refusal: Refusal) -> None:
    """Somebody else was fulfilled first: this subscription is canceled and its payment returned, by commands after the commit."""
    command(work, ownership.CANCEL_SUBSCRIPTION, facts.id, {"subscription_id": facts.id})
    if facts.payment_intent_id is not None:
        command(work, REFUND_PAYMENT, facts.payment_intent_id, {"payment_intent_id": facts.payment_intent_id})
    told = {"subscription_id": facts.id, "payment_intent_id": facts.payment_intent_id, "refused": refusal.code}
    open_incident(work, "duplicate_purchase", told, customer=customer)


def _follow(
    work: Work, environment: Environment, owned: OwnedProduct, facts: SubscriptionFacts, allowed: bool, reason: str
) -> None:
    assert owned.subscription is not None
    now_there = msgspec.structs.replace(
        owned.subscription,
        status=facts.status,
        current_period_end=facts.current_period_end,
        cancel_at_period_end=facts.cancel_at_period_end,
    )
    owned = ownership.refresh(work, owned, now_there)
    if owned.ends_at != facts.ends_at:
        owned = ownership.schedule_end(work, owned, facts.ends_at, cancel_at_period_end=facts.cancel_at_period_end)
    ownership.set_access(work, environment, owned, allowed, reason)


def _subscription(facts: SubscriptionFacts, line: ResolvedLine) -> Subscription:
    assert line.price is not None
    return Subscription(
        id=facts.id,
        is_stripe_backed=True,
        status=facts.status,
        anchor=begins_at(facts),
        interval=line.price.interval or facts.items[0].interval,
        current_period_end=facts.current_period_end,
        cancel_at_period_end=facts.cancel_at_period_end,
    )


def _lines(work: Work, facts: SubscriptionFacts, sold: dict[str, SoldPrice]) -> list[ResolvedLine]:
    """The items that are prices of ours, each with the version of its product that was sold: the one the metadata pins, else the newest."""
    pinned = facts.metadata.get(metadata.PRODUCT_VERSION, "").split(",")
    wanted = sorted({*filter(None, pinned), *(each.product_version for each in sold.values())})
    versions = catalog_queries.product_versions_of(work.connection, work.environment_id, wanted)
    pinned_by_product = {versions[each].product_id: versions[each] for each in pinned if each in versions}
    lines: dict[str, ResolvedLine] = {}
    for item in facts.items:
        found = sold.get(item.stripe_price_id)
        if found is None:
            continue
        version = pinned_by_product.get(found.product_id)
        if version is None or found.price_id not in version.product.prices:
            version = versions[found.product_version]
        price = version.product.prices.get(found.price_id)
        line = ResolvedLine(found.product_id, version.id, version.product, found.price_id, price, item.quantity)
        lines.setdefault(found.product_id, line)
    return list(lines.values())


def _past_due_since(before: Any, facts: SubscriptionFacts, now: int) -> int | None:
    if facts.status not in ("past_due", "unpaid"):
        return None
    return before.past_due_since if before is not None and before.past_due_since is not None else now


def _save(work: Work, customer: Customer, facts: SubscriptionFacts, past_due_since: int | None) -> None:
    upsert(
        work,
        subscriptions,
        {
            "environment_id": work.environment_id,
            "id": facts.id,
            "customer": customer.key,
            "status": facts.status,
            "items": msgspec.json.encode(facts.items).decode(),
            "current_period_start": facts.current_period_start,
            "current_period_end": facts.current_period_end,
            "cancel_at_period_end": int(facts.cancel_at_period_end),
            "ends_at": facts.ends_at,
            "ended_at": facts.ended_at if facts.ended_at is not None or not facts.is_terminal else work.now,
            "trial_end": facts.trial_end,
            "past_due_since": past_due_since,
            "latest_invoice_id": facts.latest_invoice_id,
            "started_at": facts.started_at,
            "seen_at": work.now,
        },
        key=("environment_id", "id"),
    )


def _announce(work: Work, customer: Customer, before: Any, facts: SubscriptionFacts) -> None:
    """`subscription.…` events for what differs from the last time we looked. Started and ended are told by what is owned."""
    if before is None:
        return
    told = {"subscription": queries.shown(queries.row_of(work.connection, work.environment_id, facts.id))}
    previous = queries.shown(before)

    def tell(event_type: str, **more: Any) -> None:
        record(work, event_type, {**told, **more}, customer=customer, change="products")

    if told["subscription"] != previous:
        tell("subscription.changed", previous=previous)
    if facts.ends_at is not None and before.ends_at is None:
        tell("subscription.cancel_scheduled", ends_at=told["subscription"]["ends_at"])
    if facts.ends_at is None and before.ends_at is not None and not facts.is_terminal:
        tell("subscription.resumed")
    if facts.status == "active" and before.status == "trialing":
        tell("subscription.started")
    if facts.status == "past_due" and before.status != "past_due":
        tell("subscription.past_due", invoice_id=facts.latest_invoice_id)
    if facts.status == "active" and before.status in ("past_due", "unpaid", "paused"):
        tell("subscription.recovered")
