"""Subscriptions begin, are listed, paused, and end."""

from typing import Any

import pytest
import stripe

from tests.contract.billing import APRIL_1, DUNNING_CARD, Desk, first_item

DAY = 86_400
MADE = ["customer.subscription.created", "invoice.created", "invoice.finalized"]
PAID = ["invoice.paid", "invoice.payment_succeeded"]
CHARGED = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


def test_sequence_2b_by_api_with_a_saved_card(desk: Desk) -> None:
    price, customer = desk.price(), desk.customer()
    log = desk.during()
    made = desk.subscribe(price, customer, quantity=2, metadata={"plan": "pro"})
    assert log.types() == [*MADE, *CHARGED, *PAID, "invoice_payment.paid"]
    assert log.find("customer.subscription.created")["object"]["status"] == "active"
    assert made.status == "active"
    assert (first_item(made).current_period_start, first_item(made).current_period_end) == (APRIL_1, APRIL_1 + 30 * DAY)
    bill = made.latest_invoice
    assert (bill.status, bill.total, bill.amount_paid, bill.billing_reason) == (
        "paid",
        2000,
        2000,
        "subscription_create",
    )
    assert bill.parent.subscription_details.subscription == made.id
    assert bill.parent.subscription_details.metadata.to_dict() == {"plan": "pro"}
    assert bill.lines.data[0].description == "2 × Pro (at $10.00 / month)"
    assert bill.payments.data[0].payment.payment_intent == desk.v1.payment_intents.list().data[0].id


@pytest.mark.parametrize("switch", ["U1", "U15"])
def test_uncertain_forms_of_a_beginning(desk: Desk, switch: str) -> None:
    desk.settings(variant={switch: "b"})
    price, customer = desk.price(), desk.customer()
    log = desk.during()
    made = desk.subscribe(price, customer)
    types = log.types()
    assert made.status == "active"
    if switch == "U1":
        assert log.find("customer.subscription.created")["object"]["status"] == "incomplete"
        assert log.find("customer.subscription.updated")["previous_attributes"]["status"] == "incomplete"
    else:
        assert types[:3] == ["invoice.created", "customer.subscription.created", "invoice.finalized"]


def test_sequence_2c_a_first_payment_that_fails_expires_after_23_hours(desk: Desk) -> None:
    price, customer = desk.price(), desk.customer(DUNNING_CARD)
    log = desk.during()
    made = desk.subscribe(price, customer)
    assert made.status == "incomplete"
    assert log.types() == [
        *MADE,
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
        "invoice.payment_failed",
    ]
    assert made.latest_invoice.next_payment_attempt is None
    log = desk.during()
    desk.shop.advance("23h")
    assert log.types() == ["customer.subscription.updated", "payment_intent.canceled", "invoice.voided"]
    assert log.find("customer.subscription.updated")["previous_attributes"]["status"] == "incomplete"
    assert desk.again(made).status == "incomplete_expired"
    assert desk.v1.subscriptions.list().data == []
    assert [found.id for found in desk.v1.subscriptions.list({"status": "ended"}).data] == [made.id]


def test_an_incomplete_one_is_active_once_its_invoice_is_paid(desk: Desk) -> None:
    customer = desk.customer(DUNNING_CARD)
    made = desk.subscribe(customer=customer)
    card = desk.change_card(customer)
    log = desk.during()
    bill = desk.v1.invoices.pay(made.latest_invoice.id, {"payment_method": card})
    assert bill.status == "paid"
    assert log.types()[-1] == "customer.subscription.updated"
    assert desk.again(made).status == "active"


def test_error_if_incomplete_keeps_nothing(desk: Desk) -> None:
    price, customer = desk.price(), desk.customer(DUNNING_CARD)
    log = desk.during()
    with pytest.raises(stripe.CardError) as refusal:
        desk.subscribe(price, customer, payment_behavior="error_if_incomplete")
    assert (refusal.value.http_status, refusal.value.code) == (402, "card_declined")
    assert log.types() == []
    assert desk.v1.subscriptions.list({"status": "all"}).data == []


