"""
Thin events name a part of what we fetch and nothing else: the part is looked up for whom or what it belongs to.

A snapshot event says so itself, in its payload (`mirror`).
"""

from collections.abc import Callable
from typing import Any

from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.stripe.gateway import StripeRefused
from paywright.stripe.metadata import id_of
from paywright.stripe.model import Fetched
from paywright.webhooks.model import Noun, Root

WHOLE: dict[Noun, tuple[str, Noun, tuple[str, ...]]] = {
    # part: where it is, what it belongs to, which of its fields say so (the first that does)
    "setup_intent": ("/v1/setup_intents/", "customer", ("customer",)),
    "payment_method": ("/v1/payment_methods/", "customer", ("customer",)),
    "subscription_schedule": ("/v1/subscription_schedules/", "subscription", ("subscription", "released_subscription")),
    "credit_note": ("/v1/credit_notes/", "invoice", ("invoice",)),
    "invoice_payment": ("/v1/invoice_payments/", "invoice", ("invoice",)),
    "early_fraud_warning": ("/v1/radar/early_fraud_warnings/", "charge", ("charge",)),
}


def fetch_whole(app: App, environment: Environment, part: Root, fetch: Callable[[str], Fetched]) -> Fetched:
    """What the part belongs to, by `fetch`; nothing, under the part's own root, where it is gone or belongs to nothing."""
    path, _, fields = WHOLE[part.noun]
    found = _get(app, environment, path + part.id) or {}
    named = next((whole for field in fields if (whole := id_of(found.get(field))) is not None), None)
    if named is not None:
        return fetch(named)
    return Fetched(str(part), app.next_fetch(environment.id, str(part)), None)


def _get(app: App, environment: Environment, path: str) -> dict[str, Any] | None:
    try:
        return app.gateway(environment).get(path)
    except StripeRefused as refused:
        if refused.is_missing:
            return None
        raise
