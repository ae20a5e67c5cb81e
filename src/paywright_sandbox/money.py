"""
Amounts: pure functions of prices and quantities. Integers in minor units throughout.

Rounding is half away from zero, once per line; `half_even` is the other form of the uncertain point U5.
"""

from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from .errors import Json, invalid

ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf".split())
THREE_DECIMAL = frozenset("bhd jod kwd omr tnd".split())
AMOUNT_MAX = 99_999_999
SMALLEST_CHARGE = {"usd": 50, "eur": 50, "cad": 50, "aud": 50, "inr": 50, "gbp": 30, "jpy": 50}
SMALLEST_ELSEWHERE = 50

Rounding = Callable[[Fraction], int]


def half_up(value: Fraction) -> int:
    """Half away from zero: 2.5 → 3, −2.5 → −3."""
    return rounded(value, ROUND_HALF_UP)


def half_even(value: Fraction) -> int:
    return rounded(value, ROUND_HALF_EVEN)


def rounded(value: Fraction, rule: str) -> int:
    """Exact for every fraction: only the part behind the integer is judged, and a half is told from its neighbours."""
    whole, rest = divmod(abs(value), 1)
    above = rest > Fraction(1, 2) or (rest == Fraction(1, 2) and (rule == ROUND_HALF_UP or whole % 2 == 1))
    size = int(whole) + (1 if above else 0)
    return size if value >= 0 else -size


def smallest_charge(currency: str) -> int:
    return SMALLEST_CHARGE.get(currency, SMALLEST_ELSEWHERE)


def currency_of(text: str, param: str = "currency") -> str:
    """In lower case; three letters, or refused."""
    currency = text.lower()
    if len(currency) != 3 or not currency.isalpha():
        raise invalid(f"Invalid currency: {text}.", param=param)
    return currency


def check_amount(amount: int, currency: str, param: str = "amount") -> None:
    """Refuses what cannot be charged: below the smallest or above the largest charge, or a third decimal that is not 0."""
    if amount < smallest_charge(currency):
        least = shown(smallest_charge(currency), currency)
        raise invalid(f"Amount must be at least {least}.", param=param, code="amount_too_small")
    if amount > AMOUNT_MAX:
        raise invalid(f"Amount must be no more than {AMOUNT_MAX}.", param=param, code="amount_too_large")
    if currency in THREE_DECIMAL and amount % 10:
        raise invalid(f"Invalid amount: the last digit of an amount in {currency} must be 0.", param=param)


def fee_of(amount: int, settings: Json) -> int:
    """What is kept of a charge: the account's percentage and fixed part."""
    return percent_of(amount, settings["fee_percent"]) + int(settings["fee_fixed"])


def price_amount(price: Json, quantity: int, currency: str | None = None) -> Fraction:
    """
    What this many of the price cost, not rounded: flat, transformed or by tiers, in the currency asked for.

    `price` is the stored object, whose tiers and currency options may stand under private names.
    """
    offer = offer_in(price, currency)
    if price.get("billing_scheme") == "tiered":
        tiers = offer.get("tiers") or offer.get("_tiers") or []
        return tiered(tiers, price.get("tiers_mode"), quantity)
    transform = price.get("transform_quantity")
    if transform:
        whole, rest = divmod(quantity, transform["divide_by"])
        quantity = whole + (1 if rest and transform["round"] == "up" else 0)
    return unit_of(offer) * quantity


def offer_in(price: Json, currency: str | None) -> Json:
    """The price itself, or its option in another currency."""
    if currency is None or currency == price["currency"]:
        return price
    options = price.get("currency_options") or price.get("_currency_options") or {}
    found: Json = options.get(currency) or price
    return found


def has_currency(price: Json, currency: str) -> bool:
    return currency == price["currency"] or currency in (
        price.get("currency_options") or price.get("_currency_options") or {}
    )


def unit_of(offer: Json) -> Fraction:
    """The unit amount; decimals of a cent where the price has them."""
    decimal = offer.get("unit_amount_decimal")
    return Fraction(Decimal(str(decimal))) if decimal is not None else Fraction(offer.get("unit_amount") or 0)


def tiered(tiers: Sequence[Json], mode: str | None, quantity: int) -> Fraction:
    """`volume`: the whole quantity at the tier it falls into. `graduated`: each part at its own tier. `up_to` null is without end."""
    total, below = Fraction(0), 0
    for tier in tiers:
        top = tier["up_to"]
        inside = top is None or quantity <= top
        if mode == "volume":
            if inside:
                return tier_unit(tier) * quantity + (tier_flat(tier) if quantity else 0)
            continue
        part = (quantity if inside else top) - below
        if part > 0 or (below == 0 and quantity == 0):
            total += tier_unit(tier) * part + tier_flat(tier)
        below = top if top is not None else quantity
        if inside:
            break
    return total


def tier_unit(tier: Json) -> Fraction:
    return Fraction(Decimal(str(tier.get("unit_amount_decimal") or tier.get("unit_amount") or 0)))


def tier_flat(tier: Json) -> Fraction:
    return Fraction(Decimal(str(tier.get("flat_amount_decimal") or tier.get("flat_amount") or 0)))


def shared(total: int, weights: Sequence[int]) -> list[int]:
    """`total` cut in proportion to `weights` so that the parts sum to it exactly, by largest remainder; ties go to the earlier."""
    whole = sum(weights)
    if not weights or whole == 0:
        return [0] * len(weights)
    exact = [Fraction(total * weight, whole) for weight in weights]
    parts = [int(value // 1) for value in exact]
    order = sorted(range(len(weights)), key=lambda at: (-(exact[at] - parts[at]), at))
    for at in order[: total - sum(parts)]:
        parts[at] += 1
    return parts


def percent_of(amount: int, percent: Any, rounding: Rounding = half_up) -> int:
    return rounding(amount * Fraction(Decimal(str(percent))) / 100)


def shown(amount: Fraction | int, currency: str) -> str:
    """`$10.00`, `¥500`, `€0.005`, `12.00 CHF`: as Stripe writes it in a line's description."""
    places = 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2
    value = Decimal(Fraction(amount).numerator) / Decimal(Fraction(amount).denominator) / (Decimal(10) ** places)
    digits = max(places, -int(value.normalize().as_tuple().exponent)) if value else places
    text = f"{value:.{digits}f}"
    sign = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}.get(currency)
    return f"{sign}{text}" if sign else f"{text} {currency.upper()}"
