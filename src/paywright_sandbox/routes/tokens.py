"""Tokens of cards, and confirmation tokens."""

from ..errors import Json
from ..machine import tokens
from ..params import decode
from ..routing import route
from ..work import Work

HELPER = "POST /v1/test_helpers/confirmation_tokens"
WRITTEN = "payment_method payment_method_data return_url setup_future_usage shipping"


@route("POST /v1/tokens", acts_on="card.number card.exp_month card.exp_year card.cvc card.name", note="Of cards only.")
def create(work: Work, parameters: Json) -> Json:
    return tokens.create(work, parameters)


@route("GET /v1/tokens/{token}")
def retrieve(work: Work, parameters: Json, token: str) -> Json:
    return work.require("token", token, "token")


@route(HELPER, acts_on=WRITTEN)
def create_for_a_test(work: Work, parameters: Json) -> Json:
    return tokens.create_confirmation(work, parameters)


@route(
    "POST /v1/confirmation_tokens",
    acts_on="*",
    fields=dict.fromkeys(WRITTEN.split(), "*"),
    note="As stripe.js asks for it; the SDK has no such route.",
)
def create_in_the_browser(work: Work, parameters: Json) -> Json:
    """Typed as the test helper's, but for the method, which may be a raw card here."""
    wish = decode(HELPER, {name: value for name, value in parameters.items() if name != "payment_method_data"})
    if isinstance(parameters.get("payment_method_data"), dict):
        wish["payment_method_data"] = decode("POST /v1/payment_methods", parameters["payment_method_data"])
    return tokens.create_confirmation(work, wish)


@route("GET /v1/confirmation_tokens/{confirmation_token}")
def retrieve_confirmation(work: Work, parameters: Json, confirmation_token: str) -> Json:
    return work.require("confirmation_token", confirmation_token, "confirmation_token")
