"""
What is owned through a subscription becomes what its items say, in the work that applies a fetch.

What a subscription grants is decided by its items' prices, looked up to the product sold at that price; metadata only tells which version was sold.
So a switch made in Stripe's portal or dashboard ends in the same state as one that was asked of us.
"""

from typing import Literal

import msgspec

from paywright.catalog import queries as catalog_queries
from paywright.catalog.queries import SoldPrice
from paywright.environments.model import Environment
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.outbox.actions import command, open_incident, record
from paywright.ownership import actions as ownership
from paywright.ownership import queries as ownership_queries
from paywright.ownership.model import OwnedProduct, ResolvedLine, Subscription
from paywright.ownership.rules import conflict_with_owned
from paywright.payments.returns import settle_purchase
from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work
from paywright.stripe import metadata
from paywright.subscriptions.lines import key_of, lines_of
from paywright.subscriptions.model import SubscriptionFacts
from paywright.subscriptions.requests import go_on_after_waiting
from paywright.subscriptions.rules import access, begins_at, may_begin
from paywright.subscriptions.tables import duplicate_subscriptions, trial_uses

REFUND_PAYMENT = "refund_payment"
"""The command that returns a payment in full; `payments` carries it out."""

BACK_AGAIN = frozenset({"switched", "base_ended"})
"""How a product may have ended and yet begin again through the same subscription."""


