"""The subscription schedule and its phases."""

from ..errors import Json


def subscription_schedule(id: str, created: int, *, customer: str, billing_mode: Json, test_clock: str | None) -> Json:
    return {
        "id": id,
        "object": "subscription_schedule",
        "application": None,
        "billing_mode": billing_mode,
        "canceled_at": None,
        "completed_at": None,
        "created": created,
        "current_phase": None,
        "customer": customer,
        "customer_account": None,
        "default_settings": default_settings(),
        "end_behavior": "release",
        "livemode": False,
        "metadata": {},
        "pause_schedules": [],
        "phases": [],
        "released_at": None,
        "released_subscription": None,
        "status": "not_started",
        "subscription": None,
        "test_clock": test_clock,
    }


def default_settings() -> Json:
    texts = ("account_tax_ids", "custom_fields", "days_until_due", "description", "footer")
    return {
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": "automatic",
        "billing_thresholds": None,
        "collection_method": "charge_automatically",
        "default_payment_method": None,
        "description": None,
        "invoice_settings": {**dict.fromkeys(texts), "issuer": {"type": "self"}},
        "on_behalf_of": None,
        "transfer_data": None,
    }


def phase(start: int, end: int, *, currency: str, items: list[Json]) -> Json:
    return {
        "add_invoice_items": [],
        "application_fee_percent": None,
        "billing_cycle_anchor": None,
        "billing_thresholds": None,
        "collection_method": None,
        "currency": currency,
        "default_payment_method": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "end_date": end,
        "invoice_settings": None,
        "items": items,
        "metadata": {},
        "on_behalf_of": None,
        "proration_behavior": "create_prorations",
        "start_date": start,
        "transfer_data": None,
        "trial_end": None,
    }


def phase_item(price: str, quantity: int) -> Json:
    return {
        "billing_thresholds": None,
        "discounts": [],
        "metadata": {},
        "plan": price,
        "price": price,
        "quantity": quantity,
        "tax_rates": [],
    }


def phase_discount(wish: Json) -> Json:
    return {name: wish.get(name) for name in ("coupon", "discount", "promotion_code")}
