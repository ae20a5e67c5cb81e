"""The customer portal: configurations, sessions, and what a customer does there."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from tests.contract.billing import APRIL_1, DUNNING_CARD, Desk, amounts, first_item

DAY = 86_400


class Visit:
    """A portal session and the customer's hand in it."""

    def __init__(self, desk: Desk, customer: str, **wish: Any) -> None:
        self.desk = desk
        self.session = desk.v1.billing_portal.sessions.create({"customer": customer, **wish})

    def act(self, action: str, *, status: int = 200, **wish: Any) -> Any:
        return self.desk.shop.control("POST", f"portal/{self.session.id}", {"action": action, **wish}, status=status)


def configured(desk: Desk, **features: Any) -> str:
    return str(desk.v1.billing_portal.configurations.create({"features": features}).id)


def test_a_session_points_to_its_page(desk: Desk) -> None:
    customer = desk.customer()
    log = desk.during()
    made = Visit(desk, customer, return_url="https://example.com/account").session
    assert log.types() == ["billing_portal.session.created"]
    assert made.url == f"{desk.shop.url}/p/session/{made.id}"
    assert (made.customer, made.return_url, made.flow) == (customer, "https://example.com/account", None)
    default = desk.v1.billing_portal.configurations.retrieve(made.configuration)
    assert (default.is_default, default.features.subscription_cancel.enabled) == (True, True)
    assert Visit(desk, customer).session.configuration == default.id


def test_configurations_are_made_changed_and_listed(desk: Desk) -> None:
    price = desk.price(1000)
    product = desk.v1.prices.retrieve(price).product
    made = desk.v1.billing_portal.configurations.create(
        {
            "business_profile": {"headline": "Ours"},
            "default_return_url": "https://example.com",
            "features": {
                "subscription_update": {
                    "enabled": True,
                    "default_allowed_updates": ["price"],
                    "products": [{"product": product, "prices": [price]}],
                    "proration_behavior": "always_invoice",
                }
            },
        }
    )
    assert made.features.subscription_update.products[0].prices == [price]
    assert (made.features.subscription_cancel.enabled, made.is_default) == (False, False)
    changed = desk.v1.billing_portal.configurations.update(
        made.id, {"active": False, "features": {"subscription_update": {"enabled": True, "products": ""}}}
    )
    assert (changed.active, changed.features.subscription_update.products) == (False, [])
    assert [one.id for one in desk.v1.billing_portal.configurations.list({"active": False}).data] == [made.id]
    with pytest.raises(stripe.InvalidRequestError, match="inactive"):
        Visit(desk, desk.customer(), configuration=made.id)
    wrong = {"product": product, "prices": [desk.price(5000)]}
    with pytest.raises(stripe.InvalidRequestError, match="not one of the product"):
        configured(
            desk, subscription_update={"enabled": True, "default_allowed_updates": ["price"], "products": [wrong]}
        )


@pytest.mark.parametrize(("mode", "flag"), [("flexible", False), ("classic", True)])
def test_sequence_8_cancelled_in_the_portal_and_undone(desk: Desk, mode: str, flag: bool) -> None:
    made = desk.subscribe(billing_mode={"type": mode})
    visit = Visit(desk, made.customer)
    log = desk.during()
    asked = visit.act("cancel", feedback="unused", comment="too quiet")
    assert log.types() == ["customer.subscription.updated"]
    assert (asked["cancel_at"], asked["cancel_at_period_end"], asked["canceled_at"]) == (
        APRIL_1 + 30 * DAY,
        flag,
        APRIL_1,
    )
    assert asked["cancellation_details"]["feedback"] == "unused"
    assert visit.act("cancel", status=200)["cancel_at"] == asked["cancel_at"]
    undone = visit.act("resume")
    assert (undone["cancel_at"], undone["cancel_at_period_end"]) == (None, False)
    assert visit.act("resume", status=400)["error"]["param"] == "subscription"