def test_default_incomplete_waits_for_the_buyer(desk: Desk) -> None:
    made = desk.subscribe(
        card=None,
        payment_behavior="default_incomplete",
        payment_settings={"save_default_payment_method": "on_subscription"},
        expand=["latest_invoice.confirmation_secret"],
    )
    assert made.status == "incomplete"
    secret = made.latest_invoice.confirmation_secret.client_secret
    intent = desk.v1.payment_intents.list().data[0]
    assert (intent.status, intent.client_secret) == ("requires_payment_method", secret)
    paid = desk.v1.payment_intents.confirm(
        intent.id, {"payment_method": "pm_card_visa", "return_url": "https://example.com"}
    )
    after = desk.again(made)
    assert (after.status, after.default_payment_method) == ("active", paid.payment_method)
    assert after.latest_invoice.status == "paid"


def test_3ds_on_the_first_payment(desk: Desk) -> None:
    customer = desk.customer("pm_card_authenticationRequired")
    log = desk.during()
    made = desk.subscribe(customer=customer, off_session=False)
    assert made.status == "incomplete"
    assert log.types()[-2:] == ["payment_intent.requires_action", "invoice.payment_action_required"]
    with pytest.raises(stripe.CardError) as refusal:
        desk.subscribe(customer=customer, off_session=False, payment_behavior="error_if_incomplete")
    assert refusal.value.code == "subscription_payment_intent_requires_action"
    intent = made.latest_invoice.payments.data[0].payment.payment_intent
    desk.shop.control("POST", f"payments/{intent}/authenticate", {})
    assert desk.again(made).status == "active"


def test_sequence_3_a_trial_costs_nothing_and_sequence_4_ends(desk: Desk) -> None:
    price, customer = desk.price(), desk.customer()
    log = desk.during()
    made = desk.subscribe(price, customer, trial_period_days=14)
    assert log.types() == [*MADE, *PAID]
    assert (made.status, made.trial_start, made.trial_end) == ("trialing", APRIL_1, APRIL_1 + 14 * DAY)
    assert made.latest_invoice.total == 0
    assert made.latest_invoice.lines.data[0].description == "Trial period for Pro"
    assert made.billing_cycle_anchor == first_item(made).current_period_end == made.trial_end
    log = desk.during()
    desk.shop.advance("11d")
    assert log.types() == ["invoice.upcoming", "customer.subscription.trial_will_end"]
    log = desk.during()
    desk.shop.advance("3d")
    assert log.types() == ["customer.subscription.updated", "invoice.created"]
    moved = log.find("customer.subscription.updated")
    assert (moved["object"]["status"], moved["previous_attributes"]["status"]) == ("active", "trialing")
    assert log.find("invoice.created")["object"]["billing_reason"] == "subscription_cycle"
    log = desk.during()
    desk.shop.advance("1h")
    assert "invoice.paid" in log.types()


@pytest.mark.parametrize(
    ("behavior", "status", "event"),
    [
        ("cancel", "canceled", "customer.subscription.deleted"),
        ("pause", "paused", "customer.subscription.paused"),
        ("create_invoice", "past_due", "invoice.payment_failed"),
    ],
)
def test_sequence_4b_a_trial_without_a_card(desk: Desk, behavior: str, status: str, event: str) -> None:
    made = desk.subscribe(
        card=None, trial_period_days=14, trial_settings={"end_behavior": {"missing_payment_method": behavior}}
    )
    log = desk.during()
    desk.shop.advance("15d")
    assert event in log.types()
    after = desk.again(made)
    assert after.status == status
    if behavior == "pause":
        assert after.status_details.paused.subscription.type == "trial_end_without_payment_method"


