"""Customers."""

from ..errors import Json
from ..listing import page
from ..machine import customers
from ..routing import route
from ..work import Work

WRITTEN = (
    "address balance description email invoice_prefix invoice_settings metadata name next_invoice_sequence phone "
    "preferred_locales shipping tax_exempt"
)


@route("POST /v1/customers", acts_on=f"{WRITTEN} payment_method test_clock")
def create(work: Work, parameters: Json) -> Json:
    return customers.create(work, parameters)


@route("GET /v1/customers/{customer}")
def retrieve(work: Work, parameters: Json, customer: str) -> Json:
    found = work.get("customer", customer)
    return found if found else work.require("customer", customer)


@route("POST /v1/customers/{customer}", acts_on=WRITTEN)
def update(work: Work, parameters: Json, customer: str) -> Json:
    return customers.update(work, customer, parameters)


@route("DELETE /v1/customers/{customer}")
def delete(work: Work, parameters: Json, customer: str) -> Json:
    return customers.delete(work, customer)


@route("GET /v1/customers", acts_on="created email ending_before limit starting_after test_clock")
def list_(work: Work, parameters: Json) -> Json:
    return page(work, "customer", parameters, "email", "test_clock")
