"""
One try at paying an intent, for the API, Checkout and invoices alike.

`attempt` changes the intent, emits the events, tells the owner (outcomes.py) and answers what came of it; it never raises for a decline.
A bank debit is decided later by `settle`, 3DS by `authenticate`, which go through the same doors.
"""

from dataclasses import dataclass

from ..account import Due
from ..cards import DEBIT_BY_NAME, Card, Decline, card_of, needs_authentication
from ..errors import ApiError, Json, card_error, invalid
from ..objects import payment_intents as objects
from ..work import Work, public
from . import charges
from .charges import time_of
from .due import due
from .outcomes import Outcome, tell_owner

CAPTURE_WITHIN_S = 7 * 86_400
AUTHENTICATION_REQUIRED = Decline("authentication_required", "authentication_required")
AUTHENTICATION_FAILED = (
    "The provided payment method has failed authentication. You can provide payment_method_data or a new PaymentMethod to attempt to fulfill "
    "this PaymentIntent again."
)


@dataclass(frozen=True)
class How:
    """How an attempt is made. `is_authenticated`: the buyer has just passed 3DS."""

    off_session: bool = False
    return_url: str | None = None
    error_on_action: bool = False
    is_authenticated: bool = False


def attempt(work: Work, intent: Json, method: Json, how: How) -> Outcome:
    """Tries to pay. Saves everything, tells the owner, never raises for a decline."""
    check_method(intent, method)
    intent.update(payment_method=method["id"], last_payment_error=None, next_action=None)
    if method["type"] != "card":
        return start_debit(work, intent, method)
    card = card_of(method["_outcome"])
    if not how.is_authenticated and asks_for_authentication(intent, method, card, how):
        if how.off_session or how.error_on_action:
            return declined(work, intent, method, AUTHENTICATION_REQUIRED)
        return wait_for_authentication(work, intent, how)
    if card.decline:
        return declined(work, intent, method, card.decline, is_blocked=card.is_blocked)
    return paid_by_card(work, intent, method)


def asks_for_authentication(intent: Json, method: Json, card: Card, how: How) -> bool:
    wanted = intent["payment_method_options"]["card"]["request_three_d_secure"] in ("any", "challenge")
    if wanted and card.name == "threeDSecureOptional" and not how.off_session:
        return True
    return needs_authentication(card, off_session=how.off_session, was_set_up=method["_set_up"])


def paid_by_card(work: Work, intent: Json, method: Json) -> Outcome:
    is_captured = intent["capture_method"] != "manual"
    is_late = str(intent["_owner"] or "").startswith("cs_")
    charge = charges.begin(work, intent, method)
    charges.approve(work, charge, intent, is_captured=is_captured, is_late=is_late)
    charges.keep_method(work, intent, method)
    if not is_captured:
        return hold(work, intent)
    return succeed(work, intent, charge, is_late=is_late)


def succeed(work: Work, intent: Json, charge: Json, *, is_late: bool) -> Outcome:
    work.save(intent)
    tell_owner(work, intent, "charged")
    intent.update(status="succeeded", amount_received=charge["amount_captured"], amount_capturable=0, processing=None)
    finish(work, intent, "succeeded")
    if is_late:
        charges.book_late(work, charge, intent)
    return "succeeded"


def hold(work: Work, intent: Json) -> Outcome:
    """Authorised only; lapses after seven days."""
    intent.update(status="requires_capture", amount_capturable=intent["amount"])
    work.save(intent)
    work.emit("payment_intent.amount_capturable_updated", intent, created=time_of(work, intent))
    work.schedule(time_of(work, intent) + CAPTURE_WITHIN_S, "capture_expire", intent["id"])
    tell_owner(work, intent, "requires_capture")
    return "requires_capture"


def declined(work: Work, intent: Json, method: Json, refusal: Decline, *, is_blocked: bool = False) -> Outcome:
    charges.decline(work, intent, method, refusal, is_blocked=is_blocked)
    intent.update(status="requires_payment_method", payment_method=None)
    return finish(work, intent, "payment_failed")


def wait_for_authentication(work: Work, intent: Json, how: How) -> Outcome:
    page = f"{work.origin}/3ds/{intent['id']}"
    intent.update(
        status="requires_action",
        next_action=objects.authentication_action(page, how.return_url, intent["id"]),
        _return_url=how.return_url,
    )
    return finish(work, intent, "requires_action")


