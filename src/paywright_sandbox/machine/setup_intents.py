"""
Setup intents: the payment intent's life without money. Success attaches the method to its customer.

`attempt` serves the API, Checkout in setup mode and the portal, and tells the owner as a payment's does.
"""

from ..attributes import take, take_metadata
from ..cards import Decline, card_of, needs_authentication
from ..errors import ApiError, Json, card_error, invalid
from ..objects.payment_intents import authentication_action, last_error, plain_error
from ..objects.setup_intents import setup_intent
from ..work import Work, public
from . import mandates, payment_methods, setup_attempts
from .attempts import How
from .outcomes import Outcome, tell_owner
from .payment_intents import chosen_method
from .tokens import unfolded

CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CONFIRM_NAMES = ("return_url", "confirmation_token", "mandate_data")
TYPES = ["card", "us_bank_account", "sepa_debit"]
AUTHENTICATION_FAILED = "The latest attempt to set up the payment method has failed because authentication failed."


def create(work: Work, parameters: Json, *, owner: str | None = None) -> Json:
    id = work.new_id("setup_intent")
    intent = setup_intent(id, work.now, client_secret=work.account.ids.client_secret(id))
    intent["_owner"] = owner
    if parameters.get("customer"):
        work.require("customer", parameters["customer"], "customer")
    for name in ("return_url", "mandate_data"):
        if name in parameters and not parameters.get("confirm"):
            raise invalid(f"The parameter {name} can only be used when confirm is true.", param=name)
    apply(work, intent, parameters)
    take(intent, parameters, "usage")
    work.save(intent)
    work.emit("setup_intent.created", intent, created=work.now)
    if parameters.get("confirm"):
        confirm(work, id, {name: parameters[name] for name in CONFIRM_NAMES if name in parameters})
    return intent


def apply(work: Work, intent: Json, parameters: Json) -> None:
    take(intent, parameters, "customer", "description", "allowed_payment_method_types", "excluded_payment_method_types")
    take_metadata(intent, parameters)
    if "automatic_payment_methods" in parameters:
        intent["automatic_payment_methods"] = {"allow_redirects": "always", **parameters["automatic_payment_methods"]}
    allowed, excluded = intent["allowed_payment_method_types"], intent["excluded_payment_method_types"] or []
    intent["payment_method_types"] = [t for t in TYPES if (allowed is None or t in allowed) and t not in excluded]
    card_options = (parameters.get("payment_method_options") or {}).get("card") or {}
    if "request_three_d_secure" in card_options:
        intent["payment_method_options"]["card"]["request_three_d_secure"] = card_options["request_three_d_secure"]
    method = chosen_method(work, parameters)
    if method:
        check_method(intent, method)
        intent["payment_method"] = method["id"]
        if intent["status"] == "requires_payment_method":
            intent["status"] = "requires_confirmation"


def check_method(intent: Json, method: Json) -> None:
    if method["type"] not in intent["payment_method_types"]:
        raise invalid(
            f"The PaymentMethod provided ({method['type']}) is not allowed for this SetupIntent.",
            param="payment_method",
            code="setup_intent_invalid_parameter",
        )
    if method["customer"] and method["customer"] != intent["customer"]:
        raise invalid(
            f"The PaymentMethod {method['id']} belongs to the Customer {method['customer']}. Please include that Customer in the "
            "'customer' parameter.",
            param="payment_method",
            code="setup_intent_invalid_parameter",
        )


def update(work: Work, id: str, parameters: Json) -> Json:
    intent = work.require("setup_intent", id, "intent")
    if intent["status"] not in CONFIRMABLE and set(parameters) - {"metadata", "description"}:
        raise unexpected_state(intent, "updated")
    if parameters.get("customer"):
        work.require("customer", parameters["customer"], "customer")
    apply(work, intent, parameters)
    return work.save(intent)


