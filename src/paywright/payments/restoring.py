"""
Money that had gone back and came again: a refund failed, or a dispute that was lost was won after all.

Product, add-ons and units are as if it had never gone, as far as nothing else stands in the way. In whatever order returns are undone, what is owned
afterwards is what would be owned without them. The customer is locked by whoever calls.
"""

from collections.abc import Sequence

from paywright.environments.model import Environment
from paywright.ledger import actions as ledger
from paywright.outbox.actions import open_incident
from paywright.ownership import actions as ownership
from paywright.ownership import queries as ownership_queries
from paywright.ownership.model import OwnedProduct
from paywright.ownership.moving import moved_from
from paywright.ownership.restoring import end_with_base_instead, ended_with, lost_base, restore
from paywright.payments import effects
from paywright.payments.model import Payment
from paywright.storage.work import Work

BY_RETURNS = frozenset({"refunded", "dispute_lost", "base_ended"})
"""Ends that money brings which goes back, its own or that of its base. Whoever revoked or canceled meant it."""


def give_back(
    work: Work, environment: Environment, payment: Payment, bought: Sequence[OwnedProduct], source: str
) -> None:
    """Undoes what `source` did to what was bought with the payment. Twice is once."""
    standing = effects.standing(work, source)
    taken_from = [owned for owned in bought if owned.id in standing]
    for owned in taken_from:
        effects.note_undone(work, source, owned)
    _restore_all(work, environment, payment, [owned for owned in taken_from if standing[owned.id]], source)
    for owned in taken_from:
        _give_units_back(work, owned, source)
    if taken_from:
        ownership.settle(work, environment, payment.customer)  # What was to end meanwhile ends now.


def _restore_all(
    work: Work, environment: Environment, payment: Payment, ended: Sequence[OwnedProduct], source: str
) -> None:
    """Bases first; an add-on of an add-on waits for it. Who can't come back opens an incident."""
    waiting = sorted(ended, key=lambda each: (each.product.is_add_on, each.id))
    refused: list[tuple[OwnedProduct, str]] = []
    while waiting:
        refused = []
        for owned in waiting:
            why = _restore(work, environment, payment, owned, source)
            refused += [(owned, why)] if why is not None else []
        if len(refused) == len(waiting):
            break
        waiting = [owned for owned, _ in refused]
    for owned, why in refused:
        told = {"payment_id": payment.id, "source": source, "owned_product_id": owned.id, "refused": why}
        open_incident(work, "refund_restore_blocked", told, customer=owned.customer)


def _restore(work: Work, environment: Environment, payment: Payment, owned: OwnedProduct, source: str) -> str | None:
    """Answers why it can't come back, though it should. Then its add-ons that ended with it, and what was undone while it was ended."""
    present = ownership_queries.owned_product(work.connection, work.environment_id, owned.customer, owned.id)
    assert present is not None
    if present.ended_at is None or present.end_reason not in BY_RETURNS or effects.is_kept_ended(work, present):
        return None
    if present.end_reason == "base_ended" and lost_base(work, present):
        return None  # It is its base that is gone, not its money.
    why = restore(work, environment, present, source=f"{source}:reversal")
    if why == "base_required":
        end_with_base_instead(work, present)
        return None
    if why is not None:
        return why
    for undone in effects.undone(work, present):
        _give_units_back(work, present, undone)
    _restore_all(work, environment, payment, ended_with(work, present), source)
    return None


def _give_units_back(work: Work, owned: OwnedProduct, source: str) -> None:
    names = {"source_taken": source, "source": f"{source}:reversal"}
    ledger.give_back(work, owned.customer, **names, taken_from=moved_from(work, owned))
