"""The sandbox's pages in Chromium, as a buyer sees them."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from paywright_sandbox import Sandbox
from tests.browser.shop_front import ShopFront
from tests.contract.conformance import Conformance
from tests.contract.shop import Shop

Shoot = Callable[[str], Path]
ITEMS = [
    {
        "price_data": {
            "currency": "usd",
            "unit_amount": 1200,
            "product_data": {"name": "Credit pack", "description": "100 credits that never expire"},
        },
        "quantity": 2,
        "adjustable_quantity": {"enabled": True, "minimum": 1, "maximum": 10},
    },
    {
        "price_data": {"currency": "usd", "unit_amount": 4900, "product_data": {"name": "Lifetime licence"}},
        "quantity": 1,
    },
]


@pytest.fixture(scope="module")
def conformance() -> Conformance:
    return Conformance()


@pytest.fixture(scope="module")
def sandbox(conformance: Conformance) -> Iterator[Sandbox]:
    with Sandbox(seed=2, check=conformance.check) as running:
        yield running


@pytest.fixture
def shop(sandbox: Sandbox, conformance: Conformance) -> Iterator[Shop]:
    conformance.problems.clear()
    with Shop(sandbox.url, sandbox.secret_key) as opened:
        yield opened
    assert conformance.problems == []


@pytest.fixture
def v1(shop: Shop) -> Any:
    return shop.client.v1


@pytest.fixture
def front(v1: Any) -> Iterator[ShopFront]:
    """The shop, told of every event."""
    with ShopFront() as open_shop:
        v1.webhook_endpoints.create({"url": f"{open_shop.url}/hook", "enabled_events": ["*"]})
        yield open_shop


@pytest.fixture
def opened(v1: Any, front: ShopFront) -> Callable[..., Any]:
    def open_session(**more: Any) -> Any:
        wish = {
            "mode": "payment",
            "line_items": ITEMS,
            "success_url": f"{front.url}/thanks?session={{CHECKOUT_SESSION_ID}}",
            "cancel_url": f"{front.url}/cart",
            **more,
        }
        return v1.checkout.sessions.create(wish)

    return open_session


def fill_card(page: Page, number: str, *, email: str | None = "ann@example.com") -> None:
    if email:
        page.get_by_label("E-mail").fill(email)
    page.get_by_label("Card number").fill(number)
    page.get_by_label("Expiry").fill("12 / 34")
    page.get_by_label("CVC").fill("123")
    page.get_by_label("Name on card").fill("Ann Example")


def test_a_buyer_pays_by_card_and_comes_back(
    page: Page, front: ShopFront, opened: Any, v1: Any, screenshot: Shoot
) -> None:
    session = opened()
    page.goto(session.url)
    expect(page.get_by_text("no real money")).to_be_visible()
    expect(page.get_by_role("heading", name="Your order")).to_be_visible()
    screenshot("open")
    fill_card(page, "4242 4242 4242 4242")
    page.get_by_role("button", name="Pay $73.00").click()
    page.wait_for_url(f"{front.url}/thanks?session={session.id}")
    # The shop had answered before the buyer came back.
    assert "checkout.session.completed" in front.told
    assert v1.checkout.sessions.retrieve(session.id).customer_details.name == "Ann Example"
    page.goto(session.url)
    expect(page.get_by_role("heading", name="Payment complete")).to_be_visible()
    screenshot("complete")


def test_a_declined_card_keeps_the_form_and_another_pays(
    page: Page, front: ShopFront, opened: Any, screenshot: Shoot
) -> None:
    page.goto(opened().url)
    fill_card(page, "4000 0000 0000 0002")
    page.get_by_role("button", name="Pay $73.00").click()
    expect(page.get_by_role("alert")).to_contain_text("Your card was declined.")
    expect(page.get_by_label("E-mail")).to_have_value("ann@example.com")
    expect(page.get_by_label("Card number")).to_have_value("4000 0000 0000 0002")
    expect(page.get_by_label("CVC")).to_have_value("")
    screenshot("declined")
    page.get_by_label("Card number").fill("4242424242424242")
    page.get_by_label("CVC").fill("123")
    page.get_by_label("CVC").press("Enter")
    page.wait_for_url(f"{front.url}/thanks?*")
    assert front.told.count("charge.failed") == 1


def test_what_is_missing_is_said_beside_its_field(page: Page, opened: Any, screenshot: Shoot) -> None:
    page.goto(opened(billing_address_collection="required").url)
    page.get_by_label("Card number").fill("4242 4242 4242 4241")
    page.get_by_role("button", name="Pay $73.00").click()
    expect(page.get_by_text("Enter your e-mail address.")).to_be_visible()
    expect(page.get_by_label("E-mail")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("Enter the security code.")).to_be_visible()
    expect(page.get_by_text("Required.")).to_have_count(4)
    screenshot("missing")


def test_3ds_failed_then_passed(page: Page, front: ShopFront, opened: Any, screenshot: Shoot) -> None:
    page.goto(opened(customer_email="ann@example.com").url)
    page.get_by_role("button", name="4000 0025 0000 3155").click()
    expect(page.get_by_role("heading", name="Confirm this payment")).to_be_visible()
    screenshot("asked")
    page.get_by_role("button", name="Fail authentication").click()
    expect(page.get_by_role("alert")).to_contain_text("failed authentication")
    screenshot("failed")
    page.get_by_role("button", name="4000 0025 0000 3155").click()
    page.get_by_role("button", name="Complete authentication").click()
    page.wait_for_url(f"{front.url}/thanks?*")
    assert "payment_intent.requires_action" in front.told


def test_a_bank_debit_settles_later(page: Page, front: ShopFront, opened: Any, v1: Any, screenshot: Shoot) -> None:
    session = opened()
    page.goto(session.url)
    page.get_by_label("E-mail").fill("ann@example.com")
    expect(page.get_by_label("Test account")).to_be_hidden()
    page.get_by_text("Bank debit", exact=True).click()
    expect(page.get_by_label("Card number")).to_be_hidden()
    screenshot("chosen")
    page.get_by_role("button", name="Pay $73.00").click()
    page.wait_for_url(f"{front.url}/thanks?*")
    assert v1.checkout.sessions.retrieve(session.id).payment_status == "unpaid"
    page.goto(session.url)
    expect(page.get_by_role("heading", name="Payment on its way")).to_be_visible()


def test_the_quantity_can_be_changed_and_what_was_typed_stays(
    page: Page, front: ShopFront, opened: Any, v1: Any
) -> None:
    session = opened()
    page.goto(session.url)
    fill_card(page, "4242424242424242")
    page.get_by_label("Quantity").fill("11")
    page.get_by_role("button", name="Update").click()
    expect(page.get_by_role("alert")).to_contain_text("between 1 and 10")
    page.get_by_label("Quantity").fill("5")
    page.get_by_role("button", name="Update").click()
    expect(page.get_by_label("Card number")).to_have_value("4242424242424242")
    page.get_by_label("CVC").fill("123")
    page.get_by_role("button", name="Pay $109.00").click()
    page.wait_for_url(f"{front.url}/thanks?*")
    assert v1.checkout.sessions.retrieve(session.id).amount_total == 10900


def test_an_expired_session_leads_back_to_the_shop(
    page: Page, front: ShopFront, opened: Any, v1: Any, screenshot: Shoot
) -> None:
    session = opened()
    page.goto(session.url)
    page.get_by_role("link", name="Back to").click()
    page.wait_for_url(f"{front.url}/cart")
    v1.checkout.sessions.expire(session.id)
    page.goto(session.url)
    expect(page.get_by_role("heading", name="This checkout has expired")).to_be_visible()
    screenshot("expired")
    page.get_by_role("link", name="Back to the shop").click()
    page.wait_for_url(f"{front.url}/cart")


def test_the_page_works_without_javascript_and_with_the_keyboard(chromium: Any, front: ShopFront, opened: Any) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(opened(customer_email="ann@example.com", cancel_url=f"{front.url}/cart").url)
    page.get_by_label("Card number").focus()
    for text in ("4242424242424242", "1234", "123", "Ann Example"):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{front.url}/thanks?*")
    context.close()


def test_a_small_screen_shows_one_column(page: Page, opened: Any, screenshot: Shoot) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(opened().url)
    order, form = page.locator(".order").bounding_box(), page.locator(".paying").bounding_box()
    assert order is not None
    assert form is not None
    assert form["y"] >= order["y"] + order["height"]
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width == 390
    screenshot("small")


def test_pages_load_nothing_from_elsewhere_and_run_nothing(page: Page, shop: Shop, opened: Any) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(opened().url)
    assert page.locator("script").count() == 0
    assert page.evaluate("[...document.querySelectorAll('*')].filter(e => e.style.length).length") == 0
    assert all(re.match(re.escape(shop.url) + "|data:", url) for url in asked)


def test_a_subscription_says_what_it_costs_and_when(
    page: Page, front: ShopFront, opened: Any, v1: Any, screenshot: Shoot
) -> None:
    monthly = {
        "price_data": {
            "currency": "usd",
            "unit_amount": 1900,
            "recurring": {"interval": "month"},
            "product_data": {"name": "Pro", "description": "For people who ship"},
        },
        "quantity": 1,
    }
    plain = opened(mode="subscription", line_items=[monthly], customer_email="ann@example.com")
    page.goto(plain.url)
    expect(page.get_by_role("heading", name="Subscribe to Pro")).to_be_visible()
    expect(page.get_by_text("$19.00 per month, until you cancel.")).to_be_visible()
    screenshot("plain")
    page.get_by_role("button", name="4242 4242 4242 4242").click()
    page.wait_for_url(f"{front.url}/thanks?*")
    assert "customer.subscription.created" in front.told
    trial = opened(
        mode="subscription",
        line_items=[monthly],
        allow_promotion_codes=True,
        subscription_data={"trial_period_days": 14},
    )
    page.goto(trial.url)
    expect(page.locator(".trial")).to_contain_text("14 days free, then $19.00 per month from")
    expect(page.get_by_text("Total due today")).to_be_visible()
    screenshot("trial")
    page.get_by_label("E-mail").fill("bo@example.com")
    page.get_by_label("Promotion code").fill("NOPE")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("alert")).to_contain_text("This code is invalid.")
    page.get_by_role("button", name="5555 5555 5555 4444").click()
    page.wait_for_url(f"{front.url}/thanks?*")
    assert v1.checkout.sessions.retrieve(trial.id).payment_status == "no_payment_required"


def test_saving_a_card_takes_no_money(page: Page, front: ShopFront, opened: Any, v1: Any, screenshot: Shoot) -> None:
    customer = v1.customers.create({"email": "ann@example.com"})
    page.goto(
        v1.checkout.sessions.create(
            {"mode": "setup", "currency": "usd", "customer": customer.id, "success_url": f"{front.url}/saved"}
        ).url
    )
    expect(page.get_by_role("heading", name="Save a payment method")).to_be_visible()
    screenshot("open")
    page.get_by_role("button", name="4242 4242 4242 4242").click()
    page.wait_for_url(f"{front.url}/saved")
    assert len(v1.payment_methods.list({"customer": customer.id}).data) == 1


def test_an_invoice_is_paid_on_its_page(page: Page, v1: Any, screenshot: Shoot) -> None:
    customer = v1.customers.create({"email": "ann@example.com", "name": "Ann Example"})
    bill = v1.invoices.create({"customer": customer.id, "collection_method": "send_invoice", "days_until_due": 14})
    for amount, text in ((12_000, "Advice, two hours"), (3_500, "Travel")):
        v1.invoice_items.create(
            {
                "customer": customer.id,
                "invoice": bill.id,
                "amount": amount,
                "currency": "usd",
                "description": text,
            }
        )
    page.goto(v1.invoices.finalize_invoice(bill.id).hosted_invoice_url)
    expect(page.get_by_role("button", name="Pay $155.00")).to_be_visible()
    screenshot("open")
    page.get_by_role("button", name="4242 4242 4242 4242").click()
    expect(page.get_by_text("There is nothing left to pay.")).to_be_visible()
    screenshot("paid")


def test_the_console_shows_what_happened(
    page: Page, front: ShopFront, opened: Any, shop: Shop, screenshot: Shoot
) -> None:
    page.goto(opened(customer_email="ann@example.com").url)
    page.get_by_role("button", name="4242 4242 4242 4242").click()
    page.wait_for_url(f"{front.url}/thanks?*")
    page.goto(f"{shop.url}/dashboard/{shop.account_id}")
    expect(page.get_by_role("heading", name="Latest events")).to_be_visible()
    screenshot("overview")
    page.get_by_role("link", name="checkout.session.completed").click()
    expect(page.get_by_text("delivered")).to_be_visible()
    screenshot("event")
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("heading", name="Contents")).to_be_visible()
    assert front.told.count("checkout.session.completed") == 2
    page.get_by_role("link", name="Clock").click()
    page.get_by_role("button", name="31 days").click()
    expect(page.get_by_role("heading", name="What comes next")).to_be_visible()
    screenshot("clock")


UNNAMED = """
[...document.querySelectorAll('input:not([type=hidden]), select, button:not([aria-hidden]), a')]
  .filter(e => !(e.labels && e.labels.length) && !e.textContent.trim() && !e.getAttribute('aria-label'))
  .map(e => e.outerHTML)
"""


def test_every_control_has_a_name_and_headings_come_in_order(page: Page, opened: Any, shop: Shop) -> None:
    session = opened(allow_promotion_codes=True, billing_address_collection="required")
    for path in (f"/c/pay/{session.id}", f"/dashboard/{shop.account_id}", f"/dashboard/{shop.account_id}/clock"):
        page.goto(f"{shop.url}{path}")
        assert page.evaluate(UNNAMED) == []
        assert page.locator("h1").count() == 1
        assert page.locator("main").count() == 1
        assert page.locator("html").get_attribute("lang") == "en"
        levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map(e => Number(e.tagName[1]))")
        assert levels[0] == 1
        assert max(levels) <= 2
