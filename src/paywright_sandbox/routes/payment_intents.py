"""Payment intents."""

from ..errors import Json
from ..listing import page
from ..machine import payment_intents
from ..routing import route
from ..work import Work

SHARED = (
    "allowed_payment_method_types capture_method customer description excluded_payment_method_types metadata payment_method "
    "payment_method_data payment_method_options.card.request_three_d_secure payment_method_options.card.setup_future_usage "
    "receipt_email setup_future_usage shipping "
    "statement_descriptor statement_descriptor_suffix transfer_group"
)
NOTE = "Cards, `us_bank_account` and `sepa_debit`; of the card options `request_three_d_secure` and `setup_future_usage` act."


@route(
    "POST /v1/payment_intents",
    acts_on=f"{SHARED} amount currency automatic_payment_methods confirm confirmation_method confirmation_token error_on_requires_action "
    "mandate_data off_session return_url use_stripe_sdk",
    note=NOTE,
)
def create(work: Work, parameters: Json) -> Json:
    return payment_intents.create(work, parameters)


@route("GET /v1/payment_intents/{intent}", acts_on="client_secret")
def retrieve(work: Work, parameters: Json, intent: str) -> Json:
    return work.require("payment_intent", intent, "intent")


@route("POST /v1/payment_intents/{intent}", acts_on=f"{SHARED} amount currency", note=NOTE)
def update(work: Work, parameters: Json, intent: str) -> Json:
    return payment_intents.update(work, intent, parameters)


@route("GET /v1/payment_intents", acts_on="created customer ending_before limit starting_after")
def list_(work: Work, parameters: Json) -> Json:
    return page(work, "payment_intent", parameters, "customer")


@route(
    "POST /v1/payment_intents/{intent}/confirm",
    acts_on="allowed_payment_method_types capture_method confirmation_token error_on_requires_action excluded_payment_method_types mandate_data "
    "off_session payment_method payment_method_data payment_method_options.card.request_three_d_secure "
    "payment_method_options.card.setup_future_usage receipt_email "
    "return_url setup_future_usage shipping use_stripe_sdk",
    note=NOTE,
)
def confirm(work: Work, parameters: Json, intent: str) -> Json:
    return payment_intents.confirm(work, intent, parameters)


@route(
    "POST /v1/payment_intents/{intent}/capture",
    acts_on="amount_to_capture metadata statement_descriptor statement_descriptor_suffix",
    note="One capture; what is not captured is let go, as a refund without a balance transaction.",
)
def capture(work: Work, parameters: Json, intent: str) -> Json:
    return payment_intents.capture(work, intent, parameters)


@route("POST /v1/payment_intents/{intent}/cancel", acts_on="cancellation_reason")
def cancel(work: Work, parameters: Json, intent: str) -> Json:
    return payment_intents.cancel(work, intent, parameters.get("cancellation_reason"))
