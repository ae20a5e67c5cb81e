"""The console by plain HTTP."""

from typing import Any

import httpx
import pytest
import stripe

from tests.contract.checkout import opened, paid
from tests.contract.hosted_pages import token_in
from tests.contract.shop import Listener, Shop


@pytest.fixture
def home(shop: Shop) -> str:
    return f"/dashboard/{shop.account_id}"


def test_an_empty_account_says_what_to_do_next(home: str, browser: httpx.Client) -> None:
    page = browser.get(home).text
    for text in ("No objects yet.", "Nobody listens.", "Nothing has happened yet."):
        assert text in page
    assert "Nothing is due." in browser.get(f"{home}/clock").text
    assert "Nobody has asked anything yet." in browser.get(f"{home}/requests").text
    assert "None of these yet." in browser.get(f"{home}/objects/refund").text


def test_the_console_opens_on_the_default_account(browser: httpx.Client) -> None:
    answer = browser.get("/dashboard")
    assert answer.status_code == 303
    assert browser.get(answer.headers["location"]).status_code == 200


def test_objects_and_events_are_found_and_lead_to_each_other(
    v1: Any, shop: Shop, home: str, browser: httpx.Client
) -> None:
    session = opened(v1, metadata={"note": "<b>bold</b>"})
    after = paid(shop, session, email="ann@example.com")["session"]
    assert f"{home}/objects/checkout.session" in browser.get(home).text
    assert session.id in browser.get(f"{home}/objects/checkout.session").text
    page = browser.get(f"{home}/object/{session.id}").text
    assert "checkout.session.completed" in page
    assert "charge.succeeded" not in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "_line_items" not in page
    log = browser.get(f"{home}/events").text
    assert log.index("checkout.session.completed") < log.index("payment_intent.created")
    assert after["payment_intent"] in log


def test_an_event_is_sent_again(v1: Any, shop: Shop, home: str, browser: httpx.Client) -> None:
    with Listener() as listener:
        v1.webhook_endpoints.create({"url": listener.url, "enabled_events": ["*"]})
        v1.customers.create({"email": "ann@example.com"})
        shop.control("POST", "deliveries/settle")
        path = f"{home}/events/{shop.last_event()}"
        page = browser.get(path)
        assert "delivered" in page.text
        assert browser.post(f"{path}/resend", data={"token": ""}).status_code == 303
        assert listener.types() == ["customer.created"]
        assert browser.post(f"{path}/resend", data={"token": token_in(page)}).headers["location"] == path
        assert listener.types() == ["customer.created"] * 2
        assert listener.url in browser.get(home).text


def test_deliveries_are_listed_by_state_and_sent_again(v1: Any, shop: Shop, home: str, browser: httpx.Client) -> None:
    assert "Nothing was sent yet." in browser.get(f"{home}/deliveries").text
    with Listener([200, 500, 500, 500, 500]) as listener:
        v1.webhook_endpoints.create({"url": listener.url, "enabled_events": ["customer.created"]})
        for _ in range(2):
            v1.customers.create()
            shop.control("POST", "deliveries/settle")
        page = browser.get(f"{home}/deliveries?state=failed")
        assert page.text.count("/resend") == 1
        assert browser.get(f"{home}/deliveries").text.count("/resend") == 2
        failed = f"{home}/events/{shop.last_event()}/resend"
        assert failed in page.text
        assert f"{home}/deliveries?state=failed" in browser.get(home).text
        browser.post(failed, data={"token": token_in(page)})
        assert browser.get(f"{home}/deliveries?state=failed").text.count("/resend") == 0


def test_the_secret_of_an_endpoint_is_not_shown(v1: Any, home: str, browser: httpx.Client) -> None:
    made = v1.webhook_endpoints.create({"url": "http://127.0.0.1:9/hook", "enabled_events": ["*"]})
    for path in (home, f"{home}/object/{made.id}", f"{home}/objects/webhook_endpoint"):
        assert made.secret not in browser.get(path).text


def test_time_passes_on_demand(v1: Any, shop: Shop, home: str, browser: httpx.Client) -> None:
    session = opened(v1)
    page = browser.get(f"{home}/clock")
    assert "session_expire" in page.text
    assert browser.post(f"{home}/clock", data={"by": "31d"}).status_code == 403
    assert v1.checkout.sessions.retrieve(session.id).status == "open"
    wrong = browser.post(f"{home}/clock", data={"by": "soon", "token": token_in(page)})
    assert (wrong.status_code, 'role="alert"' in wrong.text) == (400, True)
    assert browser.post(f"{home}/clock", data={"by": "31d", "token": token_in(page)}).status_code == 303
    assert v1.checkout.sessions.retrieve(session.id).status == "expired"


def test_the_log_url_of_an_error_shows_the_request(v1: Any, home: str, browser: httpx.Client) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.customers.retrieve("cus_nobody")
    body: Any = refusal.value.json_body
    page = browser.get(body["error"]["request_log_url"])
    assert page.status_code == 200
    assert "GET /v1/customers/cus_nobody" in page.text
    assert str(refusal.value.request_id) in browser.get(f"{home}/requests").text


@pytest.mark.parametrize(
    "path",
    ["/dashboard/acct_nothing", "{home}/events/evt_nothing", "{home}/object/x", "/dashboard/requests/req_nothing"],
)
def test_what_is_not_there_is_a_page_that_says_so(home: str, browser: httpx.Client, path: str) -> None:
    answer = browser.get(path.format(home=home))
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
