"""
Currencies as Stripe counts them.

Source: https://docs.stripe.com/currencies (API 2026-10-28.endive): the zero-decimal list, the minimum charge amounts,
and the largest amount.
"""

from decimal import Decimal, InvalidOperation

AMOUNT_MAX = 99_999_999
"""The largest amount Stripe takes, in minor units."""

ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf".split())

CURRENCIES = frozenset(
    "aed aud brl cad chf clp czk dkk eur gbp hkd huf idr ils inr jpy krw mxn myr nok nzd php pln ron sek sgd thb try twd usd vnd zar".split()
)
"""What a price may be in. All of them have two decimals or, where `ZERO_DECIMAL` says so, none."""

MINIMUM_CHARGE = {
    "usd": 50, "eur": 50, "gbp": 30, "jpy": 50, "inr": 50, "aud": 50, "cad": 50, "chf": 50, "brl": 50, "sgd": 50, "nzd": 50,
    "aed": 200, "czk": 1500, "dkk": 250, "hkd": 400, "huf": 17500, "mxn": 1000, "myr": 200, "nok": 300, "pln": 200, "ron": 200,
    "sek": 300, "thb": 1000,
}  # fmt: skip
"""The smallest charge per currency, in minor units. A currency without a line has 50."""


def decimals(currency: str) -> int:
    return 0 if currency in ZERO_DECIMAL else 2


def minimum_charge(currency: str) -> int:
    return MINIMUM_CHARGE.get(currency, 50)


def minor_units(major: str, currency: str) -> int | None:
    """`"19.99"` usd is 1999. None when it is not a plain decimal number or has more decimals than the currency."""
    try:
        value = Decimal(major)
    except InvalidOperation:
        return None
    if not value.is_finite() or not all(character in "0123456789." for character in major):
        return None
    scaled = value.scaleb(decimals(currency))
    if scaled != scaled.to_integral_value() or len(major.partition(".")[2]) > decimals(currency):
        return None
    return int(scaled)


def format_amount(amount: int, currency: str, locale: str = "en_US") -> str:
    """For people: `$19.99`, `¥3,000`."""
    from babel.numbers import format_currency  # 40 ms to import, and only pages and letters need it.

    return format_currency(Decimal(amount).scaleb(-decimals(currency)), currency.upper(), locale=locale)
