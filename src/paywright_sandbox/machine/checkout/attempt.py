"""The one intent a session is paid, or a card saved, with: used again after a decline, let go when it no longer fits."""

from ...errors import Json
from ...work import Work
from .. import payment_intents, setup_intents
from .totals import price_session

STILL_OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")


def attempt_of(work: Work, session: Json) -> Json | None:
    return work.any(session["_attempt"]) if session["_attempt"] else None


def fitting_attempt(work: Work, session: Json, kind: str) -> Json | None:
    """The intent of the last attempt if it can be tried again and is of this kind; another is canceled."""
    found = attempt_of(work, session)
    if found is not None and found["object"] == kind and found["status"] in STILL_OPEN:
        return found
    let_go(work, session)
    return None


def remember(work: Work, session: Json, intent: Json) -> None:
    session["_attempt"] = intent["id"]
    if session["mode"] == "payment":
        session["payment_intent"] = intent["id"]
    elif session["mode"] == "setup":
        session["setup_intent"] = intent["id"]
    work.save(session)


def let_go(work: Work, session: Json) -> None:
    """Cancels the intent if that is still possible. The session forgets it unless the session is over."""
    found = attempt_of(work, session)
    if found is not None and found["status"] in STILL_OPEN:
        cancel = payment_intents.cancel if found["object"] == "payment_intent" else setup_intents.cancel
        cancel(work, found["id"])
    if session["status"] == "open":
        session["_attempt"] = session["payment_intent"] = session["setup_intent"] = None
        work.save(session)


def reprice(work: Work, session: Json) -> None:
    """After the buyer changed the order. A bank that is being asked about the old amount must not complete the new order."""
    before = session["_due"]
    price_session(work, session)
    waiting = attempt_of(work, session)
    if session["_due"] != before and waiting is not None and waiting["status"] == "requires_action":
        let_go(work, session)
    work.save(session)
