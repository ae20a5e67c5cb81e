"""Setup intents, the attempts at them, and mandates."""

from ..errors import Json
from ..listing import page
from ..machine import setup_intents
from ..routing import route
from ..work import Work

SHARED = (
    "allowed_payment_method_types customer description excluded_payment_method_types metadata payment_method payment_method_data "
    "payment_method_options.card.request_three_d_secure"
)
NOTE = "Bank accounts need no verification; a mandate is active at once."


@route(
    "POST /v1/setup_intents",
    acts_on=f"{SHARED} automatic_payment_methods confirm confirmation_token mandate_data return_url usage use_stripe_sdk",
    note=NOTE,
)
def create(work: Work, parameters: Json) -> Json:
    return setup_intents.create(work, parameters)


@route("GET /v1/setup_intents/{intent}", acts_on="client_secret")
def retrieve(work: Work, parameters: Json, intent: str) -> Json:
    return work.require("setup_intent", intent, "intent")


@route("POST /v1/setup_intents/{intent}", acts_on=SHARED)
def update(work: Work, parameters: Json, intent: str) -> Json:
    return setup_intents.update(work, intent, parameters)


@route("GET /v1/setup_intents", acts_on="created customer ending_before limit payment_method starting_after")
def list_(work: Work, parameters: Json) -> Json:
    return page(work, "setup_intent", parameters, "customer", "payment_method")


@route(
    "POST /v1/setup_intents/{intent}/confirm",
    acts_on="allowed_payment_method_types confirmation_token mandate_data payment_method payment_method_data "
    "payment_method_options.card.request_three_d_secure return_url use_stripe_sdk",
    note=NOTE,
)
def confirm(work: Work, parameters: Json, intent: str) -> Json:
    return setup_intents.confirm(work, intent, parameters)


@route("POST /v1/setup_intents/{intent}/cancel", acts_on="cancellation_reason")
def cancel(work: Work, parameters: Json, intent: str) -> Json:
    return setup_intents.cancel(work, intent, parameters.get("cancellation_reason"))


@route("GET /v1/setup_attempts", acts_on="created ending_before limit setup_intent starting_after")
def list_attempts(work: Work, parameters: Json) -> Json:
    work.require("setup_intent", parameters["setup_intent"], "setup_intent")
    return page(work, "setup_attempt", parameters, "setup_intent")


@route("GET /v1/mandates/{mandate}")
def retrieve_mandate(work: Work, parameters: Json, mandate: str) -> Json:
    return work.require("mandate", mandate, "mandate")
