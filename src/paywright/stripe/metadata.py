"""Our keys in Stripe's metadata. They say whose an object is; an app may not use the prefix."""

from typing import Any

PREFIX = "paywright_"
ENVIRONMENT = "paywright_environment"
CUSTOMER = "paywright_customer"
CHECKOUT_SESSION = "paywright_checkout_session"
PRODUCT_VERSION = "paywright_product_version"
REFUND = "paywright_refund"


def ours(
    environment_id: str,
    *,
    customer_key: str | None,
    checkout_session_id: str | None = None,
    product_versions: str | None = None,
) -> dict[str, str]:
    """The keys to send. A guest has no `paywright_customer`: the session's row names the guest."""
    keys = {
        ENVIRONMENT: environment_id,
        CUSTOMER: customer_key,
        CHECKOUT_SESSION: checkout_session_id,
        PRODUCT_VERSION: product_versions,
    }
    return {name: value for name, value in keys.items() if value is not None}


def metadata_of(stripe_object: dict[str, Any]) -> dict[str, str]:
    found = stripe_object.get("metadata")
    return found if isinstance(found, dict) else {}


def id_of(reference: Any) -> str | None:
    """The id of a reference, expanded or not."""
    if isinstance(reference, dict):
        return str(reference["id"])
    return None if reference in (None, "") else str(reference)
