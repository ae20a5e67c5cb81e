"""Disputes, early fraud warnings, payouts."""

from ..errors import Json
from ..listing import in_range, page
from ..machine import disputes
from ..objects.disputes import EVIDENCE
from ..routing import route
from ..work import Work

CURSORS = "ending_before limit starting_after"


@route("GET /v1/disputes/{dispute}")
def retrieve(work: Work, parameters: Json, dispute: str) -> Json:
    return work.require("dispute", dispute, "dispute")


@route(
    "POST /v1/disputes/{dispute}",
    acts_on=f"metadata submit intended_submission_method {' '.join(f'evidence.{name}' for name in EVIDENCE)}",
    note="Evidence decides by its `uncategorized_text` only; the dispute fee is never returned.",
)
def update(work: Work, parameters: Json, dispute: str) -> Json:
    return disputes.update(work, dispute, parameters)


@route("POST /v1/disputes/{dispute}/close")
def close(work: Work, parameters: Json, dispute: str) -> Json:
    return disputes.close(work, dispute)


@route("GET /v1/disputes", acts_on=f"charge created payment_intent {CURSORS}")
def list_(work: Work, parameters: Json) -> Json:
    return page(work, "dispute", parameters, "charge", "payment_intent")


@route("GET /v1/radar/early_fraud_warnings/{early_fraud_warning}")
def retrieve_warning(work: Work, parameters: Json, early_fraud_warning: str) -> Json:
    return work.require("radar.early_fraud_warning", early_fraud_warning, "early_fraud_warning")


@route("GET /v1/radar/early_fraud_warnings", acts_on=f"charge created payment_intent {CURSORS}")
def list_warnings(work: Work, parameters: Json) -> Json:
    return page(work, "radar.early_fraud_warning", parameters, "charge", "payment_intent")


@route("GET /v1/payouts/{payout}", note="Payouts run when the control API says so, not daily by themselves.")
def retrieve_payout(work: Work, parameters: Json, payout: str) -> Json:
    return work.require("payout", payout, "payout")


@route("GET /v1/payouts", acts_on=f"arrival_date created status {CURSORS}")
def list_payouts(work: Work, parameters: Json) -> Json:
    arrival = parameters.get("arrival_date")

    def fits(payout: Json) -> bool:
        return arrival is None or in_range(payout["arrival_date"], arrival)

    return page(work, "payout", parameters, "status", keep=fits)
