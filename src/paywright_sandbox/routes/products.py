"""Products and prices."""

from ..errors import Json
from ..listing import page
from ..machine import prices, products
from ..routing import route
from ..serialise import absent_unless_expanded
from ..work import Work

PRODUCT = (
    "active description images marketing_features metadata name package_dimensions shippable statement_descriptor tax_code "
    "tax_details unit_label url"
)
CURSORS = "ending_before limit starting_after"


@route("POST /v1/products", acts_on=f"{PRODUCT} default_price_data id type")
def create_product(work: Work, parameters: Json) -> Json:
    return products.create(work, parameters)


@route("GET /v1/products/{id}")
def retrieve_product(work: Work, parameters: Json, id: str) -> Json:
    return work.require("product", id)


@route("POST /v1/products/{id}", acts_on=f"{PRODUCT} default_price")
def update_product(work: Work, parameters: Json, id: str) -> Json:
    return products.update(work, id, parameters)


@route("DELETE /v1/products/{id}")
def delete_product(work: Work, parameters: Json, id: str) -> Json:
    return products.delete(work, id)


@route("GET /v1/products", acts_on=f"active created ids shippable type url {CURSORS}")
def list_products(work: Work, parameters: Json) -> Json:
    ids = parameters.get("ids")
    return page(
        work,
        "product",
        parameters,
        "active",
        "shippable",
        "type",
        "url",
        keep=lambda product: ids is None or product["id"] in ids,
    )


@route(
    "POST /v1/prices",
    acts_on="active billing_scheme currency currency_options custom_unit_amount lookup_key metadata nickname product product_data "
    "recurring tax_behavior tiers tiers_mode transfer_lookup_key transform_quantity unit_amount unit_amount_decimal",
    note="No metered prices.",
)
def create_price(work: Work, parameters: Json) -> Json:
    return prices.create(work, parameters)


@route("GET /v1/prices/{price}")
def retrieve_price(work: Work, parameters: Json, price: str) -> Json:
    return work.require("price", price, "price")


@route(
    "POST /v1/prices/{price}",
    acts_on="active currency_options lookup_key metadata nickname tax_behavior transfer_lookup_key",
)
def update_price(work: Work, parameters: Json, price: str) -> Json:
    return prices.update(work, price, parameters)


@route("GET /v1/prices", acts_on=f"active created currency lookup_keys product recurring type {CURSORS}")
def list_prices(work: Work, parameters: Json) -> Json:
    keys, recurring = parameters.get("lookup_keys"), parameters.get("recurring") or {}

    def fits(price: Json) -> bool:
        held = price["recurring"] or {}
        return (keys is None or price["lookup_key"] in keys) and all(held.get(k) == v for k, v in recurring.items())

    return page(work, "price", parameters, "active", "currency", "product", "type", keep=fits)


@absent_unless_expanded("price", "tiers")
def tiers_of(work: Work, price: Json) -> list[Json] | None:
    held = work.require("price", price["id"])
    tiers: list[Json] | None = held["_tiers"]
    return tiers


@absent_unless_expanded("price", "currency_options")
def currency_options_of(work: Work, price: Json) -> Json:
    held = work.require("price", price["id"])
    options: Json = held["_currency_options"]
    return options
