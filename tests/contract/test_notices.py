"""Word that comes ahead: an invoice soon due, then overdue; a schedule that ends."""

from typing import Any

from tests.contract.billing import APRIL_1, Desk, first_item

DAY = 86_400


def told(log: Any, prefix: str) -> list[str]:
    return [type for type in log.types() if type.startswith(prefix)]


def sent(desk: Desk, days: int) -> Any:
    return desk.subscribe(card=None, collection_method="send_invoice", days_until_due=days)


def test_an_invoice_is_announced_before_it_is_due_and_called_overdue_after(desk: Desk) -> None:
    made = sent(desk, 14)
    log = desk.during()
    desk.shop.advance("7d")
    assert told(log, "invoice.") == ["invoice.will_be_due"]
    desk.shop.advance("6d")
    assert desk.again(made).status == "active"
    desk.shop.advance("1d")
    assert told(log, "customer.subscription.") == ["customer.subscription.updated"]
    assert desk.again(made).status == "past_due"
    desk.shop.advance("1d")
    assert told(log, "invoice.") == ["invoice.will_be_due", "invoice.overdue"]
    desk.v1.invoices.pay(made.latest_invoice.id, {"paid_out_of_band": True})
    assert desk.again(made).status == "active"


def test_a_paid_invoice_is_never_overdue(desk: Desk) -> None:
    made = sent(desk, 14)
    desk.v1.invoices.pay(made.latest_invoice.id, {"paid_out_of_band": True})
    log = desk.during()
    desk.shop.advance("16d")
    assert log.types() == []


def test_the_days_of_notice_are_settings(desk: Desk) -> None:
    desk.settings(will_be_due_days=1, overdue_days=3)
    customer = desk.customer(None)
    desk.v1.invoice_items.create({"customer": customer, "amount": 500, "currency": "usd"})
    bill = desk.v1.invoices.create(
        {
            "customer": customer,
            "collection_method": "send_invoice",
            "days_until_due": 5,
            "pending_invoice_items_behavior": "include",
        }
    )
    desk.v1.invoices.send_invoice(bill.id)
    log = desk.during()
    desk.shop.advance("10d")
    times = [(e["type"], (e["created"] - APRIL_1) / DAY) for e in desk.shop.event_objects(since=log.since)]
    assert times == [("invoice.will_be_due", 4), ("invoice.overdue", 8)]


def test_an_invoice_due_too_soon_is_not_announced(desk: Desk) -> None:
    sent(desk, 3)
    log = desk.during()
    desk.shop.advance("3d")
    assert told(log, "invoice.") == []


def test_a_schedule_says_a_week_before_that_it_ends(desk: Desk) -> None:
    made = desk.subscribe()
    schedule = desk.v1.subscription_schedules.create({"from_subscription": made.id})
    end = first_item(made).current_period_end
    log = desk.during()
    desk.shop.advance("22d")
    assert told(log, "subscription_schedule") == []
    desk.shop.advance("1d")
    assert told(log, "subscription_schedule") == ["subscription_schedule.expiring"]
    assert log.find("subscription_schedule.expiring")["object"]["id"] == schedule.id
    desk.shop.control("POST", "clock/advance", {"to": end + 1})
    assert told(log, "subscription_schedule") == [
        "subscription_schedule.expiring",
        "subscription_schedule.completed",
        "subscription_schedule.released",
    ]


def test_a_released_schedule_does_not_expire(desk: Desk) -> None:
    schedule = desk.v1.subscription_schedules.create({"from_subscription": desk.subscribe().id})
    desk.v1.subscription_schedules.release(schedule.id)
    log = desk.during()
    desk.shop.advance("25d")
    assert told(log, "subscription_schedule") == []
