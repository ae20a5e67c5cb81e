"""
Credit notes: part of a final invoice taken back.

Of an open invoice a note lowers what is due. Of a paid one it says where the money goes: back to the card (`refund_amount`), to the customer's
balance (`credit_amount`), or elsewhere (`out_of_band_amount`); the three sum to the note.
"""

from fractions import Fraction
from typing import Any

from ..account import copied
from ..attributes import take, take_metadata
from ..errors import Json, invalid
from ..objects.credit_notes import credit_note, credit_note_line
from ..work import Work
from . import refunds
from .balances import move
from .discounts import rounding
from .invoice_totals import summed_discounts, summed_taxes
from .invoices import mark_paid

KIND = "credit_note"
LINES_SHOWN = 10
CREDITABLE = ("open", "paid", "uncollectible")
WAYS = ("refund_amount", "credit_amount", "out_of_band_amount")


def create(work: Work, wish: Json) -> Json:
    bill = work.require("invoice", wish["invoice"], "invoice")
    made = build(work, bill, wish)
    work.save(made)
    before = copied(bill)
    if made["type"] == "pre_payment":
        lower(work, bill, made)
    else:
        give(work, bill, made, wish)
    work.save(made)
    work.emit("credit_note.created", made)
    if bill != before and bill["status"] == before["status"]:
        work.emit_updated("invoice.updated", bill, before)
    return made


def build(work: Work, bill: Json, wish: Json) -> Json:
    """The note as it would be; nothing is done. Refuses more than is left of the invoice."""
    if bill["status"] not in CREDITABLE:
        raise invalid(f"Credit notes are for open or paid invoices; this one is {bill['status']}.", param="invoice")
    at = work.now_of(bill["customer"])
    id = work.new_id(KIND)
    number = f"{bill['number']}-CN-{len(notes_of(work, bill)) + 1:02d}"
    made = credit_note(id, at, invoice=bill, number=number, pdf=f"{work.origin}/i/{bill['id']}/pdf")
    take(made, wish, "memo", "reason", "effective_at")
    take_metadata(made, wish)
    lines = lines_wished(work, bill, wish)
    put_lines(made, lines)
    made["type"] = "post_payment" if bill["status"] == "paid" else "pre_payment"
    made[f"{made['type']}_amount"] = made["amount"]
    check_amount(work, bill, made, wish)
    return made


def notes_of(work: Work, bill: Json) -> list[Json]:
    return [note for note in work.newest_first(KIND) if note["invoice"] == bill["id"]]


def lines_wished(work: Work, bill: Json, wish: Json) -> list[Json]:
    if wish.get("lines") and wish.get("amount") is not None:
        raise invalid("You may only specify one of these parameters: amount, lines.", code="parameters_exclusive")
    if wish.get("lines"):
        return [line_wished(work, bill, each, number) for number, each in enumerate(wish["lines"])]
    if wish.get("amount") is None:
        raise invalid("You must give amount or lines.", param="amount", code="parameter_missing")
    text = f"Credit for invoice {bill['number']}"
    return [
        credit_note_line(
            f"cnli_{work.account.ids.letters(24)}",
            amount=wish["amount"],
            description=text,
            quantity=1,
            invoice_line=None,
        )
    ]


def line_wished(work: Work, bill: Json, wish: Json, number: int) -> Json:
    id = f"cnli_{work.account.ids.letters(24)}"
    if wish["type"] == "invoice_line_item":
        return part_of_line(work, bill, wish, f"lines[{number}]", id)
    quantity = wish.get("quantity", 1)
    unit: Any = wish.get("unit_amount_decimal", wish.get("unit_amount"))
    if unit is None:
        raise invalid(
            "A custom line needs unit_amount.", param=f"lines[{number}][unit_amount]", code="parameter_missing"
        )
    amount = rounding(work)(Fraction(str(unit)) * quantity)
    made = credit_note_line(
        id, amount=amount, description=wish.get("description"), quantity=quantity, invoice_line=None
    )
    made.update(unit_amount=wish.get("unit_amount"), unit_amount_decimal=str(unit))
    take_metadata(made, wish)
    return made


def part_of_line(work: Work, bill: Json, wish: Json, param: str, id: str) -> Json:
    """By quantity or by amount; discounts and taxes of the line go along in proportion."""
    line = next((one for one in bill["_lines"] if one["id"] == wish.get("invoice_line_item")), None)
    if line is None:
        raise invalid("No such line on this invoice.", param=f"{param}[invoice_line_item]", code="resource_missing")
    quantity = wish.get("quantity")
    if wish.get("amount") is not None:
        share = Fraction(wish["amount"], line["amount"]) if line["amount"] else Fraction(0)
    else:
        quantity = quantity if quantity is not None else line["quantity"]
        share = Fraction(quantity, line["quantity"] or 1)
    if not 0 < share <= 1:
        raise invalid("More than the line holds cannot be credited.", param=param)
    exact = rounding(work)
    made = credit_note_line(
        id,
        amount=exact(line["amount"] * share),
        description=wish.get("description") or line["description"],
        quantity=quantity,
        invoice_line=line["id"],
    )
    made["discount_amounts"] = [{**one, "amount": exact(one["amount"] * share)} for one in line["discount_amounts"]]
    made["discount_amount"] = sum(one["amount"] for one in made["discount_amounts"])
    made["pretax_credit_amounts"] = [{**one, "type": "discount"} for one in made["discount_amounts"]]
    made["taxes"] = [
        {**one, "amount": exact(one["amount"] * share), "taxable_amount": exact(one["taxable_amount"] * share)}
        for one in copied(line["taxes"])
    ]
    take_metadata(made, wish)
    return made


