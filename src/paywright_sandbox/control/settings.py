"""How an account behaves, where Stripe has a switch in its dashboard or nobody knows for sure."""

from decimal import Decimal, InvalidOperation
from typing import Any

from ..account import SETTINGS, Account
from ..errors import Json, invalid, unknown_parameter
from ..web import WebRequest
from .door import control

CHOICES: dict[str, tuple[Any, ...]] = {
    "exhausted": ("cancel", "unpaid", "pause", "none"),
    "billing_mode": ("flexible", "classic"),
    "payouts": ("daily", "manual"),
}
POINTS = frozenset(f"U{number}" for number in range(1, 18))
LONGEST = {"_s": 10 * 366 * 86_400, "_days": 3660}
"""Ten years, by the unit a setting's name ends in."""


@control("GET /_sandbox/settings")
async def read_settings(request: WebRequest, account: Account) -> Json:
    return account.settings


@control("PATCH /_sandbox/settings")
async def patch_settings(request: WebRequest, account: Account) -> Json:
    """Merges; `variant` merges too. A value of another type than the default's is refused."""
    for name, value in request.json.items():
        check_setting(name, value)
    variant = {**account.settings["variant"], **request.json.get("variant", {})}
    account.settings = {**account.settings, **request.json, "variant": variant}
    request.engine.store.save_account(account)
    return account.settings


def check_setting(name: str, value: Any) -> None:
    if name not in SETTINGS:
        raise unknown_parameter(name)
    if name in CHOICES and value not in CHOICES[name]:
        raise invalid(f"Invalid {name}: must be one of {', '.join(CHOICES[name])}", param=name)
    fits = type(value) is type(SETTINGS[name])
    if name == "fee_percent":
        fits = is_percent(value)
    elif name == "variant":
        fits = fits and all(point in POINTS and form in ("a", "b") for point, form in value.items())
    elif name == "retry_days":
        fits = fits and all(type(days) is int and 0 <= days <= LONGEST["_days"] for days in value)
    elif type(SETTINGS[name]) is int:
        longest = next((most for unit, most in LONGEST.items() if name.endswith(unit)), 10**8)
        fits = fits and 0 <= value <= longest
    if not fits:
        raise invalid(f"Invalid {name}: must be like {SETTINGS[name]!r}", param=name)


def is_percent(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    try:
        return 0 <= Decimal(str(value)) <= 100
    except InvalidOperation:
        return False
