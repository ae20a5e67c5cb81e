"""
Subscriptions at Stripe: fetch one, and make what is owned agree with it (`project`).

Owning begins with proof of money or a trial, follows the status through the access policy, and ends at Stripe's own end instant, for ever.
"""

from typing import Any

import msgspec

from paywright.catalog import queries as catalog_queries
from paywright.customers.actions import owner
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.environments.queries import environment_of
from paywright.kernel.model import Customer
from paywright.outbox.actions import lock_customers, record
from paywright.ownership import queries as ownership_queries
from paywright.storage.statements import upsert
from paywright.storage.work import Work
from paywright.stripe.fetches import may_apply, once
from paywright.stripe.gateway import StripeRefused
from paywright.stripe.model import GONE, NOT_OURS, PROCESSED, STALE, WRONG_MODE, Fetched, Outcome
from paywright.subscriptions import queries
from paywright.subscriptions.mirror import subscription_facts
from paywright.subscriptions.model import SubscriptionFacts
from paywright.subscriptions.project import REFUND_PAYMENT as REFUND_PAYMENT
from paywright.subscriptions.project import project
from paywright.subscriptions.tables import subscriptions

EXPAND = ["latest_invoice.payments", "default_payment_method", "schedule", "test_clock"]


def root_of(subscription_id: str) -> str:
    return f"subscription {subscription_id}"


def fetch(app: App, environment: Environment, subscription_id: str) -> Fetched:
    """The subscription as it is now. Raises what the gateway raises, except for a missing one."""
    number = app.next_fetch(environment.id, root_of(subscription_id))
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
    lists = {"items": items}
    if _hides_its_beginning(app, environment, found):
        lists["paid_invoices"] = list(
            gateway.pages("/v1/invoices", {"subscription": subscription_id, "status": "paid"})
        )
    return Fetched(root_of(subscription_id), number, found, lists)


def _hides_its_beginning(app: App, environment: Environment, found: dict[str, Any]) -> bool:
    """
    Its latest invoice is not its first, and nothing was owned through it yet: somebody has to ask when the first money came in.

    A bank debit may clear, or be heard of, after the first renewal. What is owned begins when it was paid, whatever was heard first.
    """
    invoice = found.get("latest_invoice")
    if not isinstance(invoice, dict) or invoice.get("billing_reason") == "subscription_create":
        return False
    with app.database.read() as connection:
        return not ownership_queries.of_subscription(connection, environment.id, found["id"])


def sync(app: App, environment: Environment, subscription_id: str) -> Outcome:
    """Fetch and apply. Any number at once, any number of times."""
    fetched = fetch(app, environment, subscription_id)
    with app.work(environment.id) as work:
        return apply(work, fetched)


@once
def apply(work: Work, fetched: Fetched) -> Outcome:
    """Makes our row and what is owned agree with what was fetched, in this work."""
    if not may_apply(work, fetched.root, fetched.number):
        return STALE
    if fetched.found is None:
        return GONE
    environment = environment_of(work)
    facts = subscription_facts(fetched.found, fetched.lists.get("items"), fetched.lists.get("paid_invoices"))
    if facts.livemode != environment.livemode:
        return WRONG_MODE
    customer = owner(work, facts.metadata, facts.stripe_customer_id)
    prices = sorted({item.stripe_price_id for item in (*facts.items, *facts.items_to_come)})
    sold = catalog_queries.by_stripe_price(work.connection, work.environment_id, prices)
    if isinstance(customer, Outcome):
        if customer == NOT_OURS and any(item.stripe_price_id in sold for item in facts.items):
            return Outcome("unresolved", "unresolved", facts.stripe_customer_id)
        return customer
    lock_customers(work, [customer])
    before = queries.row_of(work.connection, work.environment_id, facts.id)
    if before is not None and before.ended_at is not None:
        return PROCESSED  # Terminal: a subscription never comes back, whatever is heard later.
    past_due_since = _past_due_since(before, facts, work.now)
    _save(work, customer, facts, past_due_since)
    project(work, environment, customer, facts, sold, past_due_since)
    _announce(work, customer, before, facts)
    return PROCESSED


def _past_due_since(before: Any, facts: SubscriptionFacts, now: int) -> int | None:
    """The first failed charge of the open invoice, else when we first saw it; so for one that is paused, where nothing failed."""
    if facts.status not in ("past_due", "unpaid", "paused"):
        return None
    if before is not None and before.past_due_since is not None:
        return int(before.past_due_since)
    return now if facts.attempted_at is None else min(now, facts.attempted_at)


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
            "schedule_id": facts.schedule_id,
            "changes_at": facts.changes_at,
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
