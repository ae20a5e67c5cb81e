"""
What money that goes back does to what it bought.

A refund that succeeded takes units back, then ends the purchase; a dispute freezes it, and when it is lost does both. What failed or was won after
all is given back. Each is done once per refund or dispute and purchase, whenever it is heard and whichever is heard first: whoever begins to own
something calls `settle_purchase` too, because its payment may have been returned before it was granted.

The customer is locked by whoever calls.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from paywright.environments.model import EndPolicy, Environment, TakeBack
from paywright.environments.queries import environment_of
from paywright.ledger import actions as ledger
from paywright.ledger import spent_before
from paywright.ledger.model import TakenBack
from paywright.outbox.actions import command
from paywright.ownership import actions as ownership
from paywright.ownership import queries as ownership_queries
from paywright.ownership.model import EndReason, OwnedProduct
from paywright.ownership.moving import moved_from
from paywright.payments import effects, queries, rules
from paywright.payments.effects import EFFECTS_MAX
from paywright.payments.model import Dispute, Payment, Refund
from paywright.payments.restoring import BY_RETURNS, give_back
from paywright.payments.tables import payments, refunds
from paywright.storage.work import Work

CANCEL_AT_PERIOD_END = "cancel_subscription_at_period_end"
"""The command for `end: period_end`; `subscriptions` carries it out."""


class Policy(msgspec.Struct, frozen=True):
    end: EndPolicy
    take_back: TakeBack


def settle(work: Work, payment: Payment) -> dict[str, list[TakenBack]]:
    """Everything that this payment's refunds and disputes mean by now and is not done yet. Answers what each refund or dispute took just now."""
    returned = queries.refunds_of(work.connection, work.environment_id, payment.id)
    disputed = queries.disputes_of(work.connection, work.environment_id, payment.id)
    if not returned and not disputed:
        return {}
    environment = environment_of(work)
    bought = purchases(work, payment)
    if bought:
        ownership.settle(work, environment, payment.customer)
    settling = _Settling(work, environment, payment, taken={})
    for (
        dispute
    ) in disputed:  # Before refunds that could be made again: what is still set aside is not taken as unspent.
        _thawed(settling, dispute)
    so_far = _returned_before(returned)
    for refund in returned:
        if refund.status == "succeeded":
            so_far += refund.amount.amount if refund.returned_then is None else 0
            _refunded(settling, refund, refund.returned_then or so_far)
        elif refund.status in ("failed", "canceled"):
            _give_back(settling, f"refund:{refund.stripe_refund_id}")
    for dispute in disputed:
        _disputed(settling, dispute, so_far)
    return settling.taken


def _returned_before(returned: Sequence[Refund]) -> int:
    """By refunds that have had their effect: two that overtake each other together are all of it, whichever comes first in the list."""
    settled = [each for each in returned if each.status == "succeeded" and each.returned_then is not None]
    return sum(each.amount.amount for each in settled)


def settle_purchase(work: Work, *, checkout_session_id: str | None = None, subscription_id: str | None = None) -> None:
    """Something begins to be owned: its payment may have been refunded or disputed already."""
    assert checkout_session_id is not None or subscription_id is not None
    of_it = (
        payments.c.checkout_session_id == checkout_session_id
        if checkout_session_id is not None
        else payments.c.subscription_id == subscription_id
    )
    touched = sa.or_(payments.c.amount_refunded > 0, payments.c.disputed == 1)
    found = (
        sa.select(payments.c.id)
        .where(payments.c.environment_id == work.environment_id, of_it, touched)
        .order_by(payments.c.created_at, payments.c.id)
        .limit(EFFECTS_MAX)
    )
    for payment_id in work.execute(found).scalars().all():
        payment = queries.payment(work.connection, work.environment_id, payment_id)
        assert payment is not None
        settle(work, payment)


def purchases(work: Work, payment: Payment) -> list[OwnedProduct]:
    """What it bought, ended ones too: everything of the subscription whose invoice it paid, else what the checkout sold once."""
    if payment.subscription_id is not None:
        found = ownership_queries.of_subscription(work.connection, work.environment_id, payment.subscription_id)
    elif payment.checkout_session_id is not None:
        every = ownership_queries.of_checkout_session(work.connection, work.environment_id, payment.checkout_session_id)
        found = [owned for owned in every if not owned.is_subscription]
    else:
        found = []
    return [owned for owned in found if owned.customer == payment.customer]


class _Settling(msgspec.Struct):
    work: Work
    environment: Environment
    payment: Payment
    taken: dict[str, list[TakenBack]]