def test_cancelled_at_once_where_configured(desk: Desk) -> None:
    configuration = configured(
        desk, subscription_cancel={"enabled": True, "mode": "immediately", "proration_behavior": "always_invoice"}
    )
    made = desk.subscribe(desk.price(1000))
    desk.shop.advance("15d")
    assert Visit(desk, made.customer, configuration=configuration).act("cancel")["status"] == "canceled"
    assert desk.v1.customers.retrieve(made.customer).balance == -500


def test_switching(desk: Desk) -> None:
    made = desk.subscribe(desk.price(1000))
    target = desk.price(2000)
    desk.shop.advance("15d")
    log = desk.during()
    changed = Visit(desk, made.customer).act("switch", price=target)
    assert changed["items"]["data"][0]["price"]["id"] == target
    assert log.types()[1:] == ["customer.subscription.updated", "invoiceitem.created", "invoiceitem.created"]


def test_switching_within_what_is_offered(desk: Desk) -> None:
    price = desk.price(1000)
    product = desk.v1.prices.retrieve(price).product
    dearer = desk.price(2000, product=product, product_data=None)
    configuration = configured(
        desk,
        subscription_update={
            "enabled": True,
            "default_allowed_updates": ["price"],
            "products": [{"product": product, "prices": [price, dearer]}],
            "proration_behavior": "always_invoice",
            "schedule_at_period_end": {"conditions": [{"type": "decreasing_item_amount"}]},
        },
    )
    made = desk.subscribe(price)
    visit = Visit(desk, made.customer, configuration=configuration)
    desk.shop.control("POST", "clock/advance", {"by": "30m"})
    assert visit.act("switch", status=400, price=desk.price(1500))["error"]["param"] == "price"
    assert visit.act("switch", status=400, quantity=3)["error"]["param"] == "quantity"
    assert visit.act("cancel", status=400)["error"]["param"] == "configuration"
    visit.act("switch", price=dearer)
    assert first_item(desk.again(made)).price.id == dearer
    log = desk.during()
    later = visit.act("switch", price=price)
    assert log.types() == ["subscription_schedule.created", "subscription_schedule.updated"]
    assert later["schedule"] is not None
    assert visit.act("switch", status=400, price=dearer)["error"]["param"] == "subscription"
    desk.shop.advance("31d")
    assert amounts(desk.again(made).latest_invoice) == [1000]


def test_a_declined_switch_changes_nothing(desk: Desk) -> None:
    configuration = configured(
        desk,
        subscription_update={
            "enabled": True,
            "default_allowed_updates": ["price"],
            "products": "",
            "proration_behavior": "always_invoice",
        },
    )
    made = desk.subscribe(desk.price(1000))
    desk.change_card(made.customer, DUNNING_CARD)
    target = desk.price(2000)
    visit = Visit(desk, made.customer, configuration=configuration)
    log = desk.during()
    assert visit.act("switch", status=402, price=target)["error"]["code"] == "card_declined"
    assert log.types() == []
    assert first_item(desk.again(made)).price.unit_amount == 1000


@pytest.mark.parametrize(("switch", "status"), [("a", "active"), ("b", "past_due")])
def test_sequence_14_a_new_card_pays_what_is_overdue(desk: Desk, switch: str, status: str) -> None:
    desk.settings(variant={"U10": switch})
    made = desk.subscribe()
    desk.change_card(made.customer, DUNNING_CARD)
    desk.shop.advance("31d")
    assert desk.again(made).status == "past_due"
    visit = Visit(desk, made.customer)
    log = desk.during()
    assert visit.act("card", card="4242424242424242")["status"] == "succeeded"
    assert log.types()[:4] == [
        "setup_intent.created",
        "setup_intent.succeeded",
        "payment_method.attached",
        "customer.updated",
    ]
    assert desk.again(made).status == status
    desk.shop.advance("3d")
    assert desk.again(made).status == "active"


def test_a_new_card_replaces_the_one_of_the_subscription(desk: Desk) -> None:
    customer = desk.customer(DUNNING_CARD)
    own = desk.v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id
    made = desk.subscribe(customer=customer, default_payment_method=own)
    intent = Visit(desk, customer).act("card", card="5555555555554444")
    assert desk.again(made).default_payment_method == intent["payment_method"] != own


