"""Plan switches and what they cost: the golden numbers, every behavior, and preview = change."""

from typing import Any

import pytest
import stripe

from tests.contract.billing import APRIL_1, DUNNING_CARD, Desk, amounts, first_item

DAY = 86_400
CHARGED = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]
PAID = ["invoice.paid", "invoice.payment_succeeded"]

# (old price, new price, old quantity, new quantity, days gone of 30) → lines of the change
GOLDEN = [
    pytest.param(1000, 2000, 1, 1, 15, [-500, 1000], id="1000 to 2000 at half time"),
    pytest.param(1000, 1000, 1, 3, 10, [-667, 2000], id="quantity 1 to 3 at day 10"),
    pytest.param(2000, 1000, 1, 1, 15, [-1000, 500], id="2000 to 1000 at half time"),
    pytest.param(1000, 2000, 1, 1, 0, [-1000, 2000], id="at the very start"),
    pytest.param(999, 1999, 1, 1, 20, [-333, 666], id="a third left"),
    pytest.param(1001, 2001, 1, 1, 15, [-501, 1001], id="halves go away from zero"),
]


def switch_at(desk: Desk, old: int, new: int, quantity: int, after: int, days: int, **wish: Any) -> Any:
    made = desk.subscribe(desk.price(old), quantity=quantity)
    target = desk.price(new)
    if days:
        desk.shop.advance(f"{days}d")
    price = {"price": target} if new != old else {}
    return desk.switch(made, quantity=after, **price, **wish)


@pytest.mark.parametrize(("old", "new", "quantity", "after", "days", "lines"), GOLDEN)
@pytest.mark.parametrize("mode", ["flexible", "classic"])
def test_golden_prorations(
    desk: Desk, mode: str, old: int, new: int, quantity: int, after: int, days: int, lines: list[int]
) -> None:
    desk.settings(billing_mode=mode)
    changed = switch_at(desk, old, new, quantity, after, days, proration_behavior="always_invoice")
    bill = changed.latest_invoice
    assert (amounts(bill), bill.billing_reason, bill.total) == (lines, "subscription_update", sum(lines))
    assert [line.parent.subscription_item_details.proration for line in bill.lines.data] == [True, True]
    assert {line.period.end for line in bill.lines.data} == {APRIL_1 + 30 * DAY}
    if sum(lines) > 0:
        assert (bill.status, bill.amount_paid) == ("paid", sum(lines))


def test_sequence_7_create_prorations_waits_for_the_next_invoice(desk: Desk) -> None:
    made = desk.subscribe(desk.price(1000))
    target = desk.price(2000)
    desk.shop.advance("15d")
    log = desk.during()
    changed = desk.switch(made, price=target)
    assert log.types() == ["customer.subscription.updated", "invoiceitem.created", "invoiceitem.created"]
    previous = log.find("customer.subscription.updated")["previous_attributes"]
    assert [item["price"]["unit_amount"] for item in previous["items"]["data"]] == [1000]
    assert changed.latest_invoice.id == made.latest_invoice.id
    waiting = desk.v1.invoice_items.list({"pending": True}).data
    assert sorted(item.amount for item in waiting) == [-500, 1000]
    assert all(item.proration for item in waiting)
    desk.shop.advance("16d")
    bill = desk.again(made).latest_invoice
    assert (bill.total, sorted(amounts(bill))) == (2500, [-500, 1000, 2000])
    assert desk.v1.invoice_items.list({"pending": True}).data == []


@pytest.mark.parametrize(("switch", "items"), [("a", 2), ("b", 0)])
def test_sequence_7_always_invoice(desk: Desk, switch: str, items: int) -> None:
    desk.settings(variant={"U4": switch})
    made = desk.subscribe(desk.price(1000))
    target = desk.price(2000)
    desk.shop.advance("15d")
    log = desk.during()
    desk.switch(made, price=target, proration_behavior="always_invoice")
    assert log.types() == [
        "customer.subscription.updated",
        *["invoiceitem.created"] * items,
        "invoice.created",
        "invoice.finalized",
        *CHARGED,
        *PAID,
        "invoice_payment.paid",
    ]
    assert len(desk.v1.invoice_items.list().data) == items


