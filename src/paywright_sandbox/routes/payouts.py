"""Payouts: those of each day, and those made by hand."""

from ..account import copied
from ..attributes import take_metadata
from ..errors import Json
from ..listing import in_range, page
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


@route("GET /v1/payouts/{payout}")
def retrieve_payout(work: Work, parameters: Json, payout: str) -> Json:
    return work.require("payout", payout, "payout")


@route("GET /v1/payouts", acts_on="arrival_date created status ending_before limit starting_after")
def list_payouts(work: Work, parameters: Json) -> Json:
    arrival = parameters.get("arrival_date")

    def fits(payout: Json) -> bool:
        return arrival is None or in_range(payout["arrival_date"], arrival)

    return page(work, "payout", parameters, "status", keep=fits)
