"""Two uncertain points at once, and the table of what is told in both forms."""

from importlib import import_module
from typing import Any

import pytest

from tests.contract.other_forms import STATES_ONE_FORM, STORIES
from tests.contract.shop import OTHER_FORMS, Shop


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """Every switch thrown."""
    shop.control("PATCH", "settings", {"variant": OTHER_FORMS})
    return shop


def test_what_is_left_out_exists() -> None:
    told = {name for story in STORIES for name in vars(import_module(story))}
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
