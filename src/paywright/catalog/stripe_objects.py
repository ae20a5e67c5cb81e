"""What we ask Stripe for: parameters of Products and Prices, and whether an adopted price is what the catalog says. Pure."""

from collections.abc import Mapping
from typing import Any

from paywright.catalog.model import Price
from paywright.stripe.metadata import ENVIRONMENT

PRODUCT = "paywright_product"
PRICE = "paywright_price"


def stripe_product_id(environment_id: str, product_id: str) -> str:
    """The id we give a Product at Stripe."""
    return f"paywright_{environment_id}_{product_id}"


def product_parameters(environment_id: str, product_id: str, display_name: str, *, active: bool) -> dict[str, Any]:
    return {"name": display_name, "active": active, "metadata": {ENVIRONMENT: environment_id, PRODUCT: product_id}}


def price_parameters(
    environment_id: str,
    product_id: str,
    price_id: str,
    price: Price,
    *,
    stripe_product_id: str,
    lookup_key: str,
    currency: str,
) -> dict[str, Any]:
    """
    One Stripe Price per price, whatever its currencies: `currency` is its main one if the price has it, else the first, and the others are its
    `currency_options`. A checkout then says which currency it is in.
    """
    main = currency if currency in price.amounts else next(iter(price.amounts))
    others = {each: {"unit_amount": amount} for each, amount in sorted(price.amounts.items()) if each != main}
    parameters: dict[str, Any] = {
        "product": stripe_product_id,
        "currency": main,
        "unit_amount": price.amounts[main],
        "lookup_key": lookup_key,
        "nickname": price_id,
        "metadata": {ENVIRONMENT: environment_id, PRODUCT: product_id, PRICE: price_id},
    }
    if others:
        parameters["currency_options"] = others
    if price.period is not None:
        parameters["recurring"] = {"interval": price.period.unit, "interval_count": price.period.count}
    return parameters


def differences(price: Price, found: Mapping[str, Any]) -> list[str]:
    """How an adopted Stripe Price (with `currency_options` expanded) differs from the catalog, in sentences; empty when it is the same."""
    amounts = stripe_amounts(found)
    wrong = [
        f"{currency} is {amounts.get(currency, 'missing')} at Stripe and {amount} here"
        for currency, amount in price.amounts.items()
        if amounts.get(currency) != amount
    ]
    recurring = found.get("recurring") or {}
    interval = f"{recurring['interval_count']} {recurring['interval']}" if recurring else None
    if interval != price.interval:
        wrong.append(f"the interval is {interval or 'none'} at Stripe and {price.interval or 'none'} here")
    if not found.get("active", False):
        wrong.append("it is not active at Stripe")
    return wrong


def stripe_amounts(found: Mapping[str, Any]) -> dict[str, int]:
    """Minor units by currency, the main one first; amounts Stripe does not keep as an integer are left out."""
    amounts = {found["currency"]: found.get("unit_amount")}
    for currency, option in (found.get("currency_options") or {}).items():
        amounts.setdefault(currency, option.get("unit_amount"))
    return {currency: amount for currency, amount in amounts.items() if isinstance(amount, int)}
