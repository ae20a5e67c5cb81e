"""Renewals and dunning, by the clock."""

import time
from typing import Any

import pytest
import stripe

from tests.contract.billing import APRIL_1, DUNNING_CARD, Desk, first_item
from tests.contract.shop import Listener, Shop

DAY = 86_400
HOUR = 3600
RENEWED = [
    "invoice.upcoming",
    "customer.subscription.updated",
    "invoice.created",
    "invoice.finalized",
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
    "invoice.updated",
    "invoice.paid",
    "invoice.payment_succeeded",
    "invoice_payment.paid",
]
FAILED = ["charge.failed", "payment_intent.payment_failed", "invoice.payment_failed", "invoice.updated"]


def failing(desk: Desk, **wish: Any) -> Any:
    """A subscription that was paid once and whose card declines from now on."""
    made = desk.subscribe(**wish)
    desk.change_card(made.customer, DUNNING_CARD)
    return made


def test_sequence_5_a_renewal(desk: Desk) -> None:
    made = desk.subscribe()
    log = desk.during()
    desk.shop.advance("31d")
    assert log.types() == RENEWED
    moved = log.find("customer.subscription.updated")
    assert moved["object"]["status"] == "active"
    assert moved["previous_attributes"]["items"]["data"][0]["current_period_end"] == APRIL_1 + 30 * DAY
    assert moved["previous_attributes"]["latest_invoice"] == made.latest_invoice.id
    draft = log.find("invoice.created")["object"]
    assert (draft["status"], draft["billing_reason"]) == ("draft", "subscription_cycle")
    assert draft["automatically_finalizes_at"] == APRIL_1 + 30 * DAY + HOUR
    assert (draft["period_start"], draft["period_end"]) == (APRIL_1, APRIL_1 + 30 * DAY)
    assert draft["lines"]["data"][0]["period"] == {"start": APRIL_1 + 30 * DAY, "end": APRIL_1 + 61 * DAY}
    upcoming = log.find("invoice.upcoming")["object"]
    assert "id" not in upcoming
    assert (upcoming["total"], upcoming["billing_reason"]) == (1000, "upcoming")
    after = desk.again(made)
    assert first_item(after).current_period_start == APRIL_1 + 30 * DAY
    assert (after.latest_invoice.status, after.latest_invoice.amount_paid) == ("paid", 1000)


def test_events_of_the_clock_name_no_request(desk: Desk) -> None:
    desk.subscribe()
    since = desk.shop.last_event()
    desk.shop.advance("31d")
    found = desk.shop.event_objects(since=since)
    assert {(event["request"]["id"], event["request"]["idempotency_key"]) for event in found} == {(None, None)}
    assert [event["created"] for event in found] == sorted(event["created"] for event in found)
    assert {event["api_version"] for event in found} == {"2026-10-28.endive"}


def test_the_day_is_clamped_and_comes_back(desk: Desk) -> None:
    desk.freeze(APRIL_1 + 60 * DAY + 16 * HOUR)  # 2027-05-31 16:00 UTC
    made = desk.subscribe()
    ends = []
    for _ in range(3):
        ends.append(first_item(made).current_period_end)
        desk.shop.control("POST", "clock/advance", {"to": ends[-1] + 2 * HOUR, "wait": True})
        made = desk.again(made)
    assert [time.strftime("%m-%d %H:%M", time.gmtime(end)) for end in ends] == [
        "06-30 16:00",
        "07-31 16:00",
        "08-31 16:00",
    ]


def test_a_year_of_a_monthly_subscription_in_under_a_second(desk: Desk) -> None:
    """Measured in processor time: the sandbox is a thread of this process, and others may want the machine."""
    made = desk.subscribe()
    log = desk.during()
    began = time.process_time()
    desk.shop.advance("367d")
    assert time.process_time() - began < 1.0
    assert log.types().count("invoice.paid") == 12
    assert len(desk.v1.invoices.list({"subscription": made.id, "limit": 100}).data) == 13


def test_items_of_different_intervals_renew_apart(desk: Desk) -> None:
    made = desk.subscribe(items=[{"price": desk.price(1000)}, {"price": desk.price(200, "week")}])
    assert made.latest_invoice.total == 1200
    desk.shop.advance("8d")
    after = desk.again(made)
    assert after.latest_invoice.total == 200
    assert [item.current_period_end for item in after["items"].data] == [APRIL_1 + 30 * DAY, APRIL_1 + 14 * DAY]


def test_classic_billing_has_one_interval(desk: Desk) -> None:

    with pytest.raises(stripe.InvalidRequestError, match="must have the same"):
        desk.subscribe(
            items=[{"price": desk.price()}, {"price": desk.price(200, "week")}], billing_mode={"type": "classic"}
        )


