"""Somebody at the demo store, with a browser and a wallet."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

PAYS = "4242 4242 4242 4242"
DECLINES = "4000 0000 0000 0002"
ASKS = "4000 0025 0000 3155"
ASKS_ALWAYS = "4000 0027 6000 3184"


class Buyer:
    def __init__(self, page: Page, store_url: str, screenshot: Callable[[str], Path]) -> None:
        self.page, self.store_url, self.screenshot = page, store_url, screenshot

    def enter(self, user: str) -> "Buyer":
        """`First`, `Second` or `Third`."""
        self.page.goto(self.store_url)
        self.page.get_by_role("button", name=user, exact=True).click()
        expect(self.page.get_by_text(f"You are the {user.lower()} demo user")).to_be_visible()
        return self

    def press(self, button: str) -> None:
        self.page.get_by_role("button", name=button, exact=True).click()

    def at_checkout(self) -> None:
        expect(self.page).to_have_url(re.compile(r"/c/pay/cs_test_"))

    def pay(self, card: str) -> None:
        """Typed by hand, as in production."""
        self.at_checkout()
        self.page.get_by_label("Card number").fill(card)
        self.page.get_by_label("Expiry").fill("12 / 34")
        self.page.get_by_label("CVC").fill("123")
        self.page.locator("button.pay").click()

    def is_thanked(self) -> None:
        expect(self.page.get_by_role("heading", name="Thank you. It is yours.")).to_be_visible()

    def has_credits(self, quantity: int) -> None:
        expect(self.page.locator("[data-quantity]")).to_have_text(f"{quantity:,}")

    def goes_back(self) -> None:
        self.page.get_by_role("link", name="Back to the store").click()
        expect(self.page.get_by_role("heading", name="Plans")).to_be_visible()
