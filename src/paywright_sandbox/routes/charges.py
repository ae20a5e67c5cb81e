"""Charges and refunds."""

from ..account import copied
from ..attributes import take, take_metadata
from ..errors import Json, invalid
from ..listing import listing, page
from ..machine import refunds
from ..machine.charges import shipping_of
from ..routing import route
from ..serialise import absent_unless_expanded
from ..work import Work

SHOWN_MAX = 10


@route("GET /v1/charges/{charge}")
def retrieve(work: Work, parameters: Json, charge: str) -> Json:
    return work.require("charge", charge, "charge")


@route(
    "POST /v1/charges/{charge}",
    acts_on="customer description fraud_details metadata receipt_email shipping transfer_group",
)
def update(work: Work, parameters: Json, charge: str) -> Json:
    found = work.require("charge", charge, "charge")
    before = copied(found)
    if parameters.get("customer"):
        if found["customer"] not in (None, parameters["customer"]):
            raise invalid("The customer of a charge cannot be changed.", param="customer")
        work.require("customer", parameters["customer"], "customer")
    take(found, parameters, "customer", "description", "receipt_email", "transfer_group", "fraud_details")
    take_metadata(found, parameters)
    if "shipping" in parameters:
        found["shipping"] = shipping_of(parameters["shipping"])
    work.save(found)
    if found != before:
        work.emit_updated("charge.updated", found, before)
    return found


@route("GET /v1/charges", acts_on="created customer ending_before limit payment_intent starting_after transfer_group")
def list_(work: Work, parameters: Json) -> Json:
    return page(work, "charge", parameters, "customer", "payment_intent", "transfer_group")


@absent_unless_expanded("charge", "refunds")
def refunds_of(work: Work, charge: Json) -> Json:
    found = [refund for refund in work.newest_first("refund") if refund["charge"] == charge["id"]]
    return listing(found[:SHOWN_MAX], has_more=len(found) > SHOWN_MAX, url=f"/v1/charges/{charge['id']}/refunds")


@route("POST /v1/refunds", acts_on="amount charge metadata payment_intent reason")
def create_refund(work: Work, parameters: Json) -> Json:
    return refunds.create(work, parameters)


@route("GET /v1/refunds/{refund}")
def retrieve_refund(work: Work, parameters: Json, refund: str) -> Json:
    return work.require("refund", refund, "refund")


@route("POST /v1/refunds/{refund}", acts_on="metadata")
def update_refund(work: Work, parameters: Json, refund: str) -> Json:
    return refunds.update(work, refund, parameters)


@route("POST /v1/refunds/{refund}/cancel")
def cancel_refund(work: Work, parameters: Json, refund: str) -> Json:
    return refunds.cancel(work, refund)


@route("GET /v1/refunds", acts_on="charge created ending_before limit payment_intent starting_after")
def list_refunds(work: Work, parameters: Json) -> Json:
    return page(work, "refund", parameters, "charge", "payment_intent")
