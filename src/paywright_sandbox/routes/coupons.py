"""Coupons, and the promotion codes that hand them out."""

from ..account import copied
from ..attributes import take, take_metadata
from ..errors import Json, invalid, missing_parameter
from ..listing import page
from ..machine.discounts import set_metadata
from ..money import currency_of
from ..objects.coupons import coupon, promotion_code
from ..objects.customers import deleted
from ..routing import route
from ..serialise import absent_unless_expanded
from ..work import Work

CODE_LETTERS = 8


@route(
    "POST /v1/coupons",
    acts_on="amount_off applies_to.products currency currency_options.amount_off duration duration_in_months id max_redemptions metadata "
    "name percent_off redeem_by",
)
def create(work: Work, parameters: Json) -> Json:
    check_value(parameters)
    made = coupon(coupon_id(work, parameters), work.now, duration=parameters.get("duration", "once"))
    months = parameters.get("duration_in_months")
    if (made["duration"] == "repeating") != (months is not None):
        raise invalid("`duration_in_months` is for `duration=repeating`, and needed there.", param="duration_in_months")
    take(made, parameters, "amount_off", "percent_off", "duration_in_months", "max_redemptions", "name", "redeem_by")
    if made["redeem_by"] is not None and made["redeem_by"] <= work.now:
        raise invalid("redeem_by must be in the future.", param="redeem_by")
    if made["amount_off"] is not None:
        made["currency"] = currency_of(parameters["currency"])
    made["_currency_options"] = parameters.get("currency_options") or {}
    made["_applies_to"] = applying_to(work, parameters)
    take_metadata(made, parameters)
    work.save(made)
    work.emit("coupon.created", made)
    return made


def check_value(parameters: Json) -> None:
    amount, percent = parameters.get("amount_off"), parameters.get("percent_off")
    if (amount is None) == (percent is None):
        raise invalid("Give exactly one of amount_off and percent_off.", param="percent_off")
    if percent is not None and not 0 < percent <= 100:
        raise invalid("percent_off must be above 0 and at most 100.", param="percent_off")
    if amount is not None:
        if amount <= 0:
            raise invalid("amount_off must be positive.", param="amount_off", code="parameter_invalid_integer")
        if not parameters.get("currency"):
            raise missing_parameter("currency")


def coupon_id(work: Work, parameters: Json) -> str:
    wish = parameters.get("id")
    if not wish:
        return work.account.ids.letters(CODE_LETTERS)
    if work.get("coupon", wish):
        raise invalid("Coupon already exists.", param="id", code="resource_already_exists")
    return str(wish)


def applying_to(work: Work, parameters: Json) -> Json | None:
    products = (parameters.get("applies_to") or {}).get("products")
    for id in products or []:
        work.require("product", id, "applies_to[products]")
    return {"products": list(products)} if products else None


@absent_unless_expanded("coupon", "applies_to")
def applies_to(work: Work, shown: Json) -> Json | None:
    held: Json | None = work.require("coupon", shown["id"])["_applies_to"]
    return held


@absent_unless_expanded("coupon", "currency_options")
def currency_options(work: Work, shown: Json) -> Json:
    held: Json = work.require("coupon", shown["id"])["_currency_options"]
    return held


@route("GET /v1/coupons/{coupon}")
def retrieve(work: Work, parameters: Json, coupon: str) -> Json:
    return work.require("coupon", coupon, "coupon")


@route("POST /v1/coupons/{coupon}", acts_on="metadata name currency_options.amount_off")
def update(work: Work, parameters: Json, coupon: str) -> Json:
    before = copied(work.require("coupon", coupon, "coupon"))
    found = set_metadata(work, "coupon", coupon, parameters)
    take(found, parameters, "name")
    found["_currency_options"] = {**found["_currency_options"], **(parameters.get("currency_options") or {})}
    work.save(found)
    work.emit_updated("coupon.updated", found, before)
    return found


@route("DELETE /v1/coupons/{coupon}", note="Discounts already given keep counting.")
def delete(work: Work, parameters: Json, coupon: str) -> Json:
    found = work.require("coupon", coupon, "coupon")
    for discount in [held["id"] for held in work.newest_first("discount") if held["source"]["coupon"] == coupon]:
        held = work.require("discount", discount)
        held["_coupon"] = dict(found)
        work.save(held)
    work.remove("coupon", coupon)
    work.emit("coupon.deleted", found)
    return deleted(found)


@route("GET /v1/coupons", acts_on="created ending_before limit starting_after")
def list_(work: Work, parameters: Json) -> Json:
    return page(work, "coupon", parameters)


# Promotion codes


@route(
    "POST /v1/promotion_codes",
    acts_on="active code customer expires_at max_redemptions metadata promotion restrictions.first_time_transaction "
    "restrictions.minimum_amount restrictions.minimum_amount_currency",
)
def create_code(work: Work, parameters: Json) -> Json:
    wish = parameters["promotion"]
    if not wish.get("coupon"):
        raise missing_parameter("promotion[coupon]")
    found = work.require("coupon", wish["coupon"], "promotion[coupon]")
    code = parameters.get("code") or work.account.ids.letters(CODE_LETTERS).upper()
    check_code(work, code)
    made = promotion_code(work.new_id("promotion_code"), work.now, coupon=found["id"], code=code)
    if parameters.get("customer"):
        made["customer"] = work.require("customer", parameters["customer"], "customer")["id"]
    take(made, parameters, "active", "expires_at", "max_redemptions")
    restrict(made, parameters.get("restrictions") or {})
    take_metadata(made, parameters)
    work.save(made)
    work.emit("promotion_code.created", made)
    return made


def check_code(work: Work, code: str) -> None:
    if not all(letter.isalnum() or letter in "-_" for letter in code):
        raise invalid("Promotion codes may only hold letters, digits, - and _.", param="code")
    if any(
        held["active"] and held["code"].casefold() == code.casefold() for held in work.newest_first("promotion_code")
    ):
        raise invalid(
            f"An active promotion code with `code: {code}` already exists.",
            param="code",
            code="resource_already_exists",
        )


def restrict(made: Json, wish: Json) -> None:
    if (wish.get("minimum_amount") is None) != (wish.get("minimum_amount_currency") is None):
        raise invalid("minimum_amount and minimum_amount_currency go together.", param="restrictions")
    take(made["restrictions"], wish, "first_time_transaction", "minimum_amount", "minimum_amount_currency")


@route("GET /v1/promotion_codes/{promotion_code}")
def retrieve_code(work: Work, parameters: Json, promotion_code: str) -> Json:
    return work.require("promotion_code", promotion_code, "promotion_code")


@route("POST /v1/promotion_codes/{promotion_code}", acts_on="active metadata")
def update_code(work: Work, parameters: Json, promotion_code: str) -> Json:
    before = copied(work.require("promotion_code", promotion_code, "promotion_code"))
    found = set_metadata(work, "promotion_code", promotion_code, parameters)
    take(found, parameters, "active")
    work.save(found)
    work.emit_updated("promotion_code.updated", found, before)
    return found


@route("GET /v1/promotion_codes", acts_on="active code coupon created customer ending_before limit starting_after")
def list_codes(work: Work, parameters: Json) -> Json:
    wish = parameters.get("coupon")
    return page(
        work,
        "promotion_code",
        parameters,
        "active",
        "code",
        "customer",
        keep=lambda found: not wish or found["promotion"]["coupon"] == wish,
    )
