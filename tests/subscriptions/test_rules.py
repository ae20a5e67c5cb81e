"""Status to access, proof of money, and the mirror: rules.md 5.2, stripe.md 7 and 10."""

from typing import Any

import pytest

from paywright.environments.model import AccessChoice, AccessPolicy
from paywright.kernel.periods import DAY_MS
from paywright.subscriptions.mirror import subscription_facts
from paywright.subscriptions.rules import Access, access, begins_at, may_begin

DAY = DAY_MS


@pytest.mark.parametrize(
    ("status", "policy", "days_since", "expected"),
    [
        ("active", {}, None, Access(True, "active")),
        ("trialing", {}, None, Access(True, "trialing")),
        ("past_due", {}, 30, Access(True, "past_due")),
        ("past_due", {"past_due": "none"}, 0, Access(False, "past_due")),
        ("past_due", {"past_due": 7}, 6, Access(True, "past_due", 7 * DAY)),
        ("past_due", {"past_due": 7}, 7, Access(False, "past_due", 7 * DAY)),
        ("unpaid", {}, 1, Access(False, "unpaid")),
        ("unpaid", {"unpaid": "keep"}, 1, Access(True, "unpaid")),
        ("paused", {}, None, Access(False, "paused")),
        ("paused", {"paused": "keep"}, None, Access(True, "paused")),
        ("incomplete", {}, None, Access(False, "incomplete")),
        ("incomplete_expired", {}, None, Access(False, "incomplete_expired")),
        ("canceled", {}, None, Access(False, "canceled")),
        ("a_status_of_tomorrow", {}, 1, Access(True, "a_status_of_tomorrow")),
    ],
    ids=lambda value: str(value),
)
def test_S6_access_by_status(
    status: str, policy: dict[str, AccessChoice], days_since: int | None, expected: Access
) -> None:
    now = 0 if days_since is None else days_since * DAY
    since = None if days_since is None else 0
    assert access(status, AccessPolicy(**policy), past_due_since=since, now=now) == expected


def stripe_subscription(**changes: Any) -> dict[str, Any]:
    """The keys of a subscription that anything of ours reads."""
    item = {
        "id": "si_1",
        "quantity": 1,
        "current_period_start": 1_000,
        "current_period_end": 2_000,
        "price": {"id": "price_1", "recurring": {"interval": "month", "interval_count": 1}},
    }
    found: dict[str, Any] = {
        "id": "sub_1",
        "object": "subscription",
        "status": "active",
        "customer": "cus_1",
        "livemode": False,
        "start_date": 1_000,
        "items": {"data": [item], "has_more": False},
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "ended_at": None,
        "trial_end": None,
        "cancellation_details": {"reason": None},
        "latest_invoice": {
            "id": "in_1",
            "status": "paid",
            "billing_reason": "subscription_create",
            "status_transitions": {"paid_at": 1_060},
            "payments": {"data": [{"payment": {"type": "payment_intent", "payment_intent": "pi_1"}}]},
        },
        "metadata": {"paywright_customer": "user:u_1"},
    }
    return {**found, **changes}


def invoice(status: str, reason: str = "subscription_create") -> dict[str, Any]:
    return {"id": "in_1", "status": status, "billing_reason": reason, "status_transitions": {"paid_at": None}}


@pytest.mark.parametrize(
    ("changes", "begins"),
    [
        ({}, True),
        ({"status": "trialing", "latest_invoice": invoice("paid")}, True),
        ({"latest_invoice": invoice("open")}, False),
        ({"status": "incomplete", "latest_invoice": invoice("open")}, False),
        ({"status": "past_due", "latest_invoice": invoice("open", "subscription_cycle")}, True),
        ({"status": "canceled"}, False),
    ],
    ids=[
        "first invoice paid",
        "trial",
        "active but first debit unsettled",
        "incomplete",
        "a later invoice is open",
        "ended",
    ],
)
def test_owning_begins_with_proof_of_money(changes: dict[str, Any], begins: bool) -> None:
    assert may_begin(subscription_facts(stripe_subscription(**changes))) is begins


def test_the_anchor_is_when_the_first_money_came_in() -> None:
    assert begins_at(subscription_facts(stripe_subscription())) == 1_060_000
    trial = stripe_subscription(status="trialing", trial_end=5_000)
    assert begins_at(subscription_facts(trial)) == 1_000_000


@pytest.mark.parametrize(
    ("changes", "ends_at"),
    [
        ({}, None),
        ({"cancel_at_period_end": True, "canceled_at": 1_500}, 2_000_000),
        ({"cancel_at": 1_800, "canceled_at": 1_500}, 1_800_000),
        ({"status": "canceled", "cancel_at": 1_800, "ended_at": 1_800}, None),
    ],
    ids=["runs on", "at period end", "by the portal: cancel_at alone", "already over"],
)
def test_a_scheduled_cancel_is_known_by_either_name(changes: dict[str, Any], ends_at: int | None) -> None:
    assert subscription_facts(stripe_subscription(**changes)).ends_at == ends_at


def test_items_with_different_periods_span_from_the_earliest_start_to_the_latest_end() -> None:
    items = [
        {
            "quantity": 1,
            "current_period_start": 900,
            "current_period_end": 1_900,
            "price": {"id": "price_1", "recurring": None},
        },
        {
            "quantity": 4,
            "current_period_start": 950,
            "current_period_end": 2_500,
            "price": {"id": "price_2", "recurring": None},
        },
    ]
    facts = subscription_facts(stripe_subscription(), items)
    assert (facts.current_period_start, facts.current_period_end) == (900_000, 2_500_000)
    assert [(item.stripe_price_id, item.quantity) for item in facts.items] == [("price_1", 1), ("price_2", 4)]
    assert facts.payment_intent_id == "pi_1"
