"""Subscription schedules: a switch at the end of the period, and its undoing."""

from typing import Any

import pytest
import stripe

from tests.contract.billing import APRIL_1, Desk, amounts, first_item

DAY = 86_400
END = APRIL_1 + 30 * DAY


def downgrade(desk: Desk, made: Any, price: str, **wish: Any) -> Any:
    """As one does it at Stripe: from the subscription, then two phases."""
    schedule = desk.v1.subscription_schedules.create({"from_subscription": made.id})
    first = schedule.phases[0]
    return desk.v1.subscription_schedules.update(
        schedule.id,
        {
            "end_behavior": "release",
            "phases": [
                {
                    "items": [{"price": first["items"][0].price, "quantity": first["items"][0].quantity}],
                    "start_date": first.start_date,
                    "end_date": first.end_date,
                },
                {"items": [{"price": price, "quantity": 1}], **wish},
            ],
        },
    )


@pytest.mark.parametrize(("switch", "ends"), [("a", ["subscription_schedule.completed"]), ("b", [])])
def test_sequence_7b_a_switch_at_the_end_of_the_period(desk: Desk, switch: str, ends: list[str]) -> None:
    desk.settings(variant={"U6": switch})
    made = desk.subscribe(desk.price(2000))
    cheaper = desk.price(1000)
    log = desk.during()
    schedule = downgrade(desk, made, cheaper)
    assert log.types() == ["subscription_schedule.created", "subscription_schedule.updated"]
    assert (schedule.status, schedule.subscription, schedule.current_phase.end_date) == ("active", made.id, END)
    assert desk.again(made).schedule == schedule.id
    desk.shop.advance("29d")
    log = desk.during()
    desk.shop.advance("2d")
    assert log.types()[:3] == ["customer.subscription.updated", "invoice.created", "invoice.finalized"]
    previous = log.find("customer.subscription.updated")["previous_attributes"]
    assert previous["items"]["data"][0]["price"]["unit_amount"] == 2000
    assert previous["items"]["data"][0]["current_period_end"] == END
    after = desk.again(made)
    assert (amounts(after.latest_invoice), after.latest_invoice.status) == ([1000], "paid")
    assert (first_item(after).id, first_item(after).price.id) == (first_item(made).id, cheaper)
    log = desk.during()
    desk.shop.advance("31d")
    assert [name for name in log.types() if name.startswith("subscription_schedule")] == [
        "subscription_schedule.expiring",
        *ends,
        "subscription_schedule.released",
    ]
    after = desk.again(made)
    assert (after.schedule, after.status, after.latest_invoice.total) == (None, "active", 1000)
    ended = desk.v1.subscription_schedules.retrieve(schedule.id)
    assert (ended.status, ended.released_subscription) == ("released", made.id)


def test_sequence_7b_undone(desk: Desk) -> None:
    made = desk.subscribe(desk.price(2000))
    schedule = downgrade(desk, made, desk.price(1000))
    log = desk.during()
    assert desk.v1.subscription_schedules.release(schedule.id).status == "released"
    assert log.types() == ["subscription_schedule.released"]
    desk.shop.advance("31d")
    after = desk.again(made)
    assert (after.schedule, after.latest_invoice.total) == (None, 2000)
    with pytest.raises(stripe.InvalidRequestError, match="released"):
        desk.v1.subscription_schedules.release(schedule.id)
    with pytest.raises(stripe.InvalidRequestError, match="released"):
        desk.v1.subscription_schedules.update(schedule.id, {"metadata": {"a": "1"}})


def test_a_yearly_plan_that_becomes_monthly(desk: Desk) -> None:
    made = desk.subscribe(desk.price(12_000, "year"))
    downgrade(desk, made, desk.price(1500))
    desk.shop.advance("367d")
    after = desk.again(made)
    assert (amounts(after.latest_invoice), after.latest_invoice.billing_reason) == ([1500], "subscription_cycle")
    start = APRIL_1 + 366 * DAY
    assert (first_item(after).current_period_start, first_item(after).current_period_end) == (start, start + 30 * DAY)


def test_a_schedule_that_starts_later_makes_its_subscription_then(desk: Desk) -> None:
    customer, price = desk.customer(), desk.price(1000)
    wish = {
        "customer": customer,
        "start_date": APRIL_1 + 5 * DAY,
        "end_behavior": "cancel",
        "phases": [{"items": [{"price": price}], "duration": {"interval": "month", "interval_count": 2}}],
    }
    schedule = desk.v1.subscription_schedules.create(wish)
    assert (schedule.status, schedule.subscription) == ("not_started", None)
    assert [one.id for one in desk.v1.subscription_schedules.list({"scheduled": True}).data] == [schedule.id]
    desk.shop.advance("5d")
    begun = desk.v1.subscription_schedules.retrieve(schedule.id, {"expand": ["subscription"]})
    assert (begun.status, begun.subscription.status) == ("active", "active")
    log = desk.during()
    desk.shop.advance("62d")
    assert log.types()[-2:] == ["subscription_schedule.completed", "customer.subscription.deleted"]
    assert len(desk.v1.invoices.list({"customer": customer}).data) == 2


