"""
Giving money back, on request.

The row holds exactly what Stripe is sent, under a key made of the row's id and generation, so a repeat meets the first answer. A row without an
answer reduces what may be refunded like one with, so two requests at once never return more than was paid. Where a repeat can't tell (the key is
too old, or Stripe keeps a 5xx under it) we look whether the refund was made, adopt it if so, and only else ask again under a new generation.
"""

import logging
from typing import Any

import msgspec

from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.ids import new_id, wall_ms
from paywright.kernel.refusals import Refusal
from paywright.outbox.actions import lock_customers
from paywright.outbox.audit import note
from paywright.payments import project, queries, rules
from paywright.payments.actions import sync
from paywright.payments.model import AskedRefund, Payment, Refund
from paywright.payments.tables import payments, refunds
from paywright.storage import idempotency
from paywright.storage.idempotency import IdempotencyKey, Kept
from paywright.storage.work import RolledBack, Work
from paywright.stripe import metadata
from paywright.stripe.gateway import KEYS_KEPT_MS, StripeRefused, StripeUnknown, stripe_key
from paywright.stripe.metadata import metadata_of

_log = logging.getLogger("paywright.payments")

KEYS_PER_CALL_MAX = 3
"""Stripe that keeps failing under each of them is down, and the row stands for a repeat."""

STRIPE_REASONS = frozenset({"duplicate", "fraudulent", "requested_by_customer"})
"""What Stripe takes as a reason; in other words it is only written down."""

NOTHING_LEFT = frozenset({"charge_already_refunded", "charge_disputed"})


def refund(
    app: App, environment: Environment, asked: AskedRefund, *, key: IdempotencyKey | None = None
) -> Refund | Refusal | Kept:
    """
    Returns all or part of a payment.

    Refuses `payment_not_found`, `nothing_was_paid`, `refund_too_large` `{refundable}`, `no_period`, `stripe_refused`. With a key, a repeat goes
    on with the same row; `Kept` is the answer it was given before. Raises `StripeUnknown` and `StripeBusy` when Stripe's answer is not known:
    the row stands, and a repeat or the worker goes on with it.
    """
    begun = _begin(app, environment, asked, key)
    if not isinstance(begun, Refund):
        return begun
    return carry_out(app, environment, begun)


def carry_out(app: App, environment: Environment, recorded: Refund) -> Refund | Refusal:
    """Phases 2 and 3. Safe to repeat and to run at once; one that is answered is only looked at."""
    for _ in range(KEYS_PER_CALL_MAX):
        if not recorded.is_unanswered:
            break
        try:
            made = (
                _look(app, environment, recorded) if _is_key_too_old(recorded) else _create(app, environment, recorded)
            )
        except StripeRefused as refused:
            if refused.is_key_dead:
                raise
            return _refused(app, environment, recorded, refused)
        if made is not None:
            return _made(app, environment, recorded, made)
        recorded = _next_generation(app, environment, recorded)
    if recorded.is_unanswered:
        raise StripeUnknown(f"no answer under {KEYS_PER_CALL_MAX} keys")
    if recorded.status == "refused":
        return _why_refused(app, environment, recorded, recorded.last_error)
    return recorded


def recover(app: App, environment: Environment, *, attempted_before: int) -> int:
    """The worker's way on with refunds whose answer never reached us; answers how many. `attempted_before`: wall clock."""
    with app.database.read() as connection:
        unanswered = queries.unanswered_refunds(connection, environment.id, attempted_before=attempted_before)
    for recorded in unanswered:
        with app.work(environment.id) as work:
            work.execute(refunds.update().where(_is(work, recorded.id)).values(attempted_at=wall_ms()))
        if isinstance(carry_out(app, environment, recorded), Refusal):
            _tell_refused(app, environment, recorded)
    return len(unanswered)


