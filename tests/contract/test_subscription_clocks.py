"""Subscriptions in the time of a test clock, and the other forms of uncertain points that need one subscription."""

from typing import Any

import pytest
import stripe

from tests.contract.billing import APRIL_1, Desk, amounts, first_item

DAY = 86_400


def ready(desk: Desk, clock: str, to: int) -> None:
    desk.v1.test_helpers.test_clocks.advance(clock, {"frozen_time": to})
    assert desk.v1.test_helpers.test_clocks.retrieve(clock).status == "ready"


def test_a_subscription_renews_by_its_customers_clock(desk: Desk) -> None:
    start = APRIL_1 + 365 * DAY  # a month of 30 days again, less one day before it
    clock = desk.v1.test_helpers.test_clocks.create({"frozen_time": start}).id
    made = desk.subscribe(customer=desk.customer(test_clock=clock))
    assert (made.test_clock, made.created, first_item(made).current_period_start) == (clock, start, start)
    log = desk.during()
    end = first_item(made).current_period_end
    ready(desk, clock, end + 2 * 3600)
    renewal = [name for name in log.types() if not name.startswith("test_helpers")]
    assert renewal[:3] == ["invoice.upcoming", "customer.subscription.updated", "invoice.created"]
    assert renewal[-1] == "invoice_payment.paid"
    after = desk.again(made)
    assert (after.latest_invoice.status, after.latest_invoice.created, after.latest_invoice.test_clock) == (
        "paid",
        end,
        clock,
    )
    assert after.latest_invoice.status_transitions.paid_at == end + 3600
    charged = log.find("charge.succeeded")["object"]
    assert charged["created"] == end + 3600


def test_the_account_clock_leaves_it_alone(desk: Desk) -> None:
    clock = desk.v1.test_helpers.test_clocks.create({"frozen_time": APRIL_1}).id
    made = desk.subscribe(customer=desk.customer(test_clock=clock))
    log = desk.during()
    desk.shop.advance("60d")
    assert log.types() == []
    assert [found.id for found in desk.v1.subscriptions.list({"test_clock": clock}).data] == [made.id]


def test_no_more_than_two_intervals_at_once(desk: Desk) -> None:
    clock = desk.v1.test_helpers.test_clocks.create({"frozen_time": APRIL_1}).id
    desk.subscribe(customer=desk.customer(test_clock=clock))
    with pytest.raises(stripe.InvalidRequestError, match="two intervals"):
        desk.v1.test_helpers.test_clocks.advance(clock, {"frozen_time": APRIL_1 + 70 * DAY})


def test_a_schedule_by_a_test_clock(desk: Desk) -> None:
    clock = desk.v1.test_helpers.test_clocks.create({"frozen_time": APRIL_1}).id
    made = desk.subscribe(desk.price(2000), customer=desk.customer(test_clock=clock))
    schedule = desk.v1.subscription_schedules.create({"from_subscription": made.id})
    first = schedule.phases[0]
    now = {"items": [{"price": first["items"][0].price}], "start_date": first.start_date, "end_date": first.end_date}
    later = {"items": [{"price": desk.price(900)}]}
    desk.v1.subscription_schedules.update(schedule.id, {"phases": [now, later]})
    ready(desk, clock, APRIL_1 + 31 * DAY)
    assert amounts(desk.again(made).latest_invoice) == [900]


def bank_account(desk: Desk, customer: str) -> str:
    account = {"routing_number": "110000000", "account_number": "000123456789", "account_holder_type": "individual"}
    wish: dict[str, Any] = {"type": "us_bank_account", "us_bank_account": account, "billing_details": {"name": "Ann"}}
    method = desk.v1.payment_methods.create(wish)
    desk.v1.payment_methods.attach(method.id, {"customer": customer})
    return str(method.id)


@pytest.mark.parametrize(("switch", "meanwhile"), [("a", "active"), ("b", "incomplete")])
def test_U2_while_the_first_bank_debit_is_processing(desk: Desk, switch: str, meanwhile: str) -> None:
    desk.settings(variant={"U2": switch}, settle_s=3600)
    customer = desk.customer(None)
    made = desk.subscribe(customer=customer, default_payment_method=bank_account(desk, customer))
    assert (made.status, made.latest_invoice.status) == (meanwhile, "open")
    desk.shop.advance("2h")
    after = desk.again(made)
    assert (after.status, after.latest_invoice.status) == ("active", "paid")


@pytest.mark.parametrize(("switch", "lines"), [("a", [-501, 1001]), ("b", [-500, 1000])])
def test_U5_halves(desk: Desk, switch: str, lines: list[int]) -> None:
    desk.settings(variant={"U5": switch})
    made = desk.subscribe(desk.price(1001))
    target = desk.price(2001)
    desk.shop.advance("15d")
    assert amounts(desk.switch(made, price=target, proration_behavior="always_invoice").latest_invoice) == lines