def project(
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
        for owned in held or _lived_unheard(work, environment, customer, facts, sold):
            reason: Literal["unpaid", "canceled"] = "unpaid" if facts.ended_by == "payment_failed" else "canceled"
            ownership.end(work, environment, owned, reason, at=facts.ended_at)
        go_on_after_waiting(work, facts.id, is_made=False, has_ended=True)
        settle_purchase(work, subscription_id=facts.id)
        return
    lines = lines_of(work, facts, facts.items, sold)
    held = _switched(work, environment, customer, facts, held, lines)
    by_product = {key_of(owned): owned for owned in held}
    leaving = _leaving(work, facts, sold, lines)
    for line in lines:
        present = by_product.get(key_of(line))
        if present is None and may_begin(facts):
            present = _begin(work, environment, customer, facts, line)
        if present is not None:
            _follow(work, environment, present, facts, past_due_since, leaves=key_of(line) in leaving)
    _follow_schedule(work, environment, facts, sold)
    if not facts.has_pending_update:
        go_on_after_waiting(work, facts.id, is_made=False)
    ownership.follow_bases(work, customer)
    settle_purchase(work, subscription_id=facts.id)


def _switched(
    work: Work,
    environment: Environment,
    customer: Customer,
    facts: SubscriptionFacts,
    held: list[OwnedProduct],
    lines: list[ResolvedLine],
) -> list[OwnedProduct]:
    """
    What is owned follows the items' prices, whoever changed them: us, the portal or somebody in Stripe's dashboard. Answers what is owned then.

    A product that is no longer among the items is taken the place of by a new one of its line; one without such ends.
    """
    after: list[OwnedProduct] = []
    wanted = {key_of(line) for line in lines}
    fresh = [line for line in lines if key_of(line) not in {key_of(owned) for owned in held}]
    for owned in sorted(held, key=lambda each: (each.product.is_add_on, each.id)):
        line = next((line for line in lines if key_of(line) == key_of(owned)), None)
        if line is not None:
            if (line.price_id, line.quantity) != (owned.price_id, owned.quantity):
                owned = ownership.change_terms(work, environment, owned, line)
                go_on_after_waiting(work, facts.id, is_made=True)
            after.append(owned)
            continue
        heir = _heir(owned, fresh) if key_of(owned) not in wanted else None
        if heir is not None and _may_take_place(work, customer, owned, heir):
            fresh.remove(heir)
            after.append(ownership.switch(work, environment, owned, heir, at=_switched_at(owned, heir, work.now)))
            go_on_after_waiting(work, facts.id, is_made=True)
        elif _still_owned(work, owned):
            ownership.end(work, environment, owned, "canceled" if heir is None else "switched")
    return [owned for owned in after if _still_owned(work, owned)]


def _heir(owned: OwnedProduct, fresh: list[ResolvedLine]) -> ResolvedLine | None:
    """Of the products that are new among the items the one of the same line; else any plan, because one subscription sells one."""
    if owned.product.is_add_on:
        return None  # Nobody switches to or from an add-on.
    plans = [line for line in fresh if line.product_id is not None and not line.product.is_add_on]
    same_line = [line for line in plans if owned.product_line and line.product.product_line == owned.product_line]
    return next(iter(same_line or plans), None)


def _may_take_place(work: Work, customer: Customer, owned: OwnedProduct, line: ResolvedLine) -> bool:
    others = [each for each in ownership.bought(work, customer) if each.id != owned.id]
    catalog = catalog_queries.current(work.connection, work.environment_id)
    return conflict_with_owned(others, [line], catalog, customer) is None


def _still_owned(work: Work, owned: OwnedProduct) -> bool:
    """An add-on may have ended with its base a moment ago."""
    found = ownership_queries.owned_product(work.connection, work.environment_id, owned.customer, owned.id)
    return found is not None and found.ended_at is None


def _switched_at(owned: OwnedProduct, line: ResolvedLine, now: int) -> int | None:
    """A switch that was to come is made when it was to come, however late we hear; any other now."""
    change = owned.pending_change
    if change is None or (change.product_id, change.price_id) != (line.product_id, line.price_id) or change.at > now:
        return None
    return change.at


def _follow_schedule(
    work: Work, environment: Environment, facts: SubscriptionFacts, sold: dict[str, SoldPrice]
) -> None:
    """What the next phase of its schedule will change is shown as the pending change of each product."""
    held = [
        each
        for each in ownership_queries.of_subscription(work.connection, work.environment_id, facts.id)
        if each.ended_at is None
    ]
    coming = lines_of(work, facts, facts.items_to_come, sold) if facts.changes_at is not None else []
    here = {key_of(owned) for owned in held}
    fresh = [line for line in coming if key_of(line) not in here]
    for owned in held:
        line = next((line for line in coming if key_of(line) == key_of(owned)), None) or _heir(owned, fresh)
        if line is not None and key_of(line) not in here:
            fresh.remove(line)
        _show_pending(work, environment, owned, line, facts)


def _show_pending(
    work: Work, environment: Environment, owned: OwnedProduct, line: ResolvedLine | None, facts: SubscriptionFacts
) -> None:
    terms = None if line is None else (line.product_id, line.price_id, line.quantity)
    if facts.changes_at is None or terms in (None, (owned.product_id, owned.price_id, owned.quantity)):
        if owned.pending_change is not None:
            dropped = ownership.drop_change(work, owned)
            if facts.ends_at is None:
                tell_resumed(work, dropped)
        return
    assert line is not None
    known = owned.pending_change
    shown = None if known is None else (known.product_id, known.price_id, known.quantity)
    if known is None or (shown, known.at) != (terms, facts.changes_at):
        ownership.plan_change(work, environment, owned, line, facts.changes_at)


def tell_resumed(work: Work, owned: OwnedProduct) -> None:
    """A switch that was to come is taken back."""
    subscription = owned.subscription
    assert subscription is not None
    told = {"id": subscription.id, "status": subscription.status, "product_id": owned.product_id}
    record(work, "subscription.resumed", {"subscription": told}, customer=owned.customer, change="products")


def _begin(
    work: Work, environment: Environment, customer: Customer, facts: SubscriptionFacts, line: ResolvedLine
) -> OwnedProduct | None:
    """The first time it is paid for. The loser of a race is canceled and refunded, and somebody is told."""
    before = ownership_queries.of_subscription(work.connection, work.environment_id, facts.id)
    if any(key_of(each) == key_of(line) and each.end_reason not in BACK_AGAIN for each in before):
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


def _lived_unheard(
    work: Work, environment: Environment, customer: Customer, facts: SubscriptionFacts, sold: dict[str, SoldPrice]
) -> list[OwnedProduct]:
    """
    What was paid for, and over before we heard of it, is owned for as long as it lived: units that outlive it stay, its trial is used.

    Unless something else has taken its place meanwhile, which nobody shall lose for the sake of the past.
    """
    if not facts.is_paid_for or ownership_queries.of_subscription(work.connection, work.environment_id, facts.id):
        return []
    catalog = catalog_queries.current(work.connection, work.environment_id)
    lived = []
    for line in lines_of(work, facts, facts.items, sold):
        if conflict_with_owned(ownership.bought(work, customer), [line], catalog, customer) is None:
            owned = _begin(work, environment, customer, facts, line)
            lived += [] if owned is None else [owned]
    return lived


def _use_trial(work: Work, customer: Customer, place: str, facts: SubscriptionFacts) -> None:
    """Once per customer and product line, and never given back."""
    row = {"environment_id": work.environment_id, "customer": customer.key, "place": place}
    insert_if_absent(work, trial_uses, {**row, "subscription_id": facts.id, "started_at": facts.started_at})


def undo_duplicate(work: Work, customer: Customer, facts: SubscriptionFacts, refusal: Refusal) -> None:
    """
    Somebody else was fulfilled first: this subscription is canceled and its payment returned, by commands after the commit.

    One that was not sold here, but made in Stripe's dashboard or brought in, is left to a person: nobody asked us to undo it. As long as it lives
    every look at it comes here again; the person is told once.
    """
    if metadata.ENVIRONMENT in facts.metadata:
        command(work, ownership.CANCEL_SUBSCRIPTION, facts.id, {"subscription_id": facts.id})
        if facts.payment_intent_id is not None:
            command(work, REFUND_PAYMENT, facts.payment_intent_id, {"payment_intent_id": facts.payment_intent_id})
    row = {"environment_id": work.environment_id, "subscription_id": facts.id, "told_at": work.now}
    if insert_if_absent(work, duplicate_subscriptions, row):
        told = {"subscription_id": facts.id, "payment_intent_id": facts.payment_intent_id, "refused": refusal.code}
        open_incident(work, "duplicate_purchase", told, customer=customer)


def _leaving(work: Work, facts: SubscriptionFacts, sold: dict[str, SoldPrice], lines: list[ResolvedLine]) -> set[str]:
    """Products that the next phase of the schedule takes out, with nothing in their place; add-ons that a switch drops follow their base."""
    if facts.changes_at is None:
        return set()
    present = {key_of(line) for line in lines}
    coming = {key_of(line) for line in lines_of(work, facts, facts.items_to_come, sold)}
    return present - coming if coming and coming <= present else set()


def _follow(
    work: Work,
    environment: Environment,
    owned: OwnedProduct,
    facts: SubscriptionFacts,
    past_due_since: int | None,
    *,
    leaves: bool,
) -> None:
    assert owned.subscription is not None
    ends_at = facts.changes_at if leaves and facts.ends_at is None else facts.ends_at
    is_to_end = leaves or facts.cancel_at_period_end
    now_there = msgspec.structs.replace(
        owned.subscription,
        status=facts.status,
        current_period_end=facts.current_period_end,
        cancel_at_period_end=is_to_end,
    )
    owned = ownership.refresh(work, owned, now_there)
    if owned.own_ends_at != ends_at:
        owned = ownership.schedule_end(work, owned, ends_at, cancel_at_period_end=is_to_end)
    apply_policy(work, environment, owned, facts.status, past_due_since)


def apply_policy(
    work: Work, environment: Environment, owned: OwnedProduct, status: str, past_due_since: int | None
) -> OwnedProduct:
    """Access as the environment's policy says, and until when, so that nobody has to look when the days of grace are over."""
    decided = access(status, environment.policy.access, past_due_since=past_due_since, now=work.now)
    return ownership.set_access(work, environment, owned, decided.allowed, decided.reason, until=decided.until)


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