def _begin(
    app: App, environment: Environment, asked: AskedRefund, key: IdempotencyKey | None
) -> Refund | Refusal | Kept:
    """Phase 1: decides, and records what Stripe will be sent."""
    outcome: Refund | Refusal | Kept | None = None
    with app.work(environment.id) as work:
        refund_id = new_id("ref")
        if key is not None:
            kept = idempotency.claim(work, key, subject_id=refund_id)
            if kept is not None:
                return kept if isinstance(kept, Refusal) else _behind(work, kept)
        project.lock(work, payments.c.id == asked.payment_id)
        payment = queries.payment(work.connection, environment.id, asked.payment_id)
        if payment is None:
            outcome = Refusal("payment_not_found")
            raise RolledBack
        known = queries.refunds_of(work.connection, environment.id, payment.id)
        amount = rules.refund_of(payment, known, asked)
        if isinstance(amount, Refusal):
            outcome = amount
            raise RolledBack
        outcome = _record(work, refund_id, payment, asked, amount)
    assert outcome is not None
    return outcome


def _behind(work: Work, kept: Kept) -> Refund | Kept:
    """A key points at its row until its answer is stored."""
    if kept.status is not None:
        return kept
    assert kept.subject_id is not None
    found = queries.refund(work.connection, work.environment_id, kept.subject_id)
    assert found is not None, "a key and its row are one commit"
    return found


def _record(work: Work, refund_id: str, payment: Payment, asked: AskedRefund, amount: int) -> Refund:
    wall = wall_ms()
    work.execute(
        refunds.insert().values(
            environment_id=work.environment_id,
            id=refund_id,
            payment_id=payment.id,
            status="requested",
            amount=amount,
            currency=payment.amount.currency,
            reason=asked.reason,
            end_policy=asked.end,
            take_back=asked.take_back,
            parameters=msgspec.json.encode(_parameters(work, refund_id, payment, asked, amount)).decode(),
            requested_at=wall,
            attempted_at=wall,
            created_at=work.now,
        )
    )
    _count(work, payment.id)
    facts = {"amount": amount, "currency": payment.amount.currency, "reason": asked.reason, "refund_id": refund_id}
    note(work, "payment.refund_requested", payment.id, **facts)
    made = queries.refund(work.connection, work.environment_id, refund_id)
    assert made is not None
    return made


def _parameters(work: Work, refund_id: str, payment: Payment, asked: AskedRefund, amount: int) -> dict[str, Any]:
    of_it = (
        {"payment_intent": payment.stripe_payment_intent_id}
        if payment.stripe_payment_intent_id is not None
        else {"charge": payment.stripe_charge_id}
    )
    keys = {**metadata.ours(work.environment_id, customer_key=None), metadata.REFUND: refund_id}
    reason = {"reason": asked.reason} if asked.reason in STRIPE_REASONS else {}
    return {**of_it, "amount": amount, **reason, "metadata": keys}


def _count(work: Work, payment_id: str) -> None:
    """What is under way reduces what may be refunded."""
    returned, under_way = project.amounts_refunded(work, payment_id)
    here = (payments.c.environment_id == work.environment_id) & (payments.c.id == payment_id)
    work.execute(payments.update().where(here).values(amount_refunded=returned, amount_refunding=under_way))


def _create(app: App, environment: Environment, recorded: Refund) -> dict[str, Any] | None:
    """Stripe's refund; None when it was certainly not made and this key can say no more."""
    key = stripe_key(environment.id, recorded.id, "refund", recorded.generation)
    try:
        return app.gateway(environment).post("/v1/refunds", recorded.parameters, idempotency_key=key)
    except StripeUnknown as unknown:
        if not unknown.is_kept:
            raise
        return _look(app, environment, recorded)


