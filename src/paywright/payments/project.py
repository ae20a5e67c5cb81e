"""
Making our rows agree with what Stripe says about one payment, and telling what changed.

The customer is locked by whoever calls. Exactly one row per fact, in whatever order news arrives; a move the table does not allow is logged, and ours
is kept.
"""

import logging
from typing import Any

import sqlalchemy as sa

from paywright.kernel.ids import new_id
from paywright.kernel.model import Customer
from paywright.outbox.actions import open_incident, record
from paywright.payments import queries, rules
from paywright.payments.model import DisputeFacts, Payment, PaymentFacts, PaymentStatus, RefundFacts
from paywright.payments.tables import disputes, payments, refunds
from paywright.storage.statements import upsert
from paywright.storage.work import Work

_log = logging.getLogger("paywright.payments")

CHANGE = "payments"


def project(work: Work, customer: Customer, facts: PaymentFacts) -> Payment:
    """The payment as it is after this news."""
    before = queries.payment_of_fact(work.connection, work.environment_id, facts.fact)
    payment_id = new_id("pay") if before is None else before.id
    refund_news = _save_refunds(work, payment_id, facts.refunds or ())
    dispute_news = _save_disputes(work, payment_id, facts.disputes or ())
    returned, under_way = rules.amounts_refunded(_refunds_of(work, payment_id))
    received = facts.amount_received if facts.status == "paid" else 0
    target = rules.with_refunds(facts.status, received, returned)
    moves = _moves(work, before, facts, target)
    values = {
        **_values(before, facts, moves),
        "amount_refunded": returned,
        "amount_refunding": under_way,
        "disputed": int(rules.is_disputed(_dispute_statuses(work, payment_id))),
    }
    _save(work, payment_id, before, customer, facts, values)
    payment = queries.payment(work.connection, work.environment_id, payment_id)
    assert payment is not None
    _announce(work, payment, before, moves)
    _announce_returns(work, payment, refund_news, dispute_news)
    return payment


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
    work: Work,
    payment: Payment,
    refund_news: list[tuple[str, RefundFacts]],
    dispute_news: list[tuple[str, DisputeFacts]],
) -> None:
    for news, refund in refund_news:
        told = {
            "id": refund.id,
            "status": refund.status,
            "amount": {"amount": refund.amount, "currency": refund.currency},
        }
        _tell(work, f"payment.{news}", payment, refund=told, full=payment.status == "refunded", taken_back=[])
    for news, dispute in dispute_news:
        told = {
            "id": dispute.id,
            "status": dispute.status,
            "amount": {"amount": dispute.amount, "currency": dispute.currency},
        }
        if news == "opened":
            _tell(work, "dispute.opened", payment, dispute=told)
        else:
            _tell(work, "dispute.closed", payment, dispute=told, result=news)


def _tell(work: Work, event_type: str, payment: Payment, **more: Any) -> None:
    record(work, event_type, {"payment": queries.shown(payment), **more}, customer=payment.customer, change=CHANGE)


def _save_refunds(work: Work, payment_id: str, found: tuple[RefundFacts, ...]) -> list[tuple[str, RefundFacts]]:
    known = {
        row.stripe_refund_id: row
        for row in work.execute(
            sa.select(refunds.c.id, refunds.c.stripe_refund_id, refunds.c.status)
            .where(refunds.c.environment_id == work.environment_id, refunds.c.payment_id == payment_id)
            .order_by(refunds.c.id)
            .limit(10_000)
        )
    }
    news: list[tuple[str, RefundFacts]] = []
    for refund in sorted(found, key=lambda each: (each.created_at, each.id)):
        ours = known.get(refund.id)
        status = rules.refund_status(None if ours is None else ours.status, refund.status)
        told = rules.refund_news(None if ours is None else ours.status, status)
        if told is not None:
            news.append((told, refund))
        upsert(
            work,
            refunds,
            {
                "environment_id": work.environment_id,
                "id": new_id("ref") if ours is None else ours.id,
                "stripe_refund_id": refund.id,
                "payment_id": payment_id,
                "status": status,
                "amount": refund.amount,
                "currency": refund.currency,
                "reason": refund.reason,
                "failure_reason": refund.failure_reason,
                "created_at": refund.created_at,
            },
            key=("environment_id", "id"),
        )
    return news


def _refunds_of(work: Work, payment_id: str) -> list[RefundFacts]:
    rows = work.execute(
        sa.select(
            refunds.c.id,
            refunds.c.stripe_refund_id,
            refunds.c.status,
            refunds.c.amount,
            refunds.c.currency,
            refunds.c.created_at,
            refunds.c.reason,
            refunds.c.failure_reason,
        )
        .where(refunds.c.environment_id == work.environment_id, refunds.c.payment_id == payment_id)
        .order_by(refunds.c.id)
        .limit(10_000)
    )
    return [
        RefundFacts(
            row.stripe_refund_id or row.id,
            row.status,
            row.amount,
            row.currency,
            row.created_at,
            row.reason,
            row.failure_reason,
        )
        for row in rows
    ]


def _save_disputes(work: Work, payment_id: str, found: tuple[DisputeFacts, ...]) -> list[tuple[str, DisputeFacts]]:
    known = _disputes(work, payment_id)
    news: list[tuple[str, DisputeFacts]] = []
    for dispute in sorted(found, key=lambda each: (each.created_at, each.id)):
        ours = known.get(dispute.id)
        status = rules.dispute_status(ours, dispute.status)
        news.extend((told, dispute) for told in rules.dispute_news(ours, status))
        upsert(
            work,
            disputes,
            {
                "environment_id": work.environment_id,
                "id": dispute.id,
                "payment_id": payment_id,
                "status": status,
                "amount": dispute.amount,
                "currency": dispute.currency,
                "reason": dispute.reason,
                "evidence_due_at": dispute.evidence_due_at,
                "created_at": dispute.created_at,
            },
            key=("environment_id", "id"),
        )
    return news


def _dispute_statuses(work: Work, payment_id: str) -> list[str]:
    return list(_disputes(work, payment_id).values())


def _disputes(work: Work, payment_id: str) -> dict[str, str]:
    rows = work.execute(
        sa.select(disputes.c.id, disputes.c.status)
        .where(disputes.c.environment_id == work.environment_id, disputes.c.payment_id == payment_id)
        .order_by(disputes.c.id)
        .limit(1_000)
    )
    return {row.id: row.status for row in rows}
