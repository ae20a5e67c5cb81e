"""The lines of a draft, edited one by one. Each line made by hand stands on an invoice item; those of a subscription's period stay as they are."""

from ..attributes import merged_metadata
from ..errors import Json, invalid, missing_parameter
from ..work import Work
from . import invoice_items
from .invoice_items import put_on, recount
from .invoices import editable

ITEM_FIELDS = "amount description discountable discounts metadata period price_data pricing quantity tax_rates".split()


def add(work: Work, id: str, wish: Json) -> Json:
    """Waiting invoice items by id, or new ones."""
    bill = begin(work, id, wish)
    for number, line in enumerate(wish["lines"]):
        if line.get("invoice_item"):
            waiting = work.require("invoiceitem", line["invoice_item"], f"lines[{number}][invoice_item]")
            if waiting["invoice"] or waiting["customer"] != bill["customer"] or waiting["currency"] != bill["currency"]:
                raise invalid(
                    "This invoice item cannot be put on this invoice.", param=f"lines[{number}][invoice_item]"
                )
            put_on(work, bill, waiting)
        else:
            fields = {name: line[name] for name in ITEM_FIELDS if name in line}
            currency = (line.get("price_data") or {}).get("currency", bill["currency"])
            invoice_items.create(
                work, {**fields, "customer": bill["customer"], "invoice": bill["id"], "currency": currency}
            )
    return finish(work, bill)


def change(work: Work, id: str, wish: Json) -> Json:
    bill = begin(work, id, wish)
    for number, line in enumerate(wish["lines"]):
        item = item_behind(bill, line["id"], f"lines[{number}][id]")
        invoice_items.update(work, item, {name: line[name] for name in ITEM_FIELDS if name in line})
    return finish(work, bill)


def change_one(work: Work, id: str, line_id: str, wish: Json) -> Json:
    """Answers the line."""
    bill = change(work, id, {"lines": [{**wish, "id": line_id}]})
    return next(line for line in bill["_lines"] if line["id"] == line_id)


def remove(work: Work, id: str, wish: Json) -> Json:
    """`delete` forgets the invoice item, `unassign` lets it wait for another invoice."""
    bill = begin(work, id, wish)
    for number, line in enumerate(wish["lines"]):
        item = item_behind(bill, line["id"], f"lines[{number}][id]")
        if line["behavior"] == "delete":
            invoice_items.delete(work, item)
            continue
        bill["_lines"] = [kept for kept in bill["_lines"] if kept["id"] != line["id"]]
        waiting = work.require("invoiceitem", item)
        waiting["invoice"] = None
        work.save(waiting)
        recount(work, bill)
    return finish(work, bill)


def begin(work: Work, id: str, wish: Json) -> Json:
    bill = editable(work, id)
    if not wish["lines"]:
        raise missing_parameter("lines")
    if "invoice_metadata" in wish:
        bill["metadata"] = merged_metadata(bill["metadata"], wish["invoice_metadata"], "invoice_metadata")
    return bill


def finish(work: Work, bill: Json) -> Json:
    """`invoice.updated` tells the old totals."""
    recount(work, bill)
    committed = work.account.objects["invoice"].get(bill["id"], bill)
    work.emit_updated("invoice.updated", bill, committed)
    return bill


def item_behind(bill: Json, line_id: str, param: str) -> str:
    line = next((one for one in bill["_lines"] if one["id"] == line_id), None)
    if line is None:
        raise invalid(f"No such line on this invoice: {line_id}", param=param, code="resource_missing")
    if not line.get("_invoiceitem"):
        raise invalid("The line of a subscription's period cannot be edited.", param=param, code="invoice_not_editable")
    return str(line["_invoiceitem"])
