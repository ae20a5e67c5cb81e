"""Prices. What they cost never changes; only their names, their metadata and whether they are sold."""

from decimal import Decimal

from ..account import copied
from ..attributes import take, take_metadata
from ..errors import ApiError, Json, invalid, missing_parameter, not_implemented
from ..money import AMOUNT_MAX, currency_of
from ..objects.products import price, product
from ..work import Work
from . import products

DECIMALS_MAX = 12
INTERVAL_MAX = {"day": 1095, "week": 156, "month": 36, "year": 3}
AMOUNTS = ("unit_amount", "unit_amount_decimal", "tiers", "custom_unit_amount")


def create(work: Work, parameters: Json) -> Json:
    currency = currency_of(parameters["currency"])
    product_id = product_for(work, parameters)
    made = price(work.new_id("price"), work.now, product=product_id, currency=currency)
    made["billing_scheme"] = parameters.get("billing_scheme", "per_unit")
    take(made, parameters, "active", "nickname", "tax_behavior", "tiers_mode", "transform_quantity")
    take_metadata(made, parameters)
    set_amounts(made, parameters)
    if "recurring" in parameters:
        made.update(type="recurring", recurring=recurring_of(parameters["recurring"]))
    made["_currency_options"] = options_of(made, parameters.get("currency_options") or {})
    name(work, made, parameters)
    work.save(made)
    work.emit("price.created", made)
    return made


def product_for(work: Work, parameters: Json) -> str:
    wanted, described = parameters.get("product"), parameters.get("product_data")
    if wanted and described:
        raise invalid(
            "You may only specify one of these parameters: product, product_data.", code="parameters_exclusive"
        )
    if described:
        return str(products.create(work, described)["id"])
    if not wanted:
        raise missing_parameter("product")
    return str(work.require("product", wanted, "product")["id"])


def set_amounts(made: Json, parameters: Json) -> None:
    """Exactly one way to say what it costs."""
    if made["billing_scheme"] == "tiered":
        if not parameters.get("tiers"):
            raise missing_parameter("tiers")
        if not parameters.get("tiers_mode"):
            raise missing_parameter("tiers_mode")
        made["_tiers"] = tiers_of(parameters["tiers"])
        return
    if "tiers" in parameters or "tiers_mode" in parameters:
        raise invalid("tiers can only be used with billing_scheme=tiered.", param="tiers")
    given = [name for name in AMOUNTS if name in parameters]
    if not given:
        raise ApiError(
            400,
            "Price must have one of the following: unit_amount, unit_amount_decimal, custom_unit_amount.",
            code="parameter_missing",
            param="unit_amount",
        )
    if len(given) > 1:
        raise invalid(f"You may only specify one of these parameters: {', '.join(given)}.", code="parameters_exclusive")
    if "custom_unit_amount" in parameters:
        made["custom_unit_amount"] = custom_of(parameters["custom_unit_amount"])
        return
    made["unit_amount"], made["unit_amount_decimal"] = amounts_of(parameters, "")


def amounts_of(wish: Json, prefix: str) -> tuple[int | None, str]:
    """`unit_amount` is null where the decimal has a fraction."""
    if "unit_amount" in wish:
        amount = wish["unit_amount"]
        check_unit_amount(amount, f"{prefix}unit_amount")
        return amount, str(amount)
    value = Decimal(wish["unit_amount_decimal"])
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > DECIMALS_MAX:
        raise invalid(f"At most {DECIMALS_MAX} decimal places.", param=f"{prefix}unit_amount_decimal")
    check_unit_amount(value, f"{prefix}unit_amount_decimal")
    whole = value == value.to_integral_value()
    text = format(value.normalize(), "f")
    return (int(value) if whole else None), text


def check_unit_amount(amount: int | Decimal, param: str) -> None:
    if amount < 0:
        raise invalid("This value must be greater than or equal to 0.", param=param, code="parameter_invalid_integer")
    if amount > AMOUNT_MAX:
        raise ApiError(400, f"Invalid integer: at most {AMOUNT_MAX}.", param=param, code="amount_too_large")


def custom_of(wish: Json) -> Json:
    if not wish["enabled"]:
        raise invalid("custom_unit_amount[enabled] must be true.", param="custom_unit_amount[enabled]")
    return {name: wish.get(name) for name in ("maximum", "minimum", "preset")}


def tiers_of(wish: list[Json]) -> list[Json]:
    """In the order given, the last one open."""
    tiers, below = [], 0
    for position, tier in enumerate(wish):
        is_last = position == len(wish) - 1
        if (tier["up_to"] == "inf") != is_last:
            raise invalid("The last tier, and only it, must have up_to=inf.", param=f"tiers[{position}][up_to]")
        if not is_last and tier["up_to"] <= below:
            raise invalid("Tiers must be in ascending order.", param=f"tiers[{position}][up_to]")
        below = below if is_last else tier["up_to"]
        tiers.append(tier_of(tier, position))
    return tiers


def tier_of(tier: Json, position: int) -> Json:
    found: Json = {"up_to": None if tier["up_to"] == "inf" else tier["up_to"]}
    for part in ("flat", "unit"):
        given = {
            name.replace("flat_", "unit_"): tier[name]
            for name in (f"{part}_amount", f"{part}_amount_decimal")
            if name in tier
        }
        amount, text = amounts_of(given, f"tiers[{position}]") if given else (None, None)
        found[f"{part}_amount"], found[f"{part}_amount_decimal"] = amount, text
    if found["flat_amount_decimal"] is None and found["unit_amount_decimal"] is None:
        raise missing_parameter(f"tiers[{position}][unit_amount]")
    return found