def test_a_downgrade_paid_back_becomes_credit(desk: Desk) -> None:
    changed = switch_at(desk, 2000, 1000, 1, 1, 15, proration_behavior="always_invoice")
    bill = changed.latest_invoice
    assert (bill.total, bill.amount_due, bill.status, bill.ending_balance) == (-500, 0, "paid", -500)
    assert desk.v1.customers.retrieve(changed.customer).balance == -500
    desk.shop.advance("16d")
    after = desk.again(changed).latest_invoice
    assert (after.total, after.amount_due, after.amount_paid, after.starting_balance, after.ending_balance) == (
        1000,
        500,
        500,
        -500,
        0,
    )


def test_none_charges_nothing(desk: Desk) -> None:
    changed = switch_at(desk, 1000, 2000, 1, 1, 15, proration_behavior="none")
    assert desk.v1.invoice_items.list().data == []
    desk.shop.advance("16d")
    assert desk.again(changed).latest_invoice.total == 2000


def test_flexible_credits_what_was_really_debited_classic_what_it_costs_now(desk: Desk) -> None:
    for mode, credit in (("flexible", -500), ("classic", -1000)):
        made = desk.subscribe(desk.price(1000), billing_mode={"type": mode})
        desk.switch(made, price=desk.price(2000), proration_behavior="none")
        start = first_item(desk.again(made)).current_period_start
        half = start + 15 * DAY
        preview = desk.v1.invoices.create_preview(
            {
                "subscription": made.id,
                "subscription_details": {
                    "items": [{"id": first_item(made).id, "price": desk.price(4000)}],
                    "proration_behavior": "always_invoice",
                    "proration_date": half,
                },
            }
        )
        assert amounts(preview) == [credit, 2000], mode


def test_flexible_credits_after_discounts(desk: Desk) -> None:
    half = desk.v1.coupons.create({"percent_off": 50, "duration": "forever"}).id
    made = desk.subscribe(desk.price(1000), discounts=[{"coupon": half}])
    assert made.latest_invoice.total == 500
    desk.shop.advance("15d")
    bill = desk.switch(made, price=desk.price(2000), proration_behavior="always_invoice").latest_invoice
    assert (amounts(bill), bill.total) == ([-250, 1000], 250)
    again = desk.switch(made, price=desk.price(4000), proration_behavior="always_invoice").latest_invoice
    assert (amounts(again), again.total) == ([-500, 2000], 500)


def test_two_changes_in_one_period_credit_what_the_first_charged(desk: Desk) -> None:
    made = desk.subscribe(desk.price(1000))
    desk.shop.advance("10d")
    desk.switch(made, price=desk.price(2000))
    desk.shop.advance("10d")
    desk.switch(made, price=desk.price(3000))
    waiting = [item.amount for item in desk.v1.invoice_items.list({"limit": 100}).data]
    assert sorted(waiting) == [-667, -667, 1000, 1333]
    desk.shop.advance("11d")
    assert desk.again(made).latest_invoice.total == 3000 + sum(waiting)


def test_a_new_interval_starts_a_new_period_at_once(desk: Desk) -> None:
    made = desk.subscribe(desk.price(1000))
    yearly = desk.price(10_000, "year")
    desk.shop.advance("15d")
    changed = desk.switch(made, price=yearly)
    assert (changed.billing_cycle_anchor, first_item(changed).current_period_start) == (APRIL_1 + 15 * DAY,) * 2
    assert first_item(changed).current_period_end == APRIL_1 + 381 * DAY
    assert (amounts(changed.latest_invoice), changed.latest_invoice.status) == ([-500, 10_000], "paid")


def test_the_anchor_set_to_now(desk: Desk) -> None:
    made = desk.subscribe(desk.price(1000))
    desk.shop.advance("15d")
    changed = desk.v1.subscriptions.update(
        made.id, {"billing_cycle_anchor": {"type": "now"}, "expand": ["latest_invoice"]}
    )
    assert (changed.billing_cycle_anchor, amounts(changed.latest_invoice)) == (APRIL_1 + 15 * DAY, [-500, 1000])
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        desk.v1.subscriptions.update(made.id, {"billing_cycle_anchor": "now"})
    assert refusal.value.param == "billing_cycle_anchor"


def test_no_prorations_while_trialing(desk: Desk) -> None:
    made = desk.subscribe(desk.price(1000), trial_period_days=14)
    desk.shop.advance("7d")
    log = desk.during()
    changed = desk.switch(made, price=desk.price(2000), proration_behavior="always_invoice")
    assert "invoice.created" not in log.types()
    assert (changed.status, desk.v1.invoice_items.list().data) == ("trialing", [])
    desk.shop.advance("8d")
    assert desk.again(made).latest_invoice.total == 2000


