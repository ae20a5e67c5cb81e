"""
The sandbox's stripe.js in Chromium, loaded by the official npm packages `@stripe/stripe-js` and `@stripe/react-stripe-js`.

The loaders ask js.stripe.com; the browser answers that address with the sandbox's file, and everything else from there is refused.
"""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import ConsoleMessage, Page, Route, expect

from paywright_sandbox import Sandbox
from tests.browser.shop_front import ShopFront
from tests.contract.conformance import Conformance
from tests.contract.shop import Shop
from tests.harness import needs, npm

PAGES = ("plain", "react")
SOURCES = Path(__file__).parent / "stripe_js"
LOADED_FROM = "https://js.stripe.com/endive/stripe.js"
HTML = """<!doctype html><meta charset="utf-8"><title>Loading</title><meta http-equiv="Content-Security-Policy" content="style-src 'self'">
<div id="app"><form><div id="element"></div><button>Pay</button></form></div>
<p id="state"></p><p id="outcome"></p>
<script>window.ASKED = {asked}</script><script type="module" src="/{script}.js"></script>"""

Show = Callable[..., Any]


@cache
def bundled(node: Path, packages: Path) -> dict[str, str]:
    """The two pages' scripts with the npm packages in them."""
    esbuild = packages / "node_modules" / "esbuild" / "bin" / "esbuild"
    command = [
        str(node),
        str(esbuild),
        *(str(SOURCES / f"{name}.js") for name in PAGES),
        "--bundle",
        "--format=esm",
        "--log-level=warning",
    ]
    with tempfile.TemporaryDirectory() as folder:
        more = [f"--outdir={folder}", '--define:process.env.NODE_ENV="development"']
        environment = {**os.environ, "NODE_PATH": str(packages / "node_modules")}
        subprocess.run([*command, *more], env=environment, check=True)
        return {name: (Path(folder) / f"{name}.js").read_text() for name in PAGES}


@pytest.fixture
def bundles(node: Path) -> dict[str, str]:
    try:
        return bundled(node, npm.installed(node))
    except npm.Unavailable as reason:
        needs.lacking("node", str(reason))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=3, check=Conformance().check) as running:
        yield running


@pytest.fixture
def shop(sandbox: Sandbox) -> Iterator[Shop]:
    with Shop(sandbox.url, sandbox.secret_key) as opened:
        yield opened


@pytest.fixture
def v1(shop: Shop) -> Any:
    return shop.client.v1


@pytest.fixture
def front() -> Iterator[ShopFront]:
    with ShopFront() as open_shop:
        yield open_shop


@pytest.fixture
def show(page: Page, shop: Shop, front: ShopFront, bundles: dict[str, str]) -> Iterator[Show]:
    """Opens the page that pays; nothing but the loader's address may be asked of Stripe, and the console stays silent but for declines."""
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not re.search("status of 40[23]", message.text):
            complaints.append(message.text)

    def serve(route: Route) -> None:
        if route.request.url == LOADED_FROM:
            script = shop.http.get("/js/stripe.js")
            route.fulfill(body=script.text, content_type=script.headers["content-type"])
        else:
            route.abort()

    def open_page(
        intent: Any, script: str = "plain", type: str = "payment", call: str = "confirmPayment", **options: Any
    ) -> Page:
        asked = {
            "publishableKey": shop.publishable_key,
            "clientSecret": intent.client_secret,
            "type": type,
            "wish": {"call": call, "options": options},
        }
        front.pages["/pay"] = HTML.replace("{asked}", json.dumps(asked)).replace("{script}", script)
        page.goto(f"{front.url}/pay")
        expect(page).to_have_title("Ready")
        return page

    front.pages |= {f"/{name}.js": text for name, text in bundles.items()}
    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.route("https://js.stripe.com/**", serve)
    yield open_page
    assert complaints == []


@pytest.fixture
def payment(v1: Any) -> Any:
    return v1.payment_intents.create(
        {"amount": 2000, "currency": "usd", "automatic_payment_methods": {"enabled": True}}
    )