def recurring_of(wish: Json) -> Json:
    count, interval = wish.get("interval_count", 1), wish["interval"]
    if not 1 <= count <= INTERVAL_MAX[interval]:
        raise invalid(
            f"The recurring interval must be 1 to {INTERVAL_MAX[interval]} {interval}s: three years at most.",
            param="recurring[interval_count]",
        )
    if wish.get("usage_type") == "metered" or wish.get("meter"):
        raise not_implemented("A metered price", param="recurring[usage_type]")
    return {
        "interval": interval,
        "interval_count": count,
        "meter": None,
        "trial_period_days": wish.get("trial_period_days"),
        "usage_type": "licensed",
    }


def options_of(made: Json, wish: Json) -> Json:
    """The price in other currencies. Its own is always among them."""
    own = {
        "custom_unit_amount": made["custom_unit_amount"],
        "tax_behavior": made["tax_behavior"],
        "unit_amount": made["unit_amount"],
        "unit_amount_decimal": made["unit_amount_decimal"],
    }
    if made["_tiers"]:
        own["tiers"] = made["_tiers"]
    found = {made["currency"]: own}
    for code, option in wish.items():
        currency = currency_of(code, f"currency_options[{code}]")
        if currency == made["currency"]:
            raise invalid(
                "The price's own currency cannot be among its currency_options.", param=f"currency_options[{code}]"
            )
        found[currency] = option_of(option, made, f"currency_options[{code}]")
    return found


def option_of(option: Json, made: Json, param: str) -> Json:
    found: Json = {"custom_unit_amount": None, "tax_behavior": option.get("tax_behavior", "unspecified")}
    found["unit_amount"], found["unit_amount_decimal"] = None, None
    if made["billing_scheme"] == "tiered":
        if not option.get("tiers"):
            raise missing_parameter(f"{param}[tiers]")
        found["tiers"] = tiers_of(option["tiers"])
    elif "custom_unit_amount" in option:
        found["custom_unit_amount"] = custom_of(option["custom_unit_amount"])
    elif "unit_amount" in option or "unit_amount_decimal" in option:
        found["unit_amount"], found["unit_amount_decimal"] = amounts_of(option, f"{param}.")
    else:
        raise missing_parameter(f"{param}[unit_amount]")
    return found


def name(work: Work, made: Json, parameters: Json) -> None:
    """A lookup key belongs to one price; `transfer_lookup_key` takes it from the one that has it."""
    if "lookup_key" not in parameters:
        return
    key = parameters["lookup_key"] or None
    holder = next(
        (p for p in work.newest_first("price") if key and p["lookup_key"] == key and p["id"] != made["id"]), None
    )
    if holder:
        if not parameters.get("transfer_lookup_key"):
            raise ApiError(
                400,
                f"A price (`{holder['id']}`) already uses that lookup key.",
                code="resource_already_exists",
                param="lookup_key",
            )
        losing = work.require("price", holder["id"])
        before = copied(losing)
        losing["lookup_key"] = None
        work.save(losing)
        work.emit_updated("price.updated", losing, before)
    made["lookup_key"] = key


def update(work: Work, id: str, parameters: Json) -> Json:
    found = work.require("price", id, "price")
    before = copied(found)
    if parameters.get("active") is False and found["active"]:
        product = work.get("product", found["product"])
        if product and product.get("default_price") == id:
            raise invalid(
                "This price cannot be archived because it is the default price of its product.", param="active"
            )
    take(found, parameters, "active", "nickname")
    take_metadata(found, parameters)
    if "tax_behavior" in parameters:
        if found["tax_behavior"] not in ("unspecified", parameters["tax_behavior"]):
            raise invalid("You cannot change tax_behavior once it is set.", param="tax_behavior")
        found["tax_behavior"] = parameters["tax_behavior"]
    if parameters.get("currency_options"):
        merged = options_of(found, parameters["currency_options"])
        found["_currency_options"] = {**found["_currency_options"], **merged}
    name(work, found, parameters)
    work.save(found)
    if found != before:
        work.emit_updated("price.updated", found, before)
    return found


def inline(work: Work, wish: Json, at: str) -> Json:
    """A price written into another request (`price_data`): made for this one use, not for sale elsewhere, without events."""
    currency = currency_of(wish["currency"], f"{at}[currency]")
    made = price(work.new_id("price"), work.now, product=inline_product(work, wish, at), currency=currency)
    made["active"], made["_inline"] = False, True
    take(made, wish, "tax_behavior")
    set_amounts(made, {name: wish[name] for name in ("unit_amount", "unit_amount_decimal") if name in wish})
    if "recurring" in wish:
        made.update(type="recurring", recurring=recurring_of(wish["recurring"]))
    return work.save(made)


def inline_product(work: Work, wish: Json, at: str) -> str:
    named, described = wish.get("product"), wish.get("product_data")
    if named and described:
        raise invalid(
            "You may only specify one of these parameters: product, product_data.",
            param=at,
            code="parameters_exclusive",
        )
    if named:
        return str(work.require("product", named, f"{at}[product]")["id"])
    if not described:
        raise missing_parameter(f"{at}[product_data]")
    made = product(work.new_id("product", 14), work.now, described["name"])
    products.apply(made, described)
    made["active"] = False
    return str(work.save(made)["id"])
