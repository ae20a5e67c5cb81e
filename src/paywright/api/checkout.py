"""Checkout sessions: one attempt to buy each."""

import msgspec

from paywright.access.rules import may, may_use_field
from paywright.api.call import Answer, Call, created, ok
from paywright.api.parsing import Body, Quantity
from paywright.api.shapes import CustomerNamed, as_customer
from paywright.catalog import queries as catalog_queries
from paywright.catalog.model import Product
from paywright.catalog.parse import parse_inline
from paywright.checkout import actions, queries
from paywright.checkout.model import CheckoutSession, StartCheckout
from paywright.kernel.model import Json
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.ownership.model import AskedLine


class LineItem(Body, frozen=True, kw_only=True):
    """`product_id` of the catalog, or `product` inline (secret key only); `price_id` defaults to the product's first."""

    product_id: str | None = None
    price_id: str | None = None
    product: Json = None
    quantity: Quantity = 1


class NewCheckoutSession(Body, frozen=True, kw_only=True):
    """`{CHECKOUT_SESSION_ID}` in the URLs is replaced. `ui` `elements` and guests (`customer` null) come later."""

    customer: CustomerNamed | None = None
    line_items: list[LineItem]
    ui: str = "hosted"
    currency: str | None = None
    success_url: str
    cancel_url: str
    customer_email: str | None = None
    claim_token: str | None = None
    promotion_codes: bool = False
    metadata: dict[str, str] = msgspec.field(default_factory=dict)


def create_checkout_session(call: Call) -> Answer | Refusal:
    """
    Opens a checkout, or answers the one that is open for the same thing.

    With an `Idempotency-Key` a repeat answers the session in its present state, and renews it if it is over (`renews`).
    """
    body: NewCheckoutSession = call.body
    if body.ui not in ("hosted", "elements"):
        return invalid_request("ui", "`ui` is `hosted` or `elements`.")
    if body.customer is None or body.customer.type == "guest" or body.claim_token is not None:
        return Refusal("not_implemented", {"what": "guest checkout"})
    if body.ui == "elements":
        return Refusal("not_implemented", {"what": "in-app checkout (`ui: elements`)"})
    customer = as_customer(body.customer)
    if isinstance(customer, Refusal):
        return customer
    refusal = may(call.caller, "customer", "customers", customer=customer)
    if refusal is not None:
        return refusal
    lines = asked_lines(call, body.line_items)
    if isinstance(lines, Refusal):
        return lines
    asked = StartCheckout(
        customer=customer,
        lines=lines,
        success_url=body.success_url,
        cancel_url=body.cancel_url,
        with_secret_key=call.caller.has_secret_key,
        currency=body.currency,
        customer_email=body.customer_email,
        promotion_codes=body.promotion_codes,
        metadata=body.metadata,
    )
    session = actions.start(call.app, call.environment, asked, key=call.key)
    return session if isinstance(session, Refusal) else created(shown(call, session))


def read_checkout_session(call: Call) -> Answer | Refusal:
    """The session as we know it."""
    found = found_for(call)
    return found if isinstance(found, Refusal) else ok(shown(call, found))


def sync_checkout_session(call: Call) -> Answer | Refusal:
    """Asks Stripe now, and fulfils what is paid: the success page calls it and shows the truth."""
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
