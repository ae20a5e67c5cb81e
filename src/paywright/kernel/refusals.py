"""
The domain's "no".

A refusal is a value, not an exception: an action returns it, a door maps it to HTTP in one table, and nothing has
changed. `REFUSALS` is that table: every code there is, its HTTP status, and a sentence that says what to do. The
sentence may name facts in braces.
"""

from collections.abc import Mapping
from typing import Any

import msgspec


class Refusal(msgspec.Struct, frozen=True):
    """A code of `REFUSALS` and the facts that explain it. Facts are JSON values and never hold a secret."""

    code: str
    facts: dict[str, Any] = {}
    param: str | None = None

    def __post_init__(self) -> None:
        assert self.code in REFUSALS, self.code

    @property
    def status(self) -> int:
        return REFUSALS[self.code][0]

    @property
    def message(self) -> str:
        return sentence(self.code, self.facts)


def invalid_request(param: str, reason: str) -> Refusal:
    """400 `invalid_request`: `reason` is a whole sentence about the parameter `param`."""
    return Refusal("invalid_request", {"reason": reason}, param)


def sentence(code: str, facts: Mapping[str, Any]) -> str:
    """The message of a code, with its facts put in; a missing fact is shown as `?` rather than raising."""
    return REFUSALS[code][1].format_map(_Facts(facts))


class _Facts(dict[str, Any]):
    def __getitem__(self, name: str) -> Any:
        fact = self.get(name, "?")
        if isinstance(fact, dict):
            fact = [f"{number} {what}" for what, number in fact.items()]
        return ", ".join(map(str, fact)) if isinstance(fact, list | tuple) else fact


