"""What may be asked of a checkout, and what we ask of Stripe. Pure."""

import hashlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from paywright.checkout.model import CheckoutMode, StartCheckout
from paywright.environments.model import Environment
from paywright.kernel.periods import Period, boundary
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.ownership.model import ResolvedLine
from paywright.stripe import metadata

METADATA_KEYS_MAX = 40
SESSION_ID_PLACE = "{CHECKOUT_SESSION_ID}"
_LOCALHOST = ("localhost", "127.0.0.1", "[::1]", "::1")
_URL_LENGTH_MAX = 2_000


def malformed(asked: StartCheckout, environment: Environment) -> Refusal | None:
    """Step 3 of rules.md 4.1: metadata and URLs. The first failure wins."""
    refusal = bad_metadata(asked.metadata)
    if refusal is not None:
        return refusal
    for name, url in (("success_url", asked.success_url), ("cancel_url", asked.cancel_url)):
        refusal = None
        if not asked.urls_are_ours and (url or not asked.is_in_app):
            refusal = bad_url(name, url, environment, with_secret_key=asked.with_secret_key)
        if refusal is not None:
            return refusal
    return bad_email("customer_email", asked.customer_email)


def bad_email(name: str, email: str | None) -> Refusal | None:
    """Only what can't be one: whether it exists is for a letter to find out."""
    if email is None or ("@" in email[1:-1] and len(email) <= 512 and not any(c.isspace() for c in email)):
        return None
    return invalid_request(name, f"`{name}` is no e-mail address.")


def bad_metadata(given: dict[str, str]) -> Refusal | None:
    """At most 40 keys of 40 characters with values of 500, all strings; our prefix is refused, or a caller could credit somebody else."""
    if any(key.lower().startswith(metadata.PREFIX) for key in given):
        return Refusal("reserved_metadata")
    if len(given) > METADATA_KEYS_MAX:
        return invalid_request("metadata", "`metadata` has at most 40 keys.")
    for key, value in given.items():
        if not isinstance(value, str) or not 1 <= len(key) <= 40 or len(value) > 500 or "[" in key or "]" in key:
            return invalid_request("metadata", "`metadata` maps keys of 1 to 40 characters to strings of at most 500.")
    return None


