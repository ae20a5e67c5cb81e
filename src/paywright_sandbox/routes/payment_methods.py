"""Payment methods. Raw card numbers are taken here; real Stripe refuses them from servers by default."""

from ..errors import Json, missing_parameter, no_such
from ..listing import page
from ..machine import payment_methods
from ..routing import route
from ..work import Work

CURSORS = "ending_before limit starting_after"


@route(
    "POST /v1/payment_methods",
    acts_on="type card us_bank_account sepa_debit billing_details metadata allow_redisplay",
    note="Cards, `us_bank_account` and `sepa_debit` only; raw card numbers are accepted.",
)
def create(work: Work, parameters: Json) -> Json:
    return payment_methods.create(work, parameters)


@route("GET /v1/payment_methods/{payment_method}")
def retrieve(work: Work, parameters: Json, payment_method: str) -> Json:
    return payment_methods.resolve(work, payment_method, "payment_method")


@route(
    "POST /v1/payment_methods/{payment_method}",
    acts_on="card.exp_month card.exp_year billing_details metadata allow_redisplay",
)
def update(work: Work, parameters: Json, payment_method: str) -> Json:
    return payment_methods.update(work, payment_method, parameters)


@route("POST /v1/payment_methods/{payment_method}/attach", acts_on="customer")
def attach(work: Work, parameters: Json, payment_method: str) -> Json:
    if "customer" not in parameters:
        raise missing_parameter("customer")
    return payment_methods.attach(work, payment_method, parameters["customer"])


@route("POST /v1/payment_methods/{payment_method}/detach")
def detach(work: Work, parameters: Json, payment_method: str) -> Json:
    return payment_methods.detach(work, payment_method)


@route("GET /v1/payment_methods", acts_on=f"customer type allow_redisplay {CURSORS}")
def list_(work: Work, parameters: Json) -> Json:
    if "customer" in parameters:
        work.require("customer", parameters["customer"], "customer")
    return page(work, "payment_method", parameters, "customer", "type", "allow_redisplay")


@route("GET /v1/customers/{customer}/payment_methods", acts_on=f"type allow_redisplay {CURSORS}")
def list_of_customer(work: Work, parameters: Json, customer: str) -> Json:
    work.require("customer", customer, "customer")
    return page(
        work,
        "payment_method",
        parameters,
        "type",
        "allow_redisplay",
        keep=lambda method: method["customer"] == customer,
    )


@route("GET /v1/customers/{customer}/payment_methods/{payment_method}")
def retrieve_of_customer(work: Work, parameters: Json, customer: str, payment_method: str) -> Json:
    found = work.require("payment_method", payment_method, "payment_method")
    if found["customer"] != customer:
        raise no_such("payment method", payment_method, "payment_method")
    return found