def test_a_new_price_without_quantity_makes_it_one(desk: Desk) -> None:
    made = desk.subscribe(desk.price(1000), quantity=5)
    assert first_item(desk.switch(made, price=desk.price(2000))).quantity == 1


def test_items_are_added_and_removed(desk: Desk) -> None:
    made = desk.subscribe(desk.price(1000))
    desk.shop.advance("15d")
    added = desk.v1.subscription_items.create(
        {"subscription": made.id, "price": desk.price(600), "proration_behavior": "always_invoice"}
    )
    assert amounts(desk.again(made).latest_invoice) == [300]
    assert desk.v1.subscription_items.retrieve(added.id).price.unit_amount == 600
    assert desk.v1.subscription_items.update(added.id, {"metadata": {"a": "1"}}).metadata.a == "1"
    log = desk.during()
    assert desk.v1.subscription_items.delete(added.id, {"proration_behavior": "always_invoice"}).deleted is True
    assert log.types()[0] == "customer.subscription.updated"
    assert amounts(desk.again(made).latest_invoice) == [-300]
    with pytest.raises(stripe.InvalidRequestError, match="at least one active item"):
        desk.v1.subscription_items.delete(first_item(made).id)
    with pytest.raises(stripe.InvalidRequestError, match="same price"):
        desk.v1.subscription_items.create({"subscription": made.id, "price": first_item(made).price.id})


@pytest.mark.parametrize("behavior", ["create_prorations", "always_invoice", "none"])
@pytest.mark.parametrize(("new", "interval"), [(2000, "month"), (500, "month"), (9000, "year")])
@pytest.mark.parametrize("mode", ["flexible", "classic"])
def test_a_preview_shows_what_the_change_does(desk: Desk, mode: str, behavior: str, new: int, interval: str) -> None:
    made = desk.subscribe(desk.price(1000), quantity=2, billing_mode={"type": mode})
    target = desk.price(new, interval)
    desk.shop.advance("11d")
    item = {"id": first_item(made).id, "price": target, "quantity": 3}
    log = desk.during()
    preview = desk.v1.invoices.create_preview(
        {"subscription": made.id, "subscription_details": {"items": [item], "proration_behavior": behavior}}
    )
    assert log.types() == []
    changed = desk.switch(made, price=target, quantity=3, proration_behavior=behavior)
    if changed.latest_invoice.id == made.latest_invoice.id:
        desk.shop.advance("20d")
        changed = desk.again(made)
    real = changed.latest_invoice
    assert [(line.amount, line.description) for line in preview.lines.data] == [
        (line.amount, line.description) for line in real.lines.data
    ]
    assert (preview.total, preview.amount_due) == (real.total, real.amount_due)
    assert sum(amounts(real)) == real.total == real.subtotal


def test_previews_of_other_things(desk: Desk) -> None:
    made = desk.subscribe(desk.price(1000))
    create = desk.v1.invoices.create_preview
    nothing_changed = create({"subscription": made.id})
    assert (nothing_changed.total, nothing_changed.status, nothing_changed.id[:9]) == (1000, "draft", "upcoming_")
    assert create({"customer": made.customer}).total == 1000
    desk.shop.advance("15d")
    assert create({"subscription": made.id, "subscription_details": {"cancel_now": True}}).total == -500
    assert create({"subscription_details": {"items": [{"price": desk.price(700), "quantity": 2}]}}).total == 1400
    extra = [{"amount": 250, "currency": "usd", "description": "More"}]
    assert create({"subscription": made.id, "invoice_items": extra}).total == 1250
    desk.v1.subscriptions.update(made.id, {"cancel_at_period_end": True})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        create({"subscription": made.id})
    assert refusal.value.code == "invoice_upcoming_none"
    assert [bill.id for bill in desk.v1.invoices.list().data] == [made.latest_invoice.id]


# A payment that fails


def failing_switch(desk: Desk, **wish: Any) -> Any:
    made = desk.subscribe(desk.price(1000))
    desk.change_card(made.customer, DUNNING_CARD)
    return made, {"price": desk.price(2000), "proration_behavior": "always_invoice", **wish}


def test_sequence_7_declined_leaves_it_past_due(desk: Desk) -> None:
    made, wish = failing_switch(desk)
    log = desk.during()
    changed = desk.switch(made, **wish)
    assert (changed.status, changed.latest_invoice.status) == ("past_due", "open")
    assert log.types()[-1] == "customer.subscription.updated"
    assert first_item(changed).price.unit_amount == 2000


