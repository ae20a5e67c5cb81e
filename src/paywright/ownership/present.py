"""Owned products as the wire shows them."""

from typing import Any

import msgspec

from paywright.catalog.model import Catalog, Price, Product
from paywright.kernel.instants import rfc3339, rfc3339_or_none
from paywright.ownership.model import OwnedProduct

TURNS_PER_YEAR = {"day": 365, "week": 52, "month": 12, "year": 1}


def own_id(default_product_id: str) -> str:
    """How a default is named to the outside, whether it is a row yet or not: it can't be canceled or revoked."""
    return f"own_default_{default_product_id}"


def yearly_cost(price: Price, currency: str, quantity: int) -> float:
    """Minor units a year: 365 days, 52 weeks, 12 months. A price not sold in that currency is compared by its first one."""
    amount = price.amounts.get(currency, next(iter(price.amounts.values())))
    period = price.period
    assert period is not None, "only recurring prices are compared"
    return amount * quantity * TURNS_PER_YEAR[period.unit] / period.count


def shown(
    owned: OwnedProduct, now: int, *, catalog: Catalog | None, currency: str, with_secret_key: bool
) -> dict[str, Any]:
    """One owned product. `catalog` None leaves `switch_options` empty; `metadata.server` needs a secret key."""
    metadata = msgspec.to_builtins(owned.product.metadata)
    if not with_secret_key:
        del metadata["server"]
    return {
        "id": owned.id if owned.source != "default" or owned.product_id is None else own_id(owned.product_id),
        "product_id": owned.product_id,
        "display_name": owned.product.display_name,
        "quantity": owned.quantity,
        "type": "subscription" if owned.is_subscription else "one_time",
        "source": owned.source,
        "access": owned.access,
        "frozen": owned.is_frozen,
        "granted_at": rfc3339(owned.granted_at),
        "ends_at": rfc3339_or_none(owned.ends_at if owned.ended_at is None else owned.ended_at),
        "price_id": owned.price_id,
        "product_version": owned.version_id,
        "subscription": _subscription_shown(owned, now),
        "switch_options": []
        if catalog is None
        else switch_options(owned, catalog, currency, with_secret_key=with_secret_key),
        "metadata": metadata,
    }


def switch_options(
    owned: OwnedProduct, catalog: Catalog, currency: str, *, with_secret_key: bool
) -> list[dict[str, Any]]:
    """The product line's other products with a recurring price: no add-ons, no default, nothing server-only without a secret key."""
    if owned.product_line is None or owned.subscription is None or owned.price_id is None:
        return []
    present = owned.product.prices[owned.price_id]
    options = []
    for product_id, product in catalog.products.items():
        prices = {
            price_id: price
            for price_id, price in product.prices.items()
            if price.is_recurring and (with_secret_key or not price.server_only)
        }
        if product_id == owned.product_id or not prices or not _is_target(product, owned, with_secret_key):
            continue
        first = next(iter(prices.values()))
        dearer = yearly_cost(first, currency, 1) >= yearly_cost(present, currency, 1)
        options.append(
            {
                "product_id": product_id,
                "display_name": product.display_name,
                "prices": [price_shown(price_id, price) for price_id, price in prices.items()],
                "direction": "up" if dearer else "down",
            }
        )
    return options


def price_shown(price_id: str, price: Price) -> dict[str, Any]:
    return {
        "id": price_id,
        "amounts": [{"amount": amount, "currency": currency} for currency, amount in price.amounts.items()],
        "interval": price.interval,
        "trial": price.trial,
    }


def _is_target(product: Product, owned: OwnedProduct, with_secret_key: bool) -> bool:
    return (
        product.product_line == owned.product_line
        and not product.is_add_on
        and not product.include_by_default
        and (with_secret_key or not product.server_only)
    )


def _subscription_shown(owned: OwnedProduct, now: int) -> dict[str, Any] | None:
    subscription = owned.subscription
    if subscription is None:
        return None
    ended = owned.ended_at is not None
    return {
        "id": subscription.id,
        "status": "canceled" if ended else subscription.status,
        "current_period_end": rfc3339_or_none(owned.ended_at if ended else subscription.period_end(now)),
        "cancel_at_period_end": subscription.cancel_at_period_end,
        "pending_change": None if ended else _pending_change_shown(owned),
    }


def _pending_change_shown(owned: OwnedProduct) -> dict[str, Any] | None:
    change = owned.pending_change
    if change is None:
        return None
    return {
        "to_product_id": change.product_id,
        "price_id": change.price_id,
        "quantity": change.quantity,
        "at": rfc3339(change.at),
    }
