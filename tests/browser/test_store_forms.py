"""What the demo store refuses, and that it needs no script."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from paywright.client import Client
from tests.browser.buyer import PAYS, Buyer
from tests.browser.conftest import Dev


@pytest.fixture
def visitor(dev: Dev) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=dev.url, follow_redirects=False) as client:
        yield client


def token(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("path", ["user", "currency", "buy", "spend", "cancel", "resume"])
def test_a_form_without_its_token_does_nothing(visitor: httpx.Client, paywright: Client, path: str) -> None:
    paywright.user("user_1").get_item("credits").increase_quantity(1)
    before = paywright.user("user_1").get_state()
    own = token(visitor.get("/store"))
    form = {"product_id": "pack", "price_id": "once", "user_id": "user_2", "attempt": path}
    for csrf in ({}, {"csrf": "somebody-elses"}, {"csrf": token(httpx.get(str(visitor.base_url.join("/store"))))}):
        assert visitor.post(f"/store/{path}", data={**form, **csrf}).status_code == 403
    assert paywright.user("user_1").get_state() == before
    assert token(visitor.get("/store")) == own


def test_a_cookie_that_was_changed_is_a_strangers(visitor: httpx.Client) -> None:
    own = token(visitor.get("/store"))
    written = base64.urlsafe_b64decode(visitor.cookies["paywright_store"])
    forged = base64.urlsafe_b64encode(written.replace(b'"user_1"', b'"user_3"')).decode()
    stranger = httpx.get(str(visitor.base_url.join("/store")), cookies={"paywright_store": forged})
    assert "You are the <strong>first demo user</strong>" in stranger.text
    assert token(stranger) != own


def test_a_double_click_spends_once(visitor: httpx.Client, paywright: Client) -> None:
    credits = paywright.user("user_1").get_item("credits")
    before = credits.increase_quantity(10)
    form = {"csrf": token(visitor.get("/store")), "attempt": "the-same-click"}
    answers = [visitor.post("/store/spend", data=form, headers={"Accept": "application/json"}) for _ in range(2)]
    assert [answer.json()["quantity"] for answer in answers] == [before - 1, before - 1]
    assert credits.refresh().quantity == before - 1


def test_a_double_click_opens_one_checkout(visitor: httpx.Client) -> None:
    form = {"csrf": token(visitor.get("/store")), "attempt": "click", "product_id": "pack", "price_id": "once"}
    first, second = (visitor.post("/store/buy", data=form) for _ in range(2))
    assert (first.status_code, first.headers["location"]) == (303, second.headers["location"])


@pytest.mark.parametrize("quantity", ["0", "-1", "a", "", "99999999999999999999"])
def test_a_quantity_that_makes_no_sense_is_told_on_the_page(visitor: httpx.Client, quantity: str) -> None:
    form = {"csrf": token(visitor.get("/store")), "product_id": "pack", "price_id": "once", "quantity": quantity}
    answer = visitor.post("/store/buy", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/store")
    assert '<p class="message' in visitor.get("/store").text
    assert '<p class="message' not in visitor.get("/store").text


@pytest.mark.parametrize("session_id", ["", "chk_nothing", "cs_test_nothing", "../x", "%00"])
def test_a_purchase_nobody_made_is_not_thanked_for(visitor: httpx.Client, session_id: str) -> None:
    answer = visitor.get("/store/success", params={"session_id": session_id})
    assert answer.status_code == 404
    assert "No such purchase here" in answer.text


def test_another_users_purchase_is_not_shown(visitor: httpx.Client, paywright: Client) -> None:
    session = paywright.user("user_2").create_checkout_session(
        [{"product_id": "pack"}], success_url="http://127.0.0.1/a", cancel_url="http://127.0.0.1/b"
    )
    visitor.get("/store")
    assert visitor.get("/store/success", params={"session_id": session.id}).status_code == 404


def test_nothing_runs_on_the_page_that_the_store_did_not_bring(visitor: httpx.Client, dev: Dev) -> None:
    policy = visitor.get("/store").headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "*" not in policy
    assert policy.startswith("default-src 'none'")
    assert f"form-action 'self' {dev.sandbox_url};" in policy
    assert visitor.get("/store/static/visit.py").status_code == 404


def test_it_sells_to_a_browser_without_scripts(chromium: Browser, dev: Dev) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    buyer = Buyer(page, dev.store_url, Path)
    buyer.enter("Third")
    buyer.press("Buy 100 credits")
    buyer.pay(PAYS)
    buyer.is_thanked()
    buyer.goes_back()
    buyer.press("Spend one credit")
    expect(page.get_by_text("One credit spent.")).to_be_visible()
    buyer.has_credits(99)
    context.close()
