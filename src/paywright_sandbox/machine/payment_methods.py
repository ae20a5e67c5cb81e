"""Payment methods: made from test tokens, numbers and accounts; attached and detached."""

import time

from ..account import copied
from ..attributes import take_metadata
from ..cards import (
    BY_NAME,
    DEBIT_BY_NAME,
    DEBIT_BY_NUMBER,
    ROUTING_NUMBER,
    Card,
    Debit,
    Decline,
    card_of,
    card_with_number,
)
from ..errors import ApiError, Json, card_error, invalid, missing_parameter, not_implemented
from ..objects import payment_methods as objects
from ..work import Work

DEFAULT_MONTH = 12


def resolve(work: Work, id: str, param: str = "payment_method") -> Json:
    """The method of this id. `pm_card_visa` and its like mint a fresh one each time."""
    name = id.removeprefix("pm_card_")
    if name != id and name in BY_NAME:
        return mint_card(work, BY_NAME[name], exp_month=DEFAULT_MONTH, exp_year=year_of(work) + 4, has_cvc=False)
    name = id.removeprefix("pm_")
    if name in DEBIT_BY_NAME:
        return mint_debit(work, DEBIT_BY_NAME[name], {})
    return work.require("payment_method", id, param)


def used_token(work: Work, id: str) -> Json:
    """The payment method of a card token, which is used up by this."""
    held = work.require("token", id, "card[token]")
    if held["used"]:
        raise invalid(
            f"You cannot use a Stripe token more than once: {id}.", param="card[token]", code="token_already_used"
        )
    held["used"] = True
    work.save(held)
    return work.require("payment_method", held["_method"])


def year_of(work: Work) -> int:
    return time.gmtime(work.now).tm_year


def create(work: Work, parameters: Json) -> Json:
    """From `type` and its details. Cards are checked for form only; whether they pay is seen when they are charged."""
    made = from_details(work, parameters, "")
    if "metadata" in parameters:
        take_metadata(made, parameters)
    made["allow_redisplay"] = parameters.get("allow_redisplay", "unspecified")
    return work.save(made)


def from_details(work: Work, wish: Json, prefix: str) -> Json:
    """`prefix` is where the details stand in the request, for the `param` of a refusal."""
    type = wish.get("type") or ("card" if "card" in wish else None)
    if type is None:
        raise missing_parameter("type")
    if type == "card":
        made = card_from(work, wish.get("card") or {})
    elif type == "us_bank_account":
        made = us_bank_account_from(work, wish.get("us_bank_account") or {})
    elif type == "sepa_debit":
        made = sepa_debit_from(work, wish.get("sepa_debit") or {})
    else:
        raise not_implemented(f"The payment method type {type}", param=f"{prefix}type")
    made["billing_details"] = objects.billing_details(wish.get("billing_details") or {})
    take_metadata(made, wish)
    if "allow_redisplay" in wish:
        made["allow_redisplay"] = wish["allow_redisplay"]
    return work.save(made)


def card_from(work: Work, wish: Json) -> Json:
    if "token" in wish:
        name = wish["token"].removeprefix("tok_")
        if name not in BY_NAME:
            return used_token(work, wish["token"])
        return mint_card(work, BY_NAME[name], exp_month=DEFAULT_MONTH, exp_year=year_of(work) + 4, has_cvc=False)
    for name in ("number", "exp_month", "exp_year"):
        if name not in wish:
            raise missing_parameter(f"card[{name}]")
    number = wish["number"].replace(" ", "").replace("-", "")
    card = card_with_number(number)
    if card is None:
        raise card_error("Your card number is incorrect.", code="incorrect_number", keeps_work=False, param="number")
    check_expiry(work, wish["exp_month"], wish["exp_year"])
    cvc = wish.get("cvc")
    if cvc is not None and not (cvc.isascii() and cvc.isdigit() and len(cvc) in (3, 4)):
        raise card_error("Your card's security code is invalid.", code="invalid_cvc", keeps_work=False, param="cvc")
    year = wish["exp_year"] + 2000 if wish["exp_year"] < 100 else wish["exp_year"]
    return mint_card(work, card, exp_month=wish["exp_month"], exp_year=year, has_cvc=cvc is not None)


def check_expiry(work: Work, month: int, year: int) -> None:
    """Any date from the account's current month on."""
    if not 1 <= month <= 12:
        raise card_error(
            "Your card's expiration month is invalid.", code="invalid_expiry_month", keeps_work=False, param="exp_month"
        )
    now = time.gmtime(work.now)
    full = year + 2000 if 0 <= year < 100 else year
    if (full, month) < (now.tm_year, now.tm_mon) or full > now.tm_year + 50:
        raise card_error(
            "Your card's expiration year is invalid.", code="invalid_expiry_year", keeps_work=False, param="exp_year"
        )