def test_sequence_6_dunning_recovers(desk: Desk) -> None:
    made = failing(desk)
    log = desk.during()
    desk.shop.advance("31d")
    assert log.types() == [*RENEWED[:5], *FAILED, "customer.subscription.updated"]
    told = log.find("invoice.payment_failed")["object"]
    first = APRIL_1 + 30 * DAY + HOUR
    assert (told["attempt_count"], told["next_payment_attempt"], told["status"]) == (1, first + DAY, "open")
    assert desk.again(made).status == "past_due"
    log = desk.during()
    desk.shop.advance("1d")
    assert log.types() == FAILED
    assert log.find("invoice.payment_failed")["object"]["attempt_count"] == 2
    desk.change_card(made.customer)
    log = desk.during()
    desk.shop.advance("2d")
    assert log.types() == [*RENEWED[5:], "customer.subscription.updated"]
    after = desk.again(made)
    assert (after.status, after.latest_invoice.status, after.latest_invoice.attempt_count) == ("active", "paid", 3)


def test_retries_follow_the_days_of_the_setting(desk: Desk) -> None:
    desk.settings(retry_days=[2, 3], exhausted="none")
    made = failing(desk)
    desk.shop.advance("60d")
    failures = [event for event in desk.shop.event_objects() if event["type"] == "invoice.payment_failed"]
    first = APRIL_1 + 30 * DAY + HOUR
    assert [event["created"] for event in failures[:3]] == [first, first + 2 * DAY, first + 3 * DAY]
    assert [event["data"]["object"]["next_payment_attempt"] for event in failures[:3]] == [
        first + 2 * DAY,
        first + 3 * DAY,
        None,
    ]
    assert desk.again(made).status == "past_due"


@pytest.mark.parametrize(
    ("setting", "status", "event"),
    [
        ("cancel", "canceled", "customer.subscription.deleted"),
        ("unpaid", "unpaid", "customer.subscription.updated"),
        ("pause", "paused", "customer.subscription.paused"),
        ("none", "past_due", "invoice.updated"),
    ],
)
def test_sequence_6_exhausted(desk: Desk, setting: str, status: str, event: str) -> None:
    desk.settings(retry_days=[1, 3], exhausted=setting)
    made = failing(desk)
    desk.shop.advance("32d")
    log = desk.during()
    desk.shop.advance("2d")
    assert event in log.types()
    after = desk.again(made)
    assert (after.status, after.latest_invoice.status) == (status, "open")
    assert after.latest_invoice.next_payment_attempt is None
    if setting == "cancel":
        assert after.cancellation_details.reason == "payment_failed"
    if setting == "pause":
        assert after.status_details.paused.subscription.type == "final_payment_failure"


def test_an_unpaid_subscription_makes_drafts_nobody_collects(desk: Desk) -> None:
    desk.settings(retry_days=[1], exhausted="unpaid")
    made = failing(desk)
    desk.shop.advance("62d")
    after = desk.again(made)
    assert (after.status, after.latest_invoice.status, after.latest_invoice.auto_advance) == ("unpaid", "draft", False)
    desk.change_card(made.customer)
    overdue = next(bill for bill in desk.v1.invoices.list({"subscription": made.id}).data if bill.status == "open")
    desk.v1.invoices.pay(overdue.id)
    assert desk.again(made).status == "active"


def test_voiding_what_is_overdue_ends_the_dunning(desk: Desk) -> None:
    made = failing(desk)
    desk.shop.advance("31d")
    log = desk.during()
    desk.v1.invoices.void_invoice(desk.again(made).latest_invoice.id)
    assert log.types() == ["payment_intent.canceled", "invoice.voided", "customer.subscription.updated"]
    assert desk.again(made).status == "active"


def test_a_card_that_needs_the_buyer_at_renewal(desk: Desk) -> None:
    made = desk.subscribe()
    desk.change_card(made.customer, "pm_card_authenticationRequired")
    log = desk.during()
    desk.shop.advance("31d")
    assert "invoice.payment_action_required" in log.types()
    assert desk.again(made).status == "past_due"


def test_a_cancelled_subscription_is_not_tried_again(desk: Desk) -> None:
    made = failing(desk)
    desk.shop.advance("31d")
    desk.v1.subscriptions.cancel(made.id)
    log = desk.during()
    desk.shop.advance("60d")
    assert log.types() == []
    bill = desk.v1.invoices.retrieve(made.latest_invoice.id)
    assert bill.next_payment_attempt is None


@pytest.mark.parametrize(
    ("behavior", "status", "event"),
    [
        ("keep_as_draft", "draft", "invoice.created"),
        ("mark_uncollectible", "uncollectible", "invoice.marked_uncollectible"),
        ("void", "void", "invoice.voided"),
    ],
)
def test_paused_collection(desk: Desk, behavior: str, status: str, event: str) -> None:
    made = desk.subscribe()
    paused = desk.v1.subscriptions.update(
        made.id, {"pause_collection": {"behavior": behavior, "resumes_at": APRIL_1 + 45 * DAY}}
    )
    assert (paused.status, paused.pause_collection.behavior) == ("active", behavior)
    log = desk.during()
    desk.shop.advance("32d")
    assert event in log.types()
    assert desk.again(made).latest_invoice.status == status
    log = desk.during()
    desk.shop.advance("14d")
    assert log.types() == ["customer.subscription.updated"]
    assert desk.again(made).pause_collection is None
    desk.shop.advance("17d")
    assert desk.again(made).latest_invoice.status == "paid"


