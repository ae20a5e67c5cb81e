"""The customer in the portal, without a browser."""

import time
from typing import Any

from ..account import Account
from ..errors import Json, invalid, missing_parameter
from ..machine import payment_methods, portal, setup_intents
from ..serialise import rendered
from ..web import WebRequest
from ..work import Work
from .door import control

KNOWN = {
    "cancel": {"subscription", "feedback", "comment"},
    "resume": {"subscription"},
    "pause": {"subscription"},
    "switch": {"subscription", "price", "quantity"},
    "card": {"card", "payment_method", "authenticate"},
    "customer": {"email", "name", "phone", "address"},
}


@control("POST /_sandbox/portal/{session}")
async def act(request: WebRequest, account: Account) -> Json:
    """
    `{action: "cancel" | "resume" | "pause" | "switch" | "card" | "customer", …}`; answers the object that changed.

    `subscription` may be left out where the customer has only one. `resume` takes a scheduled cancellation back or ends a pause.
    """
    wish = dict(request.json)
    action = wish.pop("action", None)
    if action not in KNOWN:
        raise invalid(f"action must be one of {', '.join(KNOWN)}.", param="action")
    unknown = sorted(set(wish) - KNOWN[action])
    if unknown:
        raise invalid(f"Received unknown parameter: {unknown[0]}", param=unknown[0], code="parameter_unknown")
    with request.engine.work(account) as work:
        session = portal.opened(work, request.arguments["session"])
        return rendered(work, done(work, session, action, wish), [])


def done(work: Work, session: Json, action: str, wish: Json) -> Json:
    id = wish.pop("subscription", None)
    match action:
        case "cancel":
            return portal.cancel(work, session, id, **wish)
        case "resume":
            return portal.keep(work, session, id)
        case "pause":
            return portal.pause(work, session, id)
        case "switch":
            return portal.switch(work, session, id, **wish)
        case "card":
            return new_card(work, session, wish)
        case _:
            return portal.update_customer(work, session, wish)


def new_card(work: Work, session: Json, wish: Json) -> Json:
    intent = portal.add_card(work, session, method_of(work, wish))
    answer: Any = wish.get("authenticate")
    if intent["status"] == "requires_action" and isinstance(answer, bool):
        setup_intents.authenticate(work, intent, passes=answer)
    return intent


def method_of(work: Work, wish: Json) -> str:
    if "payment_method" in wish:
        return str(wish["payment_method"])
    if not isinstance(wish.get("card"), str):
        raise missing_parameter("card")
    card = {"number": wish["card"], "exp_month": 12, "exp_year": time.gmtime(work.now).tm_year + 4, "cvc": "123"}
    return str(payment_methods.from_details(work, {"type": "card", "card": card}, "")["id"])
