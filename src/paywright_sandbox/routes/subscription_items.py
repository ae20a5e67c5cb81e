"""Subscription items: each a change of its subscription."""

from ..errors import Json
from ..listing import page_of
from ..machine import updates
from ..machine.subscription_items import found_item
from ..objects.customers import deleted
from ..routing import route
from ..work import Work

CHANGE = "payment_behavior proration_behavior proration_date"
ITEM = "discounts metadata plan price price_data quantity tax_rates"


def split(parameters: Json) -> tuple[Json, Json]:
    """(what concerns the item, what concerns the change)."""
    change = {name: parameters[name] for name in (*CHANGE.split(), "off_session") if name in parameters}
    return {name: value for name, value in parameters.items() if name not in change}, change


@route("POST /v1/subscription_items", acts_on=f"{ITEM} {CHANGE} subscription")
def create(work: Work, parameters: Json) -> Json:
    wish, change = split(parameters)
    made = updates.update(work, wish.pop("subscription"), {"items": [wish], **change})
    item: Json = made["items"]["data"][-1]
    return item


@route("GET /v1/subscription_items/{item}")
def retrieve(work: Work, parameters: Json, item: str) -> Json:
    return found_item(work, item)[1]


@route("POST /v1/subscription_items/{item}", acts_on=f"{ITEM} {CHANGE} off_session")
def update(work: Work, parameters: Json, item: str) -> Json:
    wish, change = split(parameters)
    held, _ = found_item(work, item)
    updates.update(work, held["id"], {"items": [{"id": item, **wish}], **change})
    return found_item(work, item)[1]


@route("DELETE /v1/subscription_items/{item}", acts_on=CHANGE)
def delete(work: Work, parameters: Json, item: str) -> Json:
    held, found = found_item(work, item)
    updates.update(work, held["id"], {"items": [{"id": item, "deleted": True}], **split(parameters)[1]})
    return deleted(found)


@route("GET /v1/subscription_items", acts_on="ending_before limit starting_after subscription")
def list_(work: Work, parameters: Json) -> Json:
    held = work.require("subscription", parameters["subscription"], "subscription")
    return page_of(iter(held["items"]["data"]), parameters, "subscription_item")
