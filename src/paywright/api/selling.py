"""Paying inside the app, and our own purchase page."""

from typing import Annotated, Any

import msgspec

from paywright.access.rules import may_use_field
from paywright.api import once
from paywright.api.call import Answer, Call, created
from paywright.api.checkout import LineItem, as_guest_to_be, asked_line, asked_lines, customer_acting
from paywright.api.dispatch import read_key
from paywright.api.parsing import Body
from paywright.api.shapes import CustomerNamed
from paywright.checkout import actions, in_app, purchase_urls, rules
from paywright.checkout.model import StartCheckout
from paywright.claims import actions as claims
from paywright.claims.rules import weak_token
from paywright.kernel.instants import rfc3339
from paywright.kernel.model import Customer, Json
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.pages import links
from paywright.pages.offers import first_offer

Text = Annotated[str, msgspec.Meta(max_length=1000)]


class NewPaymentIntent(Body, frozen=True, kw_only=True):
    """`line_items` of one-time prices, or an `amount` in minor units of `currency` (secret key only), which grants nothing."""

    customer: CustomerNamed
    line_items: list[LineItem] | None = None
    amount: Annotated[int, msgspec.Meta(ge=1)] | None = None
    currency: str | None = None
    receipt_email: str | None = None
    description: Text | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict)


class NewPurchaseUrl(Body, frozen=True, kw_only=True):
    """
    `product_id` of the catalog, or `product` inline (secret key only). Price, currency and quantity are chosen on the page.

    `customer` null is a guest, known by `claim_token`: yours, or one that is made and shown in this answer only.
    """

    customer: CustomerNamed | None = None
    claim_token: str | None = None
    product_id: str | None = None
    product: Json = None
    return_url: str | None = None


def create_payment_intent(call: Call) -> Answer | Refusal:
    """For a payment form in your own app. With `line_items` it is a checkout session, which is granted when it is paid."""
    body: NewPaymentIntent = call.body
    if (body.line_items is None) == (body.amount is None):
        return invalid_request("line_items", "Send `line_items` or `amount`, one of them.")
    acts = customer_acting(call, body.customer)
    if isinstance(acts, Refusal):
        return acts
    call = msgspec.structs.replace(call, caller=acts.caller)
    key = read_key(call)
    if isinstance(key, Refusal):
        return key
    call = msgspec.structs.replace(call, key=key)
    if body.line_items is None:
        return _bare(call, acts.customer)
    lines = asked_lines(call, body.line_items)
    if isinstance(lines, Refusal):
        return lines
    refusal = rules.bad_email("receipt_email", body.receipt_email)
    if refusal is not None:
        return refusal
    asked = StartCheckout(
        customer=acts.customer,
        lines=lines,
        success_url="",
        cancel_url="",
        with_secret_key=call.caller.has_secret_key,
        currency=body.currency,
        customer_email=body.receipt_email,
        description=body.description,
        metadata=body.metadata,
        ui="elements",
    )
    session = actions.start(call.app, call.environment, asked, key=call.key)
    if isinstance(session, Refusal):
        return session
    secret = in_app.client_secret(call.app, call.environment, session)
    return created(_intent_shown(call, session.stripe_payment_intent_id, secret, session.id))


def _bare(call: Call, customer: Customer) -> Answer | Refusal:
    """The key is kept around the call: nothing of ours stands for an amount that buys nothing."""
    body: NewPaymentIntent = call.body
    refusal = (
        may_use_field(call.caller, "amount")
        or rules.bad_metadata(body.metadata)
        or rules.bad_email("receipt_email", body.receipt_email)
    )
    if refusal is not None:
        return refusal
    if customer.type == "guest":
        return Refusal("customer_type_mismatch", {"expected": "user, team or custom", "actual": customer.type})
    return once.in_phases(call, lambda each: _create_bare(each, customer))


def _create_bare(call: Call, customer: Customer) -> Answer | Refusal:
    body: NewPaymentIntent = call.body
    assert body.amount is not None
    made = in_app.create_bare(
        call.app,
        call.environment,
        customer,
        amount=body.amount,
        currency=body.currency or call.environment.default_currency,
        receipt_email=body.receipt_email,
        description=body.description,
        app_metadata=body.metadata,
        key=call.key,
    )
    if isinstance(made, Refusal):
        return made
    return Answer(201, _intent_shown(call, made.id, made.client_secret, None), is_secret=True)


def _intent_shown(call: Call, intent_id: str | None, secret: str | None, session_id: str | None) -> dict[str, Any]:
    """Without an id nothing is to be paid: it is granted already."""
    return {
        "id": intent_id,
        "client_secret": secret,
        "publishable_key": call.app.publishable_key(call.environment),
        "stripe_account": call.environment.stripe_account,
        "checkout_session_id": session_id,
    }


def create_purchase_url(call: Call) -> Answer | Refusal:
    """The address of our purchase page for one product, good for 24 hours. Every check runs again when the buyer chooses."""
    body: NewPurchaseUrl = call.body
    if (body.product_id is None) == (body.product is None):
        return invalid_request("product_id", "Name `product_id` or describe `product`, one of them.")
    if body.customer is None:
        return _purchase_url_of_guest(call)
    if body.claim_token is not None:
        return invalid_request("claim_token", "`claim_token` is for guests: leave `customer` out.")
    acts = customer_acting(call, body.customer)
    if isinstance(acts, Refusal):
        return acts
    return _purchase_url(msgspec.structs.replace(call, caller=acts.caller), acts.customer)


def _purchase_url_of_guest(call: Call) -> Answer | Refusal:
    """A refusal makes nobody. Without a token of the app's own an Idempotency-Key would show ours to whoever sends that key."""
    body: NewPurchaseUrl = call.body
    if call.request.idempotency_key is not None and body.claim_token is None:
        return invalid_request("claim_token", "An Idempotency-Key for a guest needs a `claim_token` of yours.")
    call, guest, token, _ = as_guest_to_be(call, body.claim_token)
    return weak_token(token) or _purchase_url(call, guest, claim_token=token)


def _purchase_url(call: Call, customer: Customer, *, claim_token: str | None = None) -> Answer | Refusal:
    body: NewPurchaseUrl = call.body
    line = asked_line(call, body.product_id, body.product, None, 1)
    if isinstance(line, Refusal):
        return line
    with_secret_key = call.caller.has_secret_key
    if body.return_url is not None:
        refusal = rules.bad_url("return_url", body.return_url, call.environment, with_secret_key=with_secret_key)
        if refusal is not None:
            return refusal
    refusal = actions.foresee(
        call.app,
        call.environment,
        first_offer(call.app, call.environment, customer, line, with_secret_key=with_secret_key),
    )
    if refusal is not None:
        return refusal
    with call.app.work(call.environment.id) as work:
        owner = customer if claim_token is None else claims.open_guest(work, claim_token)
        if isinstance(owner, Refusal):
            return owner
        made = purchase_urls.create(
            work,
            owner,
            product_id=body.product_id,
            inline_product=body.product,
            return_url=body.return_url,
            with_secret_key=with_secret_key,
            life_ms=links.PURCHASE_LIFE_MS,
        )
    page = links.Pass(call.environment.id, made.id, made.expires_at)
    shown = {"url": links.link(call.app.settings, "purchase", page), "expires_at": rfc3339(made.expires_at)}
    of_guest = {} if claim_token is None else {"claim_token": claim_token}
    return Answer(201, {**shown, **of_guest}, is_secret=True)
