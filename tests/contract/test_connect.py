"""Connected accounts: made, opened, kept apart."""

import json
from typing import Any

import httpx
import pytest
import stripe

from tests.contract.billing import Desk
from tests.contract.hosted_pages import refresh_in, token_in
from tests.contract.shop import Listener, Shop
from tests.harness.waiting import until

URLS = {"refresh_url": "https://example.com/again", "return_url": "https://example.com/done"}


def link_of(desk: Desk, account: str) -> Any:
    return desk.v1.account_links.create({"account": account, "type": "account_onboarding", **URLS})


def test_an_account_is_made_closed_and_opened_by_its_owner(desk: Desk, browser: httpx.Client) -> None:
    made = desk.v1.accounts.create(
        {
            "type": "express",
            "country": "DE",
            "email": "bo@example.com",
            "capabilities": {"card_payments": {"requested": True}},
            "business_profile": {"name": "Bo's"},
        }
    )
    assert (made.charges_enabled, made.default_currency, made.capabilities.card_payments) == (False, "eur", "inactive")
    assert made.requirements.disabled_reason == "requirements.past_due"
    link = link_of(desk, made.id)
    path = link.url.removeprefix(desk.shop.url)
    page = browser.get(path)
    assert "Bo&#39;s" in page.text
    assert browser.post(path).status_code == 403
    with Listener() as listener:
        desk.v1.webhook_endpoints.create({"url": listener.url, "enabled_events": ["account.updated"], "connect": True})
        done = browser.post(path, data={"token": token_in(page)})
        desk.shop.control("POST", "deliveries/settle")
        told = json.loads(listener.received[0][1])
    assert refresh_in(done) == URLS["return_url"]
    assert (told["type"], told["account"], told["data"]["object"]["charges_enabled"]) == (
        "account.updated",
        made.id,
        True,
    )
    opened = desk.v1.accounts.retrieve(made.id)
    assert (opened.charges_enabled, opened.payouts_enabled, opened.details_submitted) == (True, True, True)
    assert (opened.capabilities.card_payments, opened.requirements.currently_due) == ("active", [])
    assert desk.v1.accounts.login_links.create(made.id).url.startswith(desk.shop.url)


def test_a_link_expires_and_a_newer_one_replaces_it(desk: Desk, browser: httpx.Client) -> None:
    made = desk.v1.accounts.create({"type": "standard"})
    old = link_of(desk, made.id).url.removeprefix(desk.shop.url)
    new = link_of(desk, made.id).url.removeprefix(desk.shop.url)
    assert browser.get(old).status_code == 404
    desk.shop.advance("10m")
    assert refresh_in(browser.get(new)) == URLS["refresh_url"]
    with pytest.raises(stripe.InvalidRequestError, match="Express"):
        desk.v1.accounts.login_links.create(made.id)


def test_stripe_account_acts_inside_and_its_events_say_so(desk: Desk, shop: Shop) -> None:
    made = desk.v1.accounts.create({"type": "express"})
    inside: Any = {"stripe_account": made.id}
    assert desk.v1.accounts.retrieve_current(options=inside).id == made.id
    with Listener() as listener:
        desk.v1.webhook_endpoints.create({"url": listener.url, "enabled_events": ["customer.created"], "connect": True})
        customer = desk.v1.customers.create({"name": "Theirs"}, inside)
        shop.control("POST", "deliveries/settle")
        until(lambda: bool(listener.received), "the delivery of the connected account")
        told = json.loads(listener.received[0][1])
    assert (told["account"], told["data"]["object"]["id"]) == (made.id, customer.id)
    assert desk.v1.customers.list().data == []
    assert [one.id for one in desk.v1.customers.list({}, inside).data] == [customer.id]


def test_accounts_are_changed_listed_and_deleted(desk: Desk) -> None:
    first = desk.v1.accounts.create({"type": "custom", "metadata": {"a": "1"}})
    second = desk.v1.accounts.create({})
    assert [one.id for one in desk.v1.accounts.list().data] == [second.id, first.id]
    log = desk.during()
    assert desk.v1.accounts.update(first.id, {"email": "x@example.com"}).email == "x@example.com"
    assert desk.v1.accounts.delete(first.id).deleted is True
    assert log.types() == ["account.updated", "account.application.deauthorized"]
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        desk.v1.accounts.retrieve(first.id)
    assert refusal.value.code == "resource_missing"


def test_bad_accounts(desk: Desk) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        desk.v1.accounts.create({"country": "nowhere"})
    assert (refusal.value.param, refusal.value.code) == ("country", "country_unsupported")
    made = desk.v1.accounts.create({})
    with pytest.raises(stripe.InvalidRequestError) as link:
        desk.v1.account_links.create({"account": made.id, "type": "account_onboarding", "return_url": "javascript:x"})
    assert link.value.code == "url_invalid"
    with pytest.raises(stripe.InvalidRequestError, match="of its own"):
        desk.v1.accounts.create({}, {"stripe_account": made.id})
