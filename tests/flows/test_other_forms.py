"""Stories told again where every uncertain point of Stripe's behaviour has its other form: our handlers pass both."""

import httpx
import pytest

from tests.contract.shop import OTHER_FORMS
from tests.flows.shop import Shop
from tests.flows.test_bank_debit import test_a_bank_debit_grants_when_it_clears_and_not_before
from tests.flows.test_card_troubles import test_3d_secure_passed_pays
from tests.flows.test_subscription import (
    test_a_subscription_renews_and_ends_with_the_period_it_was_cancelled_in,
    test_cancelled_now_it_ends_now,
)

__all__ = [
    "test_3d_secure_passed_pays",
    "test_a_bank_debit_grants_when_it_clears_and_not_before",
    "test_a_subscription_renews_and_ends_with_the_period_it_was_cancelled_in",
    "test_cancelled_now_it_ends_now",
]


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """Every switch thrown."""
    key = {"Authorization": f"Bearer {shop.account.secret_key}"}
    thrown = httpx.patch(f"{shop.account.url}/_sandbox/settings", json={"variant": OTHER_FORMS}, headers=key)
    assert thrown.json()["variant"] == OTHER_FORMS
    return shop
