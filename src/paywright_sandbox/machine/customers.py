"""Customers."""

from collections.abc import Callable

from ..account import copied
from ..attributes import address_of, take, take_metadata
from ..errors import Json, invalid
from ..objects.customers import customer, deleted
from ..work import Work
from .balances import book

TEXTS = ("description", "email", "name", "phone", "preferred_locales", "invoice_prefix", "next_invoice_sequence")

BEFORE_DELETION: list[Callable[[Work, Json], None]] = []
"""What must happen to a customer's other objects first: subscriptions end, each with its own event."""


def create(work: Work, parameters: Json) -> Json:
    """Also used by Checkout. A `payment_method` is attached and, as at Stripe, does not become the default."""
    clock = work.get("test_helpers.test_clock", parameters.get("test_clock"))
    if parameters.get("test_clock") and clock is None:
        work.require("test_helpers.test_clock", parameters["test_clock"], "test_clock")
    created = int(clock["frozen_time"]) if clock else work.now
    made = customer(work.new_id("customer", 14), created, work.account.ids.letters(8).upper())
    made["test_clock"] = parameters.get("test_clock")
    apply(made, parameters)
    work.save(made)
    if parameters.get("payment_method"):
        parameters = with_first_method(work, made, parameters)
    apply_default(work, made, parameters)
    work.save(made)
    if made["balance"]:
        book(work, made, made["balance"], "initial")
    work.emit("customer.created", made)
    return made


def with_first_method(work: Work, owner: Json, parameters: Json) -> Json:
    """Attaches it. `pm_card_visa`, named as the default too, means the card that was made of it."""
    from .payment_methods import attach

    named = parameters["payment_method"]
    attached = attach(work, named, owner["id"], "payment_method")
    settings = parameters.get("invoice_settings") or {}
    if settings.get("default_payment_method") != named:
        return parameters
    return {**parameters, "invoice_settings": {**settings, "default_payment_method": attached["id"]}}


def update(work: Work, id: str, parameters: Json) -> Json:
    found = work.require("customer", id, "customer")
    before = copied(found)
    apply(found, parameters)
    apply_default(work, found, parameters)
    work.save(found)
    if found["balance"] != before["balance"]:
        book(work, found, found["balance"] - before["balance"], "adjustment")
    if found != before:
        work.emit_updated("customer.updated", found, before)
    return found


def apply(thing: Json, parameters: Json) -> None:
    take(thing, parameters, *TEXTS)
    take_metadata(thing, parameters)
    if "balance" in parameters:
        thing["balance"] = parameters["balance"]
    if "tax_exempt" in parameters:
        thing["tax_exempt"] = parameters["tax_exempt"] or "none"
    if "address" in parameters:
        thing["address"] = address_of(parameters["address"])
    if "shipping" in parameters:
        thing["shipping"] = shipping_of(parameters["shipping"])
    settings = parameters.get("invoice_settings", {})
    take(thing["invoice_settings"], settings, "footer")
    if "custom_fields" in settings:
        thing["invoice_settings"]["custom_fields"] = settings["custom_fields"] or None
    if settings.get("rendering_options") is not None:
        options = settings["rendering_options"] or None
        shown = {"amount_tax_display": None, "template": None}
        thing["invoice_settings"]["rendering_options"] = {**shown, **options} if options else None


def apply_default(work: Work, thing: Json, parameters: Json) -> None:
    """The default payment method must be the customer's own."""
    settings = parameters.get("invoice_settings", {})
    if "default_payment_method" not in settings:
        return
    chosen = settings["default_payment_method"] or None
    if chosen:
        method = work.require("payment_method", chosen, "invoice_settings[default_payment_method]")
        if method["customer"] != thing["id"]:
            raise invalid(
                f"The customer does not have a payment method with the ID {chosen}. The payment method must be attached to the customer.",
                param="invoice_settings[default_payment_method]",
                code="resource_missing",
            )
    thing["invoice_settings"]["default_payment_method"] = chosen


def shipping_of(wish: Json) -> Json | None:
    if not wish:
        return None
    return {"address": address_of(wish["address"]), "name": wish["name"], "phone": wish.get("phone") or None}


def delete(work: Work, id: str) -> Json:
    """Ends what the customer has, then leaves only its id. Payment methods are detached without a word."""
    found = work.require("customer", id, "customer")
    for step in BEFORE_DELETION:
        step(work, found)
    for method in [held["id"] for held in work.newest_first("payment_method") if held["customer"] == id]:
        held = work.require("payment_method", method)
        held["customer"] = None
        work.save(held)
    work.emit("customer.deleted", found)
    return work.save(deleted(found))