def test_a_card_with_3ds(desk: Desk) -> None:
    customer = desk.customer(None)
    visit = Visit(desk, customer)
    assert visit.act("card", card="4000002500003155")["status"] == "requires_action"
    assert desk.v1.customers.retrieve(customer).invoice_settings.default_payment_method is None
    assert visit.act("card", card="4000002500003155", authenticate=True)["status"] == "succeeded"
    assert desk.v1.customers.retrieve(customer).invoice_settings.default_payment_method is not None
    assert visit.act("card", status=402, card="4000000000000002")["error"]["code"] == "card_declined"


def test_pausing_where_configured(desk: Desk) -> None:
    made = desk.subscribe()
    assert Visit(desk, made.customer).act("pause", status=400)["error"]["param"] == "configuration"
    configuration = configured(desk, subscription_pause={"enabled": True})
    visit = Visit(desk, made.customer, configuration=configuration)
    assert visit.act("pause")["status"] == "paused"
    assert visit.act("resume")["status"] == "active"


def test_particulars(desk: Desk) -> None:
    visit = Visit(desk, desk.customer())
    assert visit.act("customer", email="new@example.com")["email"] == "new@example.com"
    assert visit.act("customer", status=400, name="No")["error"]["param"] == "name"


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("payment_method_update", {}),
        ("subscription_cancel", {"subscription": "SUB"}),
        ("subscription_update", {"subscription": "SUB"}),
        ("subscription_pause", {"subscription": "SUB"}),
        ("subscription_update_confirm", {"subscription": "SUB", "items": [{"id": "ITEM", "price": "price_1"}]}),
        ("customer_update", {}),
    ],
)
def test_deep_links(desk: Desk, kind: str, details: dict[str, Any]) -> None:
    made = desk.subscribe()
    details = {**details, **({"subscription": made.id} if details else {})}
    flow: dict[str, Any] = {
        "type": kind,
        "after_completion": {"type": "redirect", "redirect": {"return_url": "https://example.com/done"}},
    }
    if details:
        flow[kind] = details
    session = Visit(desk, made.customer, flow_data=flow).session
    assert (session.flow.type, session.flow.after_completion.redirect.return_url) == (kind, "https://example.com/done")
    assert session.url.endswith(f"/{kind}")
    if details:
        with pytest.raises(stripe.InvalidRequestError, match="another customer"):
            Visit(desk, desk.customer(), flow_data=flow)
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            Visit(desk, made.customer, flow_data={"type": kind})
        assert refusal.value.param == f"flow_data[{kind}]"


def test_bad_visits(desk: Desk) -> None:
    made = desk.subscribe()
    other = desk.subscribe()
    visit = Visit(desk, made.customer)
    assert visit.act("dance", status=400)["error"]["param"] == "action"
    assert visit.act("cancel", status=400, nonsense=1)["error"]["code"] == "parameter_unknown"
    assert visit.act("cancel", status=400, subscription=other.id)["error"]["param"] == "subscription"
    desk.subscribe(customer=made.customer)
    assert visit.act("cancel", status=400)["error"]["message"] == "Name the subscription."
    desk.shop.advance("2h")
    assert visit.act("cancel", status=400)["error"]["param"] == "session"


def test_nobody_is_sent_to_a_script(desk: Desk) -> None:
    customer, bad = desk.customer(), "javascript:alert(1)"
    flow: dict[str, Any] = {"type": "payment_method_update"}
    flow["after_completion"] = {"type": "redirect", "redirect": {"return_url": bad}}
    acts: list[Callable[[], Any]] = [
        lambda: Visit(desk, customer, return_url=bad),
        lambda: Visit(desk, customer, flow_data=flow),
        lambda: desk.v1.billing_portal.configurations.create(
            {"features": {"invoice_history": {"enabled": True}}, "default_return_url": bad}
        ),
    ]
    for act in acts:
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            act()
        assert refusal.value.code == "url_invalid"
