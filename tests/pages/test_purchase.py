"""The purchase page, without JavaScript: rules.md 6 on purchase URLs, and O11."""

from typing import Any

import httpx
import pytest

from paywright.claims.tables import guests
from paywright.environments.actions import change
from paywright.kernel.ids import wall_ms
from paywright.kernel.model import Customer
from paywright.pages import links
from tests.harness.house import House
from tests.pages.browsing import Browser, url_of

ANNE = {"type": "user", "id": "anne"}
RETURN_URL = "https://app.test/account"


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def ask(house: House, product_id: str, **more: Any) -> httpx.Response:
    key = more.pop("key", "")
    return house.post("/v1/purchase-urls", {"customer": ANNE, "product_id": product_id, **more}, key=key)


def balance(house: House) -> int:
    return int(house.get("/v1/customers/user/anne/items/credits").json()["quantity"])


def settings(house: House, **changes: Any) -> None:
    with house.app.work("test") as work:
        change(work, changes)


def test_a_buyer_chooses_how_many_and_in_which_currency(house: House, browser: Browser) -> None:
    browser.open(url_of(ask(house, "pack", return_url=RETURN_URL)))
    assert "$10.00" in browser.text
    assert "100 Credits" in browser.text
    place = browser.url
    browser.open(f"{place}?currency=jpy")
    assert "¥1,500" in browser.text
    assert browser.page.forms[0].fields["currency"] == "jpy"
    browser.send(quantity="3")
    assert "It is yours" in browser.text
    assert RETURN_URL in browser.page.links
    assert balance(house) == 305
    # After a purchase it only shows the result.
    browser.open(place)
    assert "It is yours" in browser.text
    assert browser.page.forms == []


@pytest.mark.parametrize("with_secret_key", [True, False])
def test_a_guest_buys_on_the_page_and_the_claim_token_opens_it(
    house: House, browser: Browser, with_secret_key: bool
) -> None:
    key = house.secret_key if with_secret_key else house.publishable_key
    made = ask(house, "pack", customer=None, key=key).json()
    claim = f"/v1/claims/{made['claim_token']}"
    assert house.get(claim, key=house.publishable_key).json()["state"] == "pending"
    browser.open(made["url"]).send(quantity="2")
    assert "It is yours" in browser.text
    mine = f"/v1/customers/guest/{made['claim_token']}/items/credits"
    assert house.get(mine, key=house.publishable_key).json()["quantity"] == 200
    again = ask(house, "pack", customer=None, key=key, claim_token=made["claim_token"]).json()
    browser.open(again["url"]).send()
    assert house.get(mine, key=house.publishable_key).json()["quantity"] == 300


@pytest.mark.parametrize(
    ("body", "headers", "refusal"),
    [
        ({"product_id": "pro"}, {}, (422, "guest_one_time_only")),
        ({"product_id": "nope"}, {}, (404, "product_not_found")),
        ({"product_id": "secret"}, {}, (404, "product_not_found")),
        ({"product_id": "pack", "claim_token": "short"}, {}, (422, "weak_claim_token")),
        ({"product_id": "pack"}, {"Idempotency-Key": "k"}, (400, "invalid_request")),
        ({"product_id": "pack", "customer": ANNE, "claim_token": "x"}, {}, (400, "invalid_request")),
        (
            {"product": {"display_name": "X", "prices": {"o": {"amounts": {"usd": 1000}}}}},
            {},
            (403, "secret_key_required"),
        ),
    ],
)
def test_a_guests_page_is_refused_and_makes_nobody(
    shared_house: House, body: dict[str, Any], headers: dict[str, str], refusal: tuple[int, str]
) -> None:
    key = shared_house.publishable_key
    answer = shared_house.post("/v1/purchase-urls", {"customer": None, **body}, key=key, headers=headers)
    assert refused(answer) == refusal
    with shared_house.app.database.read() as connection:
        assert connection.execute(guests.select()).all() == []


def test_a_second_choice_after_the_purchase_buys_nothing(house: House, browser: Browser) -> None:
    place = url_of(ask(house, "pack"))
    other = Browser().open(place)
    browser.open(place).send()
    assert balance(house) == 105
    other.send(quantity="7")
    assert "It is yours" in other.text
    assert balance(house) == 105
    other.close()


