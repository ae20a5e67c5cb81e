"""
A dispute: what the disputed money bought is frozen. Inside a work that holds the customer's lock.

Access is false, repeats stand still, unspent units are set aside. Several disputes may freeze one purchase; the last one that is won thaws it.
"""

import msgspec

from paywright.environments.model import Environment
from paywright.kernel.model import Customer
from paywright.ledger import actions as ledger
from paywright.ledger import disputed
from paywright.outbox.actions import record
from paywright.ownership import queries
from paywright.ownership.model import OwnedProduct
from paywright.ownership.record import rewrite, shown_in_event
from paywright.storage.work import Work


def freeze(
    work: Work, environment: Environment, owned: OwnedProduct, dispute_id: str, *, payment_id: str
) -> OwnedProduct:
    """Of one that has ended already only the units are set aside. Twice by one dispute is once."""
    if dispute_id in owned.frozen_by:
        return owned
    disputed_by = (*owned.frozen_by, dispute_id)
    rewrite(work, owned, frozen_by=" ".join(disputed_by))
    frozen = msgspec.structs.replace(owned, frozen_by=disputed_by, access=False)
    ledger.freeze(work, owned.customer, owned.id, source=f"dispute:{dispute_id}")
    if owned.ended_at is None and not owned.is_frozen:
        _tell(work, environment, frozen, "product.frozen", "dispute_opened", payment_id)
    return frozen


def unfreeze(
    work: Work, environment: Environment, owned: OwnedProduct, dispute_id: str, *, payment_id: str, is_won: bool
) -> OwnedProduct:
    """
    The dispute is over; with the last one access and repeats are back as far as the policy goes, the latest missed repeat is given, units are free.

    Lost (`is_won` false) nothing is told and no repeat is given: the caller takes back and ends what it thawed.
    """
    if dispute_id not in owned.frozen_by:
        return owned
    rest = tuple(each for each in owned.frozen_by if each != dispute_id)
    rewrite(work, owned, frozen_by=" ".join(rest) or None)
    thawed = msgspec.structs.replace(owned, frozen_by=rest)
    if rest:
        return thawed
    thawed = _as_written(work, thawed)
    resumes = is_won and thawed.access
    ledger.unfreeze(work, owned.customer, owned.id, resumes=resumes)
    if thawed.ended_at is None and is_won:
        if resumes:
            ledger.plan_pause(work, owned.customer, owned.id, thawed.access_until)
        _tell(work, environment, thawed, "product.unfrozen", "dispute_won", payment_id)
    return thawed


def set_aside_again(work: Work, customer: Customer) -> None:
    """Purchases have moved here, and moving set free what was set aside: disputed units are held again."""
    for owned in queries.ever(work.connection, work.environment_id, customer):
        if owned.is_frozen:
            disputed.set_aside(work, customer, owned.id, source=f"dispute:{owned.frozen_by[0]}:moved")


def _as_written(work: Work, owned: OwnedProduct) -> OwnedProduct:
    """What the policy said while it was frozen counts now."""
    found = queries.owned_product(work.connection, work.environment_id, owned.customer, owned.id)
    assert found is not None
    return found


def _tell(
    work: Work, environment: Environment, owned: OwnedProduct, event_type: str, reason: str, payment_id: str
) -> None:
    facts = {"product": shown_in_event(work, environment, owned), "reason": reason, "payment_id": payment_id}
    record(work, event_type, facts, customer=owned.customer, change="products")
