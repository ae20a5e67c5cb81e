"""A subscriber changes plans, a month at a time: over HTTP, with late, doubled and reordered deliveries."""

import pytest

from paywright.client import Conflict, PaymentRequired
from paywright.client.model import OwnedProduct
from tests.flows.catalog import PRO_USD
from tests.flows.shop import Shop

TEAM_USD = 4900


def test_up_down_and_back(shop: Shop) -> None:
    shop.buy("u_1", "pro")
    user = shop.client.user("u_1")
    shop.advance("10d")
    quote = user.quote_switch("pro", "team")
    assert quote.direction == "up"
    assert 0 < quote.due_now.amount < TEAM_USD - PRO_USD
    assert user.confirm_switch(quote.id).product_id == "team"
    shop.settle()
    assert (shop.owned("u_1"), shop.credits("u_1")) == ({"team": 1}, 500)
    assert paid(shop) == [PRO_USD, quote.due_now.amount]
    with pytest.raises(Conflict) as used:
        user.confirm_switch(quote.id)
    assert used.value.code == "quote_expired"

    kept = user.switch_subscription("team", "pro")
    assert pending(kept) == "pro"
    shop.settle()
    assert shop.owned("u_1") == {"team": 1}
    assert pending(user.resume_subscription("team")) is None
    user.switch_subscription("team", "pro")
    shop.advance("22d")
    assert (shop.owned("u_1"), shop.credits("u_1")) == ({"pro": 1}, 50)
    assert paid(shop) == [PRO_USD, quote.due_now.amount, PRO_USD]
    shop.advance("31d")
    assert (shop.owned("u_1"), shop.credits("u_1")) == ({"pro": 1}, 50)
    assert paid(shop) == [PRO_USD, quote.due_now.amount, PRO_USD, PRO_USD]
    told = shop.event_types()
    assert told.count("subscription.switched") == 2
    assert told.count("subscription.change_scheduled") == 2
    assert told.count("subscription.resumed") == 1
    assert "subscription.ended" not in told


def test_S8_a_declined_card_changes_nothing_and_another_one_switches(shop: Shop) -> None:
    session = shop.buy("u_1", "pro")
    shop.advance("10d")
    put_card(shop, str(session.stripe.subscription_id), "pm_card_chargeCustomerFail")
    user = shop.client.user("u_1")
    with pytest.raises(PaymentRequired) as declined:
        user.switch_subscription("pro", "team")
    assert declined.value.code == "card_declined"
    shop.settle()
    assert (shop.owned("u_1"), shop.credits("u_1")) == ({"pro": 1}, 50)
    put_card(shop, str(session.stripe.subscription_id), "pm_card_visa")
    assert user.switch_subscription("pro", "team").product_id == "team"
    shop.settle()
    assert shop.owned("u_1") == {"team": 1}
    assert len(paid(shop)) == 2


def test_a_year_is_dearer_and_a_month_comes_back_when_it_is_over(shop: Shop) -> None:
    shop.buy("u_1", "pro")
    user = shop.client.user("u_1")
    yearly = user.switch_subscription("pro", "pro", price_id="yearly")
    assert yearly.price_id == "yearly"
    assert pending(user.switch_subscription("pro", "pro", price_id="monthly")) == "pro"
    shop.advance("40d")
    assert (shop.owned("u_1"), shop.credits("u_1")) == ({"pro": 1}, 50)
    shop.advance("330d")
    (pro,) = user.list_products()
    assert pro.price_id == "monthly"
    assert paid(shop)[-1] == PRO_USD


def paid(shop: Shop) -> list[int]:
    """Oldest first."""
    found = [payment.amount.amount for payment in shop.client.list_payments(limit=100).data if payment.status == "paid"]
    return found[::-1]


def pending(owned: OwnedProduct) -> str | None:
    assert owned.subscription is not None
    change = owned.subscription.pending_change
    return None if change is None else change.to_product_id


def put_card(shop: Shop, subscription_id: str, method: str) -> None:
    """From now on this one is charged."""
    found = shop.account.get(f"/v1/subscriptions/{subscription_id}")
    attached = shop.account.post(f"/v1/payment_methods/{method}/attach", form={"customer": found["customer"]})
    shop.account.post(f"/v1/subscriptions/{subscription_id}", form={"default_payment_method": attached["id"]})
