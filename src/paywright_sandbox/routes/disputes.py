"""Disputes and early fraud warnings."""

from ..errors import Json
from ..listing import page
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
    note="Evidence decides by its `uncategorized_text` only.",
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