def test_prices_are_shown_as_they_may_be_used(house: House, browser: Browser) -> None:
    browser.open(url_of(ask(house, "pro", key=house.token(Customer("user", "anne")))))
    assert "Pro &lt;plan&gt;" in browser.html
    assert "$19.99 per month" in browser.text
    assert "$199.00 per year" in browser.text
    assert "$1.00" not in browser.text
    assert "A7" not in browser.html
    browser.open(url_of(ask(house, "pro")))
    assert "$1.00 per month" in browser.text


def test_another_plan_says_that_it_replaces_the_one_there_is(house: House, browser: Browser) -> None:
    house.post("/v1/customers/user/anne/products", {"product_id": "basic"})
    browser.open(url_of(ask(house, "pro")))
    assert "This will replace your plan: Basic ends when" in browser.text
    browser.send(price_id="yearly")
    assert "It is yours" in browser.text
    owned = house.get("/v1/customers/user/anne/products").json()["data"]
    assert [(each["product_id"], each["price_id"]) for each in owned] == [("pro", "yearly")]


def test_what_became_owned_meanwhile_is_said(house: House, browser: Browser) -> None:
    place = url_of(ask(house, "pro", return_url=RETURN_URL))
    waiting = Browser().open(place)
    house.post("/v1/customers/user/anne/products", {"product_id": "pro"})
    browser.open(place)
    assert (browser.status, browser.page.forms) == (200, [])
    assert "You own this already" in browser.text
    waiting.send(price_id="monthly")
    assert "You own this already" in waiting.text
    assert len(house.get("/v1/customers/user/anne/products").json()["data"]) == 1
    waiting.close()


def test_every_check_runs_again_on_submit(house: House, browser: Browser) -> None:
    browser.open(url_of(ask(house, "pack", key=house.token(Customer("user", "anne")))))
    for changed, status, said in (
        ({"quantity": "0"}, 400, "integer"),
        ({"quantity": "1.5"}, 400, "whole number"),
        ({"quantity": "999999999"}, 422, "more than one payment can be"),
        ({"currency": "gbp"}, 422, "not sold in that currency"),
        ({"price_id": "nope"}, 404, "no longer offered"),
    ):
        browser.send(**changed)
        assert (browser.status, said in browser.text) == (status, True), (changed, browser.text)
        browser.open(browser.url)
    settings(house, block_new_purchases=True)
    browser.send()
    assert (browser.status, balance(house)) == (409, 5)
    assert browser.text.count("Nothing can be bought here at the moment") == 1
    assert browser.page.forms == []


def test_an_inline_product_is_sold_on_the_page_for_secret_keys_only(house: House, browser: Browser) -> None:
    inline = {
        "display_name": "Two hours of help",
        "prices": {"once": {"amounts": {"usd": 9000}}},
        "metadata": {"server": {"consultant": "Ada"}},
    }
    body = {"customer": ANNE, "product": inline}
    token = house.token(Customer("user", "anne"))
    assert refused(house.post("/v1/purchase-urls", body, key=token)) == (403, "secret_key_required")
    browser.open(url_of(house.post("/v1/purchase-urls", body)))
    assert "Two hours of help" in browser.text
    assert "Ada" not in browser.html
    browser.send()
    owned = house.get("/v1/customers/user/anne/products").json()["data"]
    assert [each["display_name"] for each in owned if each["product_id"] is None] == ["Two hours of help"]


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"product_id": "nope"}, (404, "product_not_found")),
        ({}, (400, "invalid_request")),
        ({"product_id": "pack", "product": {}}, (400, "invalid_request")),
        ({"product_id": "free"}, (422, "product_is_default")),
        ({"product_id": "pack", "return_url": "javascript:alert(1)"}, (400, "invalid_request")),
        ({"product_id": "pack", "customer": {"type": "team", "id": "t"}}, (422, "customer_type_mismatch")),
    ],
)
def test_a_purchase_url_is_refused_as_a_checkout_is(
    shared_house: House, body: dict[str, Any], refusal: tuple[int, str]
) -> None:
    assert refused(shared_house.post("/v1/purchase-urls", {"customer": ANNE, **body})) == refusal


def test_a_token_makes_purchase_urls_for_its_own_customer(shared_house: House) -> None:
    token = shared_house.token(Customer("user", "bob"))
    assert refused(ask(shared_house, "pack", key=token)) == (403, "not_your_customer")
    own = {"customer": {"type": "user", "id": "bob"}, "product_id": "secret"}
    assert refused(shared_house.post("/v1/purchase-urls", own, key=token)) == (404, "product_not_found")
    key = shared_house.publishable_key
    assert refused(ask(shared_house, "pack", key=key)) == (403, "not_your_customer")


