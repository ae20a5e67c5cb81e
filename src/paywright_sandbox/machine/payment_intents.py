"""
Payment intents.

    requires_payment_method ─▶ requires_confirmation ─▶ requires_action · processing ─▶ requires_capture ─▶ succeeded
                  ▲                                            │ declined, failed              canceled from all but succeeded
                  └────────────────────────────────────────────┘

How a payment is tried stands in attempts.py; only `confirm` turns a decline into a 402.
"""

from ..account import Due
from ..attributes import take, take_metadata
from ..errors import ApiError, Json, invalid
from ..money import check_amount, currency_of
from ..objects import payment_intents as objects
from ..work import Work, public
from . import charges, payment_methods
from .attempts import How, attempt, check_method, finish, refusal_of, succeed, unexpected_state
from .charges import shipping_of, time_of
from .due import due
from .refunds import release

TYPES_BY_CURRENCY = {"usd": ["card", "us_bank_account"], "eur": ["card", "sepa_debit"]}
CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")


def create(work: Work, parameters: Json, *, owner: str | None = None) -> Json:
    """
    With `owner`, the id of what the payment is for, outcomes are told to it. Emits `payment_intent.created`; confirms when asked.

    A decline raises after the intent was saved: the work is kept.
    """
    currency = currency_of(parameters["currency"])
    check_amount(parameters["amount"], currency)
    id = work.new_id("payment_intent")
    intent = objects.payment_intent(
        id, 0, amount=parameters["amount"], currency=currency, client_secret=work.account.ids.client_secret(id)
    )
    intent["_owner"] = owner
    if parameters.get("customer"):
        work.require("customer", parameters["customer"], "customer")
    apply(work, intent, parameters)
    intent["created"] = time_of(work, intent)
    for name in ("off_session", "error_on_requires_action", "mandate_data", "return_url"):
        if name in parameters and not parameters.get("confirm"):
            raise invalid(f"The parameter {name} can only be used when confirm is true.", param=name)
    work.save(intent)
    work.emit("payment_intent.created", intent, created=intent["created"])
    if parameters.get("confirm"):
        confirm(work, intent["id"], {name: parameters[name] for name in CONFIRM_NAMES if name in parameters})
    return intent


CONFIRM_NAMES = ("off_session", "error_on_requires_action", "return_url", "confirmation_token", "mandate_data")
TEXTS = ("description", "receipt_email", "statement_descriptor", "statement_descriptor_suffix", "transfer_group")


def apply(work: Work, intent: Json, parameters: Json) -> None:
    """Sets what create, update and confirm share; a method chosen makes the intent ready to confirm."""
    take(intent, parameters, *TEXTS, "customer", "setup_future_usage", "capture_method", "confirmation_method")
    take(intent, parameters, "allowed_payment_method_types", "excluded_payment_method_types")
    take_metadata(intent, parameters)
    if "shipping" in parameters:
        intent["shipping"] = shipping_of(parameters["shipping"])
    if "automatic_payment_methods" in parameters:
        intent["automatic_payment_methods"] = {"allow_redirects": "always", **parameters["automatic_payment_methods"]}
    card_options = (parameters.get("payment_method_options") or {}).get("card") or {}
    intent["payment_method_options"]["card"].update(
        {name: card_options[name] for name in ("request_three_d_secure", "setup_future_usage") if name in card_options}
    )
    intent["payment_method_types"] = types_of(intent)
    method = chosen_method(work, parameters)
    if method:
        check_method(intent, method)
        intent["payment_method"] = method["id"]
        if intent["status"] == "requires_payment_method":
            intent["status"] = "requires_confirmation"


def chosen_method(work: Work, parameters: Json) -> Json | None:
    if parameters.get("payment_method") and parameters.get("payment_method_data"):
        raise invalid(
            "You may only specify one of these parameters: payment_method, payment_method_data.",
            code="parameters_exclusive",
        )
    if parameters.get("payment_method_data"):
        return payment_methods.from_details(work, parameters["payment_method_data"], "payment_method_data")
    if parameters.get("payment_method"):
        return payment_methods.resolve(work, parameters["payment_method"])
    return None


