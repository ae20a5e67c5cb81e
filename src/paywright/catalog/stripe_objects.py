"""What we ask Stripe for: parameters of Products and Prices, and whether an adopted price is what the catalog says. Pure."""

from collections.abc import Mapping
from typing import Any

from paywright.catalog.model import Price
from paywright.kernel.model import Json
from paywright.stripe.metadata import ENVIRONMENT, metadata_of

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
    return [_said(line) for line in drift_of_price(price, found, active=True, is_adopted=True)]


def _said(line: Mapping[str, Json]) -> str:
    field, ours, stripe = str(line["field"]), line["ours"], line["stripe"]
    if field == "active":
        return "it is not active at Stripe"
    if field == "interval":
        return f"the interval is {stripe or 'none'} at Stripe and {ours or 'none'} here"
    return f"{field.removeprefix('amounts.')} is {'missing' if stripe is None else stripe} at Stripe and {ours} here"


def drift_of_product(pushed: Mapping[str, Any], found: Mapping[str, Any] | None) -> list[dict[str, Json]]:
    """What differs from what Stripe was told, by field; `found` None: it is gone. What was archived may be gone."""
    if found is None:
        return [_line("exists", True, False)] if pushed["active"] else []
    theirs = {**found, **{f"metadata.{key}": value for key, value in metadata_of(dict(found)).items()}}
    ours = {"name": pushed["name"], "active": pushed["active"]}
    ours |= {f"metadata.{key}": value for key, value in pushed["metadata"].items()}
    return [_line(field, value, theirs.get(field)) for field, value in ours.items() if theirs.get(field) != value]


def drift_of_price(
    price: Price, found: Mapping[str, Any] | None, *, active: bool, is_adopted: bool
) -> list[dict[str, Json]]:
    """The same of a price, with `currency_options` expanded. An adopted one that is not sold any more may be as it likes."""
    if not active and (is_adopted or found is None):
        return []
    if found is None:
        return [_line("exists", True, False)]
    is_active = found.get("active", False)
    other = [_line("active", active, is_active)] if is_active != active else []
    if not active:
        return other
    amounts = stripe_amounts(found)
    lines = [
        _line(f"amounts.{currency}", amount, amounts.get(currency))
        for currency, amount in price.amounts.items()
        if amounts.get(currency) != amount
    ]
    interval = _interval(found)
    if interval != price.interval:
        lines.append(_line("interval", price.interval, interval))
    return lines + other


def _line(field: str, ours: Json, stripe: Json) -> dict[str, Json]:
    return {"field": field, "ours": ours, "stripe": stripe}


def _interval(found: Mapping[str, Any]) -> str | None:
    recurring = found.get("recurring") or {}
    return f"{recurring['interval_count']} {recurring['interval']}" if recurring else None


def stripe_amounts(found: Mapping[str, Any]) -> dict[str, int]:
    """Minor units by currency, the main one first; amounts Stripe does not keep as an integer are left out."""
    amounts = {found["currency"]: found.get("unit_amount")}
    for currency, option in (found.get("currency_options") or {}).items():
        amounts.setdefault(currency, option.get("unit_amount"))
    return {currency: amount for currency, amount in amounts.items() if isinstance(amount, int)}
