"""A purchase that was ended because its money went back, and the money came again after all. Inside a work that holds the customer's lock."""

import msgspec

from paywright.catalog import queries as catalog_queries
from paywright.environments.model import Environment
from paywright.ledger import reopening
from paywright.outbox.actions import record
from paywright.ownership.defaults import align_later
from paywright.ownership.ending import bought, follow_bases
from paywright.ownership.model import OwnedProduct, ResolvedLine
from paywright.ownership.record import hold_places, rewrite, shown_in_event
from paywright.ownership.rules import conflict_with_owned, in_the_way
from paywright.storage.work import Work


def restore(work: Work, environment: Environment, owned: OwnedProduct, *, source: str) -> str | None:
    """
    It is owned again as if it had never ended: units that its end took are given back, of missed repeats the latest.

    Answers why not, in the words of refusals or `subscription_ended`; nothing has changed then. `source` names the fact, once for ever.
    """
    blocked = _blocked(work, owned)
    if blocked is not None:
        return blocked
    assert owned.ended_at is not None
    rewrite(work, owned, ended_at=None, end_reason=None, access=1, ends_at=None, own_ends_at=None)
    again = msgspec.structs.replace(
        owned, ended_at=None, end_reason=None, access=True, ends_at=None, own_ends_at=None, frozen_by=()
    )
    hold_places(work, again)
    reopening.reopen_included(work, owned.customer, owned.id, ended_at=owned.ended_at, source=source)
    facts = {"product": shown_in_event(work, environment, again)}
    record(work, "product.granted", facts, customer=owned.customer, change="products")
    follow_bases(work, owned.customer)
    align_later(work, owned.customer)
    return None


def _blocked(work: Work, owned: OwnedProduct) -> str | None:
    if owned.is_subscription:
        return "subscription_ended"  # A subscription never comes back from its end at Stripe.
    held = bought(work, owned.customer)
    price = None if owned.price_id is None else owned.product.prices.get(owned.price_id)
    line = ResolvedLine(owned.product_id, owned.version_id, owned.product, owned.price_id, price, owned.quantity)
    catalog = catalog_queries.current(work.connection, work.environment_id)
    refusal = conflict_with_owned(held, [line], catalog, owned.customer)
    if refusal is not None:
        return refusal.code
    return "line_taken" if in_the_way(held, line) else None
