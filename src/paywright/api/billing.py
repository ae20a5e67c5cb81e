"""How a customer pays: saved cards, Stripe's portal, and our own customer page."""

from typing import Literal

from paywright.api import customers
from paywright.api.call import Answer, Call
from paywright.api.parsing import Body
from paywright.checkout.rules import bad_url
from paywright.customers import billing
from paywright.kernel.ids import wall_ms
from paywright.kernel.instants import rfc3339
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.pages import links


class PaymentMethodSet(Body, frozen=True, kw_only=True):
    """A setup intent that the browser has confirmed."""

    setup_intent_id: str


class NewPortalSession(Body, frozen=True, kw_only=True):
    """`stripe`: Stripe's portal, with a `configuration` of it if named. `paywright`: our own page, good for an hour."""

    return_url: str | None = None
    configuration: str | None = None
    ui: Literal["stripe", "paywright"] = "stripe"


def create_setup_intent(call: Call) -> Answer | Refusal:
    """For saving a card in the browser without buying anything."""
    refusal = _no_guest(call)
    if refusal is not None:
        return refusal
    made = billing.create_setup_intent(call.app, call.environment, call.owner)
    return made if isinstance(made, Refusal) else Answer(201, made, is_secret=True)


def set_payment_method(call: Call) -> Answer | Refusal:
    """The card that a confirmed setup intent saved becomes the one renewals and switches are charged to. Answers the billing state."""
    refusal = _no_guest(call)
    if refusal is not None:
        return refusal
    if not call.environment.is_at_stripe:
        return Refusal("no_stripe_customer")
    name = call.body.setup_intent_id
    if not name.startswith("seti_") or not name.isascii() or not name.replace("_", "").isalnum():
        return invalid_request("setup_intent_id", "There is no such setup intent.")
    done = billing.set_default_payment_method(call.app, call.environment, call.owner, name)
    return done if isinstance(done, Refusal) else customers.read_billing(call)


def create_portal_session(call: Call) -> Answer | Refusal:
    """The address of a page on which the customer looks after their plans, cards and invoices."""
    body: NewPortalSession = call.body
    if body.return_url is not None:
        with_secret_key = call.caller.has_secret_key
        refusal = bad_url("return_url", body.return_url, call.environment, with_secret_key=with_secret_key)
        if refusal is not None:
            return refusal
    if body.ui == "paywright":
        if body.configuration is not None:
            return invalid_request("configuration", "`configuration` is for Stripe's portal.")
        page = links.Pass(
            call.environment.id, call.owner.key, wall_ms() + links.ACCOUNT_LIFE_MS, return_url=body.return_url
        )
        shown = {"url": links.link(call.app.settings, "account", page), "expires_at": rfc3339(page.expires_at)}
        return Answer(201, shown, is_secret=True)
    url = billing.create_portal_session(
        call.app, call.environment, call.owner, return_url=body.return_url, configuration=body.configuration
    )
    return url if isinstance(url, Refusal) else Answer(201, {"url": url, "expires_at": None}, is_secret=True)


def _no_guest(call: Call) -> Refusal | None:
    """A guest pays once and has no counterpart at Stripe a card could be saved for."""
    if call.owner.type != "guest":
        return None
    return Refusal("customer_type_mismatch", {"expected": "user, team or custom", "actual": "guest"})
