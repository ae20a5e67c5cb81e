"""The portal's pages by plain HTTP."""

import re
from typing import Any

import httpx
import pytest

from tests.contract.billing import APRIL_1, DUNNING_CARD, Desk, amounts, first_item
from tests.contract.hosted_pages import refresh_in, token_in

DAY = 86_400
CARD = {"number": "5555555555554444", "expiry": "12/34", "cvc": "123"}


class Visitor:
    """A customer with the portal open in a browser."""

    def __init__(self, desk: Desk, browser: httpx.Client, customer: str, **wish: Any) -> None:
        self.browser = browser
        session = desk.v1.billing_portal.sessions.create(
            {"customer": customer, "return_url": "https://example.com/a", **wish}
        )
        self.url, self.home = session.url, f"/p/session/{session.id}"

    def read(self, path: str = "") -> str:
        page = self.browser.get(f"{self.home}{path}")
        assert page.status_code == 200, page.text
        return page.text

    def send(self, step: str, *, at: str = "", **form: str) -> httpx.Response:
        token = token_in(self.browser.get(f"{self.home}{at or '/' + step}"))
        return self.browser.post(f"{self.home}/{step}", data={"token": token, **form})


@pytest.fixture
def plan(desk: Desk) -> Any:
    return desk.subscribe(desk.price(1000))


def test_home_shows_plan_card_and_invoices(desk: Desk, browser: httpx.Client, plan: Any) -> None:
    text = Visitor(desk, browser, plan.customer).read()
    for part in (
        "SANDBOX",
        "Pro",
        "$10.00 per month",
        "Renews on 1 May 2027",
        "Visa •••• 4242",
        "Change plan",
        "Cancel plan",
    ):
        assert part in text
    assert plan.latest_invoice.number in text
    assert "https://example.com/a" in text
    assert "You have no subscription." in Visitor(desk, browser, desk.customer(None)).read()


def test_cancelling_and_taking_it_back(desk: Desk, browser: httpx.Client, plan: Any) -> None:
    visitor = Visitor(desk, browser, plan.customer)
    assert "until 1 May 2027" in visitor.read("/subscription_cancel")
    answer = visitor.send("subscription_cancel", subscription=plan.id)
    assert (answer.status_code, answer.headers["location"]) == (303, visitor.home)
    assert desk.again(plan).cancel_at == APRIL_1 + 30 * DAY
    assert "Ends on 1 May 2027" in visitor.read()
    token = token_in(browser.get(visitor.home))
    browser.post(f"{visitor.home}/keep", data={"token": token, "subscription": plan.id})
    assert desk.again(plan).cancel_at is None


def test_reasons_are_asked_where_configured(desk: Desk, browser: httpx.Client, plan: Any) -> None:
    feature = {"enabled": True, "cancellation_reason": {"enabled": True, "options": ["unused", "other"]}}
    configuration = desk.v1.billing_portal.configurations.create({"features": {"subscription_cancel": feature}}).id
    visitor = Visitor(desk, browser, plan.customer, configuration=configuration)
    assert "I do not use it enough" in visitor.read("/subscription_cancel")
    visitor.send("subscription_cancel", subscription=plan.id, feedback="unused", comment="bye")
    details = desk.again(plan).cancellation_details
    assert (details.feedback, details.comment) == ("unused", "bye")
    assert "Change plan" not in visitor.read()


def test_changing_the_plan_with_a_preview(desk: Desk, browser: httpx.Client, plan: Any) -> None:
    dearer = desk.price(2000)
    desk.shop.advance("15d")
    visitor = Visitor(desk, browser, plan.customer)
    assert "$20.00 per month" in visitor.read("/subscription_update")
    answer = visitor.send("subscription_update", subscription=plan.id, price=dearer, quantity="1")
    confirm = answer.headers["location"].removeprefix(visitor.home)
    text = visitor.read(confirm)
    assert "Unused time on Pro after 16 Apr 2027" in text
    assert "On your invoice of 1 May 2027" in text
    assert "$25.00" in text
    done = visitor.send("subscription_update_confirm", at=confirm, subscription=plan.id, price=dearer, quantity="1")
    assert done.headers["location"] == visitor.home
    assert first_item(desk.again(plan)).price.id == dearer
    again = visitor.send("subscription_update_confirm", at=confirm, subscription=plan.id, price=dearer, quantity="1")
    assert (again.status_code, "Nothing would change." in again.text) == (400, True)


def test_a_declined_change_is_said_on_the_page(desk: Desk, browser: httpx.Client, plan: Any) -> None:
    dearer = desk.price(2000)
    feature = {
        "enabled": True,
        "default_allowed_updates": ["price"],
        "products": "",
        "proration_behavior": "always_invoice",
    }
    configuration = desk.v1.billing_portal.configurations.create({"features": {"subscription_update": feature}}).id
    desk.change_card(plan.customer, DUNNING_CARD)
    visitor = Visitor(desk, browser, plan.customer, configuration=configuration)
    confirm = f"/subscription_update_confirm?subscription={plan.id}&price={dearer}&quantity=1"
    assert "Due now" in visitor.read(confirm)
    answer = visitor.send("subscription_update_confirm", at=confirm, subscription=plan.id, price=dearer, quantity="1")
    assert (answer.status_code, "Your card was declined." in answer.text) == (402, True)
    assert first_item(desk.again(plan)).price.unit_amount == 1000


