"""Our own customer page, without JavaScript: plans, balances, cancel, resume, switch."""

import httpx
import pytest

from paywright.api.listening import Listening
from paywright.kernel.ids import wall_ms
from paywright.kernel.model import Customer
from paywright.outbox.letters import newest
from paywright.pages import links, site
from tests.harness.house import SECRET, House
from tests.pages.browsing import Browser, url_of

MINE = "/v1/customers/user/anne"
RETURN_URL = "https://app.test/home"


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def account(house: House, **more: str) -> str:
    return url_of(house.post(f"{MINE}/portal-sessions", {"ui": "paywright", **more}))


def owned(house: House) -> list[tuple[str, str | None]]:
    found = house.get(f"{MINE}/products").json()["data"]
    return [(each["product_id"], each["ends_at"]) for each in found]


def link_to(browser: Browser, deed: str) -> str:
    return next(each for each in browser.page.links if f"/{deed}/" in each)


def test_a_customer_sees_what_they_have(house: House, browser: Browser) -> None:
    house.post(f"{MINE}/products", {"product_id": "pro"})
    house.post(f"{MINE}/items/credits/increase", {"quantity": 1500})
    browser.open(account(house, return_url=RETURN_URL))
    assert browser.status == 200
    assert "Pro &lt;plan&gt;" in browser.html
    assert "Renews on" in browser.text
    assert "Credits 1,600" in browser.text
    assert "No invoices yet" in browser.text
    assert "No card yet" in browser.text
    assert RETURN_URL in browser.page.links


def test_somebody_who_owns_nothing_is_told_so(house: House, browser: Browser) -> None:
    page = house.post("/v1/customers/team/t1/portal-sessions", {"ui": "paywright"})
    browser.open(url_of(page))
    for said in ("You own nothing yet", "There is nothing to count", "No card yet", "No invoices yet"):
        assert said in browser.text


def test_cancel_is_asked_once_more_and_resume_takes_it_back(house: House, browser: Browser) -> None:
    house.post(f"{MINE}/products", {"product_id": "basic"})
    browser.open(account(house))
    browser.open(link_to(browser, "cancel"))
    assert "It stays yours until" in browser.text
    assert owned(house) == [("basic", None)]
    browser.send()
    assert "Canceled" in browser.text
    assert "Ends on" in browser.text
    assert owned(house)[0][1] is not None
    browser.send()
    assert "It goes on as before" in browser.text
    assert owned(house) == [("basic", None)]


def test_a_switch_shows_what_it_costs_before_anything_changes(house: House, browser: Browser) -> None:
    house.post(f"{MINE}/products", {"product_id": "basic"})
    browser.open(account(house))
    browser.open(link_to(browser, "switch"))
    assert "$199.00 per year" in browser.text
    browser.send(to="pro/monthly")
    assert "Due now: $0.00" in browser.text
    assert owned(house) == [("basic", None)]
    browser.send()
    assert "Your plan was changed" in browser.text
    assert [product for product, _ in owned(house)] == ["pro"]


def test_the_same_plan_by_the_year(house: House, browser: Browser) -> None:
    house.post(f"{MINE}/products", {"product_id": "pro", "price_id": "monthly"})
    browser.open(account(house))
    browser.open(link_to(browser, "switch"))
    assert "$199.00 per year" in browser.text
    assert "Quantity" not in browser.text
    browser.send(to="pro/yearly", quantity="7")  # Nobody asked for seven.
    assert "Due now: $0.00" in browser.text
    browser.send()
    (pro,) = house.get(f"{MINE}/products").json()["data"]
    assert (pro["product_id"], pro["price_id"], pro["quantity"]) == ("pro", "yearly", 1)


def test_more_and_fewer_seats(house: House, browser: Browser) -> None:
    house.post(f"{MINE}/products", {"product_id": "seats", "quantity": 2})
    seats = next(each for each in house.get(f"{MINE}/products").json()["data"] if each["product_id"] == "seats")
    place = f"{account(house)}/switch/{seats['id']}"
    assert browser.open(place).page.forms[0].fields["quantity"] == "2"
    browser.send(quantity="5").send()
    assert "Your plan was changed" in browser.text

    def now() -> tuple[int, int | None]:
        shown = next(each for each in house.get(f"{MINE}/products").json()["data"] if each["product_id"] == "seats")
        pending = shown["subscription"]["pending_change"]
        return shown["quantity"], pending and pending["quantity"]

    assert now() == (5, None)
    browser.open(place).send(quantity="3")
    assert "Until then nothing changes" in browser.text
    browser.send()
    assert "changes at the end of the period" in browser.text
    assert now() == (5, 3)
    assert browser.open(place).send(quantity="5").status == 422


def test_a_switch_to_what_is_not_on_offer_is_refused(house: House, browser: Browser) -> None:
    house.post(f"{MINE}/products", {"product_id": "basic"})
    browser.open(account(house))
    place = link_to(browser, "switch")
    for to, status in (("nope/x", 404), ("pro/partner", 404), ("basic/monthly", 422), ("", 404)):
        browser.open(place).send(to=to)
        assert browser.status == status, (to, browser.text)
    assert owned(house) == [("basic", None)]


