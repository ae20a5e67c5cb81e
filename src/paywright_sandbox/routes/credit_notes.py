"""Credit notes."""

from ..account import copied
from ..attributes import take, take_metadata
from ..errors import Json
from ..listing import page, page_of
from ..machine import credit_notes
from ..machine.credit_notes import KIND
from ..routing import route
from ..work import Work

WRITTEN = (
    "amount credit_amount effective_at email_type invoice memo metadata out_of_band_amount reason refund_amount refunds.amount_refunded "
    "refunds.refund refunds.type lines.amount lines.description lines.invoice_line_item lines.metadata lines.quantity lines.type "
    "lines.unit_amount lines.unit_amount_decimal"
)
NOTE = "A note by `amount` has one line of its own, without tax. No e-mail is sent."


@route("POST /v1/credit_notes", acts_on=WRITTEN, note=NOTE)
def create(work: Work, parameters: Json) -> Json:
    return credit_notes.create(work, parameters)


@route("GET /v1/credit_notes/preview", acts_on=WRITTEN, note=NOTE)
def preview(work: Work, parameters: Json) -> Json:
    return credit_notes.build(work, work.require("invoice", parameters["invoice"], "invoice"), parameters)


@route("GET /v1/credit_notes/preview/lines", acts_on=f"{WRITTEN} ending_before limit starting_after")
def preview_lines(work: Work, parameters: Json) -> Json:
    return page_of(iter(preview(work, parameters)["_lines"]), parameters, "credit_note_line_item")


@route("GET /v1/credit_notes/{id}")
def retrieve(work: Work, parameters: Json, id: str) -> Json:
    return work.require(KIND, id)


@route("POST /v1/credit_notes/{id}", acts_on="memo metadata")
def update(work: Work, parameters: Json, id: str) -> Json:
    found = work.require(KIND, id)
    before = copied(found)
    take(found, parameters, "memo")
    take_metadata(found, parameters)
    work.save(found)
    work.emit_updated("credit_note.updated", found, before)
    return found


@route("POST /v1/credit_notes/{id}/void")
def void(work: Work, parameters: Json, id: str) -> Json:
    return credit_notes.void(work, id)


@route("GET /v1/credit_notes", acts_on="created customer ending_before invoice limit starting_after")
def list_(work: Work, parameters: Json) -> Json:
    return page(work, KIND, parameters, "customer", "invoice")


@route("GET /v1/credit_notes/{credit_note}/lines", acts_on="ending_before limit starting_after")
def lines(work: Work, parameters: Json, credit_note: str) -> Json:
    return page_of(iter(work.require(KIND, credit_note)["_lines"]), parameters, "credit_note_line_item")