def _bought_by(settling: _Settling, instant: int) -> list[OwnedProduct]:
    """What was bought with it. What a subscription came to own after money went back was not; Stripe's instants are whole seconds."""
    found = purchases(settling.work, settling.payment)
    if settling.payment.subscription_id is not None:
        found = [owned for owned in found if owned.granted_at // 1000 <= instant // 1000]
    return sorted(
        found, key=lambda owned: (not owned.product.is_add_on, owned.id)
    )  # An add-on before its base ends it.


def _refunded(settling: _Settling, refund: Refund, so_far: int) -> None:
    """`so_far`: all that was refunded, this one included."""
    policy = _resolved(settling, refund, so_far)
    source = f"refund:{refund.stripe_refund_id}"
    bought = [owned for owned in _bought_by(settling, refund.created_at) if _mark(settling, source, owned, "took")]
    for owned in bought:
        _take(settling, source, owned, policy.take_back, so_far)
    for owned in bought:
        if policy.end == "now":
            _end(settling, source, owned, "refunded")
        elif policy.end == "period_end":
            _end_later(settling, source, owned)


def _resolved(settling: _Settling, refund: Refund, so_far: int) -> Policy:
    """What was asked for, else what the environment says; written down once it is decided. A one-time purchase has no period, so it ends now."""
    default, is_full = settling.environment.policy.on_refund, so_far >= settling.payment.amount.amount
    end = refund.end or (default.end if is_full else "none")
    if end == "period_end" and settling.payment.subscription_id is None:
        end = "now"
    take_back = refund.take_back or (default.take_back if is_full else "none")
    if refund.returned_then is None:
        here = (refunds.c.environment_id == settling.work.environment_id) & (refunds.c.id == refund.id)
        values = {"end_policy": end, "take_back": take_back, "returned_then": so_far}
        settling.work.execute(refunds.update().where(here).values(**values))
    return Policy(end, take_back)


def _take(settling: _Settling, source: str, owned: OwnedProduct, policy: TakeBack, returned: int) -> None:
    payment = settling.payment
    of_subscription = payment.subscription_id is not None
    how: dict[str, Any] = {
        "source": source,
        "refunded": min(returned, payment.amount.amount),
        "paid": payment.amount.amount,
        "granted_from": payment.period_start if of_subscription else None,
        "granted_until": payment.period_end if of_subscription else None,
    }
    taken = ledger.take_back(settling.work, owned.customer, owned.id, policy, **how)
    guest = moved_from(settling.work, owned) if policy == "all" else None
    if guest is not None:
        taken += spent_before.take_back(settling.work, owned.customer, guest, owned.id, **how)
    settling.taken.setdefault(source, []).extend(taken)


def _end(settling: _Settling, source: str, owned: OwnedProduct, reason: EndReason) -> None:
    """At Stripe its subscription is canceled after the commit."""
    present = _present(settling, owned)
    if present.ended_at is None:
        if present.is_stripe_backed and present.subscription is not None:
            named = {"subscription_id": present.subscription.id}
            command(settling.work, ownership.CANCEL_SUBSCRIPTION, present.subscription.id, named)
        ownership.end(settling.work, settling.environment, present, reason)
    elif present.end_reason not in BY_RETURNS:
        return  # Somebody ended it on purpose, and no failed refund changes that.
    effects.note_ended(settling.work, source, owned)


def _end_later(settling: _Settling, source: str, owned: OwnedProduct) -> None:
    if owned.is_stripe_backed and owned.subscription is not None and owned.ended_at is None:
        named = {"subscription_id": owned.subscription.id}
        command(settling.work, CANCEL_AT_PERIOD_END, f"{source} {owned.subscription.id}", named)


def _thawed(settling: _Settling, dispute: Dispute) -> None:
    """Won, or over without a loss: what it froze thaws, and what a loss took before is given back."""
    meaning = rules.DISPUTES.get(dispute.status, "open")
    if meaning in ("open", "lost"):
        return
    for owned in purchases(settling.work, settling.payment):
        _thaw(settling, owned, dispute.id, is_won=True)
    if meaning == "won":
        _give_back(settling, f"dispute:{dispute.id}")


def _disputed(settling: _Settling, dispute: Dispute, refunded: int) -> None:
    meaning = rules.DISPUTES.get(dispute.status, "open")
    if meaning == "open":
        _freeze(settling, dispute, f"dispute:{dispute.id}")
    elif meaning == "lost":
        _lose(settling, dispute, f"dispute:{dispute.id}", refunded)


def _freeze(settling: _Settling, dispute: Dispute, source: str) -> None:
    for owned in _bought_by(settling, dispute.created_at):
        if _mark(settling, source, owned, "froze"):
            ownership.freeze(
                settling.work,
                settling.environment,
                _present(settling, owned),
                dispute.id,
                payment_id=settling.payment.id,
            )


def _thaw(settling: _Settling, owned: OwnedProduct, dispute_id: str, *, is_won: bool) -> None:
    ownership.unfreeze(
        settling.work,
        settling.environment,
        _present(settling, owned),
        dispute_id,
        payment_id=settling.payment.id,
        is_won=is_won,
    )


def _lose(settling: _Settling, dispute: Dispute, source: str, refunded: int) -> None:
    """The money is gone for good: units by `on_dispute_lost`, then the purchase. In another currency its amount says nothing, so all of it is."""
    paid = settling.payment.amount
    gone = dispute.amount.amount if dispute.amount.currency == paid.currency else paid.amount
    for owned in purchases(settling.work, settling.payment):
        _thaw(settling, owned, dispute.id, is_won=False)
    bought = [owned for owned in _bought_by(settling, dispute.created_at) if _mark(settling, source, owned, "took")]
    for owned in bought:
        _take(settling, source, owned, settling.environment.policy.on_dispute_lost, refunded + gone)
    for owned in bought:
        _end(settling, source, owned, "dispute_lost")


def _give_back(settling: _Settling, source: str) -> None:
    """The refund failed, or the dispute was won after it was lost."""
    bought = purchases(settling.work, settling.payment)
    give_back(settling.work, settling.environment, settling.payment, bought, source)


def _present(settling: _Settling, owned: OwnedProduct) -> OwnedProduct:
    """As it is now: a base's end, or a dispute before, may have changed it a moment ago."""
    work = settling.work
    found = ownership_queries.owned_product(work.connection, work.environment_id, owned.customer, owned.id)
    assert found is not None
    return found


def _mark(settling: _Settling, source: str, owned: OwnedProduct, what: str) -> bool:
    return effects.mark(settling.work, source, owned, what, payment_id=settling.payment.id)
