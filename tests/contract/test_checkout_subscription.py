"""Checkout Sessions in subscription and setup mode, by the official SDK."""

from typing import Any

import pytest

from tests.contract.checkout import CARD, SUCCESS, inline, opened, paid, refusal_of
from tests.contract.shop import Shop

SUBSCRIBED = [
    "customer.subscription.created",
    "invoice.created",
    "invoice.finalized",
    "invoice.updated",
    "invoice.paid",
    "invoice.payment_succeeded",
    "invoice_payment.paid",
    "checkout.session.completed",
]
DAY_S = 86_400


def monthly(amount: int = 1000, name: str = "Pro", **more: Any) -> dict[str, Any]:
    item = inline(amount, name, **more)
    item["price_data"]["recurring"] = {"interval": "month"}
    return item


def subscribing(v1: Any, **more: Any) -> Any:
    return opened(v1, **{"mode": "subscription", "line_items": [monthly()], **more})


def test_2_a_subscription_by_card(v1: Any, shop: Shop) -> None:
    session = subscribing(v1, subscription_data={"metadata": {"plan": "pro"}, "description": "Pro plan"})
    assert (session.payment_method_collection, session.customer_creation) == ("always", None)
    paid(shop, session, email="ann@example.com")
    assert shop.events() == [
        "customer.created",
        "payment_intent.created",
        "charge.succeeded",
        "payment_method.attached",
        "customer.updated",
        "payment_intent.succeeded",
        *SUBSCRIBED,
        "charge.updated",
    ]
    after = v1.checkout.sessions.retrieve(session.id, {"expand": ["subscription", "invoice.payments"]})
    assert (after.status, after.payment_status, after.payment_intent) == ("complete", "paid", None)
    assert (after.subscription.status, after.subscription.metadata.plan) == ("active", "pro")
    assert after.subscription.customer == after.customer
    assert after.subscription.default_payment_method is not None
    assert (after.invoice.status, after.invoice.billing_reason, after.invoice.amount_paid) == (
        "paid",
        "subscription_create",
        1000,
    )
    [payment] = after.invoice.payments.data
    intent = v1.payment_intents.retrieve(payment.payment.payment_intent)
    assert (intent.amount_received, intent.setup_future_usage) == (1000, "off_session")
    completed = next(event for event in shop.event_objects() if event["type"] == "checkout.session.completed")
    assert completed["data"]["object"]["subscription"] == after.subscription.id


def test_2_with_a_known_customer_a_stored_price_and_a_one_time_item(v1: Any, shop: Shop) -> None:
    customer = v1.customers.create({"email": "ann@example.com"})
    product = v1.products.create({"name": "Team"})
    price = v1.prices.create(
        {"product": product.id, "currency": "usd", "unit_amount": 700, "recurring": {"interval": "year"}}
    )
    items = [inline(2500, "Setup fee"), {"price": price.id, "quantity": 3}]
    session = subscribing(v1, customer=customer.id, line_items=items)
    assert session.amount_total == 4600
    shown = v1.checkout.sessions.line_items.list(session.id).data
    assert [(item.description, item.amount_total) for item in shown] == [("Setup fee", 2500), ("Team", 2100)]
    after = paid(shop, session)["session"]
    subscription = v1.subscriptions.retrieve(after["subscription"])
    [item] = subscription["items"].data
    assert (item.price.id, item.quantity, subscription.customer) == (price.id, 3, customer.id)
    assert v1.invoices.retrieve(after["invoice"]).amount_paid == 4600


def test_2_declined_leaves_no_subscription(v1: Any, shop: Shop) -> None:
    session = subscribing(v1, customer_email="ann@example.com")
    shop.control("POST", f"checkout/{session.id}/pay", {"card": "4000000000000002"}, status=402)
    assert v1.subscriptions.list({"status": "all"}).data == []
    still = v1.checkout.sessions.retrieve(session.id)
    assert (still.status, still.subscription, still.payment_intent) == ("open", None, None)
    paid(shop, session)
    assert len(v1.customers.list().data) == 1
    assert shop.events().count("payment_intent.created") == 1
    assert [found.status for found in v1.subscriptions.list().data] == ["active"]


def test_2_with_3ds(v1: Any, shop: Shop) -> None:
    session = subscribing(v1)
    paid(shop, session, card="4000002500003155")
    assert v1.subscriptions.list({"status": "all"}).data == []
    paid(shop, session, card="4000002500003155", authenticate=True)
    assert v1.checkout.sessions.retrieve(session.id).status == "complete"
    assert shop.events()[-9:] == [*SUBSCRIBED, "charge.updated"]


