"""The invoice, its lines, its payments, and the invoice item that waits to become a line."""

from typing import Any

from ..errors import Json

NULL_AT_FIRST = (
    "account_tax_ids application automatically_finalizes_at customer_account default_payment_method default_source description due_date "
    "effective_at ending_balance from_invoice hosted_invoice_url invoice_pdf last_finalization_error latest_revision next_payment_attempt "
    "number on_behalf_of parent receipt_number rendering shipping_cost shipping_details statement_descriptor status_details "
    "webhooks_delivered_at"
).split()
ZERO_AT_FIRST = (
    "amount_due amount_overpaid amount_paid amount_remaining amount_shipping attempt_count post_payment_credit_notes_amount "
    "pre_payment_credit_notes_amount subtotal subtotal_excluding_tax total total_excluding_tax"
).split()


def invoice(id: str, created: int, *, customer: Json, currency: str, billing_reason: str) -> Json:
    """A draft without lines."""
    return {
        "id": id,
        "object": "invoice",
        **dict.fromkeys(NULL_AT_FIRST),
        **dict.fromkeys(ZERO_AT_FIRST, 0),
        **seen_of_customer(customer),
        "account_country": "US",
        "account_name": "Sandbox",
        "attempted": False,
        "auto_advance": True,
        "automatic_tax": dict.fromkeys(("disabled_reason", "liability", "provider", "status")) | {"enabled": False},
        "billing_reason": billing_reason,
        "collection_method": "charge_automatically",
        "created": created,
        "currency": currency,
        "default_tax_rates": [],
        "discounts": [],
        "issuer": {"type": "self"},
        "lines": {"object": "list", "data": [], "has_more": False, "url": f"/v1/invoices/{id}/lines"},
        "livemode": False,
        "metadata": {},
        "payment_settings": dict.fromkeys(("default_mandate", "payment_method_options", "payment_method_types")),
        "period_end": created,
        "period_start": created,
        "status": "draft",
        "status_transitions": dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")),
        "total_discount_amounts": [],
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "_lines": [],
        "_payments": [],
    }


def seen_of_customer(customer: Json) -> Json:
    """Copies from the moment the invoice is made."""
    shipping = customer.get("shipping")
    return {
        "custom_fields": customer["invoice_settings"]["custom_fields"],
        "customer": customer["id"],
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": dict(shipping) if shipping else None,
        "customer_tax_exempt": customer["tax_exempt"],
        "customer_tax_ids": [],
        "footer": customer["invoice_settings"]["footer"],
        "starting_balance": customer["balance"],
        "test_clock": customer["test_clock"],
    }


def subscription_parent(subscription: Json, proration_date: int | None = None) -> Json:
    """What an invoice says of the subscription it belongs to. The metadata is a copy from that moment."""
    details: Json = {"metadata": dict(subscription["metadata"]), "subscription": subscription["id"]}
    if proration_date is not None:
        details["subscription_proration_date"] = proration_date
    return {"quote_details": None, "subscription_details": details, "type": "subscription_details"}


def line_item(
    id: str,
    *,
    amount: int,
    currency: str,
    description: str | None,
    period: tuple[int, int],
    parent: Json | None,
    pricing: Json | None,
    quantity: int | None,
    subscription: str | None,
    discountable: bool = True,
    metadata: Json | None = None,
) -> Json:
    """Before discounts and taxes, which the totals put in; `_invoiceitem` and `_tax_rates` are set by who makes it."""
    return {
        "id": id,
        "object": "line_item",
        "amount": amount,
        "currency": currency,
        "description": description,
        "discount_amounts": [],
        "discountable": discountable,
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": dict(metadata or {}),
        "parent": parent,
        "period": {"end": period[1], "start": period[0]},
        "pretax_credit_amounts": [],
        "pricing": pricing,
        "quantity": quantity,
        "quantity_decimal": None if quantity is None else str(quantity),
        "subscription": subscription,
        "subtotal": amount,
        "taxes": [],
    }


def line_parent(kind: str, *, proration: bool, credited: Json | None = None, **names: Any) -> Json:
    """`kind` is `invoice_item` or `subscription_item`; `names` are the ids that kind holds."""
    details = {"proration": proration, "proration_details": {"credited_items": credited}, **names}
    other = "subscription_item_details" if kind == "invoice_item" else "invoice_item_details"
    return {f"{kind}_details": details, other: None, "type": f"{kind}_details"}


def pricing_of(price: Json, unit_amount_decimal: str | None) -> Json:
    return {
        "price_details": {"price": price["id"], "product": price["product"]},
        "type": "price_details",
        "unit_amount_decimal": unit_amount_decimal,
    }


def invoice_payment(id: str, created: int, *, invoice: Json, amount: int, payment_intent: str) -> Json:
    return {
        "id": id,
        "object": "invoice_payment",
        "amount_paid": None,
        "amount_requested": amount,
        "created": created,
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"payment_intent": payment_intent, "type": "payment_intent"},
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
    }


def invoiceitem(id: str, date: int, *, customer: Json, currency: str, amount: int, quantity: int) -> Json:
    return {
        "id": id,
        "object": "invoiceitem",
        "amount": amount,
        "currency": currency,
        "customer": customer["id"],
        "customer_account": None,
        "date": date,
        "description": None,
        "discountable": True,
        "discounts": [],
        "invoice": None,
        "invoicing_rules": [],
        "livemode": False,
        "metadata": {},
        "net_amount": amount,
        "parent": None,
        "period": {"end": date, "start": date},
        "pricing": None,
        "proration": False,
        "proration_details": None,
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "tax_rates": [],
        "test_clock": customer["test_clock"],
    }


def balance_transaction(
    id: str,
    created: int,
    *,
    customer: str,
    amount: int,
    currency: str,
    ending_balance: int,
    type: str,
    invoice: str | None,
) -> Json:
    """A change of the customer's balance; negative is credit."""
    return {
        "id": id,
        "object": "customer_balance_transaction",
        "amount": amount,
        "checkout_session": None,
        "created": created,
        "credit_note": None,
        "currency": currency,
        "customer": customer,
        "customer_account": None,
        "description": None,
        "ending_balance": ending_balance,
        "invoice": invoice,
        "livemode": False,
        "metadata": {},
        "type": type,
    }