def put_lines(made: Json, lines: list[Json]) -> None:
    exclusive = sum(tax["amount"] for line in lines for tax in line["taxes"] if tax["tax_behavior"] == "exclusive")
    inclusive = sum(tax["amount"] for line in lines for tax in line["taxes"] if tax["tax_behavior"] == "inclusive")
    made["_lines"] = lines
    made["subtotal"] = sum(line["amount"] for line in lines)
    made["discount_amount"] = sum(line["discount_amount"] for line in lines)
    made["discount_amounts"] = summed_discounts(lines)
    made["pretax_credit_amounts"] = [{**one, "type": "discount"} for one in made["discount_amounts"]]
    made["total_taxes"] = summed_taxes(lines)
    made["total_excluding_tax"] = made["subtotal"] - made["discount_amount"] - inclusive
    made["subtotal_excluding_tax"] = made["subtotal"] - inclusive
    made["total"] = made["amount"] = made["subtotal"] - made["discount_amount"] + exclusive
    made["lines"]["data"] = lines[:LINES_SHOWN]
    made["lines"]["has_more"] = len(lines) > LINES_SHOWN


def check_amount(work: Work, bill: Json, made: Json, wish: Json) -> None:
    if made["amount"] <= 0:
        raise invalid("The amount of a credit note must be positive.", param="amount")
    if made["type"] == "pre_payment":
        if made["amount"] > bill["amount_remaining"]:
            raise invalid(
                f"The credit note is for more than what is left to pay ({bill['amount_remaining']}).", param="amount"
            )
        if any(wish.get(name) for name in WAYS) or wish.get("refunds"):
            raise invalid("Nothing was paid yet, so nothing can be given back.", param="refund_amount")
        return
    left = bill["total"] - bill["post_payment_credit_notes_amount"] - bill["pre_payment_credit_notes_amount"]
    if made["amount"] > left:
        raise invalid(f"The credit note is for more than is left of the invoice ({left}).", param="amount")
    given = sum(wish.get(name) or 0 for name in WAYS) + sum(
        each.get("amount_refunded") or work.require("refund", each["refund"], "refunds")["amount"]
        for each in wish.get("refunds") or []
    )
    if given != made["amount"]:
        raise invalid(
            "The sum of credit amount, refund amount and out of band amount must equal the amount of the credit note "
            f"({made['amount']}).",
            param="amount",
        )


def lower(work: Work, bill: Json, made: Json) -> None:
    """Less is due; when nothing is left, the invoice is paid."""
    bill["pre_payment_credit_notes_amount"] += made["amount"]
    bill["amount_due"] -= made["amount"]
    bill["amount_remaining"] -= made["amount"]
    work.save(bill)
    follow_intent(work, bill)
    if bill["amount_remaining"] == 0:
        mark_paid(work, bill)


def follow_intent(work: Work, bill: Json) -> None:
    for id in bill["_payments"]:
        payment = work.require("invoice_payment", id)
        intent = work.get("payment_intent", payment["payment"].get("payment_intent"))
        if payment["status"] == "open" and intent and bill["amount_remaining"] > 0:
            intent["amount"] = payment["amount_requested"] = bill["amount_remaining"]
            work.save(intent)
            work.save(payment)


def give(work: Work, bill: Json, made: Json, wish: Json) -> None:
    bill["post_payment_credit_notes_amount"] += made["amount"]
    work.save(bill)
    made["out_of_band_amount"] = wish.get("out_of_band_amount")
    if wish.get("credit_amount"):
        booked = move(
            work,
            bill["customer"],
            -wish["credit_amount"],
            bill["currency"],
            KIND,
            invoice=bill["id"],
            credit_note=made["id"],
        )
        made["customer_balance_transaction"] = booked["id"]
    if wish.get("refund_amount"):
        refund = refunds.create(work, {"payment_intent": paying_intent(work, bill), "amount": wish["refund_amount"]})
        made["refunds"].append(shown_refund(refund["id"], wish["refund_amount"]))
    for each in wish.get("refunds") or []:
        held = work.require("refund", each["refund"], "refunds")
        made["refunds"].append(shown_refund(held["id"], each.get("amount_refunded") or held["amount"]))


def shown_refund(id: str, amount: int) -> Json:
    return {"amount_refunded": amount, "payment_record_refund": None, "refund": id, "type": "refund"}


def paying_intent(work: Work, bill: Json) -> str:
    for id in bill["_payments"]:
        payment = work.require("invoice_payment", id)
        if payment["status"] == "paid":
            return str(payment["payment"]["payment_intent"])
    raise invalid("The invoice was not paid by a charge, so nothing can be refunded.", param="refund_amount")


def void(work: Work, id: str) -> Json:
    """Only while the invoice is open: what was due is due again."""
    made = work.require(KIND, id, "id")
    bill = work.require("invoice", made["invoice"])
    if made["status"] == "void" or made["type"] != "pre_payment" or bill["status"] != "open":
        raise invalid("You can only void credit notes of open invoices.", param="id")
    before = copied(bill)
    made.update(status="void", voided_at=work.now_of(made["customer"]))
    bill["pre_payment_credit_notes_amount"] -= made["amount"]
    bill["amount_due"] += made["amount"]
    bill["amount_remaining"] += made["amount"]
    work.save(bill)
    work.save(made)
    follow_intent(work, bill)
    work.emit("credit_note.voided", made)
    work.emit_updated("invoice.updated", bill, before)
    return made
