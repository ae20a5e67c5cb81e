"""Payouts made by hand; those that run by themselves are listed in disputes.py."""

from ..account import copied
from ..attributes import take_metadata
from ..errors import Json
from ..machine import manual_payouts
from ..routing import route
from ..work import Work


@route("POST /v1/payouts", acts_on="amount currency description metadata method statement_descriptor")
def create(work: Work, parameters: Json) -> Json:
    return manual_payouts.create(work, parameters)


@route("POST /v1/payouts/{payout}", acts_on="metadata")
def update(work: Work, parameters: Json, payout: str) -> Json:
    found = work.require("payout", payout, "payout")
    before = copied(found)
    take_metadata(found, parameters)
    work.save(found)
    work.emit_updated("payout.updated", found, before, created=work.now)
    return found


@route("POST /v1/payouts/{payout}/cancel")
def cancel(work: Work, parameters: Json, payout: str) -> Json:
    return manual_payouts.cancel(work, payout)


@route("POST /v1/payouts/{payout}/reverse", acts_on="metadata")
def reverse(work: Work, parameters: Json, payout: str) -> Json:
    return manual_payouts.reverse(work, payout, parameters)