def confirm(work: Work, id: str, parameters: Json) -> Json:
    """Raises the 402 of a card that cannot be saved, keeping the work."""
    intent = work.require("setup_intent", id, "intent")
    if intent["status"] not in CONFIRMABLE:
        raise unexpected_state(intent, "confirmed")
    parameters = unfolded(work, intent, parameters)
    apply(work, intent, parameters)
    if parameters.get("mandate_data"):
        intent["_mandate_data"] = parameters["mandate_data"]
    method = work.get("payment_method", intent["payment_method"])
    if method is None:
        raise ApiError(
            400,
            "You cannot confirm this SetupIntent because it's missing a payment method. Update the SetupIntent with a payment method and "
            "then confirm it again.",
            code="setup_intent_unexpected_state",
            setup_intent=public(intent),
        )
    if attempt(work, intent, method, How(return_url=parameters.get("return_url"))) == "payment_failed":
        raise refusal_of(intent)
    return intent


def attempt(work: Work, intent: Json, method: Json, how: How) -> Outcome:
    """Saves everything, tells the owner, never raises for a decline."""
    check_method(intent, method)
    intent.update(payment_method=method["id"], last_setup_error=None, next_action=None)
    if not how.is_authenticated:
        setup_attempts.begin(work, intent, method)
    if method["type"] == "card":
        card = card_of(method["_outcome"])
        if not how.is_authenticated and needs_authentication(card, off_session=False, was_set_up=False):
            page = f"{work.origin}/3ds/{intent['id']}"
            intent.update(
                status="requires_action",
                next_action=authentication_action(page, how.return_url, intent["id"]),
                _return_url=how.return_url,
            )
            setup_attempts.conclude(work, intent, "requires_action")
            return finish(work, intent, "requires_action", "setup_intent.requires_action")
        if not card.attaches:
            assert card.decline is not None
            return declined(work, intent, method, card.decline)
    method["_set_up"] = True
    work.save(method)
    intent["status"] = "succeeded"
    intent["mandate"] = mandates.granted(work, method, intent.get("_mandate_data"), work.now)
    setup_attempts.conclude(work, intent, "succeeded")
    work.save(intent)
    work.emit("setup_intent.succeeded", intent)
    if intent["customer"] and method["customer"] is None:
        payment_methods.bind(work, method, intent["customer"])
    tell_owner(work, intent, "succeeded")
    return "succeeded"


def declined(work: Work, intent: Json, method: Json, refusal: Decline) -> Outcome:
    intent["last_setup_error"] = last_error(refusal, public(method), None)
    return failed(work, intent)


def failed(work: Work, intent: Json) -> Outcome:
    setup_attempts.conclude(work, intent, "failed")
    intent.update(status="requires_payment_method", payment_method=None)
    return finish(work, intent, "payment_failed", "setup_intent.setup_failed")


def finish(work: Work, intent: Json, outcome: Outcome, event: str) -> Outcome:
    work.save(intent)
    work.emit(event, intent)
    tell_owner(work, intent, outcome)
    return outcome


def authenticate(work: Work, intent: Json, *, passes: bool) -> Outcome:
    """The buyer's answer on the bank's page."""
    if intent["status"] != "requires_action":
        raise unexpected_state(intent, "authenticated")
    method = work.require("payment_method", intent["payment_method"])
    intent["next_action"] = None
    if passes:
        return attempt(work, intent, method, How(is_authenticated=True))
    intent["last_setup_error"] = plain_error(
        "setup_intent_authentication_failure", AUTHENTICATION_FAILED, public(method), None
    )
    return failed(work, intent)


def cancel(work: Work, id: str, reason: str | None = None) -> Json:
    intent = work.require("setup_intent", id, "intent")
    if intent["status"] not in CONFIRMABLE:
        raise unexpected_state(intent, "canceled")
    setup_attempts.abandon(work, intent)
    intent.update(status="canceled", cancellation_reason=reason, next_action=None)
    finish(work, intent, "canceled", "setup_intent.canceled")
    return intent


def unexpected_state(intent: Json, verb: str) -> ApiError:
    return ApiError(
        400,
        f"This SetupIntent could not be {verb} because it has a status of {intent['status']}.",
        code="setup_intent_unexpected_state",
        setup_intent=public(intent),
    )


def refusal_of(intent: Json) -> ApiError:
    error = intent["last_setup_error"]
    return card_error(
        error["message"],
        code=error["code"],
        decline_code=error.get("decline_code"),
        advice_code=error.get("advice_code"),
        setup_intent=public(intent),
        payment_method=error["payment_method"],
    )
