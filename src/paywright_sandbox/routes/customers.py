"""Customers."""

from ..errors import Json
from ..listing import LIMIT_DEFAULT, listing, page
from ..machine import customers
from ..machine.subscription_calendar import ENDED
from ..routing import route
from ..serialise import absent_unless_expanded
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


@absent_unless_expanded("customer", "subscriptions")
def subscriptions_of(work: Work, owner: Json) -> Json:
    """Those that have not ended, the ten newest."""
    living = [
        found
        for found in work.newest_first("subscription")
        if found["customer"] == owner["id"] and found["status"] not in ENDED
    ]
    url = f"/v1/customers/{owner['id']}/subscriptions"
    return listing(living[:LIMIT_DEFAULT], has_more=len(living) > LIMIT_DEFAULT, url=url)


@absent_unless_expanded("customer", "sources")
def sources_of(work: Work, owner: Json) -> Json:
    """None: they are of an age before payment methods."""
    return listing([], url=f"/v1/customers/{owner['id']}/sources")


@absent_unless_expanded("customer", "tax_ids")
def tax_ids_of(work: Work, owner: Json) -> Json:
    return listing([], url=f"/v1/customers/{owner['id']}/tax_ids")
