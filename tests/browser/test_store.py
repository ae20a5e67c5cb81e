"""The demo store of `paywright dev`, in Chromium, from the shelf to the thank-you."""

import pytest
from playwright.sync_api import expect

from paywright.client import Client
from tests.browser.buyer import ASKS, ASKS_ALWAYS, DECLINES, PAYS, Buyer


def test_a_pack_is_bought_with_4242_and_a_credit_spent(buyer: Buyer, paywright: Client) -> None:
    buyer.enter("First")
    buyer.screenshot("1-shelf")
    buyer.press("Buy 100 credits")
    buyer.at_checkout()
    buyer.screenshot("2-checkout")
    buyer.pay(PAYS)
    buyer.is_thanked()
    buyer.has_credits(100)
    buyer.screenshot("3-thanks")
    buyer.goes_back()
    buyer.press("Spend one credit")
    expect(buyer.page.get_by_text("One credit spent.")).to_be_visible()
    buyer.has_credits(99)
    buyer.screenshot("4-spent")
    assert paywright.user("user_1").get_item("credits").quantity == 99
    assert [entry.delta for entry in paywright.user("user_1").get_item("credits").list_entries().data] == [-1, 100]


def test_the_balance_on_the_page_follows_what_happens_elsewhere(buyer: Buyer, paywright: Client) -> None:
    buyer.enter("Third")
    credits = paywright.user("user_3").get_item("credits")
    before = credits.quantity
    credits.increase_quantity(1234)
    buyer.has_credits(before + 1234)
    credits.decrease_quantity(before + 1234)
    buyer.has_credits(0)
    buyer.press("Spend one credit")
    expect(buyer.page.get_by_text("You have none left to spend.")).to_be_visible()
    buyer.screenshot("empty")
    assert credits.refresh().quantity == 0


def test_what_is_owned_follows_what_happens_elsewhere(buyer: Buyer, paywright: Client) -> None:
    """Nothing is loaded again: what the page's own script keeps stays, and only the parts that changed are written anew."""
    buyer.enter("First")
    buyer.page.evaluate("window.stays = true")
    user, owned = paywright.user("user_1"), buyer.page.locator("[data-part=owned]")
    granted = user.grant_product("lifetime")
    expect(owned).to_contain_text(granted.display_name)
    buyer.screenshot("live")
    user.revoke_product("lifetime")
    expect(owned).not_to_contain_text(granted.display_name)
    assert buyer.page.evaluate("window.stays") is True


def test_declined_with_0002_and_then_paid_with_4242(buyer: Buyer, paywright: Client) -> None:
    before = paywright.user("user_2").get_item("credits").quantity
    buyer.enter("Second")
    buyer.press("Buy 100 credits")
    buyer.pay(DECLINES)
    expect(buyer.page.get_by_text("declined", exact=False).first).to_be_visible()
    buyer.screenshot("declined")
    assert paywright.user("user_2").get_item("credits").quantity == before
    buyer.pay(PAYS)
    buyer.is_thanked()
    buyer.has_credits(before + 100)


@pytest.mark.parametrize("card", [ASKS, ASKS_ALWAYS])
def test_3d_secure_is_asked_and_answered(buyer: Buyer, card: str) -> None:
    buyer.enter("Second")
    buyer.press("Buy 100 credits")
    buyer.pay(card)
    complete = buyer.page.get_by_role("button", name="Complete")
    expect(complete).to_be_visible()
    buyer.screenshot("asked")
    complete.click()
    buyer.is_thanked()


def test_3d_secure_failed_can_be_tried_again(buyer: Buyer) -> None:
    buyer.enter("Second")
    buyer.press("Buy 100 credits")
    buyer.pay(ASKS)
    buyer.page.get_by_role("button", name="Fail").click()
    buyer.at_checkout()
    buyer.screenshot("failed")
    buyer.pay(PAYS)
    buyer.is_thanked()


def test_a_subscription_is_bought_cancelled_and_kept_after_all(buyer: Buyer, paywright: Client) -> None:
    buyer.enter("Third")
    buyer.page.get_by_role("link", name="Yearly").click()
    buyer.press("Choose Pro")
    buyer.at_checkout()
    buyer.screenshot("1-checkout")
    buyer.pay(PAYS)
    buyer.is_thanked()
    buyer.goes_back()
    expect(buyer.page.get_by_text("Your plan")).to_be_visible()
    expect(buyer.page.get_by_text("Already yours")).to_be_visible()
    expect(buyer.page.get_by_text("You are on Pro")).to_be_visible()
    buyer.screenshot("2-subscribed")
    buyer.press("Cancel at period end")
    expect(buyer.page.get_by_text("Pro stays yours until the end of the period")).to_be_visible()
    buyer.screenshot("3-cancelled")
    buyer.press("Keep it after all")
    expect(buyer.page.get_by_text("Pro goes on as before.")).to_be_visible()
    (pro,) = [each for each in paywright.user("user_3").list_products() if each.product_id == "pro"]
    assert pro.subscription is not None
    assert (pro.price_id, pro.subscription.cancel_at_period_end) == ("yearly", False)


def test_a_bank_debit_is_not_thanked_for_before_it_has_come(buyer: Buyer, paywright: Client) -> None:
    before = paywright.user("user_1").get_item("credits").quantity
    buyer.enter("First")
    buyer.press("Buy 100 credits")
    buyer.at_checkout()
    buyer.page.locator("label[for=by-debit]").click()
    buyer.page.locator("button.pay").click()
    expect(buyer.page.get_by_role("heading", name="Your bank is on it")).to_be_visible()
    buyer.screenshot("pending")
    assert paywright.user("user_1").get_item("credits").quantity == before


def test_turning_back_costs_nothing(buyer: Buyer) -> None:
    buyer.enter("First")
    buyer.press("Buy Lifetime licence")
    buyer.at_checkout()
    buyer.page.get_by_role("link", name="Back").click()
    expect(buyer.page.get_by_role("heading", name="You turned back")).to_be_visible()
    buyer.screenshot("turned-back")
    buyer.goes_back()
    expect(buyer.page.get_by_role("button", name="Buy Lifetime licence")).to_be_visible()


def test_a_licence_is_shown_in_any_currency_and_bought_once(buyer: Buyer) -> None:
    buyer.enter("First")
    buyer.press("EUR")
    expect(buyer.page.get_by_text("€139.00")).to_be_visible()
    buyer.press("JPY")
    expect(buyer.page.get_by_text("¥22,000")).to_be_visible()
    buyer.press("USD")
    buyer.press("Buy Lifetime licence")
    buyer.pay(PAYS)
    buyer.is_thanked()
    buyer.goes_back()
    expect(buyer.page.get_by_text("Already yours since")).to_be_visible()
    expect(buyer.page.get_by_role("button", name="Buy Lifetime licence")).to_have_count(0)
    buyer.screenshot("owned")
