"""
Making our rows agree with what Stripe says about one payment, and telling what changed.

The customer is locked by whoever calls. Exactly one row per fact, in whatever order news arrives; a move the table does not allow is logged, and ours
is kept.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from paywright.kernel.ids import new_id
from paywright.kernel.model import Customer
from paywright.ledger.model import TakenBack
from paywright.outbox.actions import open_incident, record
from paywright.payments import queries, rules, warnings
from paywright.payments.model import (
    DisputeFacts,
    Payment,
    PaymentFacts,
    PaymentStatus,
    Refund,
    RefundFacts,
)
from paywright.payments.returns import settle
from paywright.payments.tables import disputes, payments, refunds
from paywright.storage.statements import upsert
from paywright.storage.work import Work

_log = logging.getLogger("paywright.payments")

CHANGE = "payments"

News = tuple[str, str]
"""What to tell, and of which of our refunds or disputes."""


def project(work: Work, customer: Customer, facts: PaymentFacts) -> Payment:
    """The payment as it is after this news."""
    lock(work, payments.c.fact == facts.fact)
    before = queries.payment_of_fact(work.connection, work.environment_id, facts.fact)
    payment_id = new_id("pay") if before is None else before.id
    news = _save_refunds(work, payment_id, facts.refunds or ())
    news += _save_disputes(work, payment_id, facts.disputes or ())
    warned = warnings.save(work, payment_id, facts.warnings or ())
    returned, under_way = amounts_refunded(work, payment_id)
    open_disputes = queries.disputes_of(work.connection, work.environment_id, payment_id)
    received = facts.amount_received if facts.status == "paid" else 0
    target = rules.with_refunds(facts.status, received, returned)
    moves = _moves(work, before, facts, target)
    values = {
        **_values(before, facts, moves),
        "amount_refunded": returned,
        "amount_refunding": under_way,
        "disputed": int(rules.is_disputed([each.status for each in open_disputes])),
    }
    if warned:
        values["fraud_warning"] = warned[-1]
    _save(work, payment_id, before, customer, facts, values)
    payment = queries.payment(work.connection, work.environment_id, payment_id)
    assert payment is not None
    _announce(work, payment, before, moves)
    is_touched = facts.refunds or facts.disputes or payment.amount_refunded.amount or payment.disputed
    taken = settle(work, payment) if is_touched else {}
    if news or warned:
        _announce_returns(work, payment, news, taken, warned)
    return payment


def lock(work: Work, is_it: sa.ColumnElement[bool]) -> None:
    """Who counts what may be refunded waits for who writes it."""
    here = sa.select(payments.c.id).where(payments.c.environment_id == work.environment_id, is_it)
    work.execute(here.order_by(payments.c.id).limit(10).with_for_update()).all()


def amounts_refunded(work: Work, payment_id: str) -> tuple[int, int]:
    """Returned, and on its way back."""
    return rules.amounts_refunded(queries.refunds_of(work.connection, work.environment_id, payment_id))


def _moves(
    work: Work, before: Payment | None, facts: PaymentFacts, target: PaymentStatus
) -> tuple[PaymentStatus, ...] | None:
    """None: stale or unproven, and ours is kept. A payment that begins unproven begins as pending."""
    ours = None if before is None else before.status
    doubt = rules.missing_proof(facts)
    if doubt is not None:
        _log.warning("environment %s: %s is not taken as paid: %s", work.environment_id, facts.fact, doubt)
        return ("pending",) if before is None else None
    moves = rules.steps(ours, target)
    if moves is None:
        _log.info("environment %s: stale_move of %s from %s to %s", work.environment_id, facts.fact, ours, target)
    return moves


def _values(before: Payment | None, facts: PaymentFacts, moves: tuple[PaymentStatus, ...] | None) -> dict[str, Any]:
    """The columns that follow the news. After a stale move only what a payment keeps whatever its status is taken: fee, net, receipt."""
    kept: dict[str, Any] = {
        name: value
        for name, value in (
            ("fee", facts.fee),
            ("net", facts.net),
            ("receipt_url", facts.receipt_url),
            ("checkout_session_id", facts.checkout_session_id),
            ("invoice_id", facts.invoice_id),
            ("stripe_customer_id", facts.stripe_customer_id),
            ("subscription_id", facts.subscription_id),
            ("period_start", facts.period_start),
            ("period_end", facts.period_end),
        )
        if value is not None
    }
    if moves is None:
        return kept
    status = moves[-1] if moves else (before.status if before is not None else facts.status)
    is_received = status in ("paid", "refunded")
    kept |= {
        "status": status,
        "stripe_status": facts.stripe_status,
        "amount": facts.amount_received if is_received else facts.amount,
        "failure_code": None if is_received else facts.failure_code,
        "decline_code": None if is_received else facts.decline_code,
        "stripe_charge_id": facts.stripe_charge_id,
    }
    if "paid" in moves and (before is None or before.paid_at is None):
        kept["paid_at"] = facts.paid_at
    return kept


def _save(
    work: Work,
    payment_id: str,
    before: Payment | None,
    customer: Customer,
    facts: PaymentFacts,
    values: dict[str, Any],
) -> None:
    if before is not None:
        is_it = (payments.c.environment_id == work.environment_id) & (payments.c.id == payment_id)
        work.execute(payments.update().where(is_it).values(**values, seen_at=work.now))
        return
    row = {
        "environment_id": work.environment_id,
        "id": payment_id,
        "fact": facts.fact,
        "customer": customer.key,
        "status": facts.status,
        "stripe_status": facts.stripe_status,
        "amount": facts.amount,
        "currency": facts.currency,
        "stripe_payment_intent_id": facts.stripe_payment_intent_id,
        "stripe_charge_id": facts.stripe_charge_id,
        "created_at": facts.created_at,
        "seen_at": work.now,
    }
    work.execute(payments.insert().values(**row | values))


def _announce(work: Work, payment: Payment, before: Payment | None, moves: tuple[PaymentStatus, ...] | None) -> None:
    """One event per move. What went back is told by each refund, and a restored payment was told as paid before."""
    status = None if before is None else before.status
    for moved in moves or ():
        if moved not in ("refunded", status) and not (moved == "paid" and status == "refunded"):
            _tell(work, f"payment.{moved}", payment)
        if moved == "paid" and status == "cancelled":
            open_incident(work, "paid_after_cancel", {"payment_id": payment.id}, customer=payment.customer)
        status = moved


def _announce_returns(
    work: Work, payment: Payment, news: Sequence[News], taken: Mapping[str, Sequence[TakenBack]], warned: list[str]
) -> None:
    """Each refund and dispute as it stands now, with what it took, and each fraud warning that is new."""
    refunds_now = {each.id: each for each in queries.refunds_of(work.connection, work.environment_id, payment.id)}
    disputes_now = {each.id: each for each in queries.disputes_of(work.connection, work.environment_id, payment.id)}
    for kind, row_id in news:
        if kind in ("refunded", "refund_failed"):
            refund = refunds_now[row_id]
            units = [msgspec.to_builtins(each) for each in taken.get(f"refund:{refund.stripe_refund_id}", ())]
            told = {"refund": queries.refund_shown(refund), "full": payment.status == "refunded", "taken_back": units}
            _tell(work, f"payment.{kind}", payment, **told)
        elif kind == "opened":
            _tell(work, "dispute.opened", payment, dispute=queries.dispute_shown(disputes_now[row_id]))
        else:
            _tell(work, "dispute.closed", payment, dispute=queries.dispute_shown(disputes_now[row_id]), result=kind)
    warnings.tell(work, payment, warned)


def tell_refund_failed(work: Work, payment: Payment, refund: Refund) -> None:
    """Stripe refused one that nobody waits for any more."""
    told = {"refund": queries.refund_shown(refund), "full": False, "taken_back": []}
    _tell(work, "payment.refund_failed", payment, **told)


def _tell(work: Work, event_type: str, payment: Payment, **more: Any) -> None:
    record(work, event_type, {"payment": queries.shown(payment), **more}, customer=payment.customer, change=CHANGE)


def _save_refunds(work: Work, payment_id: str, found: tuple[RefundFacts, ...]) -> list[News]:
    known = queries.refunds_of(work.connection, work.environment_id, payment_id)
    by_stripe_id = {each.stripe_refund_id: each for each in known if each.stripe_refund_id is not None}
    by_our_id = {each.id: each for each in known}
    news: list[News] = []
    for facts in sorted(found, key=lambda each: (each.created_at, each.id)):
        # Asked for by us, and heard of before the answer to our request was.
        ours = by_stripe_id.get(facts.id) or by_our_id.get(facts.ours or "")
        row_id = new_id("ref") if ours is None else ours.id
        status = rules.refund_status(None if ours is None else ours.status, facts.status)
        told = rules.refund_news(None if ours is None else ours.status, status)
        if told is not None:
            news.append((told, row_id))
        row: dict[str, Any] = {
            "environment_id": work.environment_id,
            "id": row_id,
            "stripe_refund_id": facts.id,
            "payment_id": payment_id,
            "status": status,
            "amount": facts.amount,
            "currency": facts.currency,
            "failure_reason": facts.failure_reason,
            "created_at": facts.created_at,
        }
        if ours is None:
            row["reason"] = facts.reason
        upsert(work, refunds, row, key=("environment_id", "id"))
    return news


def _save_disputes(work: Work, payment_id: str, found: tuple[DisputeFacts, ...]) -> list[News]:
    known = {each.id: each.status for each in queries.disputes_of(work.connection, work.environment_id, payment_id)}
    news: list[News] = []
    for facts in sorted(found, key=lambda each: (each.created_at, each.id)):
        ours = known.get(facts.id)
        status = rules.dispute_status(ours, facts.status)
        news.extend((told, facts.id) for told in rules.dispute_news(ours, status))
        upsert(
            work,
            disputes,
            {
                "environment_id": work.environment_id,
                "id": facts.id,
                "payment_id": payment_id,
                "status": status,
                "amount": facts.amount,
                "currency": facts.currency,
                "reason": facts.reason,
                "evidence_due_at": facts.evidence_due_at,
                "created_at": facts.created_at,
            },
            key=("environment_id", "id"),
        )
    return news
