"""The subscription, its items, and the plan that each item still shows beside its price."""

from ..errors import Json

NULL_AT_FIRST = (
    "application application_fee_percent billing_cycle_anchor_config billing_thresholds cancel_at canceled_at customer_account "
    "days_until_due default_payment_method default_source description ended_at latest_invoice next_pending_invoice_item_invoice "
    "on_behalf_of pause_collection pending_invoice_item_interval pending_setup_intent pending_update schedule status_details test_clock "
    "transfer_data trial_end trial_start"
).split()


def subscription(id: str, created: int, *, customer: str, currency: str, billing_mode: Json) -> Json:
    """Without items, trial or periods; the machine fills them before anyone looks."""
    settings = dict.fromkeys(("account_tax_ids", "custom_fields", "description", "footer"))
    payment = dict.fromkeys(("payment_method_options", "payment_method_types"))
    return {
        "id": id,
        "object": "subscription",
        **dict.fromkeys(NULL_AT_FIRST),
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": created,
        "billing_mode": billing_mode,
        "billing_schedules": [],
        "cancel_at_period_end": False,
        "cancellation_details": dict.fromkeys(("comment", "feedback", "feedback_option", "reason")),
        "collection_method": "charge_automatically",
        "created": created,
        "currency": currency,
        "customer": customer,
        "default_tax_rates": [],
        "discounts": [],
        "invoice_settings": {**settings, "issuer": {"type": "self"}},
        "items": {"object": "list", "data": [], "has_more": False, "url": f"/v1/subscription_items?subscription={id}"},
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": {},
        "payment_settings": {**payment, "save_default_payment_method": "off"},
        "start_date": created,
        "status": "incomplete",
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "_debits": {},
        "_invoices": [],
        "_announced": False,
    }


def subscription_item(id: str, created: int, subscription_id: str, price: Json, quantity: int | None) -> Json:
    return {
        "id": id,
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": created,
        "current_period_end": created,
        "current_period_start": created,
        "current_trial": None,
        "discounts": [],
        "metadata": {},
        "plan": plan_of(price),
        "price": shown_price(price),
        "quantity": quantity,
        "subscription": subscription_id,
        "tax_rates": [],
    }


def shown_price(price: Json) -> Json:
    """The price as other objects hold it: without our notes and without what is absent unless expanded."""
    return {key: value for key, value in price.items() if not key.startswith("_")}


def plan_of(price: Json) -> Json:
    recurring = price["recurring"]
    transform = price["transform_quantity"]
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": price["billing_scheme"],
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": False,
        "metadata": dict(price["metadata"]),
        "meter": recurring.get("meter"),
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": price["tiers_mode"],
        "transform_usage": dict(transform) if transform else None,
        "trial_period_days": recurring.get("trial_period_days"),
        "usage_type": recurring.get("usage_type", "licensed"),
    }


def paused_details(reason: str, at: int) -> Json:
    return {"paused": {"subscription": {"type": reason}, "transitioned_at": at, "type": "subscription"}}
