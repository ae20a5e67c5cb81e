"""
Ending one product of a subscription at Stripe that sells several: a plan and its add-on bought together.

Its item is taken out, now or by a schedule at the end of the period, and the others go on. Canceling the subscription would end them too.
"""

from typing import Any, Literal

from paywright.catalog import queries as catalog_queries
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.ownership import queries as ownership_queries
from paywright.ownership.model import OwnedProduct
from paywright.storage.work import Work
from paywright.stripe.metadata import id_of
from paywright.subscriptions.lines import key_of, lines_of
from paywright.subscriptions.mirror import subscription_facts
from paywright.subscriptions.requests import Ask, Change, request
from paywright.subscriptions.switch_rules import phase_items


def is_shared(work: Work, owned: OwnedProduct) -> bool:
    """Whether something else in its subscription would live on without it."""
    return len(_going(work, owned)) < len(_sharing(work, owned))


def ask_to_leave(
    app: App, environment: Environment, owned: OwnedProduct, at: Literal["period_end", "now"]
) -> list[Change]:
    """Phase 1, after a look at the items. Nothing is asked when its end is known already, or its item is gone: what is left is not asked about."""
    if at == "period_end" and owned.own_ends_at is not None:
        return []
    assert owned.subscription is not None
    found = app.gateway(environment).get(f"/v1/subscriptions/{owned.subscription.id}")
    with app.work(environment.id) as work:
        gone, kept = _parted(work, owned, found)
        if not gone:
            return []
        if not kept:
            return [request(work, owned.subscription.id, Ask("cancel"))] if at == "now" else []
        ask = _leave_now(gone) if at == "now" else _leave_later(found["id"], kept)
        schedule_id = id_of(found.get("schedule"))
        if schedule_id is not None:
            ask = Ask("release", object_id=schedule_id, then=(ask,))
        return [request(work, owned.subscription.id, ask)]


def _leave_now(gone: list[dict[str, Any]]) -> Ask:
    """No refund, as when a subscription is canceled now."""
    items = [{"id": item["id"], "deleted": True} for item in gone]
    return Ask("update", {"items": items, "proration_behavior": "none"})


def _leave_later(subscription_id: str, kept: list[dict[str, Any]]) -> Ask:
    recurring = kept[0]["price"]["recurring"]
    duration = {"interval": recurring["interval"], "interval_count": recurring["interval_count"]}
    wished = {"items": phase_items(kept), "duration": duration}
    return Ask("schedule", {"from_subscription": subscription_id}, then=(Ask("phases", wished),))


def _parted(
    work: Work, owned: OwnedProduct, found: dict[str, Any]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The items that go, and those that stay."""
    facts = subscription_facts(found)
    prices = [item.stripe_price_id for item in facts.items]
    sold = catalog_queries.by_stripe_price(work.connection, work.environment_id, prices)
    going = {key_of(each) for each in _going(work, owned)}
    gone, kept = list[dict[str, Any]](), list[dict[str, Any]]()
    for item, shown in zip(facts.items, found["items"]["data"], strict=True):
        keys = {key_of(line) for line in lines_of(work, facts, (item,), sold)}
        (gone if keys & going else kept).append(shown)
    return gone, kept


def _sharing(work: Work, owned: OwnedProduct) -> list[OwnedProduct]:
    assert owned.subscription is not None
    held = ownership_queries.of_subscription(work.connection, work.environment_id, owned.subscription.id)
    return [each for each in held if each.ended_at is None]


def _going(work: Work, owned: OwnedProduct) -> list[OwnedProduct]:
    """Itself, and add-ons of the same subscription that end with it."""
    sharing = _sharing(work, owned)
    return [
        each
        for each in sharing
        if each.id == owned.id or (owned.product_id in each.product.add_on_to and each.product.ends_with_base)
    ]
