"""What a Stripe account sells already, as a catalog: its active Products and Prices, adopted by id."""

import re
from typing import Any

import msgspec

from paywright.catalog import queries, stripe_objects
from paywright.catalog.model import Catalog, Problem
from paywright.catalog.writing import document_of, major_units
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.money import AMOUNT_MAX, CURRENCIES
from paywright.kernel.periods import Period
from paywright.stripe.metadata import ENVIRONMENT, id_of, metadata_of

_BY_PERIOD = {"1 day": "daily", "1 week": "weekly", "1 month": "monthly", "3 month": "quarterly", "1 year": "yearly"}
_ID_MAX = 63


class Pulled(msgspec.Struct, frozen=True):
    """A document to lint, edit and apply. `added` are the ids of products that are new in it; `skipped` says what could not come along."""

    document: dict[str, Any]
    added: list[str]
    skipped: list[Problem]


def pull(app: App, environment_id: str) -> Pulled:
    """The environment's catalog, and what its Stripe account sells besides. Only reads. Raises what the gateway raises."""
    environment = app.environment(environment_id)
    assert environment is not None, environment_id
    gateway = app.gateway(environment)
    products = list(gateway.pages("/v1/products", {"active": True}))
    prices = list(gateway.pages("/v1/prices", {"active": True, "expand": ["data.currency_options"]}))
    with app.database.read() as connection:
        catalog = queries.current(connection, environment_id)
        known = queries.known_stripe_prices(connection, environment_id)
    return merged(environment, catalog, products, [price for price in prices if price["id"] not in known])


def merged(
    environment: Environment, catalog: Catalog, products: list[dict[str, Any]], prices: list[dict[str, Any]]
) -> Pulled:
    """Oldest first, as Stripe lists newest first. Products of ours, and those without a price that can come along, are left out."""
    document = document_of(catalog)
    added, skipped = [], []
    for product in reversed(products):
        if metadata_of(product).get(ENVIRONMENT) == environment.id:
            continue
        adopted: dict[str, Any] = {}
        for price in reversed([each for each in prices if id_of(each["product"]) == product["id"]]):
            reason = _why_not(price)
            if reason is None:
                adopted[_free_id(_price_name(price), adopted)] = _price(price)
            else:
                skipped.append(Problem("not_adoptable", price["id"], f"{product['name']}: {reason}"))
        if adopted:
            product_id = _free_id(_slug(product["name"]), document["products"])
            document["products"][product_id] = {"display_name": product["name"][:250], "prices": adopted}
            added.append(product_id)
    return Pulled(document, added, skipped)


def _why_not(price: dict[str, Any]) -> str | None:
    """A sentence when the price is of a kind that the catalog does not have."""
    recurring = price.get("recurring") or {}
    if price.get("billing_scheme") == "tiered" or price.get("custom_unit_amount"):
        return "Tiered prices and amounts the customer chooses have no counterpart here."
    if recurring.get("usage_type") == "metered":
        return "Metered prices have no counterpart here: sell items and count them."
    amounts = stripe_objects.stripe_amounts(price)
    if price["currency"] not in amounts:
        return "Its amount is no whole number of minor units."
    wrong = [currency for currency, amount in amounts.items() if currency not in CURRENCIES or amount > AMOUNT_MAX]
    return f"Not sold here in {', '.join(wrong)}." if wrong else None


def _price(price: dict[str, Any]) -> dict[str, Any]:
    amounts = {
        currency: major_units(amount, currency) for currency, amount in stripe_objects.stripe_amounts(price).items()
    }
    interval = _interval(price)
    return {"amounts": amounts, **({"interval": interval} if interval else {}), "stripe_price_id": price["id"]}


def _interval(price: dict[str, Any]) -> str | None:
    recurring = price.get("recurring")
    return str(Period(recurring["interval_count"], recurring["interval"])) if recurring else None


def _price_name(price: dict[str, Any]) -> str:
    interval = _interval(price)
    if price.get("nickname"):
        return _slug(price["nickname"])
    return "once" if interval is None else _BY_PERIOD.get(interval, _slug(f"every {interval}"))


def _slug(name: str) -> str:
    """An id from a name: letters and digits, the rest as `-`."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[: _ID_MAX - 5].strip("-")
    return slug or "product"


def _free_id(wanted: str, taken: dict[str, Any]) -> str:
    if wanted not in taken:
        return wanted
    return next(f"{wanted}-{n}" for n in range(2, len(taken) + 3) if f"{wanted}-{n}" not in taken)