def finish(work: Work, intent: Json, outcome: Outcome) -> Outcome:
    """Saves, logs `payment_intent.<outcome>`, and tells the owner."""
    work.save(intent)
    work.emit(f"payment_intent.{outcome}", intent, created=time_of(work, intent))
    tell_owner(work, intent, outcome)
    return outcome


# Bank debits


def start_debit(work: Work, intent: Json, method: Json) -> Outcome:
    """Processing now; the answer of the bank comes after `settle_s`."""
    charge = charges.begin(work, intent, method)
    intent["status"] = "processing"
    work.save(intent)
    work.emit("payment_intent.processing", intent, created=time_of(work, intent))
    work.emit("charge.pending", charge, created=time_of(work, intent))
    charges.keep_method(work, intent, method)
    work.schedule(
        time_of(work, intent) + work.setting("settle_s"), "settle", intent["id"], clock=clock_for(work, intent)
    )
    tell_owner(work, intent, "processing")
    return "processing"


def clock_for(work: Work, intent: Json) -> str | None:
    """The test clock whose time the intent follows, if any."""
    follows = work.variant("U11") == "b" or str(intent["_owner"] or "").startswith("in_")
    return work.clock_of(intent["customer"]) if follows else None


@due("settle")
def settle_when_due(work: Work, act: Due) -> None:
    intent = work.get("payment_intent", act.object_id)
    if intent and intent["status"] == "processing":
        settle(work, intent)


def settle(work: Work, intent: Json, *, fails_with: str | None = None, succeeds: bool = False) -> Outcome:
    """The bank's answer: as the test account says, unless told otherwise."""
    if intent["status"] != "processing":
        raise unexpected_state(intent, "settled")
    work.unschedule(intent["id"], "settle")
    method = work.require("payment_method", intent["payment_method"])
    charge = work.require("charge", intent["latest_charge"])
    failure = fails_with or (None if succeeds else DEBIT_BY_NAME[method["_outcome"]].failure)
    if failure:
        charges.bounce(work, intent, method, charge, failure)
        intent.update(status="requires_payment_method", payment_method=None, processing=None)
        return finish(work, intent, "payment_failed")
    charges.approve(work, charge, intent, is_captured=True, is_late=False)
    return succeed(work, intent, charge, is_late=False)


# 3DS


def authenticate(work: Work, intent: Json, *, passes: bool) -> Outcome:
    """The buyer's answer on the bank's page."""
    if intent["status"] != "requires_action":
        raise unexpected_state(intent, "authenticated")
    method = work.require("payment_method", intent["payment_method"])
    intent["next_action"] = None
    if passes:
        return attempt(work, intent, method, How(is_authenticated=True))
    intent["last_payment_error"] = objects.plain_error(
        "payment_intent_authentication_failure", AUTHENTICATION_FAILED, public(method), None
    )
    intent.update(status="requires_payment_method", payment_method=None)
    return finish(work, intent, "payment_failed")


def check_method(intent: Json, method: Json) -> None:
    """The method must suit the intent: its type, its owner, and not used up before."""
    if method["type"] not in intent["payment_method_types"]:
        raise invalid(
            f"The PaymentMethod provided ({method['type']}) is not allowed for this PaymentIntent. It allows: "
            f"{', '.join(intent['payment_method_types'])}.",
            param="payment_method",
            code="payment_intent_incompatible_payment_method",
        )
    if method["customer"] and method["customer"] != intent["customer"]:
        raise invalid(
            f"The PaymentMethod {method['id']} belongs to the Customer {method['customer']}. Please include that Customer in the "
            "'customer' parameter.",
            param="payment_method",
            code="payment_intent_invalid_parameter",
        )
    if method.get("_used_up"):
        raise invalid(
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, or was detached from a "
            "Customer. It may not be used again. To use a PaymentMethod multiple times, you must attach it to a Customer first.",
            param="payment_method",
            code="payment_method_unexpected_state",
        )


def unexpected_state(intent: Json, verb: str, param: str | None = None) -> ApiError:
    return ApiError(
        400,
        f"This PaymentIntent could not be {verb} because it has a status of {intent['status']}.",
        code="payment_intent_unexpected_state",
        param=param,
        payment_intent=public(intent),
    )


def refusal_of(intent: Json) -> ApiError:
    """The 402 that says why the last attempt failed, with the whole intent."""
    error = intent["last_payment_error"]
    assert error is not None
    return card_error(
        error["message"],
        code=error["code"],
        decline_code=error.get("decline_code"),
        advice_code=error.get("advice_code"),
        charge=error.get("charge"),
        payment_intent=public(intent),
        payment_method=error["payment_method"],
    )
