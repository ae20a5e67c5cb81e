"""
Stripe's objects of any API version since acacia (2024-09-30) → the shape of the pinned one. Pure.

What we fetch has the pinned version's shape already. An event's payload is rendered in the version of the endpoint it came to, for ever, and is used
where there is nothing to fetch. Lifted by the keys that are present, never by `api_version`: a golden of every release train proves that all of them
come to the same facts. What a later version adds is passed through.

Source: https://docs.stripe.com/changelog, the breaking changes of basil, clover, dahlia and endive, as far as they are about objects we read.
"""

from collections.abc import Callable
from typing import Any

from paywright.stripe.metadata import id_of

Lift = Callable[[dict[str, Any]], dict[str, Any]]


def normal(stripe_object: Any) -> Any:
    """Any JSON of Stripe's, an event too, with every object in it lifted. What is of the pinned version comes back equal."""
    if isinstance(stripe_object, list):
        return [normal(each) for each in stripe_object]
    if not isinstance(stripe_object, dict):
        return stripe_object
    lifted = {
        key: each if key in ("metadata", "previous_attributes") else normal(each) for key, each in stripe_object.items()
    }
    kind = lifted.get("object")
    return LIFTS[kind](lifted) if isinstance(kind, str) and kind in LIFTS else lifted


def _subscription(found: dict[str, Any]) -> dict[str, Any]:
    lifted = _discounts(_without(found, "current_period_start", "current_period_end"))
    period = {key: found[key] for key in ("current_period_start", "current_period_end") if key in found}
    items = lifted.get("items")
    if period and isinstance(items, dict):
        listed = [{**period, **item} for item in items.get("data", [])]
        lifted["items"] = {**items, "data": listed}
    return lifted


def _invoice(found: dict[str, Any]) -> dict[str, Any]:
    old = (
        "subscription", "subscription_details", "quote", "payment_intent", "charge", "paid", "paid_out_of_band", "tax", "total_tax_amounts",
        "subscription_proration_date",
    )  # fmt: skip
    lifted = _discounts(_without(found, *old))
    if "parent" not in found:
        lifted["parent"] = _invoice_parent(found)
    if "payments" not in found and ("payment_intent" in found or "charge" in found):
        lifted["payments"] = _payments(found)
    if "total_taxes" not in found and "total_tax_amounts" in found:
        lifted["total_taxes"] = _taxes(found["total_tax_amounts"])
    return lifted


def _invoice_parent(found: dict[str, Any]) -> dict[str, Any] | None:
    """Until basil an invoice named its subscription and its quote itself."""
    subscription = found.get("subscription")
    if subscription is not None:
        details = found.get("subscription_details") or {}
        within = {"subscription": subscription, "metadata": details.get("metadata")}
        return {"type": "subscription_details", "subscription_details": within, "quote_details": None}
    if found.get("quote") is not None:
        return {
            "type": "quote_details",
            "quote_details": {"quote": id_of(found["quote"])},
            "subscription_details": None,
        }
    return None


def _payments(found: dict[str, Any]) -> dict[str, Any]:
    """Until basil an invoice named the one intent, or charge, it was paid with. The entry made of it has no id of its own."""
    noun = "payment_intent" if found.get("payment_intent") is not None else "charge"
    paid_with = found.get(noun)
    entries = []
    if paid_with is not None:
        is_paid_with_it = found.get("status") == "paid" and not found.get("paid_out_of_band")
        open_or_over = "open" if found.get("status") in ("draft", "open") else "canceled"
        entries.append(
            {
                "id": id_of(paid_with),
                "object": "invoice_payment",
                "amount_paid": found.get("amount_paid") if is_paid_with_it else None,
                "amount_requested": found.get("amount_due"),
                "currency": found.get("currency"),
                "invoice": found.get("id"),
                "is_default": True,
                "livemode": found.get("livemode"),
                "payment": {"type": noun, noun: paid_with},
                "status": "paid" if is_paid_with_it else open_or_over,
            }
        )
    return {"object": "list", "data": entries, "has_more": False, "url": "/v1/invoice_payments"}


def _line(found: dict[str, Any]) -> dict[str, Any]:
    """A line of an invoice."""
    old = ("price", "plan", "type", "proration", "proration_details", "subscription_item", "invoice_item", "tax_amounts", "tax_rates",
           "unit_amount_excluding_tax")  # fmt: skip
    lifted = _discounts(_without(found, *old))
    if "pricing" not in found and ("price" in found or "plan" in found):
        lifted["pricing"] = _pricing(found)
    if "parent" not in found and "type" in found:
        lifted["parent"] = _line_parent(found)
    if "taxes" not in found and "tax_amounts" in found:
        lifted["taxes"] = _taxes(found["tax_amounts"])
    return _quantity(lifted)


