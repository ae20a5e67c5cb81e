"""Subscriptions."""

from ..errors import Json
from ..listing import in_range, page
from ..machine import cancellations, migrations, pauses, renewals, subscriptions, updates
from ..machine.subscription_calendar import ENDED, period_end
from ..routing import route
from ..work import Work

LOADED = (renewals,)
"""Registers what the calendar does."""

SETTINGS = (
    "automatic_tax.enabled collection_method days_until_due default_payment_method default_tax_rates description "
    "invoice_settings.custom_fields invoice_settings.description invoice_settings.footer metadata off_session "
    "payment_behavior payment_settings.save_default_payment_method payment_settings.payment_method_types "
    "trial_end trial_settings.end_behavior add_invoice_items cancel_at cancel_at_period_end discounts proration_behavior"
)
BEGINNING = "billing_cycle_anchor billing_cycle_anchor_config billing_mode currency customer trial_period_days"


@route("POST /v1/subscriptions", acts_on=f"{SETTINGS} {BEGINNING} items")
def create(work: Work, parameters: Json) -> Json:
    return subscriptions.create(work, parameters)


@route("GET /v1/subscriptions/{subscription_exposed_id}")
def retrieve(work: Work, parameters: Json, subscription_exposed_id: str) -> Json:
    return work.require("subscription", subscription_exposed_id)


@route(
    "GET /v1/subscriptions",
    acts_on="collection_method created current_period_end current_period_start customer ending_before limit price plan "
    "starting_after status test_clock",
)
def list_(work: Work, parameters: Json) -> Json:
    """All that have not ended, unless `status` says otherwise."""
    wish = parameters.get("status")

    def fits(found: Json) -> bool:
        return has_status(found, wish) and has_price(found, parameters) and has_period(found, parameters)

    rest = {name: value for name, value in parameters.items() if name != "status"}
    return page(work, "subscription", rest, "customer", "collection_method", "test_clock", keep=fits)


def has_status(found: Json, wish: str | None) -> bool:
    if wish == "all":
        return True
    if wish == "ended":
        return found["status"] in ENDED
    return found["status"] == wish if wish else found["status"] not in ENDED


def has_price(found: Json, parameters: Json) -> bool:
    wish = parameters.get("price") or parameters.get("plan")
    return not wish or any(item["price"]["id"] == wish for item in found["items"]["data"])


def has_period(found: Json, parameters: Json) -> bool:
    start = max(item["current_period_start"] for item in found["items"]["data"])
    return ("current_period_start" not in parameters or in_range(start, parameters["current_period_start"])) and (
        "current_period_end" not in parameters or in_range(period_end(found), parameters["current_period_end"])
    )


@route(
    "POST /v1/subscriptions/{subscription_exposed_id}",
    acts_on=f"{SETTINGS} items billing_cycle_anchor cancellation_details.comment cancellation_details.feedback "
    "pause_collection proration_date",
    note="A change of interval restarts the cycle of every item. `cancel_at` within a period gives nothing back.",
)
def update(work: Work, parameters: Json, subscription_exposed_id: str) -> Json:
    return updates.update(work, subscription_exposed_id, parameters)


@route(
    "DELETE /v1/subscriptions/{subscription_exposed_id}",
    acts_on="cancellation_details.comment cancellation_details.feedback invoice_now prorate",
)
def cancel(work: Work, parameters: Json, subscription_exposed_id: str) -> Json:
    return cancellations.cancel(work, subscription_exposed_id, parameters)


@route(
    "POST /v1/subscriptions/{subscription}/pause",
    acts_on="bill_for.unused_time_from invoicing_behavior type",
    note="There is no metered usage, so none is billed.",
)
def pause(work: Work, parameters: Json, subscription: str) -> Json:
    return pauses.pause(work, subscription, parameters)


@route(
    "POST /v1/subscriptions/{subscription}/resume",
    acts_on="billing_cycle_anchor payment_behavior proration_behavior proration_date",
)
def resume(work: Work, parameters: Json, subscription: str) -> Json:
    return pauses.resume(work, subscription, parameters)


@route("POST /v1/subscriptions/{subscription}/migrate", acts_on="billing_mode")
def migrate(work: Work, parameters: Json, subscription: str) -> Json:
    return migrations.migrate(work, subscription, parameters)


@route("DELETE /v1/subscriptions/{subscription_exposed_id}/discount")
def delete_discount(work: Work, parameters: Json, subscription_exposed_id: str) -> Json:
    return migrations.drop_discounts(work, subscription_exposed_id)
