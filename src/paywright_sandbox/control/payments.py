"""What a buyer, a bank or time would do to a payment or a refund."""

from ..account import Account
from ..cards import DEBIT_FAILURES
from ..errors import Json, invalid
from ..machine import attempts, refunds, setup_intents
from ..web import WebRequest
from ..work import public
from .door import control


@control("POST /_sandbox/payments/{intent}/authenticate")
async def authenticate(request: WebRequest, account: Account) -> Json:
    """`{outcome: "succeed" | "fail"}`; also for a setup intent."""
    passes = outcome_of(request.json)
    id = request.arguments["intent"]
    with request.engine.work(account) as work:
        if setup := work.get("setup_intent", id):
            setup_intents.authenticate(work, setup, passes=passes)
            return public(setup)
        intent = work.require("payment_intent", id, "intent")
        attempts.authenticate(work, intent, passes=passes)
        return public(intent)


@control("POST /_sandbox/payments/{intent}/settle")
async def settle(request: WebRequest, account: Account) -> Json:
    """`{outcome?: "succeed" | "fail", code?}`; without an outcome, what the test account number says."""
    code = request.json.get("code")
    if code is not None and code not in DEBIT_FAILURES:
        raise invalid(f"code must be one of {', '.join(DEBIT_FAILURES)}", param="code")
    with request.engine.work(account) as work:
        intent = work.require("payment_intent", request.arguments["intent"], "intent")
        if "outcome" not in request.json:
            attempts.settle(work, intent, fails_with=code)
        elif outcome_of(request.json):
            attempts.settle(work, intent, succeeds=True)
        else:
            attempts.settle(work, intent, fails_with=code or "insufficient_funds")
        return public(intent)


@control("POST /_sandbox/refunds/{refund}/settle")
async def settle_refund(request: WebRequest, account: Account) -> Json:
    """`{outcome: "succeed" | "fail"}`"""
    with request.engine.work(account) as work:
        found = work.require("refund", request.arguments["refund"], "refund")
        refunds.settle(work, found, succeeds=outcome_of(request.json))
        return public(found)


def outcome_of(wish: Json) -> bool:
    """True to succeed."""
    outcome = wish.get("outcome", "succeed")
    if outcome not in ("succeed", "fail"):
        raise invalid("outcome must be succeed or fail.", param="outcome")
    return bool(outcome == "succeed")
