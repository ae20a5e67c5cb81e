"""
What each release train changed about the objects of the story, undone.

Source: https://docs.stripe.com/changelog, and the classes of the SDK of each train.
"""

import re
from collections.abc import Callable
from typing import Any

VERSIONS = {
    "acacia": "2025-02-24.acacia",
    "basil": "2025-08-27.basil",
    "clover": "2026-02-25.clover",
    "dahlia": "2026-08-26.dahlia",
    "endive": "2026-10-28.endive",
}
Found = dict[str, Any]


def before_endive(found: Found, _coupon: Found) -> Found:
    new = {
        "checkout.session": ("allowed_payment_method_types",),
        "subscription": ("status_details",),
        "invoice": ("status_details",),
        "subscription_item": ("current_trial",),
    }
    return without(found, *new.get(found["object"], ()))


def before_dahlia(found: Found, _coupon: Found) -> Found:
    new = {
        "line_item": ("quantity_decimal",),
        "invoiceitem": ("quantity_decimal",),
        "refund": ("customer", "payment_method"),
    }
    found = without(found, *new.get(found["object"], ()))
    if found.get("ui_mode") == "hosted_page":
        found["ui_mode"] = "hosted"
    return found


def before_clover(found: Found, coupon: Found) -> Found:
    found = without(found, "customer_account")
    if found["object"] == "discount":
        found = {**without(found, "source"), "coupon": coupon}
    if found["object"] == "subscription":
        found["billing_mode"] = {"type": "classic", "flexible": None}
    return found


def before_basil(found: Found, _coupon: Found) -> Found:
    return BEFORE_BASIL[found["object"]](found) if found["object"] in BEFORE_BASIL else found


def _subscription(found: Found) -> Found:
    items = found["items"]["data"]
    period = {key: items[0][key] for key in ("current_period_start", "current_period_end")}
    listed = [without(item, *period) for item in items]
    discounts = found["discounts"]
    whole = discounts[0] if discounts and isinstance(discounts[0], dict) else None
    found = without(found, "billing_mode")
    return {**found, **period, "items": {**found["items"], "data": listed}, "discount": whole}


def _invoice(found: Found) -> Found:
    details = (found.get("parent") or {}).get("subscription_details") or {}
    paid_with = next(
        (each["payment"]["payment_intent"] for each in (found.get("payments") or {}).get("data", [])), None
    )
    discounts = found["discounts"]
    whole = discounts[0] if discounts and isinstance(discounts[0], dict) else None
    old = {
        "subscription": details.get("subscription"),
        "subscription_details": {"metadata": details.get("metadata")} if details else None,
        "quote": None,
        "charge": None,
        "payment_intent": paid_with,
        "paid": found["status"] == "paid",
        "paid_out_of_band": False,
        "discount": whole,
        "tax": None,
        "total_tax_amounts": [],
        "transfer_data": None,
        "application_fee_amount": None,
    }
    return {**without(found, "parent", "payments", "total_taxes", "confirmation_secret"), **old}


def _line(found: Found) -> Found:
    if "parent" not in found:
        return found  # A line of a checkout session, which kept its shape.
    of_item = found["parent"].get("subscription_item_details")
    details = of_item or found["parent"].get("invoice_item_details") or {}
    price = found["pricing"]["price_details"] if found.get("pricing") else None
    old = {
        "type": "subscription" if of_item else "invoiceitem",
        "proration": details.get("proration", False),
        "proration_details": details.get("proration_details"),
        "subscription": details.get("subscription"),
        "subscription_item": details.get("subscription_item"),
        "invoice_item": details.get("invoice_item"),
        "price": None if price is None else whole_price(price, found),
        "plan": None,
        "tax_amounts": [],
        "tax_rates": [],
    }
    return {
        **without(found, "parent", "pricing", "taxes"),
        **{k: v for k, v in old.items() if v is not None or k in ("price", "plan")},
    }


def whole_price(named: Found, line: Found) -> Found:
    """A line showed its price whole."""
    return {
        "id": named["price"],
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "created": line["period"]["start"],
        "currency": line["currency"],
        "custom_unit_amount": None,
        "livemode": line["livemode"],
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": named["product"],
        "recurring": None,
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "recurring",
        "unit_amount": None,
        "unit_amount_decimal": line["pricing"]["unit_amount_decimal"],
    }


def _invoice_item(found: Found) -> Found:
    named = found["pricing"]["price_details"] if found.get("pricing") else None
    within = (found.get("parent") or {}).get("subscription_details") or {}
    old = {
        "price": None if named is None else whole_price(named, found),
        "plan": None,
        "subscription": within.get("subscription"),
        "unit_amount": None,
    }
    return {**without(found, "parent", "pricing"), **old}


def _session(found: Found) -> Found:
    return {**without(found, "collected_information"), "shipping_details": None}


def _of_invoice(found: Found) -> Found:
    """An intent and a charge named their invoice."""
    return {**found, "invoice": None}


BEFORE_BASIL: dict[str, Callable[[Found], Found]] = {
    "subscription": _subscription,
    "invoice": _invoice,
    "line_item": _line,
    "invoiceitem": _invoice_item,
    "checkout.session": _session,
    "payment_intent": _of_invoice,
    "charge": _of_invoice,
}
UNDO: dict[str, Callable[[Found, Found], Found]] = {
    "dahlia": before_endive,
    "clover": before_dahlia,
    "basil": before_clover,
    "acacia": before_basil,
}


def without(found: Found, *keys: str) -> Found:
    return {key: each for key, each in found.items() if key not in keys}


def drop(found: Found, at: str) -> None:
    """The key at a place as the schema's check spells it: `invoice.lines.data[0]:line_item.pricing`."""
    steps = re.findall(r":[\w.]+?(?=\.|$)|\.(\w+)|\[(\w+)\]", at.removeprefix(found["object"]))
    path: list[Any] = [name or (int(place) if place.isdigit() else place) for name, place in steps if name or place]
    within: Any = found
    for step in path[:-1]:
        within = within[step]
    del within[path[-1]]
