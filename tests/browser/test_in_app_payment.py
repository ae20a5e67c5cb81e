"""Paywright's in-app payment in Chromium: its client secret, the sandbox's stripe.js from `STRIPE_JS_URL`, and credits at the end."""

import json

from playwright.sync_api import Page, expect

from paywright.client import Client
from tests.browser.conftest import Dev
from tests.browser.shop_front import ShopFront
from tests.harness.waiting import until

HTML = """<!doctype html><meta charset="utf-8"><title>Shop</title><form><div id="payment"></div><button>Pay</button></form>
<p id="outcome"></p><script src="{sandbox}/js/stripe.js"></script>
<script>
  const [key, clientSecret] = {asked};
  const stripe = Stripe(key);
  const elements = stripe.elements({ clientSecret });
  elements.create("payment").mount("#payment");
  document.forms[0].addEventListener("submit", async (event) => {
    event.preventDefault();
    const ended = await stripe.confirmPayment({ elements, redirect: "if_required" });
    document.querySelector("#outcome").textContent = ended.error ? ended.error.message : ended.paymentIntent.status;
  });
</script>"""


def test_credits_are_bought_inside_the_app_with_3ds(dev: Dev, paywright: Client, page: Page) -> None:
    user = paywright.user("in_app_1")
    intent = user.create_payment_intent([{"product_id": "pack"}], receipt_email="buyer@example.com")
    with ShopFront() as front:
        asked = json.dumps([intent.publishable_key, intent.client_secret])
        front.pages["/pay"] = HTML.replace("{sandbox}", dev.sandbox_url).replace("{asked}", asked)
        page.goto(f"{front.url}/pay")
        page.get_by_role("button", name="0002 is declined").click()
        page.get_by_role("button", name="Pay", exact=True).click()
        expect(page.locator("#outcome")).to_have_text("Your card was declined.")
        page.get_by_role("button", name="3184 asks").click()
        page.get_by_role("button", name="Pay", exact=True).click()
        page.get_by_role("button", name="Complete authentication").click()
        expect(page.locator("#outcome")).to_have_text("succeeded")
    assert until(lambda: user.get_item("credits").quantity, "the credits") == 100
