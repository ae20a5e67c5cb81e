"""What a cardholder, a bank or time would do after a payment."""

from ..account import Account
from ..errors import ApiError, Json, invalid, missing_parameter
from ..machine import disputes, payouts
from ..web import WebRequest
from ..work import public
from .door import control


@control("POST /_sandbox/disputes")
async def create(request: WebRequest, account: Account) -> Json:
    """`{payment_intent, reason?, inquiry?, amount?, prevented?}`"""
    wish = request.json
    if not wish.get("payment_intent"):
        raise missing_parameter("payment_intent")
    amount = wish.get("amount")
    if amount is not None and (not isinstance(amount, int) or isinstance(amount, bool)):
        raise invalid("amount must be an integer.", param="amount", code="parameter_invalid_integer")
    with request.engine.work(account) as work:
        intent = work.require("payment_intent", wish["payment_intent"], "payment_intent")
        charge = work.get("charge", intent["latest_charge"])
        if charge is None:
            raise ApiError(400, f"{intent['id']} has no charge to dispute.", param="payment_intent")
        made = disputes.open_dispute(
            work,
            charge,
            reason=wish.get("reason", "fraudulent"),
            amount=amount,
            is_inquiry=bool(wish.get("inquiry")),
            is_prevented=bool(wish.get("prevented")),
        )
        return public(made)


@control("POST /_sandbox/disputes/{id}/resolve")
async def resolve(request: WebRequest, account: Account) -> Json:
    """`{outcome: "won" | "lost" | "warning_closed" | "escalated"}`"""
    with request.engine.work(account) as work:
        found = work.require("dispute", request.arguments["id"])
        disputes.resolve(work, found, str(request.json.get("outcome")))
        return public(found)


@control("POST /_sandbox/payouts/run")
async def run_payouts(request: WebRequest, account: Account) -> Json:
    """`{outcome?: "paid" | "failed"}`: pays out here and now what is available, one payout per currency."""
    outcome = request.json.get("outcome", "paid")
    if outcome not in ("paid", "failed"):
        raise invalid("outcome must be paid or failed.", param="outcome")
    with request.engine.work(account) as work:
        return {"data": [public(made) for made in payouts.run(work, fails=outcome == "failed")]}


@control("POST /_sandbox/payouts/{payout}/fail")
async def fail_payout(request: WebRequest, account: Account) -> Json:
    """The bank sends it back, on its way or paid long ago."""
    with request.engine.work(account) as work:
        found = work.require("payout", request.arguments["payout"], "payout")
        payouts.fail(work, found)
        return public(found)
