"""Checkout sessions: one attempt to buy each."""

import msgspec

from paywright.access.rules import as_guest, may, may_use_field
from paywright.api import guests
from paywright.api.call import Answer, Call, created, ok
from paywright.api.dispatch import read_key
from paywright.api.parsing import Body, Quantity
from paywright.api.shapes import CustomerNamed, as_customer
from paywright.catalog import queries as catalog_queries
from paywright.catalog.model import Product
from paywright.catalog.parse import parse_inline
from paywright.checkout import actions, in_app, queries, rules
from paywright.checkout.model import CheckoutSession, StartCheckout
from paywright.claims import actions as claims
from paywright.claims import queries as claim_queries
from paywright.claims.rules import weak_token
from paywright.kernel.ids import new_id
from paywright.kernel.model import Customer, Json
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.ownership.model import AskedLine


class LineItem(Body, frozen=True, kw_only=True):
    """`product_id` of the catalog, or `product` inline (secret key only); `price_id` defaults to the product's first."""

    product_id: str | None = None
    price_id: str | None = None
    product: Json = None
    quantity: Quantity = 1


class NewCheckoutSession(Body, frozen=True, kw_only=True):
    """
    `{CHECKOUT_SESSION_ID}` in the URLs is replaced; with `ui` `elements` nobody leaves the app, and they may be left out.

    `customer` null is a guest, known by `claim_token`: yours, or one that is made and shown in this answer only.
    """

    customer: CustomerNamed | None = None
    line_items: list[LineItem]
    ui: str = "hosted"
    currency: str | None = None
    success_url: str | None = None
    cancel_url: str | None = None
    customer_email: str | None = None
    claim_token: str | None = None
    promotion_codes: bool = False
    automatic_tax: bool = False
    metadata: dict[str, str] = msgspec.field(default_factory=dict)


def create_checkout_session(call: Call) -> Answer | Refusal:
    """
    Opens a checkout, or answers the one that is open for the same thing.

    With an `Idempotency-Key` a repeat answers the session in its present state, and renews it if it is over (`renews`).
    """
    body: NewCheckoutSession = call.body
    if body.ui not in ("hosted", "elements"):
        return invalid_request("ui", "`ui` is `hosted` or `elements`.")
    for name in ("success_url", "cancel_url"):
        if getattr(body, name) is None and body.ui == "hosted":
            return invalid_request(name, f"`{name}` is missing: the buyer comes back there from Stripe's page.")
    if body.customer is None:
        return start_as_guest(call)
    if body.claim_token is not None:
        return invalid_request("claim_token", "`claim_token` is for guests: leave `customer` out.")
    acts = customer_acting(call, body.customer)
    if isinstance(acts, Refusal):
        return acts
    call = msgspec.structs.replace(call, caller=acts.caller)
    lines = asked_lines(call, body.line_items)
    if isinstance(lines, Refusal):
        return lines
    key = read_key(call)
    if isinstance(key, Refusal):
        return key
    session = actions.start(call.app, call.environment, wish(call, acts.customer, lines), key=key)
    return session if isinstance(session, Refusal) else created(shown_to_payer(call, session))


def customer_acting(call: Call, named: CustomerNamed) -> guests.Acting | Refusal:
    """Step 2 of rules.md 4.1: the customer of the body, and the caller who may act for them."""
    customer = as_customer(named)
    if isinstance(customer, Refusal):
        return customer
    acts = guests.acting(call.app, call.caller, customer)
    return may(acts.caller, "customer", "customers", customer=acts.customer) or acts.refusal or acts


def wish(call: Call, customer: Customer, lines: tuple[AskedLine, ...]) -> StartCheckout:
    body: NewCheckoutSession = call.body
    return StartCheckout(
        customer=customer,
        lines=lines,
        success_url=body.success_url or "",
        cancel_url=body.cancel_url or "",
        with_secret_key=call.caller.has_secret_key,
        currency=body.currency,
        customer_email=body.customer_email,
        promotion_codes=body.promotion_codes,
        metadata=body.metadata,
        ui="elements" if body.ui == "elements" else "hosted",
        automatic_tax=body.automatic_tax,
    )


def start_as_guest(call: Call) -> Answer | Refusal:
    """
    A claim token is one guest, made with their first checkout. A refusal makes nobody.

    Without a token of the app's own an Idempotency-Key could not answer the same twice: ours is shown once.
    """
    body: NewCheckoutSession = call.body
    if call.request.idempotency_key is not None and body.claim_token is None:
        return invalid_request("claim_token", "An Idempotency-Key on a guest checkout needs a `claim_token` of yours.")
    lines = asked_lines(call, body.line_items)
    if isinstance(lines, Refusal):
        return lines
    call, guest, token, is_known = as_guest_to_be(call, body.claim_token)
    asked = wish(call, guest, lines)
    refusal = rules.malformed(asked, call.environment) or weak_token(token)
    if refusal is not None:
        return refusal
    key = read_key(call)
    if isinstance(key, Refusal):
        return key
    if not is_known:
        refusal = actions.foresee(call.app, call.environment, asked)
        if refusal is not None:
            return actions.keep_refusal(call.app, call.environment, key, refusal)
    with call.app.work(call.environment.id) as work:
        opened = claims.open_guest(work, token)
    if isinstance(opened, Refusal):
        return opened
    asked = msgspec.structs.replace(asked, customer=opened)
    session = actions.start(call.app, call.environment, asked, key=key)
    if isinstance(session, Refusal):
        return session
    return created({**shown_to_payer(call, session), "claim_token": token})


