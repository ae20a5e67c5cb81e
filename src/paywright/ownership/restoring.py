"""A purchase that was ended because its money went back, and the money came again after all. Inside a work that holds the customer's lock."""

import msgspec

from paywright.catalog import queries as catalog_queries
from paywright.environments.model import Environment
from paywright.kernel.refusals import Refusal
from paywright.ledger import actions as ledger
from paywright.ledger import reopening
from paywright.ownership import queries
from paywright.ownership.defaults import align_later
from paywright.ownership.ending import bought, follow_bases
from paywright.ownership.model import OwnedProduct, ResolvedLine
from paywright.ownership.moving import moved_from
from paywright.ownership.record import announce_beginning, hold_places, rewrite
from paywright.ownership.rules import conflict_with_owned, in_the_way
from paywright.storage.work import Work


def restore(work: Work, environment: Environment, owned: OwnedProduct, *, source: str) -> str | None:
    """
    It is owned again as if it had never ended: units that its end took are given back, of missed repeats the latest.

    Answers why not, in the words of refusals or `subscription_ended`; nothing has changed then. `source` names the fact, once for ever. Its
    add-ons (`ended_with`) are the caller's to restore after it.
    """
    assert owned.ended_at is not None
    bought_by = moved_from(work, owned)
    blocked = _blocked(work, owned, is_moved=bought_by is not None)
    if blocked is not None:
        return blocked
    again = msgspec.structs.replace(
        owned, ended_at=None, end_reason=None, access=not owned.is_frozen, ends_at=owned.own_ends_at
    )
    rewrite(work, owned, ended_at=None, end_reason=None, access=1, ends_at=owned.own_ends_at)
    if bought_by is None:
        hold_places(work, again)  # What was moved to an account holds none: nothing the account owns is in its way.
    announce_beginning(work, environment, again)
    reopening.reopen_included(
        work, owned.customer, owned.id, source=source, given_by=bought_by, resumes=not owned.is_frozen
    )
    if owned.own_ends_at is not None:
        ledger.set_end(work, owned.customer, owned.id, owned.own_ends_at)
    follow_bases(work, owned.customer)
    align_later(work, owned.customer)
    return None


def ended_with(work: Work, base: OwnedProduct) -> list[OwnedProduct]:
    """
    Add-ons that would still be owned, had `base` (as it was when it had ended) not ended: all that lost their last base since.

    Whichever of several bases went last, so that the order in which their money went back does not matter.
    """
    assert base.ended_at is not None
    return [
        each
        for each in queries.ever(work.connection, work.environment_id, base.customer)
        if each.end_reason == "base_ended"
        and each.ended_at is not None
        and each.ended_at >= base.ended_at
        and base.product_id in each.product.add_on_to
    ]


def lost_base(work: Work, add_on: OwnedProduct) -> bool:
    """None of the bases it had when it ended is owned again; one that was bought since does not count."""
    assert add_on.ended_at is not None
    bases = [each for each in bought(work, add_on.customer) if each.product_id in add_on.product.add_on_to]
    return all(base.granted_at > add_on.ended_at for base in bases)


def end_with_base_instead(work: Work, add_on: OwnedProduct) -> None:
    """What had ended it does not count any more, but its base has ended since, and with the base it would have."""
    assert add_on.ended_at is not None
    every = queries.ever(work.connection, work.environment_id, add_on.customer)
    bases = [each.ended_at for each in every if each.product_id in add_on.product.add_on_to]
    ended_at = max((at for at in bases if at is not None), default=add_on.ended_at)
    rewrite(work, add_on, end_reason="base_ended", ended_at=max(ended_at, add_on.ended_at))


def _blocked(work: Work, owned: OwnedProduct, *, is_moved: bool) -> str | None:
    if owned.is_stripe_backed:
        return "subscription_ended"  # A subscription never comes back from its end at Stripe.
    held = bought(work, owned.customer)
    price = None if owned.price_id is None else owned.product.prices.get(owned.price_id)
    line = ResolvedLine(owned.product_id, owned.version_id, owned.product, owned.price_id, price, owned.quantity)
    catalog = catalog_queries.current(work.connection, work.environment_id)
    # Moved to an account it is never refused for what the account owns, only for what it needs.
    refusal = conflict_with_owned(held, [line], catalog, owned.customer)
    if isinstance(refusal, Refusal) and not (is_moved and refusal.code in ("already_owned", "line_taken")):
        return refusal.code
    return "line_taken" if in_the_way(held, line) and not is_moved else None
