"""The hosted pages by plain HTTP: what they hold back, what they keep, where they lead."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from paywright_sandbox import Sandbox
from tests.contract.checkout import CARD, inline, opened
from tests.contract.hosted_pages import refresh_in, token_in
from tests.contract.shop import Listener, Shop

FORM = {"email": "ann@example.com", "number": CARD, "expiry": "12/34", "cvc": "123", "name": "Ann", "method": "card"}


def sent(browser: httpx.Client, session: Any, path: str = "", **form: str) -> httpx.Response:
    token = token_in(browser.get(f"/c/pay/{session.id}"))
    return browser.post(f"/c/pay/{session.id}{path}", data={"token": token, **FORM, **form})


def test_pages_run_no_script_and_cannot_be_framed(v1: Any, browser: httpx.Client) -> None:
    page = browser.get(f"/c/pay/{opened(v1).id}")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "<script" not in page.text
    assert re.findall(r'\b(?:src|href)="(?!/assets/|data:,)', page.text) == []
    assert "SANDBOX" in page.text
    assert browser.get("/assets/sandbox.css").headers["content-type"].startswith("text/css")


def test_paying_by_form_waits_for_the_shop_and_leads_back(v1: Any, shop: Shop, browser: httpx.Client) -> None:
    with Listener() as listener:
        v1.webhook_endpoints.create({"url": listener.url, "enabled_events": ["checkout.session.completed"]})
        session = opened(v1, success_url="https://shop.example/ok?a=1&s={CHECKOUT_SESSION_ID}")
        answer = sent(browser, session)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/c/pay/{session.id}/return")
        page = browser.get(answer.headers["location"])
        assert listener.types() == ["checkout.session.completed"]
        assert refresh_in(page) == f"https://shop.example/ok?a=1&s={session.id}"
    assert shop.event_objects()[-1]["request"] == {"id": None, "idempotency_key": None}


@pytest.mark.parametrize("place", ["{CHECKOUT_SESSION_ID}", "%7BCHECKOUT_SESSION_ID%7D"])
def test_the_place_of_the_session_id_is_filled_in(v1: Any, browser: httpx.Client, place: str) -> None:
    session = opened(v1, success_url=f"https://shop.example/ok/{place}")
    sent(browser, session)
    assert refresh_in(browser.get(f"/c/pay/{session.id}/return")) == f"https://shop.example/ok/{session.id}"


def test_a_form_without_its_token_pays_nothing(v1: Any, shop: Shop, browser: httpx.Client) -> None:
    session = opened(v1)
    for form in (FORM, {**FORM, "token": "0" * 64}, {**FORM, "token": ""}):
        answer = browser.post(f"/c/pay/{session.id}", data=form)
        assert answer.status_code == 403
        assert "ann@example.com" in answer.text
    foreign = token_in(browser.get(f"/c/pay/{session.id}"))
    browser.cookies.clear()
    assert browser.post(f"/c/pay/{session.id}", data={**FORM, "token": foreign}).status_code == 403
    assert shop.events() == []


def test_a_second_click_pays_once(v1: Any, shop: Shop, browser: httpx.Client) -> None:
    session = opened(v1)
    first = sent(browser, session)
    token = token_in(browser.get(f"/c/pay/{opened(v1).id}"))
    second = browser.post(f"/c/pay/{session.id}", data={"token": token, **FORM})
    assert second.headers["location"] == first.headers["location"]
    assert shop.events().count("charge.succeeded") == 1


@pytest.mark.parametrize(
    ("typed", "field", "status", "said"),
    [
        ({"number": "4242424242424241"}, "number", 402, "Your card number is incorrect."),
        ({"number": ""}, "number", 400, "Enter a card number."),
        ({"expiry": "13/34"}, "expiry", 402, "expiration month is invalid"),
        ({"expiry": "12/20"}, "expiry", 402, "expiration year is invalid"),
        ({"expiry": "soon"}, "expiry", 400, "Enter month and year."),
        ({"cvc": "12"}, "cvc", 402, "security code is invalid"),
        ({"email": "nobody"}, "email", 400, "This is no e-mail address."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(
    v1: Any, shop: Shop, browser: httpx.Client, typed: dict[str, str], field: str, status: int, said: str
) -> None:
    answer = sent(browser, opened(v1), **typed)
    assert answer.status_code == status
    assert said in answer.text.replace("&#39;", "'")
    assert f'id="{field}-wrong"' in answer.text
    assert shop.events() == []


def test_what_a_shop_or_a_buyer_writes_is_text(v1: Any, browser: httpx.Client) -> None:
    session = opened(v1, line_items=[inline(name="<script>alert(1)</script>")])
    answer = sent(browser, session, name='"><script>alert(2)</script>', number="4000000000000002")
    assert answer.status_code == 402
    assert "<script" not in answer.text


def test_a_page_for_nothing_is_a_page(browser: httpx.Client) -> None:
    for path in ("/c/pay/cs_test_nothing", "/c/pay/cs_test_nothing/return", "/3ds/pi_nothing"):
        answer = browser.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")


def test_an_open_session_has_nothing_to_return_from(v1: Any, browser: httpx.Client) -> None:
    session = opened(v1)
    assert browser.get(f"/c/pay/{session.id}/return").headers["location"] == f"/c/pay/{session.id}"


@pytest.mark.parametrize(("outcome", "went"), [("complete", "succeeded"), ("fail", "failed")])
def test_3ds_of_a_bare_intent_returns_to_the_app(v1: Any, browser: httpx.Client, outcome: str, went: str) -> None:
    intent = v1.payment_intents.create(
        {
            "amount": 900,
            "currency": "usd",
            "payment_method": "pm_card_authenticationRequired",
            "confirm": True,
            "return_url": "https://shop.example/back?a=1",
        }
    )
    page = browser.get(intent.next_action.redirect_to_url.url)
    assert "$9.00" in page.text
    path = urlsplit(intent.next_action.redirect_to_url.url).path
    assert browser.post(path, data={"outcome": outcome}).status_code == 403
    answer = browser.post(path, data={"outcome": outcome, "token": token_in(page)})
    there = urlsplit(refresh_in(answer))
    assert parse_qs(there.query) == {
        "a": ["1"],
        "payment_intent": [intent.id],
        "payment_intent_client_secret": [intent.client_secret],
        "redirect_status": [went],
    }
    assert "Nothing to authenticate" in browser.get(path).text


def test_3ds_of_a_setup_intent(v1: Any, browser: httpx.Client) -> None:
    intent = v1.setup_intents.create({"payment_method": "pm_card_authenticationRequired", "confirm": True})
    page = browser.get(f"/3ds/{intent.id}")
    assert "Confirm this card" in page.text
    answer = browser.post(f"/3ds/{intent.id}", data={"outcome": "complete", "token": token_in(page)})
    assert "You can close this page" in answer.text
    assert v1.setup_intents.retrieve(intent.id).status == "succeeded"


def test_an_outcome_that_is_none_changes_nothing(v1: Any, browser: httpx.Client) -> None:
    intent = v1.setup_intents.create({"payment_method": "pm_card_authenticationRequired", "confirm": True})
    token = token_in(browser.get(f"/3ds/{intent.id}"))
    assert browser.post(f"/3ds/{intent.id}", data={"outcome": "maybe", "token": token}).status_code == 400
    assert v1.setup_intents.retrieve(intent.id).status == "requires_action"


def in_currency(currency: str, amount: int) -> list[dict[str, Any]]:
    item = inline(amount)
    item["price_data"]["currency"] = currency
    return [item]


def test_amounts_are_written_as_their_currency_is(v1: Any, browser: httpx.Client) -> None:
    for currency, amount, text in (
        ("jpy", 200_000, "¥200,000"),
        ("eur", 123_450, "€1,234.50"),
        ("chf", 500, "CHF 5.00"),
    ):
        page = browser.get(f"/c/pay/{opened(v1, line_items=in_currency(currency, amount)).id}").text
        assert f"Pay {text}" in page


def test_a_sepa_debit_is_chosen_by_its_test_account(v1: Any, browser: httpx.Client) -> None:
    session = opened(v1, line_items=in_currency("eur", 900))
    assert sent(browser, session, method="debit", account="AT611904300234573201").status_code == 303
    after = v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.payment_method"]})
    assert (after.payment_status, after.payment_intent.payment_method.type) == ("unpaid", "sepa_debit")


def test_texts_of_the_shop_stand_on_the_page(v1: Any, browser: httpx.Client) -> None:
    texts = {"submit": {"message": "We ship on Mondays."}, "after_submit": {"message": "See you soon."}}
    session = opened(v1, submit_type="donate", custom_text=texts)
    page = browser.get(f"/c/pay/{session.id}").text
    assert "Donate $15.00" in page
    assert "We ship on Mondays." in page
    sent(browser, session)
    assert "See you soon." in browser.get(f"/c/pay/{session.id}").text


def test_a_receipt_is_a_page(v1: Any, browser: httpx.Client) -> None:
    session = opened(v1)
    sent(browser, session)
    after = v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})
    page = browser.get(after.payment_intent.latest_charge.receipt_url)
    assert "$15.00" in page.text
    assert "Visa •••• 4242" in page.text
    assert browser.get("/receipts/ch_nothing").status_code == 404


def test_an_open_page_survives_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "sandbox.db")
    with Sandbox(path=path, seed=3) as first, Shop(first.url, first.secret_key) as shop:
        session = opened(shop.client.v1)
    with Sandbox(path=path) as second, httpx.Client(base_url=second.url, timeout=30) as browser:
        answer = sent(browser, session)
        assert answer.headers["location"] == f"/c/pay/{session.id}/return"
        assert "Payment complete" in browser.get(answer.headers["location"]).text


def test_a_quantity_of_0_leaves_an_item_out_but_not_the_last(v1: Any, browser: httpx.Client) -> None:
    loose = {"adjustable_quantity": {"enabled": True, "minimum": 0, "maximum": 5}}
    session = opened(v1, line_items=[inline(1000, "A", **loose), inline(2000, "B", **loose)])
    first, second = (item.id for item in v1.checkout.sessions.line_items.list(session.id).data)
    none = sent(browser, session, "/quantity", **{f"quantity[{first}]": "0", f"quantity[{second}]": "0"})
    assert (none.status_code, "Nothing would be left to buy." in none.text) == (400, True)
    assert v1.checkout.sessions.retrieve(session.id).amount_total == 3000
    for wrong in ("6", "-1", "two"):
        assert sent(browser, session, "/quantity", **{f"quantity[{first}]": wrong}).status_code == 400
    assert "Pay $20.00" in sent(browser, session, "/quantity", **{f"quantity[{first}]": "0"}).text
    sent(browser, session)
    after = v1.checkout.sessions.retrieve(session.id, {"expand": ["line_items"]})
    assert (after.amount_total, [item.quantity for item in after.line_items.data]) == (2000, [0, 1])


def test_a_fixed_quantity_cannot_be_changed(v1: Any, browser: httpx.Client) -> None:
    session = opened(v1)
    [item] = v1.checkout.sessions.line_items.list(session.id).data
    assert sent(browser, session, "/quantity", **{f"quantity[{item.id}]": "0"}).status_code == 400
    assert v1.checkout.sessions.retrieve(session.id).amount_total == 1500


def test_an_order_changed_during_3ds_is_not_completed_by_the_old_amount(
    v1: Any, shop: Shop, browser: httpx.Client
) -> None:
    adjustable: dict[str, Any] = {"enabled": True, "minimum": 1, "maximum": 5}
    session = opened(v1, line_items=[inline(1000, adjustable_quantity=adjustable)])
    [item] = v1.checkout.sessions.line_items.list(session.id).data
    asked = sent(browser, session, number="4000002760003184").headers["location"]
    sent(browser, session, "/quantity", **{f"quantity[{item.id}]": "3"})
    assert "Nothing to authenticate" in browser.get(asked).text
    assert shop.events()[-1] == "payment_intent.canceled"
    assert v1.checkout.sessions.retrieve(session.id).payment_intent is None
    sent(browser, session)
    after = v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (after.payment_status, after.payment_intent.amount_received) == ("paid", 3000)