def test_pausing_collection_is_undone_by_an_empty_text(desk: Desk) -> None:
    made = desk.subscribe()
    desk.v1.subscriptions.update(made.id, {"pause_collection": {"behavior": "void"}})
    assert desk.v1.subscriptions.update(made.id, {"pause_collection": ""}).pause_collection is None


def test_an_invoice_whose_news_is_refused_waits_for_its_endpoint(desk: Desk, shop: Shop) -> None:
    made = desk.subscribe()
    with Listener([500] * 50) as listener:
        desk.v1.webhook_endpoints.create({"url": listener.url, "enabled_events": ["invoice.created"]})
        shop.advance("30d")
        shop.advance("2h")
        assert desk.again(made).latest_invoice.status == "draft"
        shop.advance("72h")
    assert desk.again(made).latest_invoice.status == "paid"


def test_a_bank_debit_renews_days_later(desk: Desk) -> None:
    made = desk.subscribe()
    method = desk.v1.payment_methods.create(
        {
            "type": "us_bank_account",
            "us_bank_account": {
                "routing_number": "110000000",
                "account_number": "000123456789",
                "account_holder_type": "individual",
            },
            "billing_details": {"name": "Ann"},
        }
    )
    desk.v1.payment_methods.attach(method.id, {"customer": made.customer})
    desk.v1.subscriptions.update(made.id, {"default_payment_method": method.id})
    desk.shop.advance("31d")
    after = desk.again(made)
    assert (after.status, after.latest_invoice.status) == ("active", "open")
    desk.shop.advance("4d")
    assert desk.again(made).latest_invoice.status == "paid"


def test_upcoming_is_not_announced_for_a_subscription_that_ends(desk: Desk) -> None:
    made = desk.subscribe()
    desk.v1.subscriptions.update(made.id, {"cancel_at_period_end": True})
    log = desk.during()
    desk.shop.advance("29d")
    assert log.types() == []


def test_repeating_coupons_end_and_once_is_once(desk: Desk) -> None:
    half = desk.v1.coupons.create({"percent_off": 50, "duration": "repeating", "duration_in_months": 2}).id
    tenth = desk.v1.coupons.create({"amount_off": 100, "currency": "usd", "duration": "once"}).id
    made = desk.subscribe(discounts=[{"coupon": half}, {"coupon": tenth}])
    totals = [made.latest_invoice.total]
    for _ in range(3):
        desk.shop.advance("31d")
        totals.append(desk.again(made).latest_invoice.total)
    assert totals == [400, 500, 1000, 1000]


def test_three_decimals_charge_what_they_can(desk: Desk) -> None:
    made = desk.subscribe(desk.price(10_000, currency="kwd"))
    target = desk.price(20_000, currency="kwd")
    desk.shop.advance("7d")
    bill = desk.switch(made, price=target, proration_behavior="always_invoice").latest_invoice
    assert (bill.total, bill.amount_due, bill.ending_balance, bill.status) == (7666, 7660, 6, "paid")
    desk.shop.advance("31d")
    after = desk.again(made).latest_invoice
    assert (after.starting_balance, after.amount_due, after.status) == (6, 20_000, "paid")


def test_an_invoice_too_large_to_charge_stays_a_draft(desk: Desk) -> None:
    made = desk.subscribe(desk.price(60_000_000))
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        desk.switch(made, quantity=2, billing_cycle_anchor={"type": "now"}, proration_behavior="none")
    assert refusal.value.code == "amount_too_large"
    desk.switch(made, quantity=2, proration_behavior="none")
    log = desk.during()
    desk.shop.advance("31d")
    assert log.types()[-1] == "invoice.finalization_failed"
    bill = desk.again(made).latest_invoice
    assert (bill.status, bill.last_finalization_error.code) == ("draft", "amount_too_large")


def test_nothing_is_billed_after_a_customer_is_deleted(desk: Desk) -> None:
    made = failing(desk)
    customer = made.customer
    desk.v1.invoice_items.create({"customer": customer, "amount": 900, "currency": "usd"})
    draft = desk.v1.invoices.create(
        {"customer": customer, "auto_advance": True, "pending_invoice_items_behavior": "include"}
    )
    desk.v1.invoice_items.create({"customer": customer, "amount": 100, "currency": "usd"})
    later = {"items": [{"price": desk.price()}]}
    schedule = desk.v1.subscription_schedules.create(
        {"customer": customer, "start_date": APRIL_1 + 40 * DAY, "phases": [later]}
    )
    desk.v1.customers.delete(customer)
    log = desk.during()
    desk.shop.advance("90d")
    assert log.types() == []
    assert desk.v1.invoices.retrieve(draft.id).status == "draft"
    assert desk.v1.subscription_schedules.retrieve(schedule.id).status == "canceled"
    assert desk.v1.invoice_items.list({"pending": True}).data == []
