"""Switching a subscription: what it would cost, and doing it."""

from typing import Literal

import msgspec

from paywright.api.call import Answer, Call, created
from paywright.api.errors import refused
from paywright.api.owning import owned_product_answered
from paywright.api.parsing import Body, Quantity
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.subscriptions import quotes, switching
from paywright.subscriptions.quoted import shown
from paywright.subscriptions.switch_rules import AskedSwitch


class SwitchWanted(Body, frozen=True, kw_only=True):
    """`from_product_id` may be an owned product's id. Without `price_id` the target's first recurring price. `at` needs a secret key."""

    from_product_id: str
    to_product_id: str
    price_id: str | None = None
    quantity: Quantity = 1
    at: Literal["now", "period_end"] | None = None


class SwitchConfirmed(Body, frozen=True, kw_only=True):
    """`quote_id` of a quote, or the quote's own fields, which quotes and confirms at once."""

    quote_id: str | None = None
    from_product_id: str | None = None
    to_product_id: str | None = None
    price_id: str | None = None
    quantity: Quantity = 1
    at: Literal["now", "period_end"] | None = None


def create_switch_quote(call: Call) -> Answer | Refusal:
    """What a switch would charge now and later, promised for fifteen minutes. Nothing changes."""
    body: SwitchWanted = call.body
    wish = AskedSwitch(body.from_product_id, body.to_product_id, body.price_id, body.quantity, body.at)
    made = quotes.quote(call.app, call.environment, call.owner, wish, with_secret_key=call.caller.has_secret_key)
    return made if isinstance(made, Refusal) else created(shown(made))


def switch_subscription(call: Call) -> Answer | Refusal:
    """Charges exactly what was quoted, or refuses and changes nothing. The owned product as it is now."""
    chosen = _chosen(call.body)
    if isinstance(chosen, Refusal):
        return chosen
    is_secret = call.caller.has_secret_key
    outcome = switching.switch(call.app, call.environment, call.owner, chosen, with_secret_key=is_secret, key=call.key)
    if isinstance(outcome, Refusal) and outcome.code == "payment_action_required":
        # It holds a client secret: kept encrypted under an Idempotency-Key.
        return msgspec.structs.replace(refused(outcome, call.request.request_id), is_secret=True)
    return owned_product_answered(call, outcome)


def _chosen(body: SwitchConfirmed) -> str | AskedSwitch | Refusal:
    named = [body.from_product_id, body.to_product_id, body.price_id, body.at]
    if body.quote_id is not None:
        if any(each is not None for each in named):
            return invalid_request("quote_id", "Give `quote_id` or the quote's fields, one of them.")
        return body.quote_id
    if body.from_product_id is None or body.to_product_id is None:
        return invalid_request("quote_id", "Give `quote_id`, or `from_product_id` and `to_product_id`.")
    return AskedSwitch(body.from_product_id, body.to_product_id, body.price_id, body.quantity, body.at)
