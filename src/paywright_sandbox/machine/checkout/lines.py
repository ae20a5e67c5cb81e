"""Line items: which prices may stand in a session, how many, and in which currency."""

from ...attributes import merged_metadata
from ...errors import Json, invalid, missing_parameter, not_implemented
from ...money import currency_of, has_currency
from ...objects.checkout_sessions import line_item
from ...work import Work, public
from .. import prices

ITEMS_MAX = {"payment": 100, "subscription": 40}
EACH_KIND_MAX = 20
QUANTITY_MAX = 999_999
ADJUSTABLE_MAX = 99


def line_items(work: Work, parameters: Json, mode: str) -> tuple[list[Json], str]:
    """The items, not yet priced, and the session's currency. Inline prices are made here."""
    wishes = parameters.get("line_items") or []
    if not wishes:
        raise missing_parameter("line_items")
    if len(wishes) > ITEMS_MAX[mode]:
        raise invalid(f"You can only have {ITEMS_MAX[mode]} line items in `{mode}` mode.", param="line_items")
    sold = [price_of(work, wish, f"line_items[{at}]") for at, wish in enumerate(wishes)]
    check_recurring(sold, mode)
    currency = currency_of(parameters.get("currency") or sold[0]["currency"])
    for at, price in enumerate(sold):
        check_currency(price, currency, f"line_items[{at}]")
    return [
        built_item(work, wish, price, currency, f"line_items[{at}]")
        for at, (wish, price) in enumerate(zip(wishes, sold, strict=True))
    ], currency


def price_of(work: Work, wish: Json, at: str) -> Json:
    if "price" in wish and "price_data" in wish:
        raise invalid(
            "You may only specify one of these parameters: price, price_data.", param=at, code="parameters_exclusive"
        )
    if "tax_rates" in wish:
        raise not_implemented(f"The parameter {at}[tax_rates]", param=f"{at}[tax_rates]")
    if "price_data" in wish:
        return prices.inline(work, wish["price_data"], f"{at}[price_data]")
    if "price" not in wish:
        raise missing_parameter(f"{at}[price]")
    price = work.require("price", wish["price"], f"{at}[price]")
    if not price["active"]:
        raise invalid(
            f"The price specified is inactive. This field only accepts active prices: {price['id']}.",
            param=f"{at}[price]",
        )
    product = work.get("product", price["product"])
    if product is not None and not product.get("active", True):
        raise invalid(
            f"Price `{price['id']}` is not available to be purchased because its product is not active.",
            param=f"{at}[price]",
            code="product_inactive",
        )
    if price["custom_unit_amount"]:
        raise not_implemented("A price with custom_unit_amount in Checkout", param=f"{at}[price]")
    return price


def check_recurring(sold: list[Json], mode: str) -> None:
    recurring = [price["recurring"] for price in sold if price["recurring"]]
    if mode == "payment" and recurring:
        raise invalid(
            "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use only "
            "one-time prices.",
            param="line_items",
        )
    if mode == "payment":
        return
    if not recurring:
        raise invalid(
            "You must provide at least one recurring price in `subscription` mode when using prices.",
            param="line_items",
        )
    if max(len(recurring), len(sold) - len(recurring)) > EACH_KIND_MAX:
        raise invalid(
            f"In `subscription` mode there can be up to {EACH_KIND_MAX} recurring and {EACH_KIND_MAX} one-time line items.",
            param="line_items",
        )
    if len({(each["interval"], each["interval_count"]) for each in recurring}) > 1:
        raise invalid("Checkout does not support multiple prices with different billing intervals.", param="line_items")
    if any(each["usage_type"] == "metered" for each in recurring):
        raise not_implemented("A metered price in Checkout", param="line_items")


def check_currency(price: Json, currency: str, at: str) -> None:
    if not has_currency(price, currency):
        raise invalid(
            f"The price specified only supports `{price['currency']}`. This doesn't match the expected currency: `{currency}`.",
            param=f"{at}[price]",
        )


def built_item(work: Work, wish: Json, price: Json, currency: str, at: str) -> Json:
    if "quantity" not in wish:
        raise missing_parameter(f"{at}[quantity]")
    if not 1 <= wish["quantity"] <= QUANTITY_MAX:
        raise invalid(
            f"This value must be between 1 and {QUANTITY_MAX}.",
            param=f"{at}[quantity]",
            code="parameter_invalid_integer",
        )
    adjustable = wish.get("adjustable_quantity")
    check_adjustable(adjustable, wish["quantity"], f"{at}[adjustable_quantity]")
    product = work.get("product", price["product"])
    made = line_item(
        work.new_id("item"),
        price=price["id"],
        quantity=wish["quantity"],
        currency=currency,
        description=product["name"] if product else price["id"],
        adjustable=adjustable,
    )
    made["metadata"] = merged_metadata({}, wish.get("metadata"), f"{at}[metadata]")
    made["_recurring"] = bool(price["recurring"])
    return made


def check_adjustable(wish: Json | None, quantity: int, at: str) -> None:
    if not wish or not wish["enabled"]:
        return
    lowest, highest = wish.get("minimum", 0), wish.get("maximum", ADJUSTABLE_MAX)
    if not 0 <= lowest <= quantity <= highest <= QUANTITY_MAX:
        raise invalid(f"The quantity {quantity} must lie between {lowest} and {highest}.", param=at)


def change_quantity(session: Json, item_id: str, quantity: int) -> None:
    """By the buyer, within the limits of an adjustable item. 0 leaves it out, but something must be bought."""
    item = next((item for item in session["_line_items"] if item["id"] == item_id), None)
    limits = item["adjustable_quantity"] if item else None
    if item is None or limits is None:
        raise invalid("The quantity of this item cannot be changed.", param="quantity")
    if not limits["minimum"] <= quantity <= limits["maximum"]:
        raise invalid(f"Choose a quantity between {limits['minimum']} and {limits['maximum']}.", param="quantity")
    item["quantity"] = quantity
    left = bought(session)
    if not left or (session["mode"] == "subscription" and not any(each["_recurring"] for each in left)):
        raise invalid("Nothing would be left to buy.", param="quantity")


def bought(session: Json) -> list[Json]:
    return [item for item in session["_line_items"] if item["quantity"]]


def shown_item(work: Work, item: Json) -> Json:
    """The item as the API shows it, its price whole."""
    return {**public(item), "price": public(work.require("price", item["price"]))}