def test_a_short_trial_is_noticed_at_once(desk: Desk) -> None:
    price, customer = desk.price(), desk.customer()
    log = desk.during()
    desk.subscribe(price, customer, trial_period_days=2)
    assert log.types()[-1] == "customer.subscription.trial_will_end"


def test_a_trial_ended_by_hand_is_billed_at_once(desk: Desk) -> None:
    made = desk.subscribe(trial_period_days=14)
    desk.shop.advance("4d")
    log = desk.during()
    after = desk.v1.subscriptions.update(made.id, {"trial_end": "now", "expand": ["latest_invoice"]})
    assert (after.status, after.latest_invoice.total, after.latest_invoice.status) == ("active", 1000, "paid")
    assert after.billing_cycle_anchor == APRIL_1 + 4 * DAY
    assert log.types()[-1] == "customer.subscription.trial_will_end"


def test_a_first_period_up_to_the_anchor_is_prorated(desk: Desk) -> None:
    made = desk.subscribe(billing_cycle_anchor=APRIL_1 + 15 * DAY)
    assert first_item(made).current_period_end == APRIL_1 + 15 * DAY
    assert made.latest_invoice.total == 484  # 15 of the 31 days that end on 16 April
    free = desk.subscribe(billing_cycle_anchor=APRIL_1 + 15 * DAY, proration_behavior="none")
    assert (free.status, free.latest_invoice) == ("active", None)


def test_an_anchor_by_day_of_month(desk: Desk) -> None:
    made = desk.subscribe(billing_cycle_anchor_config={"day_of_month": 15})
    assert made.billing_cycle_anchor == APRIL_1 + 14 * DAY
    assert made.billing_cycle_anchor_config.day_of_month == 15


def test_one_time_items_ride_on_the_first_invoice_only(desk: Desk) -> None:
    made = desk.subscribe(add_invoice_items=[{"price": desk.once(500), "quantity": 2}])
    assert made.latest_invoice.total == 2000
    desk.shop.advance("31d")
    assert desk.again(made).latest_invoice.total == 1000


def test_an_invoice_to_be_sent_needs_no_card(desk: Desk) -> None:
    made = desk.subscribe(card=None, collection_method="send_invoice", days_until_due=14)
    assert (made.status, made.latest_invoice.status) == ("active", "open")
    assert made.latest_invoice.due_date == APRIL_1 + 14 * DAY
    paid = desk.v1.invoices.pay(made.latest_invoice.id, {"paid_out_of_band": True})
    assert (paid.status, paid.amount_remaining) == ("paid", 0)


def test_settings_are_kept_and_cleared(desk: Desk) -> None:
    made = desk.subscribe(metadata={"a": "1"}, description="first")
    changed = desk.v1.subscriptions.update(made.id, {"metadata": {"a": "", "b": "2"}, "description": ""})
    assert (changed.metadata.to_dict(), changed.description) == ({"b": "2"}, None)
    card = desk.change_card(made.customer)
    assert desk.v1.subscriptions.update(made.id, {"default_payment_method": card}).default_payment_method == card


def test_lists_filter_by_customer_price_and_status(desk: Desk) -> None:
    price = desk.price()
    first, second = desk.subscribe(price), desk.subscribe()
    listed = desk.v1.subscriptions.list
    assert [found.id for found in listed().data] == [second.id, first.id]
    assert [found.id for found in listed({"customer": first.customer}).data] == [first.id]
    assert [found.id for found in listed({"price": price}).data] == [first.id]
    desk.v1.subscriptions.cancel(second.id)
    assert [found.id for found in listed({"status": "canceled"}).data] == [second.id]
    assert len(listed({"status": "all"}).data) == 2
    assert [found.id for found in desk.v1.subscription_items.list({"subscription": first.id}).data] == [
        first_item(first).id
    ]


