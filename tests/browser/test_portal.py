"""The customer portal in Chromium: plan, card, cancellation."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from paywright_sandbox import Sandbox
from tests.contract.billing import Desk
from tests.contract.conformance import Conformance
from tests.contract.shop import Shop

Shoot = Callable[[str], Path]


@pytest.fixture(scope="module")
def conformance() -> Conformance:
    return Conformance()


@pytest.fixture
def desk(conformance: Conformance) -> Iterator[Desk]:
    conformance.problems.clear()
    with Sandbox(seed=6, check=conformance.check) as sandbox, Shop(sandbox.url, sandbox.secret_key) as shop:
        opened = Desk(shop)
        opened.freeze()
        yield opened
    assert conformance.problems == []


def test_a_customer_changes_plan_and_card_and_leaves(page: Page, desk: Desk, screenshot: Shoot) -> None:
    made = desk.subscribe(desk.price(1000))
    dearer = desk.price(2500)
    desk.shop.advance("12d")
    session = desk.v1.billing_portal.sessions.create(
        {"customer": made.customer, "return_url": f"{desk.shop.url}/_sandbox/health"}
    )
    page.goto(session.url)
    expect(page.get_by_text("no real money")).to_be_visible()
    expect(page.get_by_text("Renews on 1 May 2027")).to_be_visible()
    screenshot("home")

    page.get_by_role("link", name="Change plan").click()
    page.get_by_label("$25.00 per month").check()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Remaining time on Pro after 13 Apr 2027")).to_be_visible()
    screenshot("confirm")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("$25.00 per month")).to_be_visible()
    assert desk.again(made)["items"].data[0].price.id == dearer

    page.get_by_role("link", name="Use another card").click()
    page.get_by_role("button", name="5555 5555 5555 4444").click()
    expect(page.get_by_text("Mastercard •••• 4444")).to_be_visible()

    page.get_by_role("link", name="Use another card").click()
    page.get_by_role("button", name="4000 0025 0000 3155").click()
    page.get_by_role("button", name="Complete authentication").click()
    page.wait_for_url(f"**/p/session/{session.id}?*")
    expect(page.get_by_text("Visa •••• 3155")).to_be_visible()

    page.get_by_role("link", name="Cancel plan").click()
    screenshot("cancel")
    page.get_by_role("button", name="Cancel plan").click()
    expect(page.get_by_text("Ends on 1 May 2027")).to_be_visible()
    page.get_by_role("button", name="Don’t cancel").click()
    expect(page.get_by_text("Renews on 1 May 2027")).to_be_visible()
    assert desk.again(made).cancel_at is None


def test_the_portal_can_be_used_by_keyboard(page: Page, desk: Desk) -> None:
    made = desk.subscribe()
    page.goto(desk.v1.billing_portal.sessions.create({"customer": made.customer}).url)
    page.get_by_role("link", name="Cancel plan").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Cancel plan").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Ends on 1 May 2027")).to_be_visible()
    assert desk.again(made).cancel_at is not None