def bad_url(name: str, url: str, environment: Environment, *, with_secret_key: bool) -> Refusal | None:
    """http or https, else 400. Without a secret key the origin must be allowed; localhost passes in test."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or len(url) > _URL_LENGTH_MAX or any(c <= " " for c in url):
        return invalid_request(name, f"`{name}` is an absolute http or https URL.")
    allowed = environment.policy.allowed_origins
    if with_secret_key or allowed is None:
        return None
    if environment.mode == "test" and host in _LOCALHOST:
        return None
    origin = f"{parts.scheme}://{parts.netloc}".lower()
    return (
        None
        if origin in {each.lower().rstrip("/") for each in allowed}
        else Refusal("url_not_allowed", {"param": name})
    )


def mode_of(lines: Sequence[ResolvedLine]) -> CheckoutMode:
    return "subscription" if any(line.is_recurring for line in lines) else "payment"


def places(lines: Sequence[ResolvedLine]) -> list[str]:
    """What there may be but one open checkout of per customer. Sorted."""
    return sorted({line.place for line in lines if line.place is not None})


def trial_of(lines: Sequence[ResolvedLine], used: set[str]) -> Period | None:
    """
    The trial this purchase begins with: the shortest among what recurs, when each of it has one that is not used up.

    Not eligible is no refusal: the purchase goes on without a trial.
    """
    trials = []
    for line in lines:
        if line.price is None or not line.is_recurring:
            continue
        trial = line.product.trial_of(line.price)
        if trial is None or line.place is None or line.place in used:
            return None
        trials.append(trial)
    return min(trials, key=lambda trial: trial.days_max, default=None)


def parameters_hash(asked: StartCheckout, lines: Sequence[ResolvedLine]) -> str:
    """Equal for requests that would open the same checkout."""
    pinned = [(line.product_id, line.version_id, line.price_id, line.quantity) for line in lines]
    known = [asked.success_url, asked.cancel_url, asked.currency, asked.customer_email, asked.promotion_codes]
    known += [asked.ui, asked.automatic_tax, asked.description]
    return hashlib.sha256(msgspec.json.encode([pinned, known, sorted(asked.metadata.items())])).hexdigest()


def stripe_parameters(
    asked: StartCheckout,
    lines: Sequence[ResolvedLine],
    *,
    environment: Environment,
    session_id: str,
    stripe_customer_id: str | None,
    stripe_price_ids: dict[tuple[str, str], str],
    trial: Period | None = None,
    now: int = 0,
) -> dict[str, Any]:
    """The body of `POST /v1/checkout/sessions`, ours in metadata wherever Stripe carries it on."""
    mode = mode_of(lines)
    versions = ",".join(line.version_id for line in lines if line.is_recurring)
    is_guest = asked.customer.type == "guest"
    named = None if is_guest else asked.customer.key
    ours = metadata.ours(environment.id, customer_key=named, checkout_session_id=session_id)
    carried = dict(ours)
    if mode == "subscription" and len(versions) <= 500:
        carried[metadata.PRODUCT_VERSION] = versions
    currency = asked.currency or environment.default_currency
    params: dict[str, Any] = {
        "mode": mode,
        "client_reference_id": session_id,
        "currency": currency,
        "line_items": [_stripe_line(line, currency, stripe_price_ids) for line in lines],
        "success_url": asked.success_url,
        "cancel_url": asked.cancel_url,
        "metadata": {**asked.metadata, **ours},
        ("subscription_data" if mode == "subscription" else "payment_intent_data"): {
            "metadata": {**asked.metadata, **carried},
        },
    }
    if stripe_customer_id is not None:
        params["customer"] = stripe_customer_id
    elif asked.customer_email is not None:
        params["customer_email"] = asked.customer_email
    if trial is not None:
        params["subscription_data"].update(_stripe_trial(trial, now))
    if asked.promotion_codes:
        params["allow_promotion_codes"] = True
    if asked.automatic_tax:
        params["automatic_tax"] = {"enabled": True}
        if stripe_customer_id is not None:
            # Tax is worked out from an address, which Stripe refuses to take from a customer it may not update.
            params["customer_update"] = {"address": "auto"}
    return params


def total_of(lines: Sequence[ResolvedLine], currency: str) -> int:
    """In minor units."""
    return sum(line.price.amounts[currency] * line.quantity for line in lines if line.price is not None)


def in_app_parameters(
    asked: StartCheckout,
    lines: Sequence[ResolvedLine],
    *,
    environment: Environment,
    session_id: str,
    stripe_customer_id: str | None,
) -> dict[str, Any]:
    """The body of `POST /v1/payment_intents`: how one pays is the account's setting, and the amount is ours."""
    currency = asked.currency or environment.default_currency
    named = None if asked.customer.type == "guest" else asked.customer.key
    params: dict[str, Any] = {
        "amount": total_of(lines, currency),
        "currency": currency,
        "automatic_payment_methods": {"enabled": True},
        "metadata": {
            **asked.metadata,
            **metadata.ours(environment.id, customer_key=named, checkout_session_id=session_id),
        },
    }
    more = {
        "customer": stripe_customer_id,
        "receipt_email": asked.customer_email,
        "description": asked.description,
    }
    return {**params, **{name: value for name, value in more.items() if value is not None}}


def _stripe_trial(trial: Period, now: int) -> dict[str, int]:
    """Days are counted from when the buyer is done; months and years are a date, by our calendar."""
    if trial.unit in ("day", "week"):
        return {"trial_period_days": trial.days_max}
    return {"trial_end": boundary(now, trial, 1) // 1000}


def _stripe_line(line: ResolvedLine, currency: str, stripe_price_ids: dict[tuple[str, str], str]) -> dict[str, Any]:
    assert line.price is not None
    assert line.price_id is not None
    if line.product_id is not None:
        return {"price": stripe_price_ids[line.product_id, line.price_id], "quantity": line.quantity}
    priced: dict[str, Any] = {
        "currency": currency,
        "unit_amount": line.price.amounts[currency],
        "product_data": {"name": line.product.display_name},
    }
    period = line.price.period
    if period is not None:
        priced["recurring"] = {"interval": period.unit, "interval_count": period.count}
    return {"price_data": priced, "quantity": line.quantity}


def with_session_id(url: str, session_id: str) -> str:
    """The app's redirect with its place filled in, as Stripe would have done."""
    return url.replace(SESSION_ID_PLACE, session_id).replace("%7BCHECKOUT_SESSION_ID%7D", session_id)