def test_sequence_9_cancelled_now(desk: Desk) -> None:
    made = desk.subscribe()
    log = desk.during()
    ended = desk.v1.subscriptions.cancel(made.id, {"cancellation_details": {"comment": "bye", "feedback": "unused"}})
    assert log.types() == ["customer.subscription.deleted"]
    assert (ended.status, ended.ended_at, ended.canceled_at) == ("canceled", APRIL_1, APRIL_1)
    assert (ended.cancellation_details.reason, ended.cancellation_details.comment) == ("cancellation_requested", "bye")
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        desk.v1.subscriptions.cancel(made.id)
    assert (refusal.value.http_status, refusal.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError, match="canceled subscription can only update"):
        desk.v1.subscriptions.update(made.id, {"description": "x"})
    desk.shop.advance("60d")
    assert len(desk.v1.invoices.list({"subscription": made.id}).data) == 1


def test_sequence_9_with_a_reckoning(desk: Desk) -> None:
    made = desk.subscribe()
    desk.shop.advance("10d")
    log = desk.during()
    desk.v1.subscriptions.cancel(made.id, {"prorate": True, "invoice_now": True})
    assert log.types()[0] == "customer.subscription.deleted"
    bill = desk.v1.invoices.list({"subscription": made.id}).data[0]
    assert (bill.total, bill.amount_due, bill.status) == (-667, 0, "paid")
    assert desk.v1.customers.retrieve(made.customer).balance == -667


def test_sequence_8_cancelled_at_the_end_of_the_period(desk: Desk) -> None:
    made = desk.subscribe()
    log = desk.during()
    asked = desk.v1.subscriptions.update(made.id, {"cancel_at_period_end": True})
    end = APRIL_1 + 30 * DAY
    assert (asked.status, asked.cancel_at, asked.cancel_at_period_end, asked.canceled_at) == (
        "active",
        end,
        True,
        APRIL_1,
    )
    assert log.find("customer.subscription.updated")["previous_attributes"]["cancel_at"] is None
    log = desk.during()
    desk.shop.advance("40d")
    assert log.types() == ["customer.subscription.deleted"]
    ended = log.find("customer.subscription.deleted")["object"]
    assert (ended["ended_at"], ended["canceled_at"], ended["cancellation_details"]["reason"]) == (
        end,
        APRIL_1,
        "cancellation_requested",
    )


def test_sequence_8_undone(desk: Desk) -> None:
    made = desk.subscribe()
    desk.v1.subscriptions.update(made.id, {"cancel_at_period_end": True})
    undone = desk.v1.subscriptions.update(made.id, {"cancel_at_period_end": False})
    assert (undone.cancel_at, undone.cancel_at_period_end, undone.canceled_at) == (None, False, None)
    desk.shop.advance("31d")
    assert desk.again(made).status == "active"


@pytest.mark.parametrize("wish", [APRIL_1 + 5 * DAY, "min_period_end", "max_period_end"])
def test_cancel_at_takes_an_instant_or_a_word(desk: Desk, wish: Any) -> None:
    made = desk.subscribe()
    asked = desk.v1.subscriptions.update(made.id, {"cancel_at": wish})
    expected = wish if isinstance(wish, int) else APRIL_1 + 30 * DAY
    assert (asked.cancel_at, asked.cancel_at_period_end) == (expected, False)
    desk.shop.advance("31d")
    assert desk.again(made).ended_at == expected


def test_sequence_17_a_deleted_customer_ends_its_subscriptions(desk: Desk) -> None:
    made = desk.subscribe()
    log = desk.during()
    desk.v1.customers.delete(made.customer)
    assert log.types()[-2:] == ["customer.subscription.deleted", "customer.deleted"]
    desk.shop.advance("60d")
    assert log.types()[-1] == "customer.deleted"


