"""The buyer without a browser."""

import time

from ..account import Account
from ..errors import Json, invalid, missing_parameter
from ..machine import payment_methods
from ..machine.checkout import codes, paying
from ..machine.checkout.paying import Buyer
from ..machine.checkout.sessions import success_url
from ..serialise import rendered
from ..web import WebRequest
from ..work import Work
from .door import control

KNOWN = {"card", "payment_method", "email", "name", "promotion_code", "authenticate"}
SOMEBODY = "buyer@example.com"


@control("POST /_sandbox/checkout/{session}/pay")
async def pay(request: WebRequest, account: Account) -> Json:
    """
    `{card: "4242…" | payment_method: "pm_…", email?, name?, promotion_code?, authenticate?}`; answers `{session, redirect_url}`.

    `authenticate` true or false answers 3DS; without it a card that asks leaves the session open and `redirect_url` at the bank's page. A
    decline answers 402 and leaves the session open. Without an e-mail anywhere, buyer@example.com pays.
    """
    wish = request.json
    unknown = sorted(set(wish) - KNOWN)
    if unknown:
        raise invalid(f"Received unknown parameter: {unknown[0]}", param=unknown[0], code="parameter_unknown")
    with request.engine.work(account) as work:
        session = paying.open_session(work, request.arguments["session"])
        if "promotion_code" in wish:
            codes.use_code(work, session, str(wish["promotion_code"]))
        method = method_for(work, wish) if paying.need_of(session) != "nothing" else None
        known = (session["customer_details"] or {}).get("email")
        paying.confirm(work, session["id"], method, Buyer(wish.get("email") or known or SOMEBODY, wish.get("name")))
        intent = work.any(session["_attempt"]) if session["_attempt"] else None
        waits = intent is not None and intent["status"] == "requires_action"
        if waits and intent is not None and isinstance(wish.get("authenticate"), bool):
            paying.answer_bank(work, intent, passes=wish["authenticate"])
            waits = False
        # An authentication that failed leaves the session open, and the buyer on our page.
        here = f"{work.origin}/c/pay/{session['id']}"
        there = success_url(session) if session["status"] == "complete" else here
        shown = rendered(work, session, [])
    return {"session": shown, "redirect_url": f"{request.origin}/3ds/{intent['id']}" if waits and intent else there}


def method_for(work: Work, wish: Json) -> str:
    if "payment_method" in wish:
        return str(payment_methods.resolve(work, wish["payment_method"])["id"])
    if not isinstance(wish.get("card"), str):
        raise missing_parameter("card")
    card = {"number": wish["card"], "exp_month": 12, "exp_year": time.gmtime(work.now).tm_year + 4, "cvc": "123"}
    return str(payment_methods.from_details(work, {"type": "card", "card": card}, "")["id"])