def us_bank_account_from(work: Work, wish: Json) -> Json:
    for name in ("account_number", "routing_number"):
        if name not in wish:
            raise missing_parameter(f"us_bank_account[{name}]")
    if wish["routing_number"] != ROUTING_NUMBER:
        raise invalid(
            f"Invalid routing number: the sandbox knows {ROUTING_NUMBER} only.",
            param="us_bank_account[routing_number]",
            code="routing_number_invalid",
        )
    debit = DEBIT_BY_NUMBER.get(wish["account_number"])
    if debit is None or debit.type != "us_bank_account":
        raise invalid(
            "Invalid account number: use one of the test account numbers.",
            param="us_bank_account[account_number]",
            code="account_number_invalid",
        )
    return mint_debit(work, debit, wish)


def sepa_debit_from(work: Work, wish: Json) -> Json:
    debit = DEBIT_BY_NUMBER.get((wish.get("iban") or "").replace(" ", "").upper())
    if debit is None or debit.type != "sepa_debit":
        raise invalid("The IBAN is not one of the test numbers.", param="sepa_debit[iban]", code="invalid_number")
    return mint_debit(work, debit, wish)


def mint_card(work: Work, card: Card, *, exp_month: int, exp_year: int, has_cvc: bool) -> Json:
    made = objects.payment_method(work.new_id("payment_method"), work.now, "card")
    made["card"] = objects.card_details(
        card, work.account.ids.seed, exp_month=exp_month, exp_year=exp_year, has_cvc=has_cvc
    )
    made["_outcome"] = card.name
    return work.save(made)


def mint_debit(work: Work, debit: Debit, wish: Json) -> Json:
    made = objects.payment_method(work.new_id("payment_method"), work.now, debit.type)
    seed = work.account.ids.seed
    if debit.type == "us_bank_account":
        made[debit.type] = objects.us_bank_account_details(debit, seed, wish)
    else:
        made[debit.type] = objects.sepa_debit_details(debit, seed)
    made["_outcome"] = debit.name
    return work.save(made)


def attach(work: Work, id: str, customer_id: str, param: str = "payment_method") -> Json:
    """402 for a card that declines already when it is saved."""
    method = resolve(work, id, param)
    customer = work.require("customer", customer_id, "customer")
    if method["customer"] == customer["id"]:
        return method
    if method["customer"] is not None:
        raise invalid(
            "The payment method you provided has already been attached to a customer.",
            param=param,
            code="payment_method_unexpected_state",
        )
    refusal = refusal_to_attach(method)
    if refusal:
        raise declined_error(refusal, keeps_work=False)
    bind(work, method, customer["id"])
    return method


def bind(work: Work, method: Json, customer_id: str) -> None:
    """Attaches without asking; the caller has seen the card pay or be set up."""
    method["customer"] = customer_id
    if method["type"] == "card" and method["card"]["checks"]["cvc_check"] == "unchecked":
        method["card"]["checks"]["cvc_check"] = "pass"
    work.save(method)
    work.emit("payment_method.attached", method)


def refusal_to_attach(method: Json) -> Decline | None:
    if method["type"] != "card":
        return None
    card = card_of(method["_outcome"])
    return None if card.attaches else card.decline


def declined_error(decline: Decline, *, keeps_work: bool, **objects_: object) -> ApiError:
    params = {"expired_card": "exp_month", "incorrect_cvc": "cvc"}
    return card_error(
        decline.message,
        code=decline.code,
        decline_code=decline.decline_code,
        advice_code=decline.advice_code,
        param=params.get(decline.code),
        keeps_work=keeps_work,
        **objects_,
    )


def detach(work: Work, id: str) -> Json:
    """The default of its customer is cleared; the event's object has no customer any more."""
    method = work.require("payment_method", id, "payment_method")
    if method["customer"] is None:
        raise invalid(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            param="payment_method",
            code="payment_method_unexpected_state",
        )
    before, owner = copied(method), work.require("customer", method["customer"], "customer")
    method["customer"] = None
    work.save(method)
    work.emit_updated("payment_method.detached", method, before)
    if owner["invoice_settings"]["default_payment_method"] == id:
        was = copied(owner)
        owner["invoice_settings"]["default_payment_method"] = None
        work.save(owner)
        work.emit_updated("customer.updated", owner, was)
    return method


def update(work: Work, id: str, parameters: Json) -> Json:
    """Only an attached method can be changed: its expiry, billing details, metadata."""
    method = work.require("payment_method", id, "payment_method")
    if method["customer"] is None:
        raise invalid(
            "You must save this PaymentMethod to a customer before you can update it.",
            code="payment_method_unexpected_state",
        )
    before = copied(method)
    take_metadata(method, parameters)
    for name in ("exp_month", "exp_year"):
        if name in parameters.get("card", {}):
            method["card"][name] = parameters["card"][name]
    if method["type"] == "card" and parameters.get("card"):
        check_expiry(work, method["card"]["exp_month"], method["card"]["exp_year"])
    if "billing_details" in parameters:
        held = {name: value for name, value in method["billing_details"].items() if value}
        method["billing_details"] = objects.billing_details({**held, **parameters["billing_details"]})
    if "allow_redisplay" in parameters:
        method["allow_redisplay"] = parameters["allow_redisplay"]
    work.save(method)
    work.emit_updated("payment_method.updated", method, before)
    return method
