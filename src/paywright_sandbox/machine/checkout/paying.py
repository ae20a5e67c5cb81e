"""What the buyer does: choose quantities, confirm with a method, try again."""

from dataclasses import dataclass
from typing import Literal

from ...errors import Json, invalid, missing_parameter
from ...objects.checkout_sessions import customer_details
from ...work import Work
from .. import attempts, customers, payment_intents, payment_methods, setup_intents
from . import receipts
from .attempt import fitting_attempt, let_go, remember
from .finishing import fulfil
from .sessions import is_email
from .totals import price_session

Need = Literal["payment", "setup", "nothing"]
INTENT_DATA = (
    "capture_method description metadata receipt_email setup_future_usage shipping statement_descriptor "
    "statement_descriptor_suffix transfer_group"
).split()


@dataclass(frozen=True)
class Buyer:
    """What the page learns of the buyer; None is not asked or not told."""

    email: str | None = None
    name: str | None = None
    phone: str | None = None
    address: Json | None = None


def need_of(session: Json) -> Need:
    """What has to happen before the session can complete: a payment, a saved card, or nothing."""
    if session["mode"] == "setup":
        return "setup"
    if session["_due"] > 0:
        return "payment"
    is_collected = session["mode"] == "subscription" and session["payment_method_collection"] == "always"
    return "setup" if is_collected else "nothing"


def open_session(work: Work, id: str) -> Json:
    session = work.require("checkout.session", id, "session")
    if session["status"] != "open":
        raise invalid(f"This Checkout Session is {session['status']}: it can no longer be paid.", param="session")
    return session


def confirm(work: Work, id: str, method_id: str | None, buyer: Buyer) -> Json:
    """
    The session afterwards: complete, or open while an authentication is waited for.

    Raises the 402 of a decline, keeping the work: the session stays open on the same intent.
    """
    session = open_session(work, id)
    if session["mode"] != "setup":
        # The customer's balance, or a coupon, may have changed since the page was opened.
        price_session(work, session)
    need = need_of(session)
    method = None
    if need != "nothing":
        if not method_id:
            raise missing_parameter("payment_method")
        method = payment_methods.resolve(work, method_id)
        check_type(session, method)
    meet(work, session, buyer, method)
    if method is not None and method["customer"] is None:
        fill_billing(work, method, session["customer_details"])
    if method is None:
        let_go(work, session)
        fulfil(work, session, None)
    elif need == "payment":
        pay(work, session, method)
    else:
        set_up(work, session, method)
    return session


def check_type(session: Json, method: Json) -> None:
    if method["type"] not in session["payment_method_types"]:
        raise invalid(
            f"The payment method type {method['type']} is not among this session's: "
            f"{', '.join(session['payment_method_types'])}.",
            param="payment_method",
        )


def meet(work: Work, session: Json, buyer: Buyer, method: Json | None) -> None:
    """Writes down who the buyer is, and makes the Customer where one is needed."""
    billing = method["billing_details"] if method else {}
    known = session["customer_details"] or {}
    email = session["_known_email"] or buyer.email or billing.get("email") or known.get("email")
    if not email:
        raise missing_parameter("email")
    if not is_email(email):
        raise invalid(f"Invalid email address: {email}", param="email", code="email_invalid")
    details = customer_details(
        email=email,
        name=buyer.name or billing.get("name") or known.get("name"),
        phone=buyer.phone or billing.get("phone") or known.get("phone"),
        address=(None if session["mode"] == "setup" else buyer.address or known.get("address") or address_in(billing)),
    )
    session["customer_details"] = details
    if session["customer"] is None and needs_customer(session):
        known_now = {name: details[name] for name in ("email", "name", "phone", "address") if details[name]}
        session["customer"] = customers.create(work, known_now)["id"]
    work.save(session)


def fill_billing(work: Work, method: Json, details: Json) -> None:
    """What was typed on the page belongs to the new method too."""
    billing = method["billing_details"]
    for name in ("email", "name", "phone"):
        billing[name] = billing[name] or details[name]
    if address_in(billing) is None and details["address"]:
        billing["address"] = details["address"]
    work.save(method)


def address_in(billing: Json) -> Json | None:
    address = billing.get("address") or {}
    return address if any(address.values()) else None


def needs_customer(session: Json) -> bool:
    return session["mode"] == "subscription" or session["customer_creation"] == "always" or receipts.is_wanted(session)


def pay(work: Work, session: Json, method: Json) -> None:
    intent = fitting_attempt(work, session, "payment_intent") or begin_payment(work, session)
    if intent["amount"] != session["_due"]:
        payment_intents.update(work, intent["id"], {"amount": session["_due"]})
    payment_intents.confirm(work, intent["id"], confirmation(work, session, method))


def begin_payment(work: Work, session: Json) -> Json:
    wish = {name: session["_intent"][name] for name in INTENT_DATA if name in session["_intent"]}
    if session["mode"] == "subscription":
        wish = {"setup_future_usage": "off_session", "description": "Subscription creation"}
    if session["customer"]:
        wish["customer"] = session["customer"]
    wish.update(amount=session["_due"], currency=session["currency"])
    intent = payment_intents.create(work, wish, owner=session["id"])
    remember(work, session, intent)
    return intent


def set_up(work: Work, session: Json, method: Json) -> None:
    intent = fitting_attempt(work, session, "setup_intent") or begin_setup(work, session)
    setup_intents.confirm(work, intent["id"], confirmation(work, session, method))


def begin_setup(work: Work, session: Json) -> Json:
    wish = {name: session["_intent"][name] for name in ("description", "metadata") if name in session["_intent"]}
    if session["customer"]:
        wish["customer"] = session["customer"]
    intent = setup_intents.create(work, {**wish, "usage": "off_session"}, owner=session["id"])
    remember(work, session, intent)
    return intent


def confirmation(work: Work, session: Json, method: Json) -> Json:
    return {"payment_method": method["id"], "return_url": f"{work.origin}/c/pay/{session['id']}/return"}


def answer_bank(work: Work, intent: Json, *, passes: bool) -> None:
    """The buyer passes or fails the authentication that a payment or setup intent waits for."""
    machine = attempts if intent["object"] == "payment_intent" else setup_intents
    machine.authenticate(work, intent, passes=passes)
