"""Products."""

import re

from ..account import copied
from ..attributes import take, take_metadata
from ..errors import ApiError, Json, invalid
from ..objects.customers import deleted
from ..objects.products import product
from ..work import Work

ID = re.compile(r"^[A-Za-z0-9_\-.~]{1,255}$")
TEXTS = ("active", "description", "shippable", "statement_descriptor", "tax_code", "tax_details", "unit_label", "url")


def create(work: Work, parameters: Json) -> Json:
    id = parameters.get("id") or work.new_id("product", 14)
    if not ID.match(id):
        raise invalid("Invalid product id.", param="id")
    if work.get("product", id):
        raise ApiError(400, f"Product already exists: {id}", code="resource_already_exists", param="id")
    made = product(id, work.now, parameters["name"])
    made["type"] = parameters.get("type", "service")
    apply(made, parameters)
    work.save(made)
    if "default_price_data" in parameters:
        from . import prices

        work.emit("product.created", made)
        before = copied(made)
        made["default_price"] = prices.create(work, {**parameters["default_price_data"], "product": id})["id"]
        work.save(made)
        work.emit_updated("product.updated", made, before)
    else:
        work.emit("product.created", made)
    return made


def apply(thing: Json, parameters: Json) -> None:
    take(thing, parameters, *TEXTS)
    take_metadata(thing, parameters)
    for name in ("images", "marketing_features"):
        if name in parameters:
            thing[name] = parameters[name] or []
    if parameters.get("name"):
        thing["name"] = parameters["name"]
    if "package_dimensions" in parameters:
        thing["package_dimensions"] = parameters["package_dimensions"] or None


def update(work: Work, id: str, parameters: Json) -> Json:
    found = work.require("product", id)
    before = copied(found)
    apply(found, parameters)
    if "default_price" in parameters:
        chosen = parameters["default_price"] or None
        if chosen and work.require("price", chosen, "default_price")["product"] != id:
            raise invalid("The default price must be one of the product's own.", param="default_price")
        found["default_price"] = chosen
    if found != before:
        found["updated"] = work.now
        work.save(found)
        work.emit_updated("product.updated", found, before)
    return found


def delete(work: Work, id: str) -> Json:
    """Only without prices, as at Stripe."""
    found = work.require("product", id)
    if any(price["product"] == id for price in work.newest_first("price")):
        raise invalid("This product cannot be deleted because it has one or more user-created prices.")
    work.emit("product.deleted", found)
    work.remove("product", id)
    return deleted(found)