@pytest.mark.parametrize(
    ("wish", "code", "param"),
    [
        ({"items": []}, "parameter_missing", "items"),
        ({"items": [{"quantity": 1}]}, "parameter_missing", "items[0][price]"),
        ({"items": [{"price": "price_none"}]}, "resource_missing", "items[0][price]"),
        ({"customer": "cus_none"}, "resource_missing", "customer"),
        ({"trial_end": APRIL_1 - 1}, None, "trial_end"),
        ({"trial_end": APRIL_1 + DAY, "trial_period_days": 3}, "parameters_exclusive", None),
        ({"billing_cycle_anchor": APRIL_1 + 40 * DAY}, None, "billing_cycle_anchor"),
        ({"collection_method": "send_invoice"}, None, "days_until_due"),
        ({"default_payment_method": "pm_none"}, "resource_missing", "default_payment_method"),
        ({"payment_behavior": "pending_if_incomplete"}, None, "payment_behavior"),
        ({"transfer_data": {"destination": "acct_1"}}, "sandbox_not_implemented", "transfer_data"),
        ({"cancel_at": APRIL_1 - 1}, None, "cancel_at"),
        ({"coupon": "x"}, "parameter_unknown", "coupon"),
    ],
)
def test_what_a_subscription_cannot_begin_with(
    desk: Desk, wish: dict[str, Any], code: str | None, param: str | None
) -> None:
    body = {"customer": desk.customer(), "items": [{"price": desk.price()}], **wish}
    if wish.get("items") == []:
        body.pop("items")
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        desk.v1.subscriptions.create(body)
    assert (refusal.value.code, refusal.value.param) == (code, param)
    assert desk.v1.subscriptions.list({"status": "all"}).data == []


def test_prices_that_cannot_recur(desk: Desk) -> None:
    for price, text in [(desk.once(500), "type=one_time"), (desk.price(), "inactive")]:
        if text == "inactive":
            desk.v1.prices.update(price, {"active": False})
        with pytest.raises(stripe.InvalidRequestError, match=text):
            desk.subscribe(price)


def test_a_price_in_another_currency_is_refused(desk: Desk) -> None:
    euros = desk.price(currency="eur")
    with pytest.raises(stripe.InvalidRequestError, match="only supports `eur`"):
        desk.subscribe(items=[{"price": desk.price()}, {"price": euros}])


def test_a_subscription_without_a_card_is_refused(desk: Desk) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        desk.subscribe(card=None)
    assert refusal.value.code == "resource_missing"
    assert "no attached payment source" in str(refusal.value)


def test_zero_decimal_money(desk: Desk) -> None:
    made = desk.subscribe(desk.price(500, currency="jpy"))
    assert (made.currency, made.latest_invoice.total) == ("jpy", 500)
    assert made.latest_invoice.lines.data[0].description == "1 × Pro (at ¥500 / month)"


def test_a_price_made_on_the_spot(desk: Desk) -> None:
    product = desk.v1.products.create({"name": "Special"}).id
    inline = {"currency": "usd", "product": product, "recurring": {"interval": "week"}, "unit_amount": 700}
    made = desk.subscribe(items=[{"price_data": inline}])
    assert made.latest_invoice.total == 700
    assert first_item(made).current_period_end == APRIL_1 + 7 * DAY


def test_a_trial_without_a_card_asks_for_one(desk: Desk) -> None:
    made = desk.subscribe(card=None, trial_period_days=14, payment_behavior="default_incomplete")
    assert desk.v1.setup_intents.retrieve(made.pending_setup_intent).status == "requires_payment_method"
    log = desk.during()
    desk.v1.setup_intents.confirm(
        made.pending_setup_intent, {"payment_method": "pm_card_visa", "return_url": "https://example.com"}
    )
    assert log.types() == ["setup_intent.succeeded", "payment_method.attached", "customer.subscription.updated"]
    after = desk.again(made)
    assert (after.pending_setup_intent, after.status) == (None, "trialing")
    desk.shop.advance("15d")
    assert desk.again(made).latest_invoice.status == "paid"
