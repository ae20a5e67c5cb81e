"""Invoices by hand, their life, lines, items, payments and the customer's balance."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.billing import APRIL_1, DUNNING_CARD, Desk, amounts

DAY = 86_400
CHARGED = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]
PAID = ["invoice.paid", "invoice.payment_succeeded", "invoice_payment.paid"]


def billed(desk: Desk, amount: int = 1000, customer: str | None = None, **wish: Any) -> Any:
    """A draft with one item."""
    customer = customer or desk.customer()
    desk.v1.invoice_items.create({"customer": customer, "amount": amount, "currency": "usd", "description": "Work"})
    return desk.v1.invoices.create({"customer": customer, "pending_invoice_items_behavior": "include", **wish})


def test_item_create_finalize_pay(desk: Desk) -> None:
    customer = desk.customer()
    log = desk.during()
    made = billed(desk, customer=customer)
    assert log.types() == ["invoiceitem.created", "invoice.created"]
    assert (made.status, made.number, made.hosted_invoice_url, made.billing_reason) == ("draft", None, None, "manual")
    log = desk.during()
    final = desk.v1.invoices.finalize_invoice(made.id)
    assert log.types() == ["invoice.finalized", "payment_intent.created"]
    assert (final.status, final.status_transitions.finalized_at) == ("open", APRIL_1)
    assert final.number.endswith("-0001")
    assert final.hosted_invoice_url.endswith(f"/i/{made.id}")
    log = desk.during()
    paid = desk.v1.invoices.pay(made.id, {"expand": ["payments"]})
    assert log.types() == [*CHARGED[1:], *PAID]
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 1000, 0)
    payment = paid.payments.data[0]
    assert (payment.status, payment.amount_paid, payment.is_default) == ("paid", 1000, True)
    assert desk.v1.invoice_payments.retrieve(payment.id).invoice == made.id
    assert [p.id for p in desk.v1.invoice_payments.list({"invoice": made.id, "status": "paid"}).data] == [payment.id]
    by_intent = {"payment": {"type": "payment_intent", "payment_intent": payment.payment.payment_intent}}
    assert [p.id for p in desk.v1.invoice_payments.list(by_intent).data] == [payment.id]
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        desk.v1.invoices.pay(made.id)


def test_an_automatic_invoice_becomes_final_after_an_hour(desk: Desk) -> None:
    made = billed(desk, auto_advance=True)
    assert made.automatically_finalizes_at == APRIL_1 + 3600
    log = desk.during()
    desk.shop.advance("1h")
    assert log.types() == ["invoice.finalized", *CHARGED, "invoice.updated", *PAID]


def test_a_draft_can_be_changed_and_deleted_a_final_one_cannot(desk: Desk) -> None:
    made = billed(desk)
    log = desk.during()
    changed = desk.v1.invoices.update(made.id, {"description": "April", "metadata": {"a": "1"}})
    assert (changed.description, changed.metadata.to_dict()) == ("April", {"a": "1"})
    assert log.types() == ["invoice.updated"]
    other = billed(desk)
    log = desk.during()
    assert desk.v1.invoices.delete(other.id).deleted is True
    assert log.types() == ["invoice.deleted"]
    with pytest.raises(stripe.InvalidRequestError) as gone:
        desk.v1.invoices.retrieve(other.id)
    assert gone.value.code == "resource_missing"
    desk.v1.invoices.finalize_invoice(made.id)
    assert desk.v1.invoices.update(made.id, {"metadata": {"b": "2"}}).metadata.b == "2"
    item = desk.v1.invoice_items.list().data[0].id
    refused: list[Callable[[], Any]] = [
        lambda: desk.v1.invoices.update(made.id, {"number": "X-1"}),
        lambda: desk.v1.invoices.delete(made.id),
        lambda: desk.v1.invoices.finalize_invoice(made.id),
        lambda: desk.v1.invoice_items.delete(item),
        lambda: desk.v1.invoice_items.update(item, {"amount": 5}),
        lambda: desk.v1.invoice_items.create(
            {"customer": made.customer, "amount": 5, "currency": "usd", "invoice": made.id}
        ),
    ]
    for act in refused:
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            act()
        assert refusal.value.code == "invoice_not_editable"


def test_void_and_uncollectible(desk: Desk) -> None:
    made = billed(desk)
    with pytest.raises(stripe.InvalidRequestError):
        desk.v1.invoices.void_invoice(made.id)
    desk.v1.invoices.finalize_invoice(made.id)
    log = desk.during()
    marked = desk.v1.invoices.mark_uncollectible(made.id)
    assert (marked.status, marked.status_details.uncollectible.reason) == ("uncollectible", "user_forgiven")
    assert log.types() == ["invoice.marked_uncollectible"]
    assert desk.v1.invoices.pay(made.id).status == "paid"
    other = billed(desk)
    desk.v1.invoices.finalize_invoice(other.id)
    log = desk.during()
    voided = desk.v1.invoices.void_invoice(other.id)
    assert (voided.status, voided.status_transitions.voided_at) == ("void", APRIL_1)
    assert log.types() == ["payment_intent.canceled", "invoice.voided"]
    with pytest.raises(stripe.InvalidRequestError):
        desk.v1.invoices.pay(other.id)
    with pytest.raises(stripe.InvalidRequestError):
        desk.v1.invoices.mark_uncollectible(other.id)


def test_a_decline_is_402_and_stays_on_the_books(desk: Desk) -> None:
    made = billed(desk, customer=desk.customer(DUNNING_CARD))
    with pytest.raises(stripe.CardError) as refusal:
        desk.v1.invoices.pay(made.id)
    assert (refusal.value.code, refusal.value.http_status) == ("card_declined", 402)
    after = desk.v1.invoices.retrieve(made.id)
    assert (after.status, after.attempt_count, after.attempted) == ("open", 1, True)
    assert desk.shop.events()[-1] == "invoice.payment_failed"


def test_paying_without_any_card_is_refused(desk: Desk) -> None:
    made = billed(desk, customer=desk.customer(None))
    with pytest.raises(stripe.InvalidRequestError, match="no attached payment source"):
        desk.v1.invoices.pay(made.id)
    paid = desk.v1.invoices.pay(made.id, {"paid_out_of_band": True})
    assert (paid.status, paid.amount_paid) == ("paid", 1000)


def test_sending(desk: Desk) -> None:
    made = billed(desk, collection_method="send_invoice", days_until_due=30)
    assert made.due_date == APRIL_1 + 30 * DAY
    log = desk.during()
    assert desk.v1.invoices.send_invoice(made.id).status == "open"
    assert log.types() == ["invoice.finalized", "payment_intent.created", "invoice.sent"]
    with pytest.raises(stripe.InvalidRequestError, match="send_invoice"):
        desk.v1.invoices.send_invoice(billed(desk).id)


def test_an_empty_invoice_cannot_become_final(desk: Desk) -> None:
    made = desk.v1.invoices.create({"customer": desk.customer()})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        desk.v1.invoices.finalize_invoice(made.id)
    assert refusal.value.code == "invoice_no_customer_line_items"


def test_lines_beyond_the_first_are_paged(desk: Desk) -> None:
    customer = desk.customer()
    for number in range(12):
        desk.v1.invoice_items.create({"customer": customer, "amount": 100 + number, "currency": "usd"})
    made = desk.v1.invoices.create({"customer": customer, "pending_invoice_items_behavior": "include"})
    assert (len(made.lines.data), made.lines.has_more, made.total) == (10, True, 1266)
    everything = list(desk.v1.invoices.line_items.list(made.id, {"limit": 5}).auto_paging_iter())
    assert [line.amount for line in everything] == [100 + number for number in range(12)]


def test_items_by_price_and_quantity(desk: Desk) -> None:
    customer = desk.customer()
    made = desk.v1.invoice_items.create({"customer": customer, "pricing": {"price": desk.once(250)}, "quantity": 3})
    assert (made.amount, made.quantity, made.pricing.price_details.product[:5]) == (750, 3, "prod_")
    assert desk.v1.invoice_items.update(made.id, {"quantity": 4}).amount == 1000
    log = desk.during()
    assert desk.v1.invoice_items.delete(made.id).deleted is True
    assert log.types() == ["invoiceitem.deleted"]
    for wish, param in [
        ({"amount": 5}, "customer"),
        ({"customer": desk.customer()}, "currency"),
        ({"customer": customer, "currency": "usd"}, "amount"),
        ({"customer": customer, "pricing": {"price": desk.price()}}, "price"),
    ]:
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            desk.v1.invoice_items.create(wish)
        assert refusal.value.param == param


def test_an_item_goes_to_the_draft_it_names(desk: Desk) -> None:
    made = billed(desk)
    desk.v1.invoice_items.create({"customer": made.customer, "amount": 500, "currency": "usd", "invoice": made.id})
    after = desk.v1.invoices.retrieve(made.id)
    assert (amounts(after), after.total) == ([1000, 500], 1500)
    item = desk.v1.invoice_items.list({"invoice": made.id}).data[0].id
    desk.v1.invoice_items.delete(item)
    assert desk.v1.invoices.retrieve(made.id).total == 1000


def test_the_balance_pays_first(desk: Desk) -> None:
    customer = desk.customer(balance=-300)
    made = billed(desk, customer=customer)
    assert (made.starting_balance, made.amount_due, made.ending_balance) == (-300, 700, None)
    log = desk.during()
    final = desk.v1.invoices.finalize_invoice(made.id)
    assert log.types()[:2] == ["invoice.finalized", "customer.updated"]
    assert (final.amount_due, final.ending_balance) == (700, 0)
    assert desk.v1.customers.retrieve(customer).balance == 0
    desk.v1.invoices.void_invoice(made.id)
    assert desk.v1.customers.retrieve(customer).balance == -300


def test_too_little_to_charge_waits_on_the_balance(desk: Desk) -> None:
    made = billed(desk, amount=30)
    log = desk.during()
    final = desk.v1.invoices.finalize_invoice(made.id)
    assert (final.status, final.amount_due, final.ending_balance) == ("paid", 0, 30)
    assert "payment_intent.created" not in log.types()
    later = desk.v1.invoices.finalize_invoice(billed(desk, customer=made.customer).id)
    assert (later.total, later.amount_due) == (1000, 1030)


def test_numbers_count_per_customer(desk: Desk) -> None:
    first = desk.v1.invoices.finalize_invoice(billed(desk).id)
    second = desk.v1.invoices.finalize_invoice(billed(desk, customer=first.customer).id)
    prefix = desk.v1.customers.retrieve(first.customer).invoice_prefix
    assert (first.number, second.number) == (f"{prefix}-0001", f"{prefix}-0002")


def test_lists_filter(desk: Desk) -> None:
    first, second = billed(desk), billed(desk)
    desk.v1.invoices.finalize_invoice(second.id)
    listed = desk.v1.invoices.list
    assert [bill.id for bill in listed().data] == [second.id, first.id]
    assert [bill.id for bill in listed({"status": "open"}).data] == [second.id]
    assert [bill.id for bill in listed({"customer": first.customer}).data] == [first.id]
    assert [bill.id for bill in listed({"created": {"lt": APRIL_1}}).data] == []


DISCOUNTS = [
    pytest.param([("percent_off", 10)], [1000, 500], [-100, -50], id="percent"),
    pytest.param([("percent_off", 33.3)], [100, 100, 100], [-34, -33, -33], id="percent by largest remainder"),
    pytest.param([("amount_off", 100)], [100, 100, 100], [-34, -33, -33], id="amount by largest remainder"),
    pytest.param([("amount_off", 5000)], [1000, 500], [-1000, -500], id="no more than there is"),
    pytest.param([("percent_off", 50), ("amount_off", 100)], [1000], [-600], id="one after the other"),
]


@pytest.mark.parametrize(("coupons", "items", "off"), DISCOUNTS)
def test_discounts_are_shared_over_the_lines(
    desk: Desk, coupons: list[tuple[str, float]], items: list[int], off: list[int]
) -> None:
    customer = desk.customer()
    made = [
        desk.v1.coupons.create({name: value, "currency": "usd"} if name == "amount_off" else {name: value}).id
        for name, value in coupons
    ]
    for amount in items:
        desk.v1.invoice_items.create({"customer": customer, "amount": amount, "currency": "usd"})
    bill = desk.v1.invoices.create(
        {
            "customer": customer,
            "pending_invoice_items_behavior": "include",
            "discounts": [{"coupon": id} for id in made],
        }
    )
    assert [-sum(part.amount for part in line.discount_amounts) for line in bill.lines.data] == off
    assert (bill.subtotal, bill.total) == (sum(items), sum(items) + sum(off))
    assert sum(part.amount for part in bill.total_discount_amounts) == -sum(off)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    items=st.lists(st.integers(1, 50_000), min_size=1, max_size=6),
    percents=st.lists(st.integers(1, 100), max_size=2),
)
def test_the_lines_always_sum_to_the_total(desk: Desk, items: list[int], percents: list[int]) -> None:
    customer = desk.customer(None)
    coupons = [desk.v1.coupons.create({"percent_off": percent}).id for percent in percents]
    for amount in items:
        desk.v1.invoice_items.create({"customer": customer, "amount": amount, "currency": "usd"})
    bill = desk.v1.invoices.create(
        {
            "customer": customer,
            "pending_invoice_items_behavior": "include",
            "discounts": [{"coupon": id} for id in coupons],
        }
    )
    net = sum(line.amount - sum(part.amount for part in line.discount_amounts) for line in bill.lines.data)
    assert net == bill.total >= 0
    assert bill.subtotal == sum(items)
