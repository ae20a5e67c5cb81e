"""Subscription schedules."""

from ..errors import Json
from ..listing import in_range, page
from ..machine import schedules
from ..routing import route
from ..work import Work

PHASE = (
    "phases.billing_cycle_anchor phases.collection_method phases.currency phases.default_payment_method phases.description "
    "phases.discounts phases.duration phases.end_date phases.items phases.metadata phases.proration_behavior phases.trial "
    "phases.trial_end"
)
SETTINGS = (
    "default_settings.billing_cycle_anchor default_settings.collection_method default_settings.default_payment_method "
    "default_settings.description end_behavior metadata"
)
NOTE = "Phases know items, discounts, trials and proration; `subscription_schedule.expiring` is not sent."
MOMENTS = ("canceled_at", "completed_at", "released_at")


@route(
    "POST /v1/subscription_schedules",
    acts_on=f"{PHASE} {SETTINGS} billing_mode customer from_subscription start_date",
    note=NOTE,
)
def create(work: Work, parameters: Json) -> Json:
    return schedules.create(work, parameters)


@route("GET /v1/subscription_schedules/{schedule}")
def retrieve(work: Work, parameters: Json, schedule: str) -> Json:
    return work.require(schedules.KIND, schedule, "schedule")


@route(
    "POST /v1/subscription_schedules/{schedule}",
    acts_on=f"{PHASE} {SETTINGS} phases.start_date proration_behavior",
    note=NOTE,
)
def update(work: Work, parameters: Json, schedule: str) -> Json:
    return schedules.update(work, schedule, parameters)


@route("POST /v1/subscription_schedules/{schedule}/release")
def release(work: Work, parameters: Json, schedule: str) -> Json:
    return schedules.release(work, schedule, parameters)


@route("POST /v1/subscription_schedules/{schedule}/cancel", acts_on="invoice_now prorate")
def cancel(work: Work, parameters: Json, schedule: str) -> Json:
    return schedules.cancel(work, schedule, parameters)


@route(
    "GET /v1/subscription_schedules",
    acts_on="canceled_at completed_at created customer ending_before limit released_at scheduled starting_after",
)
def list_(work: Work, parameters: Json) -> Json:
    scheduled = parameters.get("scheduled")

    def fits(found: Json) -> bool:
        is_scheduled = found["status"] == "not_started"
        return (scheduled is None or is_scheduled == scheduled) and all(
            found[name] is not None and in_range(found[name], parameters[name])
            for name in MOMENTS
            if name in parameters
        )

    return page(work, schedules.KIND, parameters, "customer", keep=fits)
