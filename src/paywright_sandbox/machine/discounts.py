"""Discounts: coupons and promotion codes redeemed, and what they take off each line of an invoice."""

from ..attributes import take_metadata
from ..errors import Json, invalid
from ..money import Rounding, half_even, half_up, percent_of, shared
from ..objects.coupons import discount
from ..periods import added
from ..work import Work


def rounding(work: Work) -> Rounding:
    """U5: halves away from zero, or to the even neighbour."""
    return half_up if work.variant("U5") == "a" else half_even


def redeem(
    work: Work, wishes: object, *, customer: str, at: int, amount: int, currency: str, **owner: str
) -> list[str]:
    """
    Ids of discounts made from `[{coupon} | {promotion_code} | {discount}]`; `owner` names what they hang on.

    Refuses what is expired, used up, not for this customer, currency or amount (`amount` is before the discount).
    """
    made: list[str] = []
    for wish in wishes if isinstance(wishes, list) else []:
        if wish.get("discount"):
            made.append(str(work.require("discount", wish["discount"], "discounts[discount]")["id"]))
            continue
        code = None
        if wish.get("promotion_code"):
            code = promotion_code_for(
                work, wish["promotion_code"], customer=customer, at=at, amount=amount, currency=currency
            )
        coupon_id = code["promotion"]["coupon"] if code else wish.get("coupon")
        if not coupon_id:
            raise invalid("Each discount needs one of coupon, promotion_code, discount.", param="discounts")
        made.append(granted(work, usable_coupon(work, coupon_id, at=at, currency=currency), code, customer, at, owner))
    return made


def granted(work: Work, coupon: Json, code: Json | None, customer: str, at: int, owner: dict[str, str]) -> str:
    months = coupon["duration_in_months"] if coupon["duration"] == "repeating" else None
    made = discount(
        work.new_id("discount"), at, coupon=coupon["id"], end=added(at, "month", months) if months else None
    )
    made.update(owner, customer=customer, promotion_code=code["id"] if code else None)
    work.save(made)
    for counted in (coupon, code):
        if counted is not None:
            counted["times_redeemed"] += 1
            work.save(counted)
    limit = coupon["max_redemptions"]
    if limit is not None and coupon["times_redeemed"] >= limit:
        coupon["valid"] = False
    return str(made["id"])


def usable_coupon(work: Work, id: str, *, at: int, currency: str) -> Json:
    coupon = work.require("coupon", id, "coupon")
    if coupon["redeem_by"] is not None and coupon["redeem_by"] <= at:
        raise invalid(f"The coupon {id} has expired.", param="coupon", code="coupon_expired")
    if not coupon["valid"]:
        raise invalid(f"The coupon {id} is not valid anymore: it was redeemed as often as it may be.", param="coupon")
    if coupon["amount_off"] is not None and off_in(coupon, currency) is None:
        raise invalid(f"The coupon {id} is in {coupon['currency']} and cannot be used with {currency}.", param="coupon")
    return coupon


def promotion_code_for(work: Work, id: str, *, customer: str, at: int, amount: int, currency: str) -> Json:
    code = work.require("promotion_code", id, "promotion_code")
    if not code["active"]:
        raise invalid("This promotion code is not active.", param="promotion_code")
    if code["expires_at"] is not None and code["expires_at"] <= at:
        raise invalid("This promotion code has expired.", param="promotion_code", code="coupon_expired")
    if code["max_redemptions"] is not None and code["times_redeemed"] >= code["max_redemptions"]:
        raise invalid("This promotion code cannot be redeemed any more.", param="promotion_code")
    if code["customer"] is not None and code["customer"] != customer:
        raise invalid("This promotion code belongs to another customer.", param="promotion_code")
    limits = code["restrictions"]
    if limits["first_time_transaction"] and has_paid_before(work, customer):
        raise invalid(
            "This promotion code cannot be redeemed because the associated customer has prior transactions.",
            param="promotion_code",
        )
    minimum = limits["minimum_amount"]
    if minimum is not None and (limits["minimum_amount_currency"] != currency or amount < minimum):
        raise invalid(f"This promotion code needs an amount of at least {minimum}.", param="promotion_code")
    return code


def has_paid_before(work: Work, customer: str) -> bool:
    return any(
        intent["customer"] == customer and intent["status"] == "succeeded"
        for intent in work.newest_first("payment_intent")
    )


def off_in(coupon: Json, currency: str) -> int | None:
    """The fixed amount in this currency, or None."""
    if coupon["currency"] == currency:
        return int(coupon["amount_off"])
    option = (coupon.get("_currency_options") or {}).get(currency)
    return int(option["amount_off"]) if option else None


def running(work: Work, ids: list[str], at: int) -> list[str]:
    """Those that have not ended."""
    found = [work.require("discount", id) for id in ids]
    return [one["id"] for one in found if one["end"] is None or one["end"] > at]


def without_once(work: Work, ids: list[str]) -> list[str]:
    """What stays on a subscription after one of its invoices was made: a coupon that counts once is used up."""
    return [id for id in ids if coupon_of(work, id)["duration"] != "once"]


def coupon_of(work: Work, discount_id: str) -> Json:
    found = work.get("discount", discount_id)
    assert found is not None, discount_id
    coupon = work.get("coupon", found["source"]["coupon"])
    return coupon if coupon is not None else found["_coupon"]


def discount_lines(work: Work, lines: list[Json], invoice_discounts: list[str], currency: str) -> None:
    """Writes `discount_amounts` into the lines: each line's own discounts first, then the invoice's, each on what is left."""
    left = [line["amount"] for line in lines]
    for line in lines:
        line["discount_amounts"], line["pretax_credit_amounts"] = [], []
    own = dict.fromkeys(id for line in lines for id in line["discounts"])
    for id in [*own, *invoice_discounts]:
        coupon = coupon_of(work, id)
        among = [at for at, line in enumerate(lines) if applies(coupon, line, id, id in own)]
        base = sum(left[at] for at in among)
        for at, part in zip(
            among, shared(taken(work, coupon, base, currency), [left[at] for at in among]), strict=True
        ):
            left[at] -= part
            lines[at]["discount_amounts"].append({"amount": part, "discount": id})
            lines[at]["pretax_credit_amounts"].append({"amount": part, "discount": id, "type": "discount"})


def applies(coupon: Json, line: Json, discount_id: str, is_own: bool) -> bool:
    if not line["discountable"] or (is_own and discount_id not in line["discounts"]):
        return False
    products = (coupon.get("_applies_to") or {}).get("products")
    return not products or product_of(line) in products


def product_of(line: Json) -> str | None:
    return line["pricing"]["price_details"]["product"] if line["pricing"] else None


def taken(work: Work, coupon: Json, base: int, currency: str) -> int:
    """What the coupon takes off `base`; a fixed amount takes no more than there is."""
    if coupon["percent_off"] is not None:
        return percent_of(base, coupon["percent_off"], rounding(work))
    return min(off_in(coupon, currency) or 0, max(base, 0))


def set_metadata(work: Work, kind: str, id: str, parameters: Json) -> Json:
    """The only change most of these objects take."""
    found = work.require(kind, id, kind)
    take_metadata(found, parameters)
    return work.save(found)
