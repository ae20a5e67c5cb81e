"""What a subscription is made of: prices checked, quantities, and the items themselves."""

from typing import Any

from ..attributes import take_metadata
from ..errors import Json, invalid, missing_parameter, not_implemented
from ..money import has_currency
from ..objects.subscriptions import plan_of, shown_price, subscription_item
from ..work import Work

ITEMS_MAX = 20


def price_for(work: Work, wish: Json, param: str) -> Json:
    """The recurring price a wish names, by `price`, the older `plan`, or `price_data`, which makes one."""
    if wish.get("price_data"):
        from . import prices

        return prices.inline(work, wish["price_data"], f"{param}[price_data]")
    name = "plan" if wish.get("plan") and not wish.get("price") else "price"
    if not wish.get(name):
        raise missing_parameter(f"{param}[price]")
    price = work.require("price", wish[name], f"{param}[{name}]")
    if not price["active"] and not price.get("_inline"):
        raise invalid(
            f"The price specified is inactive. This field only accepts active prices: {price['id']}.",
            param=f"{param}[price]",
        )
    return price


def check_recurring(price: Json, param: str) -> None:
    if price["recurring"] is None:
        raise invalid(
            f"The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`: {price['id']}.",
            param=f"{param}[price]",
        )
    if price["recurring"].get("usage_type") == "metered":
        raise not_implemented("A metered price on a subscription", param=f"{param}[price]")


def check_product(work: Work, price: Json, param: str) -> None:
    product = work.get("product", price["product"])
    if product is not None and not product.get("active", True) and not price.get("_inline"):
        raise invalid(
            f"Price `{price['id']}` is not available to be purchased because its product is not active.",
            param=f"{param}[price]",
            code="product_inactive",
        )


def currency_among(prices: list[Json], wish: Any) -> str:
    """The one currency all these prices have."""
    currency = str(wish or prices[0]["currency"]).lower()
    for price in prices:
        if not has_currency(price, currency):
            raise invalid(
                f"The price specified only supports `{price['currency']}`. This doesn't match the expected currency: `{currency}`.",
                param="items",
            )
    return currency


def quantity_of(wish: Json, param: str) -> int:
    quantity = wish.get("quantity", 1)
    if quantity < 0:
        raise invalid(
            "This value must be greater than or equal to 0.",
            param=f"{param}[quantity]",
            code="parameter_invalid_integer",
        )
    return int(quantity)


def prices_wished(work: Work, wishes: list[Json]) -> list[Json]:
    """Of a subscription about to begin."""
    if not wishes:
        raise missing_parameter("items")
    if len(wishes) > ITEMS_MAX:
        raise invalid(f"A subscription can have at most {ITEMS_MAX} items.", param="items")
    found = []
    for at, wish in enumerate(wishes):
        price = price_for(work, wish, f"items[{at}]")
        check_recurring(price, f"items[{at}]")
        check_product(work, price, f"items[{at}]")
        found.append(price)
    check_no_twins([price["id"] for price in found])
    return found


def check_no_twins(price_ids: list[str]) -> None:
    if len(set(price_ids)) < len(price_ids):
        raise invalid("Cannot add multiple subscription items with the same price.", param="items")


def new_item(work: Work, subscription: Json, price: Json, wish: Json, param: str, at: int) -> Json:
    """The item and the pointer by which its id is found; its period is set by the caller."""
    quantity = quantity_of(wish, param)
    made = subscription_item(work.new_id("subscription_item", 14), at, subscription["id"], price, quantity)
    take_metadata(made, wish)
    apply_tax_rates(work, made, wish)
    work.save({"id": made["id"], "object": "subscription_item", "subscription": subscription["id"]})
    return made


def put_price(item: Json, price: Json) -> None:
    item["price"], item["plan"] = shown_price(price), plan_of(price)


def apply_tax_rates(work: Work, thing: Json, wish: Json, name: str = "tax_rates") -> None:
    if name in wish:
        thing[name] = [work.require("tax_rate", id, name) for id in wish[name] or []]


def found_item(work: Work, id: str) -> tuple[Json, Json]:
    """(subscription, item), both this work's copies."""
    pointer = work.require("subscription_item", id, "item")
    subscription = work.require("subscription", pointer["subscription"])
    return subscription, item_in(subscription, id)


def item_in(subscription: Json, id: str) -> Json:
    for item in subscription["items"]["data"]:
        if item["id"] == id:
            found: Json = item
            return found
    raise invalid(f"Subscription item {id} does not belong to subscription {subscription['id']}.", param="items")
