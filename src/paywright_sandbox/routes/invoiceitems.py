"""Invoice items."""

from ..errors import Json
from ..listing import in_range, page
from ..machine import invoice_items
from ..routing import route
from ..work import Work

WRITTEN = "amount description discountable discounts metadata period price_data pricing.price quantity tax_rates unit_amount_decimal"


@route("POST /v1/invoiceitems", acts_on=f"{WRITTEN} currency customer invoice subscription")
def create(work: Work, parameters: Json) -> Json:
    return invoice_items.create(work, parameters)


@route("GET /v1/invoiceitems/{invoiceitem}")
def retrieve(work: Work, parameters: Json, invoiceitem: str) -> Json:
    return work.require("invoiceitem", invoiceitem)


@route("POST /v1/invoiceitems/{invoiceitem}", acts_on=WRITTEN)
def update(work: Work, parameters: Json, invoiceitem: str) -> Json:
    return invoice_items.update(work, invoiceitem, parameters)


@route("DELETE /v1/invoiceitems/{invoiceitem}")
def delete(work: Work, parameters: Json, invoiceitem: str) -> Json:
    return invoice_items.delete(work, invoiceitem)


@route("GET /v1/invoiceitems", acts_on="created customer ending_before invoice limit pending starting_after")
def list_(work: Work, parameters: Json) -> Json:
    pending = parameters.get("pending")
    at = parameters.get("created")

    def fits(found: Json) -> bool:
        return (pending is None or (found["invoice"] is None) == pending) and (
            at is None or in_range(found["date"], at)
        )

    rest = {name: value for name, value in parameters.items() if name != "created"}
    return page(work, "invoiceitem", rest, "customer", "invoice", keep=fits)
