"""
Requests that older Stripe versions took and the pinned one refuses, with the words the refusal comes in.

A row is (route, parameter, value or None for any value). Rows are looked at before the parameters are decoded, since the SDK no longer has them.
"""

from ..errors import ApiError, Json

TYPES_GONE = (
    "payment_method_types_no_longer_supported",
    "The payment_method_types parameter is no longer supported in this API version. Leave it out to use dynamic payment methods, "
    "or use allowed_payment_method_types or excluded_payment_method_types.",
)
ANCHOR_NOW = (None, 'Invalid billing_cycle_anchor: "now" as text is no longer supported; send {"type": "now"}.')

TRAPS: dict[tuple[str, str, str | None], tuple[str | None, str]] = {
    ("POST /v1/payment_intents", "payment_method_types", None): TYPES_GONE,
    ("POST /v1/payment_intents/{intent}", "payment_method_types", None): TYPES_GONE,
    ("POST /v1/payment_intents/{intent}/confirm", "payment_method_types", None): TYPES_GONE,
    ("POST /v1/setup_intents", "payment_method_types", None): TYPES_GONE,
    ("POST /v1/setup_intents/{intent}", "payment_method_types", None): TYPES_GONE,
    ("POST /v1/setup_intents/{intent}/confirm", "payment_method_types", None): TYPES_GONE,
    ("POST /v1/checkout/sessions", "payment_method_types", None): TYPES_GONE,
    ("POST /v1/subscriptions/{subscription_exposed_id}", "billing_cycle_anchor", "now"): ANCHOR_NOW,
    ("POST /v1/subscriptions/{subscription}/resume", "billing_cycle_anchor", "now"): ANCHOR_NOW,
}


def refuse_traps(route: str, tree: Json) -> None:
    for name, value in tree.items():
        for trapped in (None, value if isinstance(value, str) else None):
            if (route, name, trapped) in TRAPS:
                code, message = TRAPS[(route, name, trapped)]
                raise ApiError(400, message, code=code, param=name)