def test_phases_in_the_middle_of_a_period_are_prorated(desk: Desk) -> None:
    customer = desk.customer()
    phases = [
        {"items": [{"price": desk.price(1000)}], "end_date": APRIL_1 + 15 * DAY},
        {
            "items": [{"price": desk.price(2000)}],
            "proration_behavior": "always_invoice",
            "end_date": APRIL_1 + 300 * DAY,
        },
    ]
    schedule = desk.v1.subscription_schedules.create({"customer": customer, "start_date": "now", "phases": phases})
    desk.shop.advance("16d")
    made = desk.v1.subscriptions.retrieve(schedule.subscription, {"expand": ["latest_invoice"]})
    assert (amounts(made.latest_invoice), made.latest_invoice.status) == ([-500, 1000], "paid")


def test_the_current_phase_changes_at_once(desk: Desk) -> None:
    made = desk.subscribe(desk.price(1000))
    schedule = desk.v1.subscription_schedules.create({"from_subscription": made.id})
    first = schedule.phases[0]
    desk.shop.advance("15d")
    desk.v1.subscription_schedules.update(
        schedule.id,
        {
            "proration_behavior": "always_invoice",
            "phases": [
                {
                    "items": [{"price": desk.price(2000)}],
                    "start_date": first.start_date,
                    "end_date": first.end_date,
                }
            ],
        },
    )
    assert amounts(desk.again(made).latest_invoice) == [-500, 1000]


def test_cancelling_a_schedule_ends_its_subscription(desk: Desk) -> None:
    made = desk.subscribe(desk.price(1000))
    schedule = downgrade(desk, made, desk.price(500))
    log = desk.during()
    assert (
        desk.v1.subscription_schedules.cancel(schedule.id, {"invoice_now": False, "prorate": False}).status
        == "canceled"
    )
    assert log.types() == ["subscription_schedule.canceled", "customer.subscription.deleted"]


def test_a_subscription_that_ends_takes_its_schedule_along(desk: Desk) -> None:
    made = desk.subscribe(desk.price(1000))
    schedule = downgrade(desk, made, desk.price(500))
    log = desk.during()
    desk.v1.subscriptions.cancel(made.id)
    assert log.types() == ["customer.subscription.deleted", "subscription_schedule.canceled"]
    assert desk.v1.subscription_schedules.retrieve(schedule.id).status == "canceled"


def test_a_trial_that_ends_into_another_plan(desk: Desk) -> None:
    made = desk.subscribe(desk.price(2000), trial_period_days=14)
    downgrade(desk, made, desk.price(700))
    desk.shop.advance("15d")
    after = desk.again(made)
    assert (after.status, amounts(after.latest_invoice)) == ("active", [700])


def test_bad_schedules(desk: Desk) -> None:
    made = desk.subscribe(desk.price(1000))
    phases = [{"items": [{"price": desk.price(500)}]}]
    create = desk.v1.subscription_schedules.create
    for wish, param in [
        ({"from_subscription": made.id, "phases": phases}, "phases"),
        ({"phases": phases}, "customer"),
        ({"customer": made.customer}, "phases"),
        ({"customer": made.customer, "phases": [{"items": [{"quantity": 1}]}]}, "phases[0][items][0][price]"),
        ({"customer": made.customer, "phases": [{"items": [{"price": desk.once(5)}]}]}, "phases[0][items][0][price]"),
        ({"customer": made.customer, "phases": phases, "end_behavior": "renew"}, "end_behavior"),
        ({"customer": made.customer, "start_date": APRIL_1 - DAY, "phases": phases}, "start_date"),
    ]:
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            create(wish)
        assert refusal.value.param == param
    schedule = create({"from_subscription": made.id})
    with pytest.raises(stripe.InvalidRequestError, match="already attached"):
        create({"from_subscription": made.id})
    with pytest.raises(stripe.InvalidRequestError, match="first phase must be the current one"):
        desk.v1.subscription_schedules.update(schedule.id, {"phases": phases})
    with pytest.raises(stripe.InvalidRequestError, match="managed by a schedule"):
        desk.v1.subscriptions.pause(made.id, {"type": "subscription"})
