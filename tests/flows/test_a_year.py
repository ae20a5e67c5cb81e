"""
The year of one customer, told by the clock: trial, renewals, an upgrade, a card that fails, recovery, a downgrade, the end.

One story over real HTTP, with doubled and reordered deliveries. At each step what is owned, what can be spent, and the money: ours, and Stripe's own
books beside it (paid invoices and balance transactions).
"""

from datetime import datetime, timedelta

import pytest

from paywright.client.model import OwnedProduct
from tests.flows.catalog import PRO_USD
from tests.flows.shop import Shop
from tests.flows.test_switching import TEAM_USD, pending, put_card

DECLINES = "pm_card_chargeCustomerFail"
TRIAL = {"trial": "14 day"}


@pytest.mark.timeout(300)
def test_a_year_of_one_customer(shop: Shop) -> None:
    year = Year(shop)
    year.begins_with_a_trial()
    year.trial_becomes_paid()
    year.renews()
    year.goes_up()
    year.card_fails_and_recovers()
    year.goes_down()
    year.cancels_and_stays_till_the_end()
    year.comes_back_without_a_trial()


class Year:
    """`bill` is every payment so far, oldest first, as a person with a pencil would have it."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.user = shop, shop.client.user("u_1")
        self.bill: list[int] = []

    def begins_with_a_trial(self) -> None:
        self.shop.account.set(payouts="manual")  # Their daily news would be most of the story's time.
        catalog = self.shop.client.get_catalog()
        for product_id in ("pro", "team"):
            catalog["products"][product_id]["trial"] = "14 day"
        self.shop.client.put_catalog(catalog)
        self.subscription_id = str(self.shop.buy("u_1", "pro").stripe.subscription_id)
        pro = self.has("pro", credits=50, status="trialing")
        self.started = pro.granted_at
        assert self.started is not None
        self.user.get_item("credits").decrease_quantity(30)
        self.has("pro", credits=20, status="trialing")
        assert self.shop.client.list_events(type="subscription.trial_started").data != []

    def trial_becomes_paid(self) -> None:
        self.until_day(15)
        self.bill.append(PRO_USD)
        self.has("pro", credits=20, status="active")

    def renews(self) -> None:
        """Credits come with the purchase's own days (the trial's start), money with the trial's end."""
        self.until_day(32)
        self.has("pro", credits=50, status="active")
        self.until_day(50)
        self.bill.append(PRO_USD)
        self.has("pro", credits=50, status="active")
        self.until_day(110)
        self.bill += [PRO_USD, PRO_USD]
        self.has("pro", credits=50, status="active")

    def goes_up(self) -> None:
        self.user.get_item("credits").decrease_quantity(10)
        quote = self.user.quote_switch("pro", "team")
        assert quote.direction == "up"
        assert 0 < quote.due_now.amount < TEAM_USD - PRO_USD
        assert quote.due_now.amount == sum(line.amount.amount for line in quote.lines)
        self.user.confirm_switch(quote.id)
        self.shop.settle()
        self.bill.append(quote.due_now.amount)
        self.has("team", credits=500, status="active")
        self.until_day(140)
        self.bill.append(TEAM_USD)
        self.has("team", credits=500, status="active")

    def card_fails_and_recovers(self) -> None:
        """Access stays while Stripe tries again, and nothing is lost."""
        put_card(self.shop, self.subscription_id, DECLINES)
        self.user.get_item("credits").decrease_quantity(100)
        self.until_day(168)
        self.has("team", credits=500, status="past_due")
        assert self.shop.event_types().count("subscription.past_due") == 1
        assert self.user.get_product_access("team").allowed
        (failed,) = [each for each in self.shop.client.list_payments(limit=100) if each.status == "failed"]
        assert failed.amount.amount == TEAM_USD
        put_card(self.shop, self.subscription_id, "pm_card_visa")
        self.until_day(172)
        self.bill.append(TEAM_USD)
        self.has("team", credits=500, status="active")
        assert self.shop.event_types().count("subscription.recovered") == 1

    def goes_down(self) -> None:
        kept = self.user.switch_subscription("team", "pro")
        assert (kept.product_id, pending(kept)) == ("team", "pro")
        self.shop.settle()
        self.has("team", credits=500, status="active")
        self.until_day(205)
        self.bill.append(PRO_USD)
        self.has("pro", credits=50, status="active")
        self.until_day(300)
        self.bill += [PRO_USD] * 3
        self.has("pro", credits=50, status="active")

    def cancels_and_stays_till_the_end(self) -> None:
        canceled = self.user.cancel_subscription("pro")
        assert canceled.ends_at is not None
        self.shop.settle()
        self.has("pro", credits=50, status="active")
        self.until(canceled.ends_at - timedelta(minutes=1))
        self.has("pro", credits=50, status="active")
        self.until(canceled.ends_at)
        self.has_nothing()
        self.until_day(365)
        self.has_nothing()
        assert [each["status"] for each in self.shop.account.every("/v1/subscriptions", status="all")] == ["canceled"]

    def comes_back_without_a_trial(self) -> None:
        """One trial per customer and product line, whichever product had it."""
        self.shop.buy("u_1", "team")
        self.bill.append(TEAM_USD)
        self.has("team", credits=500, status="active")

    def has(self, product_id: str, *, credits: int, status: str) -> OwnedProduct:
        (product,) = self.user.list_products()
        assert product.subscription is not None
        assert (product.product_id, product.access, product.subscription.status) == (product_id, True, status)
        assert self.shop.credits("u_1") == credits
        self.money_is_right()
        return product

    def has_nothing(self) -> None:
        assert (self.shop.owned("u_1"), self.shop.credits("u_1")) == ({}, 0)
        self.money_is_right()

    def money_is_right(self) -> None:
        """Ours, the customer's invoices, and Stripe's balance all say what the bill says."""
        payments = [each for each in self.shop.client.list_payments(limit=100) if each.status == "paid"]
        assert [each.amount.amount for each in payments if each.amount.amount][::-1] == self.bill
        invoices = [each for each in self.shop.account.every("/v1/invoices") if each["status"] == "paid"]
        assert sorted(each["amount_paid"] for each in invoices if each["amount_paid"]) == sorted(self.bill)
        shown = [each for each in self.user.list_invoices(limit=100) if each["status"] == "paid"]
        assert len(shown) == len(invoices)
        charges = self.shop.account.every("/v1/balance_transactions", type="charge")
        assert sorted(each["amount"] for each in charges) == sorted(self.bill)

    def until_day(self, day: int) -> None:
        """Counted from the day it began."""
        assert self.started is not None
        self.until(self.started + timedelta(days=day))

    def until(self, moment: datetime) -> None:
        self.shop.client.advance_clock(to=moment)
        self.shop.settle()