def test_a_page_acts_for_its_own_customer_only(house: House, browser: Browser) -> None:
    house.post(f"{MINE}/products", {"product_id": "basic"})
    hers = house.get(f"{MINE}/products").json()["data"][0]["id"]
    bobs = url_of(house.post("/v1/customers/user/bob/portal-sessions", {"ui": "paywright"}))
    browser.open(account(house))
    form = browser.page.forms
    assert form == []
    browser.open(link_to(browser, "cancel"))
    field = browser.page.forms[0].fields["csrf"]
    answer = browser.http.post(f"{bobs}/cancel/{hers}", data={"csrf": field})
    assert answer.status_code == 404
    assert owned(house) == [("basic", None)]


def test_what_is_server_only_stays_hidden(house: House, browser: Browser) -> None:
    house.post(f"{MINE}/products", {"product_id": "secret"})
    browser.open(account(house))
    assert "secret" not in browser.text
    assert "A7" not in browser.html


def test_the_address_lasts_an_hour_and_needs_the_right_to_ask(house: House, browser: Browser) -> None:
    token = account(house).rpartition("/")[2]
    page = links.read(house.app.settings, "account", token, wall=wall_ms())
    assert page is not None
    assert page.expires_at - wall_ms() <= links.ACCOUNT_LIFE_MS
    browser.open(f"{house.url}/account/{links.sign(house.app.settings, 'account', links.Pass('test', 'user:anne', 1))}")
    assert browser.status == 404
    bob = house.token(Customer("user", "bob"))
    for key, refusal in ((bob, (403, "not_your_customer")), (house.publishable_key, (403, "not_your_customer"))):
        assert refused(house.post(f"{MINE}/portal-sessions", {"ui": "paywright"}, key=key)) == refusal


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({}, (404, "no_stripe_customer")),
        ({"ui": "stripe"}, (404, "no_stripe_customer")),
        ({"ui": "both"}, (400, "invalid_request")),
        ({"ui": "paywright", "configuration": "bpc_1"}, (400, "invalid_request")),
        ({"ui": "paywright", "return_url": "nowhere"}, (400, "invalid_request")),
    ],
)
def test_a_portal_session_is_refused(shared_house: House, body: dict[str, str], refusal: tuple[int, str]) -> None:
    assert refused(shared_house.post(f"{MINE}/portal-sessions", body)) == refusal


def test_cards_are_for_those_who_pay_again(shared_house: House) -> None:
    assert refused(shared_house.post(f"{MINE}/setup-intents")) == (404, "no_stripe_customer")
    missing = shared_house.ask("PUT", f"{MINE}/payment-method", json={"setup_intent_id": "seti_1"})
    assert refused(missing) == (404, "no_stripe_customer")
    assert shared_house.get(f"{MINE}/billing").json() == {
        "has_stripe_customer": False,
        "stripe_customer_id": None,
        "email": None,
        "default_payment_method": None,
    }


def test_letters_are_shown_to_this_machine_by_its_own_name(sqlite_house: House, browser: Browser) -> None:
    with Listening(site.letters_mount(sqlite_house.app)) as server:
        assert "No letters yet" in browser.open(f"{server.url}/letters").text
        body = {
            "customer": None,
            "line_items": [{"product_id": "pack"}],
            "success_url": RETURN_URL,
            "cancel_url": RETURN_URL,
            "customer_email": "buyer@x.com",
        }
        assert sqlite_house.post("/v1/checkout-sessions", body).status_code == 201
        sqlite_house.post("/v1/sign-in/codes", {"email": "buyer@x.com"})
        with sqlite_house.app.database.read() as connection:
            letter = newest(connection, SECRET, "test")[0]
        code, own = letter.facts["code"], f"{server.url}/letters/{letter.id}"
        assert code in browser.open(f"{server.url}/letters").text
        shown = httpx.get(own)
        assert f"Your sign-in code is {code}." in shown.text
        assert f'sandbox src="/letters/{letter.id}/html"' in shown.text
        assert shown.headers["content-security-policy"].endswith("; frame-src 'self'")
        framed = httpx.get(f"{own}/html")
        assert f'<p class="code">{code}</p>' in framed.text
        assert framed.headers["content-security-policy"].startswith("sandbox; default-src 'none'; style-src")
        assert [httpx.get(f"{server.url}/letters/ltr_x{end}").status_code for end in ("", "/html")] == [404, 404]
        assert httpx.get(f"{own}/html", headers={"Host": "evil.test"}).status_code == 404
        rebound = httpx.get(f"{server.url}/letters", headers={"Host": "evil.test"})
        assert rebound.status_code == 404
        assert code not in rebound.text
    assert browser.open(f"{sqlite_house.url}/letters").status == 404
