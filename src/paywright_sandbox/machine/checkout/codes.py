"""Promotion codes the buyer types."""

from ...errors import Json, invalid
from ...work import Work
from .attempt import reprice
from .sessions import discount_shown


def use_code(work: Work, session: Json, text: str) -> None:
    """In place of any discount before it; codes are told apart without regard to case. Refused when it does not fit this order."""
    if not session["allow_promotion_codes"]:
        raise invalid("This session takes no promotion codes.", param="promotion_code")
    wanted = text.strip().casefold()
    found = next(
        (code for code in work.newest_first("promotion_code") if code["active"] and code["code"].casefold() == wanted),
        None,
    )
    if found is None:
        raise invalid("This code is invalid.", param="promotion_code")
    put(work, session, [discount_shown(promotion_code=found["id"])])


def drop_code(work: Work, session: Json) -> None:
    if session["allow_promotion_codes"]:
        put(work, session, [])


def put(work: Work, session: Json, discounts: list[Json]) -> None:
    session["discounts"] = discounts
    reprice(work, session)