def types_of(intent: Json) -> list[str]:
    types = TYPES_BY_CURRENCY.get(intent["currency"], ["card"])
    allowed, excluded = intent["allowed_payment_method_types"], intent["excluded_payment_method_types"] or []
    return [type for type in types if (allowed is None or type in allowed) and type not in excluded]


def update(work: Work, id: str, parameters: Json) -> Json:
    """No event, as at Stripe. A change of anything but text needs an intent that is not under way."""
    intent = work.require("payment_intent", id, "intent")
    fixed = [name for name in parameters if name not in ("metadata", "description", "receipt_email", "transfer_group")]
    if fixed and intent["status"] not in CONFIRMABLE:
        raise unexpected_state(intent, "updated", fixed[0])
    if "currency" in parameters:
        intent["currency"] = currency_of(parameters["currency"])
    if "amount" in parameters:
        check_amount(parameters["amount"], intent["currency"])
        intent["amount"] = parameters["amount"]
    if parameters.get("customer"):
        work.require("customer", parameters["customer"], "customer")
    apply(work, intent, parameters)
    if intent["status"] in CONFIRMABLE:
        intent["last_payment_error"] = None
    return work.save(intent)


def confirm(work: Work, id: str, parameters: Json) -> Json:
    """Raises the 402 of a decline, keeping the work."""
    from .tokens import unfolded

    intent = work.require("payment_intent", id, "intent")
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
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the PaymentIntent with a "
            "payment method and then confirm it again, or confirm it again directly with a payment method or ConfirmationToken.",
            code="payment_intent_unexpected_state",
            payment_intent=public(intent),
        )
    how = How(
        off_session=parameters.get("off_session", False) not in (False, "false"),
        return_url=parameters.get("return_url"),
        error_on_action=parameters.get("error_on_requires_action", False),
    )
    if attempt(work, intent, method, how) == "payment_failed":
        raise refusal_of(intent)
    return intent


def capture(work: Work, id: str, parameters: Json) -> Json:
    """All or less, once; the rest is let go, as a refund that moves no money."""
    intent = work.require("payment_intent", id, "intent")
    if intent["status"] != "requires_capture":
        raise unexpected_state(intent, "captured")
    held: int = intent["amount_capturable"]
    amount: int = parameters.get("amount_to_capture", held)
    if not 1 <= amount <= held:
        raise invalid(
            f"The amount to capture must be 1 to {held}.",
            param="amount_to_capture",
            code="amount_too_large" if amount > 0 else "amount_too_small",
        )
    take(intent, parameters, "statement_descriptor", "statement_descriptor_suffix")
    take_metadata(intent, parameters)
    charge = work.require("charge", intent["latest_charge"])
    charge.update(captured=True, amount_captured=amount)
    charge["balance_transaction"] = charges.book(work, charge)
    work.unschedule(intent["id"], "capture_expire")
    work.save(charge)
    work.emit("charge.captured", charge, created=time_of(work, intent))
    if amount < held:
        release(work, charge, held - amount)
    succeed(work, intent, charge, is_late=False)
    return intent


def cancel(work: Work, id: str, reason: str | None = None) -> Json:
    intent = work.require("payment_intent", id, "intent")
    if intent["status"] not in (*CONFIRMABLE, "requires_capture"):
        raise unexpected_state(intent, "canceled")
    close(work, intent, reason, "charge.refunded")
    return intent


def close(work: Work, intent: Json, reason: str | None, charge_event: str) -> None:
    if intent["status"] == "requires_capture":
        charge = work.require("charge", intent["latest_charge"])
        charge["refunded"] = True
        release(work, charge, charge["amount"])
        work.emit(charge_event, charge, created=time_of(work, intent))
    work.unschedule(intent["id"])
    intent.update(
        status="canceled",
        canceled_at=time_of(work, intent),
        cancellation_reason=reason,
        amount_capturable=0,
        next_action=None,
    )
    finish(work, intent, "canceled")


@due("capture_expire")
def lapse(work: Work, act: Due) -> None:
    intent = work.get("payment_intent", act.object_id)
    if intent and intent["status"] == "requires_capture":
        reason = "automatic" if work.variant("U17") == "a" else "expired"
        close(work, intent, reason, "charge.expired")