@pytest.fixture
def setup(v1: Any) -> Any:
    customer = v1.customers.create({"email": "ann@example.com"})
    return v1.setup_intents.create({"customer": customer.id})


def type_card(page: Page, number: str) -> None:
    page.get_by_label("Card number").fill(number)
    page.get_by_label("Expiry").fill("12 / 34")
    page.get_by_label("CVC").fill("123")


def test_the_payment_element_pays_and_the_buyer_comes_back(
    show: Show, front: ShopFront, v1: Any, payment: Any, screenshot: Callable[[str], Path]
) -> None:
    page = show(payment, confirmParams={"return_url": f"{front.url}/done?cart=1"})
    expect(page.get_by_text("no real money")).to_be_visible()
    screenshot("element")
    type_card(page, "4242 4242 4242 4242")
    expect(page.locator("#state")).to_have_text("complete")
    page.get_by_role("button", name="Pay", exact=True).click()
    page.wait_for_url(f"{front.url}/done?cart=1&payment_intent={payment.id}&*redirect_status=succeeded")
    assert v1.payment_intents.retrieve(payment.id).status == "succeeded"


def test_a_decline_is_said_and_another_card_pays(show: Show, payment: Any) -> None:
    page = show(payment, redirect="if_required")
    page.get_by_role("button", name="0002 is declined").click()
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(page.locator("#outcome")).to_have_text("Your card was declined.")
    page.get_by_role("button", name="4242 pays").click()
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(page.locator("#outcome")).to_have_text("succeeded")


def test_an_incomplete_card_is_not_sent(show: Show, shop: Shop, payment: Any) -> None:
    page = show(payment, redirect="if_required")
    page.get_by_label("Card number").fill("4242")
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("Your card number is incomplete.")
    expect(page.get_by_label("Card number")).to_have_attribute("aria-invalid", "true")
    assert not [ask for ask in shop.control("GET", "requests")["data"] if ask["path"].endswith(("confirm", "methods"))]