def as_guest_to_be(call: Call, written: str | None) -> tuple[Call, Customer, str, bool]:
    """The call of the guest of this claim token (a new one, if none was written), that guest, the token, and whether there is such a guest."""
    token = claims.new_claim_token() if written is None else written
    with call.app.database.read() as connection:
        known = claim_queries.guest_of(connection, call.environment.id, token)
    guest = Customer("guest", new_id("gst")) if known is None else known.customer
    return msgspec.structs.replace(call, caller=as_guest(call.caller, guest, token)), guest, token, known is not None


def read_checkout_session(call: Call) -> Answer | Refusal:
    """The session as we know it."""
    found = found_for(call)
    return found if isinstance(found, Refusal) else ok(shown(call, found))


class Sync(Body, frozen=True, kw_only=True):
    """`claim_token`: of the guest whose session it is, for a publishable key."""

    claim_token: str | None = None


def sync_checkout_session(call: Call) -> Answer | Refusal:
    """Asks Stripe now, and fulfils what is paid: the success page calls it and shows the truth."""
    if call.body.claim_token is not None:
        acts = guests.acting(call.app, call.caller, Customer("guest", call.body.claim_token))
        if acts.refusal is not None:
            return acts.refusal
        call = msgspec.structs.replace(call, caller=acts.caller)
    found = found_for(call)
    if isinstance(found, Refusal):
        return found
    session = actions.sync(call.app, call.environment, found.id)
    return session if isinstance(session, Refusal) else ok(shown(call, session))


def expire_checkout_session(call: Call) -> Answer | Refusal:
    """Ends an open session; again answers the same. A completed one is refused with `session_not_open`."""
    found = found_for(call)
    if isinstance(found, Refusal):
        return found
    session = actions.expire(call.app, call.environment, found.id)
    return session if isinstance(session, Refusal) else ok(shown(call, session))


def found_for(call: Call) -> CheckoutSession | Refusal:
    """The session of the path. Somebody else's is not found either: a stranger learns nothing from the difference."""
    with call.app.database.read() as connection:
        session = queries.session(connection, call.environment.id, call.parts["checkout_session_id"])
    if session is None:
        return Refusal("checkout_session_not_found")
    refusal = may(
        call.caller, "customer", "customers" if call.request.method == "POST" else "read", customer=session.customer
    )
    if refusal is not None and refusal.code == "not_your_customer":
        return Refusal("checkout_session_not_found")
    return refusal or session


def asked_lines(call: Call, line_items: list[LineItem]) -> tuple[AskedLine, ...] | Refusal:
    lines = []
    for item in line_items:
        line = asked_line(call, item.product_id, item.product, item.price_id, item.quantity)
        if isinstance(line, Refusal):
            return line
        lines.append(line)
    return tuple(lines)


def asked_line(
    call: Call, product_id: str | None, inline: Json, price_id: str | None, quantity: int
) -> AskedLine | Refusal:
    """One line of a checkout, or what is granted."""
    if (product_id is None) == (inline is None):
        return invalid_request("product_id", "Name `product_id` or describe `product`, one of them.")
    product = inline_product(call, inline)
    if isinstance(product, Refusal):
        return product
    return AskedLine(product_id=product_id, price_id=price_id, product=product, quantity=quantity)


def inline_product(call: Call, inline: Json) -> Product | Refusal | None:
    if inline is None:
        return None
    refusal = may_use_field(call.caller, "product")
    if refusal is not None:
        return refusal
    with call.app.database.read() as connection:
        catalog = catalog_queries.current(connection, call.environment.id)
    return parse_inline(inline, catalog, mode=call.environment.mode)


def shown(call: Call, session: CheckoutSession) -> dict[str, Json]:
    return queries.shown(session, call.environment.id)


def shown_to_payer(call: Call, session: CheckoutSession) -> dict[str, Json]:
    """With what the browser confirms an in-app payment by."""
    if not session.is_in_app:
        return shown(call, session)
    return {
        **shown(call, session),
        "client_secret": in_app.client_secret(call.app, call.environment, session),
        "publishable_key": call.app.publishable_key(call.environment),
        "stripe_account": call.environment.stripe_account,
    }
