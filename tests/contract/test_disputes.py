"""Disputes, early fraud warnings and payouts, by the official SDK. Sequences 11 and 16."""

from typing import Any

import pytest
import stripe

from tests.contract.shop import Shop, error_of


def paid(v1: Any, token: str = "visa") -> Any:
    return v1.payment_intents.create(
        {"amount": 1000, "currency": "usd", "payment_method": f"pm_card_{token}", "confirm": True}
    )


def disputed(v1: Any, shop: Shop, **wish: Any) -> Any:
    made = shop.control("POST", "disputes", {"payment_intent": paid(v1).id, **wish})
    return v1.disputes.retrieve(made["id"])


def whole_balance(v1: Any) -> int:
    found = v1.balance.retrieve()
    return sum(part.amount for part in [*found.available, *found.pending])


OPENED = ["charge.dispute.created", "charge.dispute.funds_withdrawn", "charge.updated"]


@pytest.mark.parametrize(
    ("token", "reason"),
    [("createDispute", "fraudulent"), ("createDisputeProductNotReceived", "product_not_received")],
)
def test_11_a_card_that_charges_back(v1: Any, shop: Shop, token: str, reason: str) -> None:
    intent = paid(v1, token)
    (found,) = v1.disputes.list({"payment_intent": intent.id}).data
    assert (found.status, found.reason, found.amount, found.is_charge_refundable) == (
        "needs_response",
        reason,
        1000,
        False,
    )
    assert shop.events() == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded", *OPENED]
    assert v1.charges.retrieve(found.charge).disputed is True
    assert whole_balance(v1) == 941 - 1000 - 1500
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.refunds.create({"payment_intent": intent.id})
    assert error_of(refusal).code == "charge_disputed"


def test_11_evidence_that_wins_returns_the_money(v1: Any, shop: Shop) -> None:
    found = disputed(v1, shop)
    before = shop.last_event()
    sent = v1.disputes.update(found.id, {"evidence": {"uncategorized_text": "winning_evidence"}})
    assert (sent.status, sent.evidence_details.submission_count) == ("under_review", 1)
    won = v1.disputes.retrieve(found.id)
    assert (won.status, len(won.balance_transactions)) == ("won", 2)
    assert shop.events(since=before) == [
        "charge.dispute.updated",
        "charge.dispute.funds_reinstated",
        "charge.dispute.closed",
    ]
    assert whole_balance(v1) == 941
    back = won.balance_transactions[1]
    assert (back.amount, back.fee, back.net) == (1000, -1500, 2500)
    assert [(part.amount, part.description) for part in back.fee_details] == [(-1500, "Dispute fee")]


def test_11_evidence_that_loses(v1: Any, shop: Shop) -> None:
    found = disputed(v1, shop)
    v1.disputes.update(found.id, {"evidence": {"uncategorized_text": "losing_evidence"}})
    assert v1.disputes.retrieve(found.id).status == "lost"
    assert shop.events()[-2:] == ["charge.dispute.updated", "charge.dispute.closed"]


def test_evidence_can_be_kept_back(v1: Any, shop: Shop) -> None:
    found = disputed(v1, shop)
    kept = v1.disputes.update(found.id, {"evidence": {"customer_name": "Ann"}, "submit": False})
    assert (kept.status, kept.evidence.customer_name, kept.evidence_details.has_evidence) == (
        "needs_response",
        "Ann",
        True,
    )


def test_an_unanswered_dispute_is_lost_when_its_time_is_up(v1: Any, shop: Shop) -> None:
    found = disputed(v1, shop)
    shop.advance("9d")
    lost = v1.disputes.retrieve(found.id)
    assert (lost.status, lost.evidence_details.past_due) == ("lost", True)


def test_giving_in_is_losing_and_final(v1: Any, shop: Shop) -> None:
    found = disputed(v1, shop)
    assert v1.disputes.close(found.id).status == "lost"
    with pytest.raises(stripe.InvalidRequestError, match="lost"):
        v1.disputes.close(found.id)
    with pytest.raises(stripe.InvalidRequestError, match="lost"):
        v1.disputes.update(found.id, {"evidence": {"receipt": "x"}})
    shop.control("POST", f"disputes/{found.id}/resolve", {"outcome": "won"}, status=400)