def test_3ds_in_a_dialog_failed_then_passed_by_keyboard(
    show: Show, payment: Any, screenshot: Callable[[str], Path]
) -> None:
    page = show(payment, redirect="if_required")
    page.get_by_label("Card number").focus()
    for text in ("4000002760003184", "1234", "123"):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.get_by_label("CVC").press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    screenshot("asked")
    page.keyboard.press("Escape")
    expect(page.locator("#outcome")).to_contain_text("failed authentication")
    page.get_by_label("CVC").press("Enter")
    expect(page.get_by_role("button", name="Complete authentication")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#outcome")).to_have_text("succeeded")


def test_3ds_on_the_banks_page_leads_back_to_the_shop(show: Show, front: ShopFront, payment: Any) -> None:
    page = show(payment, confirmParams={"return_url": f"{front.url}/done"})
    page.get_by_role("button", name="3184 asks").click()
    page.get_by_role("button", name="Pay", exact=True).click()
    page.get_by_role("button", name="Complete authentication").click()
    page.wait_for_url(f"{front.url}/done?*redirect_status=succeeded")


def test_a_bank_account_settles_later(show: Show, v1: Any) -> None:
    wish = {"amount": 2000, "currency": "usd", "allowed_payment_method_types": ["card", "us_bank_account"]}
    intent = v1.payment_intents.create(wish)
    page = show(intent, redirect="if_required")
    page.get_by_label("Bank account").check()
    expect(page.get_by_label("Card number")).to_be_hidden()
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(page.locator("#outcome")).to_have_text("processing")


@pytest.mark.parametrize("call", ["confirmSetup", "confirmCardSetup"])
def test_a_card_is_saved(show: Show, v1: Any, setup: Any, call: str) -> None:
    type_ = "payment" if call == "confirmSetup" else "card"
    page = show(setup, type=type_, call=call, redirect="if_required")
    page.get_by_role("button", name="4242 pays").click()
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(page.locator("#outcome")).to_have_text("succeeded")
    assert len(v1.payment_methods.list({"customer": setup.customer}).data) == 1


def test_the_card_element_pays(show: Show, v1: Any, payment: Any) -> None:
    page = show(payment, type="card", call="confirmCardPayment")
    page.get_by_role("button", name="3184 asks").click()
    page.get_by_role("button", name="Pay", exact=True).click()
    page.get_by_role("button", name="Complete authentication").click()
    expect(page.locator("#outcome")).to_have_text("succeeded")
    method = v1.payment_intents.retrieve(payment.id, {"expand": ["payment_method"]}).payment_method
    assert method.billing_details.name == "Ann"


def test_react_pays_and_saves(show: Show, payment: Any, setup: Any) -> None:
    for intent, type_ in ((payment, "payment"), (setup, "card")):
        page = show(intent, "react", type_)
        page.get_by_role("button", name="4242 pays").click()
        page.get_by_role("button", name="Pay", exact=True).click()
        expect(page.locator("#app #outcome")).to_have_text("succeeded")


def test_methods_tokens_and_what_an_intent_is(show: Show, v1: Any, payment: Any) -> None:
    page = show(payment, type="card")
    page.get_by_role("button", name="4242 pays").click()
    made = page.evaluate(
        """async () => {
          const { stripe, element, elements } = window.told;
          const method = await stripe.createPaymentMethod({ type: "card", card: element });
          const token = await stripe.createToken(element, { name: "Ann" });
          const confirmation = await stripe.createConfirmationToken({ elements });
          const secret = window.ASKED.clientSecret;
          const intent = await stripe.retrievePaymentIntent(secret);
          const paid = await stripe.confirmCardPayment(secret, { payment_method: method.paymentMethod.id });
          const next = await stripe.handleNextAction({ clientSecret: secret });
          return [method.paymentMethod.id, token.token.id, confirmation.confirmationToken.id,
                  intent.paymentIntent.status, paid.paymentIntent.status, next.paymentIntent.status];
        }"""
    )
    assert v1.payment_methods.retrieve(made[0]).card.last4 == "4242"
    assert [id.partition("_")[0] for id in made[:3]] == ["pm", "tok", "ctoken"]
    assert made[3:] == ["requires_payment_method", "succeeded", "succeeded"]


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("told.stripe.confirmAffirmPayment('x')", "stripe.confirmAffirmPayment() is not served by the sandbox."),
        ("told.stripe.elements().create('iban')", 'The element "iban" is not served by the sandbox'),
        ("Stripe('pk_live_1')", "publishable test keys"),
        ("told.stripe.retrievePaymentIntent('pi_1')", "A client secret looks like"),
        ("told.stripe.confirmPayment({ elements: told.elements })", "confirmParams.return_url is needed"),
        ("told.stripe.retrieveSetupIntent(ASKED.clientSecret)", "is not one of a setup_intent"),
    ],
)
def test_what_is_not_served_says_so(show: Show, payment: Any, script: str, sentence: str) -> None:
    page = show(payment)
    said = page.evaluate(
        f"async () => {{ try {{ await {script}; return '' }} catch (error) {{ return error.message }} }}"
    )
    assert sentence in said


def test_3ds_is_answered_only_with_the_intents_own_secret(shop: Shop, v1: Any) -> None:
    wish = {"amount": 500, "currency": "usd", "payment_method": "pm_card_authenticationRequired", "confirm": True}
    intent = v1.payment_intents.create(wish)
    path = f"/3ds/{intent.id}/answer"
    refused = shop.http.post(path, data={"client_secret": f"{intent.id}_secret_guess", "outcome": "complete"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "client_secret")
    odd = shop.http.post(path, data={"client_secret": intent.client_secret, "outcome": "maybe"})
    assert odd.json()["error"]["param"] == "outcome"
    passed = shop.http.post(path, data={"client_secret": intent.client_secret, "outcome": "complete"})
    assert passed.json() == {"id": intent.id, "status": "succeeded"}


def test_a_connected_account_is_named_in_the_header(show: Show, shop: Shop, payment: Any) -> None:
    page = show(payment)
    said = page.evaluate(
        """async () => (await Stripe(ASKED.publishableKey, { stripeAccount: "acct_nobody" })
          .retrievePaymentIntent(ASKED.clientSecret)).error.code"""
    )
    assert said == "account_invalid"
