"""From our purchase page over Checkout to the customer page: buy, switch, cancel, resume. Looked at in Chromium."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from paywright.client import Client
from tests.browser.buyer import PAYS
from tests.browser.conftest import Dev

Shoot = Callable[[str], Path]


@pytest.fixture
def quiet(page: Page) -> Iterator[Page]:
    """Nothing in the console may complain: a page that breaks its own policy is broken."""
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert complaints == []


def pay(page: Page, card: str = PAYS) -> None:
    expect(page).to_have_url(re.compile(r"/c/pay/cs_test_"))
    email = page.get_by_label("E-mail")
    if email.count():
        email.fill("buyer@example.com")
    page.get_by_label("Card number").fill(card)
    page.get_by_label("Expiry").fill("12 / 34")
    page.get_by_label("CVC").fill("123")
    page.locator("button.pay").click()


def heading(page: Page, name: str) -> None:
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def test_a_plan_is_bought_switched_canceled_and_kept(
    dev: Dev, paywright: Client, quiet: Page, screenshot: Shoot
) -> None:
    page, user = quiet, paywright.user("page_1")
    dearest, cheaper = plans(paywright)
    page.goto(user.create_purchase_url(cheaper, return_url=f"{dev.url}/docs"))
    screenshot("1-purchase")
    page.get_by_role("button", name="Continue to payment").click()
    pay(page)
    heading(page, "Thank you. It is yours.")
    screenshot("2-result")
    expect(page.get_by_role("link", name="Go on")).to_have_attribute("href", f"{dev.url}/docs")
    assert user.owns(cheaper)

    page.goto(user.create_portal_session(ui="paywright", return_url=f"{dev.url}/docs").url)
    heading(page, "Your account")
    expect(page.get_by_text("Renews on").or_(page.get_by_text("First payment on")).first).to_be_visible()
    screenshot("3-account")
    page.get_by_role("link", name="Change plan").first.click()
    page.locator(f'input[value^="{dearest}/"]').first.check()
    screenshot("4-switch")
    page.get_by_role("button", name="See what it costs").click()
    expect(page.get_by_text("Due now")).to_be_visible()
    screenshot("5-quote")
    page.get_by_role("button", name="Change to").click()
    expect(page.get_by_text("Your plan was changed.")).to_be_visible()
    screenshot("6-switched")
    assert user.owns(dearest)

    page.get_by_role("link", name=re.compile("^Cancel ")).first.click()
    expect(page.get_by_text("It stays yours until")).to_be_visible()
    screenshot("7-cancel")
    page.get_by_role("button", name=re.compile("^Cancel ")).click()
    expect(page.get_by_text("It stays yours until the end of the period.")).to_be_visible()
    expect(page.get_by_text("Ends on")).to_be_visible()
    screenshot("8-canceled")
    page.get_by_role("button", name=re.compile("^Keep ")).click()
    expect(page.get_by_text("It goes on as before.")).to_be_visible()
    expect(page.get_by_text("Ends on")).to_have_count(0)
    expect(page.get_by_text(re.compile(r"\$\d+\.\d\d per month"))).to_be_visible()
    screenshot("9-kept")
    page.get_by_role("button", name="Change card").click()
    expect(page).to_have_url(re.compile(r"/p/session/"))
    screenshot("10-card")


def test_a_buyer_who_turns_back_is_charged_nothing_and_may_choose_again(
    dev: Dev, paywright: Client, quiet: Page, screenshot: Shoot
) -> None:
    page, user = quiet, paywright.user("page_2")
    pack = next(each.id for each in paywright.list_products() if each.stackable)
    page.goto(user.create_purchase_url(pack))
    place = page.url
    page.get_by_label("Quantity").fill("3")
    screenshot("pack")
    page.get_by_role("button", name="Continue to payment").click()
    expect(page).to_have_url(re.compile(r"/c/pay/cs_test_"))
    page.goto(f"{place}?canceled=1")
    expect(page.get_by_text("Nothing was charged.")).to_be_visible()
    page.get_by_label("Quantity").fill("2")
    page.get_by_role("button", name="Continue to payment").click()
    pay(page)
    heading(page, "Thank you. It is yours.")
    assert [(each.product_id, each.quantity) for each in user.list_products() if each.product_id == pack] == [(pack, 2)]
    page.goto(place)
    heading(page, "Thank you. It is yours.")
    expect(page.get_by_role("button")).to_have_count(0)


def test_the_pages_on_a_narrow_screen(dev: Dev, paywright: Client, quiet: Page, screenshot: Shoot) -> None:
    page, user = quiet, paywright.user("page_3")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(user.create_purchase_url(plans(paywright)[0]))
    expect(page.get_by_role("button", name="Continue to payment")).to_be_visible()
    screenshot("purchase")
    page.goto(user.create_portal_session(ui="paywright").url)
    heading(page, "Your account")
    screenshot("account")
    for _ in range(2):
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth") is True
        page.goto(f"{dev.url}/letters")
        expect(page.get_by_role("heading", name="Letters")).to_be_visible()
    screenshot("letters")


def plans(paywright: Client) -> tuple[str, str]:
    """The dearest paid plan of the catalog's first line and another one, by their first prices."""
    paid = [each for each in paywright.list_products() if each.product_line and each.prices and not each.add_on_to]
    ordered = sorted(paid, key=lambda each: each.prices[0].amounts[0].amount)
    assert len(ordered) >= 2
    return ordered[-1].id, ordered[0].id
