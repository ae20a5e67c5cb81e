"""
Stories told again where every uncertain point of Stripe's behaviour has its other form, all at once: our handlers pass both.

On one kind of database only, since the switches are about Stripe. Left out is what Stripe's behaviour does not touch: keys, spending, restarts,
the shop's own trouble.
"""

from inspect import signature

import httpx
import pytest

from tests.contract.shop import OTHER_FORMS
from tests.flows import (
    test_bank_debit,
    test_card_troubles,
    test_deliveries,
    test_disputes,
    test_expiry,
    test_guest,
    test_refunds,
    test_subscription,
    test_switching,
)
from tests.flows.shop import Shop

STORIES = (
    test_bank_debit,
    test_card_troubles,
    test_deliveries,
    test_disputes,
    test_expiry,
    test_guest,
    test_refunds,
    test_subscription,
    test_switching,
)
NOT_ABOUT_STRIPE = ("test_what_is_no_refund_changes_nothing", "test_a_key_without_the_scope_refunds_nothing")

for story in STORIES:
    for name, told in vars(story).items():
        if name.startswith("test_") and "shop" in signature(told).parameters and name not in NOT_ABOUT_STRIPE:
            assert name not in globals(), f"two stories are called {name}"
            globals()[name] = told

pytestmark = pytest.mark.parametrize("shop", ["sqlite"], indirect=True)


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """Every switch thrown."""
    key = {"Authorization": f"Bearer {shop.account.secret_key}"}
    thrown = httpx.patch(f"{shop.account.url}/_sandbox/settings", json={"variant": OTHER_FORMS}, headers=key)
    assert thrown.json()["variant"] == OTHER_FORMS
    return shop