def test_sequence_7_declined_with_error_if_incomplete_changes_nothing(desk: Desk) -> None:
    made, wish = failing_switch(desk, payment_behavior="error_if_incomplete")
    log = desk.during()
    with pytest.raises(stripe.CardError) as refusal:
        desk.switch(made, **wish)
    assert refusal.value.http_status == 402
    assert log.types() == []
    assert first_item(desk.again(made)).price.unit_amount == 1000


def test_default_incomplete_waits_past_due(desk: Desk) -> None:
    made = desk.subscribe(desk.price(1000))
    changed = desk.switch(
        made, price=desk.price(2000), proration_behavior="always_invoice", payment_behavior="default_incomplete"
    )
    assert (changed.status, changed.latest_invoice.status) == ("past_due", "open")
    desk.v1.invoices.pay(changed.latest_invoice.id)
    assert desk.again(made).status == "active"


def test_sequence_7_a_pending_update_is_applied_when_paid(desk: Desk) -> None:
    made, wish = failing_switch(desk, payment_behavior="pending_if_incomplete")
    log = desk.during()
    changed = desk.switch(made, **wish)
    assert changed.status == "active"
    assert first_item(changed).price.unit_amount == 1000
    assert changed.pending_update.expires_at == APRIL_1 + 23 * 3600
    assert [item.price.unit_amount for item in changed.pending_update.subscription_items] == [2000]
    assert log.types()[-1] == "customer.subscription.updated"
    card = desk.change_card(made.customer)
    log = desk.during()
    desk.v1.invoices.pay(changed.latest_invoice.id, {"payment_method": card})
    assert log.types()[-2:] == ["customer.subscription.updated", "customer.subscription.pending_update_applied"]
    after = desk.again(made)
    assert (after.pending_update, first_item(after).price.unit_amount) == (None, 2000)


def test_sequence_7_a_pending_update_expires(desk: Desk) -> None:
    made, wish = failing_switch(desk, payment_behavior="pending_if_incomplete")
    desk.switch(made, **wish)
    log = desk.during()
    desk.shop.advance("23h")
    assert log.types() == ["payment_intent.canceled", "invoice.voided", "customer.subscription.pending_update_expired"]
    after = desk.again(made)
    assert (after.pending_update, first_item(after).price.unit_amount, after.status) == (None, 1000, "active")


def test_a_pending_update_that_is_paid_at_once_is_simply_made(desk: Desk) -> None:
    made = desk.subscribe(desk.price(1000))
    changed = desk.switch(
        made, price=desk.price(2000), proration_behavior="always_invoice", payment_behavior="pending_if_incomplete"
    )
    assert (first_item(changed).price.unit_amount, changed.pending_update) == (2000, None)
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        desk.switch(made, payment_behavior="pending_if_incomplete", metadata={"a": "1"})
    assert refusal.value.param == "metadata"


def test_bad_changes(desk: Desk) -> None:
    made = desk.subscribe(desk.price(1000))
    for wish, param in [
        ({"items": [{"id": "si_none", "quantity": 2}]}, "items"),
        ({"items": [{"id": first_item(made).id, "quantity": -1}]}, "items[0][quantity]"),
        ({"items": [{"id": first_item(made).id, "price": desk.once(5000)}]}, "items[0][price]"),
        ({"proration_date": APRIL_1 - 1, "items": [{"id": first_item(made).id, "quantity": 2}]}, "proration_date"),
        ({"cancel_at": APRIL_1 - 1}, "cancel_at"),
        ({"trial_end": APRIL_1 - 1}, "trial_end"),
    ]:
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            desk.v1.subscriptions.update(made.id, wish)
        assert refusal.value.param == param
    assert first_item(desk.again(made)).quantity == 1


def test_a_coupon_comes_and_goes(desk: Desk) -> None:
    made = desk.subscribe(desk.price(1000))
    half = desk.v1.coupons.create({"percent_off": 50, "duration": "forever"}).id
    changed = desk.v1.subscriptions.update(made.id, {"discounts": [{"coupon": half}], "expand": ["discounts"]})
    assert changed.discounts[0].source.coupon == half
    assert desk.v1.invoices.create_preview({"subscription": made.id}).total == 500
    assert desk.v1.subscriptions.update(made.id, {"discounts": ""}).discounts == []
    assert desk.v1.invoices.create_preview({"subscription": made.id}).total == 1000
