"""The customer portal: its configuration and its sessions."""

from typing import Any

from ..errors import Json

REASONS = "too_expensive missing_features switched_service unused other".split()


def configuration(id: str, created: int, *, is_default: bool) -> Json:
    return {
        "id": id,
        "object": "billing_portal.configuration",
        "active": True,
        "application": None,
        "business_profile": {"headline": None, "privacy_policy_url": None, "terms_of_service_url": None},
        "created": created,
        "default_return_url": None,
        "features": features(everything=is_default),
        "is_default": is_default,
        "livemode": False,
        "login_page": {"enabled": False, "url": None},
        "metadata": {},
        "name": None,
        "updated": created,
    }


def features(*, everything: bool) -> Json:
    """`everything`: what the sandbox offers when nobody configured a portal; else all is off until asked for."""
    return {
        "customer_update": {"allowed_updates": ["email", "address"] if everything else [], "enabled": everything},
        "invoice_history": {"enabled": everything},
        "payment_method_update": {"enabled": everything, "payment_method_configuration": None},
        "subscription_cancel": {
            "cancellation_reason": {"enabled": False, "feedback_options": None, "options": list(REASONS)},
            "enabled": everything,
            "mode": "at_period_end",
            "proration_behavior": "none",
        },
        "subscription_pause": {"duration": {"interval_options": [], "type": "indefinite"}, "enabled": False},
        "subscription_update": {
            "billing_cycle_anchor": None,
            "default_allowed_updates": ["price", "quantity"] if everything else [],
            "enabled": everything,
            "products": [],
            "proration_behavior": "create_prorations",
            "schedule_at_period_end": {"conditions": []},
            "trial_update_behavior": "end_trial",
        },
    }


def session(
    id: str, created: int, *, customer: str, configuration: str, url: str, return_url: str | None, flow: Any
) -> Json:
    return {
        "id": id,
        "object": "billing_portal.session",
        "configuration": configuration,
        "created": created,
        "customer": customer,
        "customer_account": None,
        "flow": flow,
        "livemode": False,
        "locale": None,
        "on_behalf_of": None,
        "return_url": return_url,
        "url": url,
    }