def test_a_change_for_less_waits_where_configured(desk: Desk, browser: httpx.Client, plan: Any) -> None:
    cheaper = desk.price(500)
    feature = {
        "enabled": True,
        "default_allowed_updates": ["price"],
        "products": "",
        "schedule_at_period_end": {"conditions": [{"type": "decreasing_item_amount"}]},
    }
    configuration = desk.v1.billing_portal.configurations.create({"features": {"subscription_update": feature}}).id
    visitor = Visitor(desk, browser, plan.customer, configuration=configuration)
    confirm = f"/subscription_update_confirm?subscription={plan.id}&price={cheaper}&quantity=1"
    assert "Your plan changes on 1 May 2027" in visitor.read(confirm)
    visitor.send("subscription_update_confirm", at=confirm, subscription=plan.id, price=cheaper, quantity="1")
    assert "Changes are planned for 1 May 2027" in visitor.read()
    desk.shop.advance("31d")
    assert amounts(desk.again(plan).latest_invoice) == [500]


def test_a_new_card_and_one_that_asks(desk: Desk, browser: httpx.Client, plan: Any) -> None:
    visitor = Visitor(desk, browser, plan.customer)
    assert visitor.send("payment_method_update", **CARD).headers["location"] == visitor.home
    assert "Mastercard •••• 4444" in visitor.read()
    wrong = visitor.send("payment_method_update", **{**CARD, "expiry": ""})
    assert (wrong.status_code, 'id="expiry-wrong"' in wrong.text) == (400, True)
    declined = visitor.send("payment_method_update", **{**CARD, "number": "4000000000000002"})
    assert (declined.status_code, "Your card was declined." in declined.text) == (402, True)
    bank = visitor.send("payment_method_update", test_card="4000002500003155").headers["location"]
    assert bank.startswith("/3ds/seti_")
    back = browser.post(bank, data={"outcome": "complete", "token": token_in(browser.get(bank))})
    assert re.match(rf".*{visitor.home}\?setup_intent=", refresh_in(back))
    assert "•••• 3155" in visitor.read()


def test_pausing_and_resuming(desk: Desk, browser: httpx.Client, plan: Any) -> None:
    features = {"subscription_pause": {"enabled": True}}
    configuration = desk.v1.billing_portal.configurations.create({"features": features}).id
    visitor = Visitor(desk, browser, plan.customer, configuration=configuration)
    visitor.send("subscription_pause", subscription=plan.id)
    assert desk.again(plan).status == "paused"
    token = token_in(browser.get(visitor.home))
    browser.post(f"{visitor.home}/resume", data={"token": token, "subscription": plan.id})
    assert desk.again(plan).status == "active"


def test_particulars(desk: Desk, browser: httpx.Client, plan: Any) -> None:
    visitor = Visitor(desk, browser, plan.customer)
    visitor.send("customer_update", email="new@example.com")
    assert desk.v1.customers.retrieve(plan.customer).email == "new@example.com"


@pytest.mark.parametrize("after", ["redirect", "hosted_confirmation", "portal_homepage"])
def test_a_deep_link_leads_where_it_says(desk: Desk, browser: httpx.Client, plan: Any, after: str) -> None:
    completion: dict[str, Any] = {"type": after}
    if after == "redirect":
        completion["redirect"] = {"return_url": "https://example.com/done"}
    if after == "hosted_confirmation":
        completion["hosted_confirmation"] = {"custom_message": "See you!"}
    flow = {
        "type": "subscription_cancel",
        "subscription_cancel": {"subscription": plan.id},
        "after_completion": completion,
    }
    visitor = Visitor(desk, browser, plan.customer, flow_data=flow)
    assert visitor.url.endswith("/subscription_cancel")
    answer = visitor.send("subscription_cancel")
    assert answer.headers["location"] == f"{visitor.home}/done"
    done = browser.get(f"{visitor.home}/done")
    if after == "redirect":
        assert refresh_in(done) == "https://example.com/done"
    elif after == "hosted_confirmation":
        assert "See you!" in done.text
    else:
        assert done.headers["location"] == visitor.home


def test_a_deep_link_to_a_confirmation(desk: Desk, browser: httpx.Client, plan: Any) -> None:
    dearer = desk.price(3000)
    items = [{"id": first_item(plan).id, "price": dearer, "quantity": 1}]
    flow = {
        "type": "subscription_update_confirm",
        "subscription_update_confirm": {"subscription": plan.id, "items": items},
    }
    visitor = Visitor(desk, browser, plan.customer, flow_data=flow)
    assert "$30.00 per month" in visitor.read("/subscription_update_confirm")


def test_what_the_portal_refuses(desk: Desk, browser: httpx.Client, plan: Any) -> None:
    visitor = Visitor(desk, browser, plan.customer)
    stranger = desk.subscribe()
    assert browser.get(f"{visitor.home}/subscription_cancel?subscription={stranger.id}").status_code == 400
    assert browser.get(f"{visitor.home}/nonsense").status_code == 404
    assert browser.get("/p/session/bps_none").status_code == 404
    assert browser.post(f"{visitor.home}/subscription_cancel", data={"subscription": plan.id}).status_code == 403
    assert visitor.send("subscription_update", subscription=plan.id, price="x", quantity="0").status_code == 400
    assert desk.again(plan).cancel_at is None
    desk.shop.advance("2h")
    assert "expired" in browser.get(visitor.home).text