REFUSALS: dict[str, tuple[int, str]] = {
    # 400: malformed
    "invalid_request": (400, "{reason}"),
    "bad_signature": (
        400,
        "The signature of this delivery is {reason}. Pass the raw body on untouched, and check the endpoint's secret.",
    ),
    # 401: who are you
    "unauthenticated": (401, "Send an API key or a customer token as `Authorization: Bearer …`."),
    "invalid_credentials": (401, "This key, token or code is unknown, revoked or malformed."),
    "token_expired": (401, "This token's time is over. Ask your server for a new one."),
    # 402: not paid for
    "insufficient_quantity": (402, "{requested} asked, {available} available."),
    "payment_method_required": (402, "No saved card. Save one with a setup intent, then try again."),
    "payment_action_required": (
        402,
        "The bank wants the customer to authenticate. Hand `client_secret` to Stripe.js or open the hosted invoice.",
    ),
    "card_declined": (402, "The card was declined ({decline_code}). Ask for another card."),
    "not_entitled": (402, "This customer does not own what opens this."),
    # 403: not yours
    "not_your_customer": (403, "These credentials do not act for this customer."),
    "secret_key_required": (403, "This needs a secret key; call it from your server."),
    "missing_scope": (403, "This key lacks the scope `{scope}`."),
    # 404
    "product_not_found": (404, "No such product in the catalog, or it may not be seen with these credentials."),
    "price_not_found": (404, "This product has no such price that may be used with these credentials."),
    "item_not_found": (404, "No such item in the catalog."),
    "not_owned": (404, "The customer does not own this."),
    "hold_not_found": (404, "No such hold."),
    "quote_not_found": (404, "No such quote."),
    "checkout_session_not_found": (404, "No such checkout session."),
    "payment_not_found": (404, "No such payment."),
    "claim_not_found": (404, "No guest purchase goes by this claim token."),
    "no_stripe_customer": (404, "This customer has no counterpart at Stripe yet; it is made by the first checkout."),
    "environment_not_found": (404, "No such environment on this server."),
    "not_found": (404, "There is nothing here."),
    # 405, 413
    "method_not_allowed": (405, "This route does not take this method."),
    "body_too_large": (413, "The body is larger than {limit} bytes."),
    # 409: conflicts with what is so
    "already_owned": (409, "The customer owns this already."),
    "line_taken": (409, "The customer holds another product of this product line for good."),
    "switch_required": (
        409,
        "The customer is subscribed to `{from_product_id}`. Switch that subscription instead of starting a second one.",
    ),
    "base_required": (409, "This add-on needs one of {bases}."),
    "purchases_blocked": (409, "New purchases are switched off in this environment."),
    "checkout_required": (409, "This subscription has no payment behind it. Sell the target through checkout instead."),
    "provider_mismatch": (409, "This subscription lives at Stripe, but the environment's provider is now another one."),
    "quote_expired": (409, "This quote was used, is too old, or something changed since. Ask for a new one."),
    "hold_not_open": (409, "This hold is {status}."),
    "nothing_to_resume": (409, "Nothing is scheduled that could be taken back."),
    "session_not_open": (409, "This checkout session is {status}."),
    "claim_taken": (409, "These purchases are attached to another account."),
    "catalog_conflict": (409, "The catalog is at version {version} now. Read it, merge, and send it again."),
    "migration_running": (
        409,
        "Owners of this product are being migrated already: {migration_id}. Let that one end first.",
    ),
    "stripe_account_changed": (409, "This key belongs to the Stripe account {new}; the environment knows {old}."),
    "not_at_stripe": (409, "The environment's provider is `{provider}`: there is no Stripe account to ask."),
    "clock_backwards": (409, "A clock only moves forward; it shows {now}."),
    "not_settled": (409, "Something is still due or in flight: {waiting}."),
    "idempotency_key_reused": (
        409,
        "This Idempotency-Key was used with another request. Use a fresh key for a new request.",
    ),
    "idempotency_key_in_use": (
        409,
        "The first request with this Idempotency-Key is still running. Repeat it in a moment.",
    ),
    # 422: breaks a rule
    "invalid_catalog": (422, "The catalog has problems; see `facts.problems`. The old one stays in force."),
    "customer_type_mismatch": (422, "This is for customers of type {expected}, not {actual}."),
    "product_is_default": (
        422,
        "This product is included by default; it can't be bought, granted, canceled or revoked.",
    ),
    "not_for_sale": (422, "This product has no price. It can be granted, not bought."),
    "not_stackable": (422, "This product can be owned once only; quantity must be 1."),
    "quantity_too_large": (422, "This quantity is too large."),
    "not_a_subscription": (422, "This is a one-time purchase, not a subscription."),
    "guest_one_time_only": (422, "A guest can buy one-time products only."),
    "weak_claim_token": (
        422,
        "A claim token has 32 to 128 characters of A-Z a-z 0-9 _ - and at least 10 different ones.",
    ),
    "currency_not_available": (422, "Not sold in this currency. Available: {available}."),
    "amount_too_small": (422, "The total is below what Stripe accepts for this currency."),
    "amount_too_large": (422, "The total is above what Stripe accepts."),
    "duplicate_line_item": (422, "The same product stands in two line items. Use `quantity`."),
    "line_conflict": (422, "Two line items are of one product line."),
    "mixed_intervals": (422, "Recurring prices of one checkout must share one interval."),
    "reserved_metadata": (422, "Metadata keys beginning with `paywright_` are reserved."),
    "url_not_allowed": (422, "This URL's origin is not among the environment's `allowed_origins`."),
    "same_product": (422, "The customer has exactly this already."),
    "not_same_line": (422, "A switch stays within one product line."),
    "add_on_target": (422, "One can't switch to an add-on."),
    "no_recurring_price": (422, "The target has no recurring price."),
    "capture_too_large": (422, "More than the hold holds."),
    "balance_out_of_range": (422, "The result would be outside ±(2^53−1)."),
    "as_of_too_far": (422, "`as_of` may be at most ten years ahead."),
    "refund_too_large": (422, "At most {refundable} can be refunded."),
    "no_period": (422, "A one-time payment has no period to end at."),
    "nothing_was_paid": (422, "Nothing was paid, so nothing can be refunded."),
    "instant_is_test_only": (422, "The `instant` provider exists in test environments only."),
    "wrong_key_mode": (422, "This Stripe key is not of the environment's mode ({mode})."),
    "custom_by_secret_only": (422, "`custom` customers are for secret keys only; a token can't name one."),
    # 429, 500, 501, 502, 503
    "rate_limited": (429, "Too many requests. Wait and try again."),
    "too_many_streams": (429, "This customer has {limit} streams open, which is the most there may be. Close some."),
    "internal_error": (500, "Something broke on our side. It is logged under this `request_id`."),
    "not_implemented": (501, "Not implemented yet: {what}."),
    "cannot_stream": (
        501,
        "A stream would keep a thread of this server for itself. Open it at `paywright serve`, or mount the API in an ASGI app.",
    ),
    "stripe_refused": (502, "Stripe said no: {stripe_message}"),
    "stripe_unavailable": (
        503,
        "Stripe did not answer. Nothing is lost: repeat the request with the same Idempotency-Key.",
    ),
    "webhook_secret_missing": (503, "This environment has no webhook secret yet, so deliveries can't be verified."),
    "unavailable": (503, "Busy or out of reach for a moment. Repeat the request with the same Idempotency-Key."),
    "streams_full": (503, "This server has as many streams open as it takes. Try again in a moment."),
}
