"""Credit notes of open and of paid invoices."""

from typing import Any

import pytest
import stripe

from tests.contract.billing import Desk, amounts


def open_bill(desk: Desk, amount: int = 1000) -> Any:
    customer = desk.customer()
    desk.v1.invoice_items.create({"customer": customer, "amount": amount, "currency": "usd", "description": "Work"})
    made = desk.v1.invoices.create({"customer": customer, "pending_invoice_items_behavior": "include"})
    return desk.v1.invoices.finalize_invoice(made.id, {"auto_advance": False})


def test_of_an_open_invoice_less_is_due(desk: Desk) -> None:
    bill = open_bill(desk)
    log = desk.during()
    note = desk.v1.credit_notes.create({"invoice": bill.id, "amount": 400, "reason": "order_change", "memo": "Less"})
    assert log.types() == ["credit_note.created", "invoice.updated"]
    assert (note.type, note.status, note.amount, note.number) == ("pre_payment", "issued", 400, f"{bill.number}-CN-01")
    lower = desk.v1.invoices.retrieve(bill.id)
    assert (lower.amount_due, lower.amount_remaining, lower.pre_payment_credit_notes_amount) == (600, 600, 400)
    log = desk.during()
    assert desk.v1.credit_notes.void_credit_note(note.id).status == "void"
    assert log.types() == ["credit_note.voided", "invoice.updated"]
    assert desk.v1.invoices.retrieve(bill.id).amount_due == 1000
    desk.v1.credit_notes.create({"invoice": bill.id, "amount": 250})
    assert desk.v1.invoices.pay(bill.id).amount_paid == 750


def test_a_note_over_everything_pays_an_open_invoice(desk: Desk) -> None:
    bill = open_bill(desk)
    desk.v1.credit_notes.create({"invoice": bill.id, "amount": 1000})
    after = desk.v1.invoices.retrieve(bill.id)
    assert (after.status, after.amount_paid) == ("paid", 0)


def test_of_a_paid_invoice_by_refund_credit_and_elsewhere(desk: Desk) -> None:
    made = desk.subscribe(desk.price(1000))
    bill = made.latest_invoice
    log = desk.during()
    note = desk.v1.credit_notes.create(
        {"invoice": bill.id, "amount": 600, "refund_amount": 300, "credit_amount": 200, "out_of_band_amount": 100}
    )
    assert log.types() == [
        "customer.updated",
        "refund.created",
        "charge.refunded",
        "credit_note.created",
        "invoice.updated",
    ]
    assert (note.type, note.post_payment_amount, note.out_of_band_amount) == ("post_payment", 600, 100)
    assert [one.amount_refunded for one in note.refunds] == [300]
    assert desk.v1.customers.retrieve(made.customer).balance == -200
    assert desk.v1.customers.balance_transactions.list(made.customer).data[0].credit_note == note.id
    assert desk.v1.invoices.retrieve(bill.id).post_payment_credit_notes_amount == 600
    assert [one.id for one in desk.v1.credit_notes.list({"invoice": bill.id}).data] == [note.id]
    assert desk.v1.credit_notes.update(note.id, {"memo": "x"}).memo == "x"


def test_by_line_with_its_discount_and_tax(desk: Desk) -> None:
    tenth = desk.v1.coupons.create({"percent_off": 10}).id
    vat = desk.v1.tax_rates.create({"display_name": "VAT", "percentage": 20, "inclusive": False}).id
    made = desk.subscribe(desk.price(1000), quantity=2, discounts=[{"coupon": tenth}], default_tax_rates=[vat])
    bill = made.latest_invoice
    assert (amounts(bill), bill.total) == ([2000], 2160)
    wish = {
        "invoice": bill.id,
        "lines": [{"type": "invoice_line_item", "invoice_line_item": bill.lines.data[0].id, "quantity": 1}],
        "credit_amount": 1080,
    }
    preview = desk.v1.credit_notes.preview(wish)
    note = desk.v1.credit_notes.create(wish)
    for one in (preview, note):
        assert (one.subtotal, one.discount_amount, one.total, one.total_taxes[0].amount) == (1000, 100, 1080, 180)
    lines = desk.v1.credit_notes.line_items.list(note.id).data
    assert [(line.amount, line.quantity, line.discount_amount) for line in lines] == [(1000, 1, 100)]
    assert len(desk.v1.credit_notes.preview_lines.list(wish).data) == 1


def test_a_line_of_its_own(desk: Desk) -> None:
    bill = open_bill(desk)
    line = {"type": "custom_line_item", "description": "Sorry", "quantity": 2, "unit_amount": 150}
    note = desk.v1.credit_notes.create({"invoice": bill.id, "lines": [line]})
    assert (note.amount, note.lines.data[0].description) == (300, "Sorry")


def test_what_cannot_be_credited(desk: Desk) -> None:
    bill = open_bill(desk)
    paid = desk.subscribe(desk.price(1000)).latest_invoice
    draft = desk.v1.invoices.create({"customer": bill.customer})
    line = paid.lines.data[0].id
    for wish, param in [
        ({"invoice": draft.id, "amount": 5}, "invoice"),
        ({"invoice": bill.id}, "amount"),
        ({"invoice": bill.id, "amount": 1001}, "amount"),
        ({"invoice": bill.id, "amount": 0}, "amount"),
        ({"invoice": bill.id, "amount": 100, "refund_amount": 100}, "refund_amount"),
        ({"invoice": paid.id, "amount": 100}, "amount"),
        ({"invoice": paid.id, "amount": 1001, "credit_amount": 1001}, "amount"),
        (
            {"invoice": paid.id, "lines": [{"type": "invoice_line_item", "invoice_line_item": "il_x"}]},
            "lines[0][invoice_line_item]",
        ),
        (
            {"invoice": paid.id, "lines": [{"type": "invoice_line_item", "invoice_line_item": line, "quantity": 2}]},
            "lines[0]",
        ),
        ({"invoice": paid.id, "lines": [{"type": "custom_line_item"}]}, "lines[0][unit_amount]"),
    ]:
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            desk.v1.credit_notes.create(wish)
        assert refusal.value.param == param
    note = desk.v1.credit_notes.create({"invoice": paid.id, "amount": 100, "credit_amount": 100})
    with pytest.raises(stripe.InvalidRequestError, match="only void"):
        desk.v1.credit_notes.void_credit_note(note.id)