def test_a_return_url_must_be_of_an_allowed_origin_without_a_secret_key(sqlite_house: House) -> None:
    settings(sqlite_house, allowed_origins=["https://app.test"])
    token = sqlite_house.token(Customer("user", "anne"))
    elsewhere = ask(sqlite_house, "pack", return_url="https://evil.test/", key=token)
    assert refused(elsewhere) == (422, "url_not_allowed")
    assert ask(sqlite_house, "pack", return_url=RETURN_URL, key=token).status_code == 201
    assert ask(sqlite_house, "pack", return_url="https://elsewhere.test/").status_code == 201


def test_O11_blocked_purchases_refuse_selling_and_nothing_else(house: House) -> None:
    house.post("/v1/customers/user/anne/products", {"product_id": "basic"})
    settings(house, block_new_purchases=True)
    line = {"line_items": [{"product_id": "pack"}], "success_url": RETURN_URL, "cancel_url": RETURN_URL}
    switch = {"from_product_id": "basic", "to_product_id": "pro"}
    mine = "/v1/customers/user/anne"
    for answer in (
        ask(house, "pack"),
        house.post("/v1/checkout-sessions", {"customer": ANNE, **line}),
        house.post("/v1/payment-intents", {"customer": ANNE, "line_items": [{"product_id": "pack"}]}),
        house.post(f"{mine}/switch-quotes", switch),
        house.post(f"{mine}/switches", switch),
    ):
        assert refused(answer) == (409, "purchases_blocked")
    assert house.post(f"{mine}/products", {"product_id": "pack"}).status_code == 201
    assert house.post(f"{mine}/products/basic/cancel", {}).status_code == 200


def test_an_address_that_is_not_ours_opens_nothing(shared_house: House, browser: Browser) -> None:
    place = url_of(ask(shared_house, "pack"))
    app, wall = shared_house.app, wall_ms()
    signed = place.rpartition("/")[2]
    purchase = links.read(app.settings, "purchase", signed, wall=wall)
    assert purchase is not None
    assert purchase.expires_at - wall <= links.PURCHASE_LIFE_MS
    assert links.read(app.settings, "purchase", signed, wall=purchase.expires_at) is None
    assert links.read(app.settings, "account", signed, wall=wall) is None
    late = links.sign(app.settings, "purchase", links.Pass("test", purchase.subject, wall - 1))
    for token in (
        late,
        f"{signed[:-4]}AAAA",
        "nothing",
        "ü.ü",
        f"{signed}.x",
        links.sign(app.settings, "account", purchase),
    ):
        browser.open(f"{shared_house.url}/purchase/{token}")
        assert (browser.status, browser.page.forms) == (404, []), token
        assert "time is over" in browser.text


def test_a_form_from_elsewhere_does_nothing(house: House, browser: Browser) -> None:
    place = url_of(ask(house, "pack"))
    browser.open(place)
    field = browser.page.forms[0].fields["csrf"]
    stranger = httpx.post(place, data={"price_id": "once", "currency": "usd", "quantity": "1", "csrf": field})
    assert stranger.status_code == 403
    browser.send(csrf="")
    assert browser.status == 403
    browser.open(place).send(csrf="0" * 64)
    assert browser.status == 403
    assert balance(house) == 5


def test_pages_load_nothing_from_elsewhere_and_run_no_script(shared_house: House, browser: Browser) -> None:
    browser.open(url_of(ask(shared_house, "pro")))
    policy = browser.headers["content-security-policy"]
    for part in ("default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert part in policy
    assert "script-src" not in policy
    assert browser.headers["referrer-policy"] == "no-referrer"
    assert browser.headers["cache-control"] == "no-store"
    assert browser.page.scripts == 0
    assert browser.page.loaded == ["/pages/mark.svg", "/pages/pages.css"]
    for path in browser.page.loaded:
        assert httpx.get(f"{shared_house.url}{path}").status_code == 200
    assert httpx.get(f"{shared_house.url}/pages/nothing.css").status_code == 404
    cookie = browser.http.cookies.jar
    assert [each.name for each in cookie] == ["paywright_pages"]