def test_11_an_inquiry_moves_no_money_and_closes(v1: Any, shop: Shop) -> None:
    paid(v1, "createDisputeInquiry")
    (found,) = v1.disputes.list().data
    assert (found.status, found.is_charge_refundable, found.balance_transactions) == (
        "warning_needs_response",
        True,
        [],
    )
    assert v1.charges.retrieve(found.charge).disputed is False
    shop.advance("9d")
    assert v1.disputes.retrieve(found.id).status == "warning_closed"
    told = [type for type in shop.events() if "dispute" in type]
    assert told == ["charge.dispute.created", "charge.dispute.closed"]
    assert {moved.type for moved in v1.balance_transactions.list().data} == {"charge", "payout"}


def test_an_inquiry_can_escalate(v1: Any, shop: Shop) -> None:
    found = disputed(v1, shop, inquiry=True)
    before = shop.last_event()
    v1.disputes.update(found.id, {"evidence": {"uncategorized_text": "escalate_inquiry_evidence"}})
    assert v1.disputes.retrieve(found.id).status == "needs_response"
    assert shop.events(since=before) == ["charge.dispute.updated", "charge.dispute.updated", *OPENED[1:]]


@pytest.mark.parametrize(
    ("variant", "events"),
    [("a", ["charge.dispute.created"]), ("b", ["charge.dispute.created", "charge.dispute.closed"])],
)
def test_a_prevented_dispute(v1: Any, shop: Shop, variant: str, events: list[str]) -> None:
    shop.control("PATCH", "settings", {"variant": {"U9": variant}})
    assert disputed(v1, shop, prevented=True).status == "prevented"
    assert shop.events()[3:] == events


def test_11_an_early_fraud_warning_is_answered_by_a_refund(v1: Any, shop: Shop) -> None:
    intent = paid(v1, "createIssuerFraudRecord")
    (warning,) = v1.radar.early_fraud_warnings.list({"payment_intent": intent.id}).data
    assert warning.actionable is True
    v1.refunds.create({"payment_intent": intent.id})
    assert v1.radar.early_fraud_warnings.retrieve(warning.id).actionable is False
    assert shop.events()[-4:] == [
        "radar.early_fraud_warning.created",
        "refund.created",
        "charge.refunded",
        "radar.early_fraud_warning.updated",
    ]


def test_a_bank_debit_can_be_disputed(v1: Any, shop: Shop) -> None:
    wish = {"amount": 1000, "currency": "usd", "payment_method": "pm_usBankAccount_dispute", "confirm": True}
    v1.payment_intents.create(wish)
    shop.advance("3d")
    (found,) = v1.disputes.list().data
    assert found.reason == "debit_not_authorized"
    assert not hasattr(found, "payment_method_details")


@pytest.mark.parametrize(
    ("wish", "param"),
    [
        ({"reason": "boredom"}, "reason"),
        ({"amount": 1001}, "amount"),
        ({"amount": "5"}, "amount"),
        ({}, "payment_intent"),
    ],
)
def test_what_the_control_api_refuses(v1: Any, shop: Shop, wish: dict[str, Any], param: str) -> None:
    whose = {"payment_intent": paid(v1).id} if wish else {}
    assert shop.control("POST", "disputes", {**whose, **wish}, status=400)["error"]["param"] == param


def test_16_a_payout_empties_what_is_available(v1: Any, shop: Shop) -> None:
    paid(v1)
    assert shop.control("POST", "payouts/run", {})["data"] == []
    shop.control("PATCH", "settings", {"payouts": "manual"})
    shop.advance("2d")
    before = shop.last_event()
    (made,) = shop.control("POST", "payouts/run", {})["data"]
    assert shop.events(since=before) == ["payout.created", "payout.paid", "balance.available"]
    found = v1.payouts.retrieve(made["id"])
    assert (found.status, found.amount, v1.balance.retrieve().available[0].amount) == ("paid", 941, 0)
    assert {t.type for t in v1.balance_transactions.list({"payout": found.id}).data} == {"charge", "payout"}
    assert [payout.id for payout in v1.payouts.list({"status": "paid"}).data] == [found.id]


def test_16_a_payout_that_fails_gives_the_money_back(v1: Any, shop: Shop) -> None:
    paid(v1, "bypassPending")
    before = shop.last_event()
    (made,) = shop.control("POST", "payouts/run", {"outcome": "failed"})["data"]
    assert shop.events(since=before) == ["payout.created", "payout.failed"]
    assert v1.payouts.retrieve(made["id"]).failure_code == "account_closed"
    assert v1.balance.retrieve().available[0].amount == 941