def _line_parent(found: dict[str, Any]) -> dict[str, Any]:
    kind = "subscription_item_details" if found["type"] == "subscription" else "invoice_item_details"
    details: dict[str, Any] = {
        "invoice_item": found.get("invoice_item"),
        "proration": bool(found.get("proration")),
        "proration_details": found.get("proration_details"),
        "subscription": found.get("subscription"),
    }
    if kind == "subscription_item_details":
        details["subscription_item"] = found.get("subscription_item")
    return {"type": kind, "subscription_item_details": None, "invoice_item_details": None, kind: details}


def _invoice_item(found: dict[str, Any]) -> dict[str, Any]:
    lifted = _discounts(_without(found, "price", "plan", "subscription", "subscription_item", "unit_amount"))
    if "pricing" not in found and ("price" in found or "plan" in found):
        lifted["pricing"] = _pricing(found)
    if "parent" not in found and found.get("subscription") is not None:
        within = {"subscription": found["subscription"], "subscription_item": found.get("subscription_item")}
        lifted["parent"] = {"type": "subscription_details", "subscription_details": within}
    return _quantity(lifted)


def _pricing(found: dict[str, Any]) -> dict[str, Any] | None:
    price = found.get("price") or found.get("plan")
    if price is None:
        return None
    whole: dict[str, Any] = price if isinstance(price, dict) else {}
    details = {"price": id_of(price), "product": id_of(whole.get("product"))}
    amount = whole.get("unit_amount_decimal", whole.get("amount_decimal"))
    return {"type": "price_details", "price_details": details, "unit_amount_decimal": amount}


def _taxes(amounts: Any) -> list[dict[str, Any]]:
    return [
        {
            "amount": each.get("amount"),
            "tax_behavior": "inclusive" if each.get("inclusive") else "exclusive",
            "tax_rate_details": {"tax_rate": id_of(each.get("tax_rate"))},
            "taxability_reason": each.get("taxability_reason"),
            "taxable_amount": each.get("taxable_amount"),
            "type": "tax_rate_details",
        }
        for each in amounts or []
    ]


def _discounts(found: dict[str, Any]) -> dict[str, Any]:
    """Until basil there was room for one discount beside the list."""
    one = found.get("discount")
    lifted = _without(found, "discount")
    if one is not None and not found.get("discounts"):
        lifted["discounts"] = [one]
    return lifted


def _discount(found: dict[str, Any]) -> dict[str, Any]:
    """Until clover a discount held its coupon; now it names it."""
    if "coupon" not in found or "source" in found:
        return found
    return {**_without(found, "coupon"), "source": {"type": "coupon", "coupon": id_of(found["coupon"])}}


def _promotion_code(found: dict[str, Any]) -> dict[str, Any]:
    if "coupon" not in found or "promotion" in found:
        return found
    return {**_without(found, "coupon"), "promotion": {"type": "coupon", "coupon": id_of(found["coupon"])}}


UI_MODES = {"hosted": "hosted_page", "embedded": "embedded_page", "custom": "elements"}


def _checkout_session(found: dict[str, Any]) -> dict[str, Any]:
    lifted = _without(found, "shipping_details")
    if found.get("shipping_details") is not None and "collected_information" not in found:
        lifted["collected_information"] = {"shipping_details": found["shipping_details"]}
    if lifted.get("ui_mode") in UI_MODES:
        lifted["ui_mode"] = UI_MODES[lifted["ui_mode"]]
    return lifted


def _credit_note(found: dict[str, Any]) -> dict[str, Any]:
    """Until basil a credit note named one refund; which part of it is the note's was not said."""
    lifted = _without(found, "refund")
    if "refunds" not in found and found.get("refund") is not None:
        lifted["refunds"] = [{"refund": found["refund"], "amount_refunded": None}]
    return lifted


def _of_invoice_no_more(found: dict[str, Any]) -> dict[str, Any]:
    """An intent and a charge no longer name their invoice: the invoice's payments name them."""
    return _without(found, "invoice")


def _quantity(found: dict[str, Any]) -> dict[str, Any]:
    if found.get("quantity") is None or "quantity_decimal" in found:
        return found
    return {**found, "quantity_decimal": str(found["quantity"])}


def _without(found: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: each for key, each in found.items() if key not in keys}


LIFTS: dict[str, Lift] = {
    "subscription": _subscription,
    "subscription_item": _discounts,
    "invoice": _invoice,
    "line_item": _line,
    "invoiceitem": _invoice_item,
    "discount": _discount,
    "promotion_code": _promotion_code,
    "checkout.session": _checkout_session,
    "credit_note": _credit_note,
    "payment_intent": _of_invoice_no_more,
    "charge": _of_invoice_no_more,
}