def test_the_subscription_renews_with_the_card_from_checkout(v1: Any, shop: Shop) -> None:
    after = paid(shop, subscribing(v1))["session"]
    shop.advance("32d")
    invoices = v1.invoices.list({"subscription": after["subscription"]}).data
    assert [(found.billing_reason, found.status) for found in invoices] == [
        ("subscription_cycle", "paid"),
        ("subscription_create", "paid"),
    ]


def test_3_a_trial_saves_a_card_and_takes_nothing(v1: Any, shop: Shop) -> None:
    session = subscribing(v1, subscription_data={"trial_period_days": 14})
    assert (session.amount_subtotal, session.amount_total, session.payment_status) == (0, 0, "unpaid")
    after = paid(shop, session, email="ann@example.com")["session"]
    assert shop.events() == [
        "customer.created",
        "setup_intent.created",
        "setup_intent.succeeded",
        "payment_method.attached",
        "customer.subscription.created",
        "invoice.created",
        "invoice.finalized",
        "invoice.paid",
        "invoice.payment_succeeded",
        "checkout.session.completed",
    ]
    assert (after["payment_status"], after["setup_intent"]) == ("no_payment_required", None)
    subscription = v1.subscriptions.retrieve(after["subscription"])
    assert (subscription.status, subscription.trial_end - subscription.trial_start) == ("trialing", 14 * DAY_S)
    assert subscription.default_payment_method is not None


def test_3_a_trial_without_a_card(v1: Any, shop: Shop) -> None:
    wish = {
        "trial_period_days": 14,
        "trial_settings": {"end_behavior": {"missing_payment_method": "pause"}},
    }
    session = subscribing(v1, payment_method_collection="if_required", subscription_data=wish)
    after = shop.control("POST", f"checkout/{session.id}/pay", {"email": "ann@example.com"})["session"]
    assert not [type for type in shop.events() if type.startswith(("setup_intent", "payment_method"))]
    subscription = v1.subscriptions.retrieve(after["subscription"])
    assert (subscription.status, subscription.default_payment_method) == ("trialing", None)
    assert subscription.trial_settings.end_behavior.missing_payment_method == "pause"


def test_3_a_card_that_cannot_be_saved_leaves_the_trial_open(v1: Any, shop: Shop) -> None:
    session = subscribing(v1, subscription_data={"trial_period_days": 14})
    shop.control("POST", f"checkout/{session.id}/pay", {"card": "4000000000000002"}, status=402)
    assert shop.events() == ["customer.created", "setup_intent.created", "setup_intent.setup_failed"]
    assert paid(shop, session)["session"]["status"] == "complete"


@pytest.mark.parametrize(("outcome", "invoice", "told"), [("succeed", "paid", "succeeded"), ("fail", "open", "failed")])
def test_12_a_subscription_by_bank_debit(v1: Any, shop: Shop, outcome: str, invoice: str, told: str) -> None:
    session = subscribing(v1)
    debit = {"account_number": "000123456789", "routing_number": "110000000"}
    method = v1.payment_methods.create({"type": "us_bank_account", "us_bank_account": debit})
    after = shop.control("POST", f"checkout/{session.id}/pay", {"payment_method": method.id})["session"]
    assert (after["status"], after["payment_status"]) == ("complete", "unpaid")
    assert v1.subscriptions.retrieve(after["subscription"]).status == "active"
    found = v1.invoices.retrieve(after["invoice"], {"expand": ["payments"]})
    assert found.status == "open"
    intent = found.payments.data[0].payment.payment_intent
    shop.control("POST", f"payments/{intent}/settle", {"outcome": outcome})
    assert v1.invoices.retrieve(after["invoice"]).status == invoice
    assert f"checkout.session.async_payment_{told}" in shop.events()


def test_14_setup_mode_saves_a_card(v1: Any, shop: Shop) -> None:
    customer = v1.customers.create({"email": "ann@example.com"})
    wish = {"mode": "setup", "success_url": SUCCESS, "currency": "usd", "customer": customer.id}
    session = v1.checkout.sessions.create({**wish, "setup_intent_data": {"metadata": {"why": "renewal"}}})
    assert (session.payment_status, session.amount_total) == ("no_payment_required", None)
    since = shop.last_event()
    after = paid(shop, session)["session"]
    assert shop.events(since=since) == [
        "setup_intent.created",
        "setup_intent.succeeded",
        "payment_method.attached",
        "checkout.session.completed",
    ]
    intent = v1.setup_intents.retrieve(after["setup_intent"])
    assert (intent.status, intent.metadata.why) == ("succeeded", "renewal")
    [method] = v1.payment_methods.list({"customer": customer.id}).data
    assert method.id == intent.payment_method


