"""
The stories again with every uncertain point of Stripe's behaviour in its other form, all at once.

Left out are the tests that state one form: what each of them pins down stands beside it, and its other form is in test_variants.py or here.
"""

from types import ModuleType
from typing import Any

import pytest

from tests.contract import (
    test_billing_stories,
    test_checkout_payment,
    test_checkout_subscription,
    test_disputes,
    test_portal,
    test_refunds,
    test_renewals,
    test_schedules,
    test_subscription_changes,
)
from tests.contract.shop import OTHER_FORMS, Shop

STORIES: tuple[ModuleType, ...] = (
    test_billing_stories,
    test_checkout_payment,
    test_checkout_subscription,
    test_disputes,
    test_portal,
    test_refunds,
    test_renewals,
    test_schedules,
    test_subscription_changes,
)
STATES_ONE_FORM = {
    "test_2_a_subscription_by_card": "U1, U15: created active, before its invoice",
    "test_2_with_3ds": "U15: the subscription before its invoice",
    "test_3_a_trial_saves_a_card_and_takes_nothing": "U15: the subscription before its invoice",
    "test_12_a_subscription_by_bank_debit": "U2: active while the debit is under way",
    "test_11_a_card_that_charges_back": "U8: a chargeback cannot be refunded",
    "test_an_inquiry_can_escalate": "U3: charge.updated follows",
    "test_golden_prorations": "U5: halves go away from zero",
    "test_two_changes_in_one_period_credit_what_the_first_charged": "U5: halves go away from zero",
}

for story in STORIES:
    for name, told in vars(story).items():
        if name.startswith("test_") and callable(told) and name not in STATES_ONE_FORM:
            assert name not in globals(), f"two stories are called {name}"
            globals()[name] = told


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """Every switch thrown."""
    shop.control("PATCH", "settings", {"variant": OTHER_FORMS})
    return shop


def test_what_is_left_out_exists() -> None:
    told = {name for story in STORIES for name in vars(story)}
    assert set(STATES_ONE_FORM) <= told


def test_a_bank_debit_leaves_the_subscription_incomplete_until_it_is_paid(v1: Any, shop: Shop) -> None:
    """U2 and U1 together, from Checkout to the money."""
    price = {"currency": "usd", "unit_amount": 900, "recurring": {"interval": "month"}, "product_data": {"name": "Pro"}}
    session = v1.checkout.sessions.create(
        {
            "mode": "subscription",
            "success_url": "https://shop.test",
            "line_items": [{"price_data": price, "quantity": 1}],
        }
    )
    bank = {"account_number": "000123456789", "routing_number": "110000000", "account_holder_type": "individual"}
    method = v1.payment_methods.create(
        {"type": "us_bank_account", "us_bank_account": bank, "billing_details": {"name": "Ann"}}
    )
    paid = shop.control("POST", f"checkout/{session.id}/pay", {"payment_method": method.id, "email": "ann@example.com"})
    subscription = paid["session"]["subscription"]
    assert v1.subscriptions.retrieve(subscription).status == "incomplete"
    shop.advance("4d")
    assert v1.subscriptions.retrieve(subscription).status == "active"