def _look(app: App, environment: Environment, recorded: Refund) -> dict[str, Any] | None:
    """The refund of this row among those of the payment."""
    of_it: dict[str, Any] = {
        name: recorded.parameters[name] for name in ("payment_intent", "charge") if name in recorded.parameters
    }
    for found in app.gateway(environment).pages("/v1/refunds", of_it):
        if metadata_of(found).get(metadata.REFUND) == recorded.id:
            return found
    return None


def _is_key_too_old(recorded: Refund) -> bool:
    assert recorded.requested_at is not None
    return wall_ms() - recorded.requested_at > KEYS_KEPT_MS


def _made(app: App, environment: Environment, recorded: Refund, made: dict[str, Any]) -> Refund:
    """Phase 3: Stripe's id is ours to find it by, then the same look and the same projection as an event would bring."""
    with app.work(environment.id) as work:
        values = {"stripe_refund_id": made["id"], "attempted_at": wall_ms()}
        here = _is(work, recorded.id), refunds.c.stripe_refund_id.is_(None)
        work.execute(refunds.update().where(*here).values(**values))
    _sync(app, environment, recorded)
    return _as_it_is(app, environment, recorded)


def _refused(app: App, environment: Environment, recorded: Refund, refused: StripeRefused) -> Refusal:
    """A definite no: nothing happened. Somebody may have refunded in Stripe's dashboard, so we look how it stands."""
    with app.work(environment.id) as work:
        # The payment first, as everybody else: a projection of it may be writing this row.
        project.lock(work, payments.c.id == recorded.payment_id)
        here = _is(work, recorded.id), refunds.c.status == "requested"
        work.execute(refunds.update().where(*here).values(status="refused", last_error=refused.message))
        _count(work, recorded.payment_id)
    _log.warning("environment %s: refund %s: Stripe said no: %s", environment.id, recorded.id, refused.message)
    _sync(app, environment, recorded)
    return _why_refused(app, environment, recorded, refused.message, refused.code)


def _why_refused(
    app: App, environment: Environment, recorded: Refund, message: str | None, code: str | None = None
) -> Refusal:
    """Who was overtaken by another refund hears that there is less left, also when they ask again."""
    with app.database.read() as connection:
        payment = queries.payment(connection, environment.id, recorded.payment_id)
    assert payment is not None
    if code in NOTHING_LEFT or recorded.amount.amount > payment.refundable:
        return Refusal("refund_too_large", {"refundable": payment.refundable})
    return Refusal("stripe_refused", {"stripe_message": message})


def _next_generation(app: App, environment: Environment, recorded: Refund) -> Refund:
    """Two at once raise it once: both then ask under the same new key."""
    with app.work(environment.id) as work:
        here = _is(work, recorded.id), refunds.c.generation == recorded.generation, refunds.c.status == "requested"
        raised = {"generation": recorded.generation + 1, "requested_at": wall_ms()}
        work.execute(refunds.update().where(*here).values(**raised))
    return _as_it_is(app, environment, recorded)


def _tell_refused(app: App, environment: Environment, recorded: Refund) -> None:
    with app.work(environment.id) as work:
        payment = queries.payment(work.connection, environment.id, recorded.payment_id)
        refused = queries.refund(work.connection, environment.id, recorded.id)
        assert payment is not None
        assert refused is not None
        lock_customers(work, [payment.customer])
        project.tell_refund_failed(work, payment, refused)


def _sync(app: App, environment: Environment, recorded: Refund) -> None:
    intent = recorded.parameters.get("payment_intent")
    if intent is not None:
        sync(app, environment, intent, beside=["refunds"])
    else:
        sync(app, environment, recorded.parameters["charge"], noun="charge", beside=["refunds"])


def _as_it_is(app: App, environment: Environment, recorded: Refund) -> Refund:
    with app.database.read() as connection:
        found = queries.refund(connection, environment.id, recorded.id)
    assert found is not None
    return found


def _is(work: Work, refund_id: str) -> Any:
    return (refunds.c.environment_id == work.environment_id) & (refunds.c.id == refund_id)
