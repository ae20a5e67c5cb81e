"""The transactions of a customer's balance."""

from ..attributes import take, take_metadata
from ..errors import Json, invalid
from ..listing import page
from ..machine.balances import KIND, move
from ..money import currency_of
from ..routing import route
from ..work import Work


@route("POST /v1/customers/{customer}/balance_transactions", acts_on="amount currency description metadata")
def create(work: Work, parameters: Json, customer: str) -> Json:
    """`adjustment`: negative gives credit."""
    if parameters["amount"] == 0:
        raise invalid("The amount must not be 0.", param="amount", code="parameter_invalid_integer")
    made = move(work, customer, parameters["amount"], currency_of(parameters["currency"]), "adjustment")
    take(made, parameters, "description")
    take_metadata(made, parameters)
    return work.save(made)


@route("GET /v1/customers/{customer}/balance_transactions/{transaction}")
def retrieve(work: Work, parameters: Json, customer: str, transaction: str) -> Json:
    return own(work, customer, transaction)


@route("POST /v1/customers/{customer}/balance_transactions/{transaction}", acts_on="description metadata")
def update(work: Work, parameters: Json, customer: str, transaction: str) -> Json:
    found = own(work, customer, transaction)
    take(found, parameters, "description")
    take_metadata(found, parameters)
    return work.save(found)


def own(work: Work, customer: str, id: str) -> Json:
    found = work.require(KIND, id, "transaction")
    if found["customer"] != customer:
        raise invalid("The transaction belongs to another customer.", param="transaction", code="resource_missing")
    return found


@route(
    "GET /v1/customers/{customer}/balance_transactions", acts_on="created ending_before invoice limit starting_after"
)
def list_(work: Work, parameters: Json, customer: str) -> Json:
    work.require("customer", customer, "customer")
    return page(work, KIND, parameters, "invoice", keep=lambda found: bool(found["customer"] == customer))