def test_14_setup_mode_may_make_the_customer(v1: Any, shop: Shop) -> None:
    wish = {"mode": "setup", "success_url": SUCCESS, "currency": "usd"}
    session = v1.checkout.sessions.create({**wish, "customer_creation": "always"})
    after = paid(shop, session, email="ann@example.com")["session"]
    assert shop.events()[0] == "customer.created"
    assert len(v1.payment_methods.list({"customer": after["customer"]}).data) == 1
    guest = paid(shop, v1.checkout.sessions.create(wish), email="bo@example.com")["session"]
    assert (guest["status"], guest["customer"]) == ("complete", None)


def test_14_setup_mode_with_3ds(v1: Any, shop: Shop) -> None:
    customer = v1.customers.create({"email": "ann@example.com"})
    wish = {"mode": "setup", "success_url": SUCCESS, "currency": "usd", "customer": customer.id}
    session = v1.checkout.sessions.create(wish)
    failed = paid(shop, session, card="4000002500003155", authenticate=False)
    assert (failed["session"]["status"], failed["redirect_url"]) == ("open", session.url)
    after = paid(shop, session, card="4000002500003155", authenticate=True)["session"]
    assert after["status"] == "complete"
    assert shop.events().count("setup_intent.created") == 1


def test_setup_mode_needs_a_currency(v1: Any) -> None:
    asked = {"mode": "setup", "success_url": SUCCESS}
    assert refusal_of(v1.checkout.sessions.create, asked) == (400, "parameter_missing", "currency")


REFUSED: list[tuple[str, dict[str, Any], str | None, str | None]] = [
    ("nothing recurring", {"line_items": [inline()]}, None, "line_items"),
    ("payment_intent_data", {"payment_intent_data": {"description": "x"}}, None, "payment_intent_data"),
    ("customer_creation", {"customer_creation": "always"}, None, "customer_creation"),
    ("trial of 0 days", {"subscription_data": {"trial_period_days": 0}}, None, "subscription_data[trial_period_days]"),
    ("trial ends too soon", {"subscription_data": {"trial_end": 1}}, None, "subscription_data[trial_end]"),
    (
        "two trials",
        {"subscription_data": {"trial_end": 9_999_999_999, "trial_period_days": 3}},
        "parameters_exclusive",
        "subscription_data[trial_end]",
    ),
    ("21 recurring", {"line_items": [monthly()] * 21}, None, "line_items"),
    ("21 one-time", {"line_items": [monthly(), *[inline()] * 21]}, None, "line_items"),
    ("too small", {"line_items": [monthly(49)]}, "amount_too_small", "line_items"),
    (
        "application fee",
        {"subscription_data": {"application_fee_percent": 5}},
        "sandbox_not_implemented",
        "subscription_data[application_fee_percent]",
    ),
]


@pytest.mark.parametrize(("wish", "code", "param"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_subscription_session_is_refused(v1: Any, wish: dict[str, Any], code: str | None, param: str | None) -> None:
    assert refusal_of(lambda: subscribing(v1, **wish)) == (400, code, param)


def test_two_intervals_are_refused(v1: Any) -> None:
    yearly = inline()
    yearly["price_data"]["recurring"] = {"interval": "year"}
    assert refusal_of(lambda: subscribing(v1, line_items=[monthly(), yearly])) == (400, None, "line_items")


@pytest.mark.parametrize(
    "wish", [{"line_items": [inline()]}, {"subscription_data": {"description": "x"}}, {"submit_type": "pay"}]
)
def test_setup_mode_refuses_what_is_for_sales(v1: Any, wish: dict[str, Any]) -> None:
    asked = {"mode": "setup", "success_url": SUCCESS, "currency": "usd", **wish}
    assert refusal_of(v1.checkout.sessions.create, asked) == (400, None, next(iter(wish)))


@pytest.mark.parametrize("point", ["U1", "U2", "U11", "U15"])
@pytest.mark.parametrize("by", ["card", "debit"])
def test_the_other_form_of_an_uncertain_point_completes_too(v1: Any, shop: Shop, point: str, by: str) -> None:
    shop.control("PATCH", "settings", {"variant": {point: "b"}})
    session = subscribing(v1)
    wish: dict[str, Any] = {"card": CARD} if by == "card" else {"payment_method": "pm_usBankAccount_success"}
    after = shop.control("POST", f"checkout/{session.id}/pay", wish)["session"]
    assert after["status"] == "complete"
    if by == "debit":
        payments = v1.invoices.retrieve(after["invoice"], {"expand": ["payments"]}).payments.data
        shop.control("POST", f"payments/{payments[0].payment.payment_intent}/settle", {"outcome": "succeed"})
    assert v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
    assert v1.subscriptions.retrieve(after["subscription"]).status == "active"
    assert v1.invoices.retrieve(after["invoice"]).status == "paid"
