"""
What a customer can do in the portal, within what its configuration allows. The page and the control API both come through here.

A subscription that a schedule manages cannot be changed in the portal; cancelled at the period's end, a flexible one gets `cancel_at` and keeps
`cancel_at_period_end` false.
"""

from ..account import copied
from ..attributes import address_of
from ..errors import Json, invalid
from ..periods import added
from ..work import Work
from . import cancellations, pauses, payment_methods, schedules, setup_intents, updates
from .attempts import How
from .collection import collect
from .invoice_lines import item_amount
from .outcomes import Outcome, hears_of_payments
from .prorations import is_flexible
from .subscription_calendar import ENDED
from .subscription_status import change

LIFE_S = 3600


def opened(work: Work, id: str) -> Json:
    """The session, for an hour."""
    session = work.require("billing_portal.session", id, "session")
    if work.now >= session["created"] + LIFE_S:
        raise invalid("This portal session has expired.", param="session")
    return session


def features_of(work: Work, session: Json) -> Json:
    found: Json = work.require("billing_portal.configuration", session["configuration"])["features"]
    return found


def allowed(work: Work, session: Json, feature: str) -> Json:
    found: Json = features_of(work, session)[feature]
    if not found["enabled"]:
        raise invalid(f"This portal does not offer {feature}.", param="configuration")
    return found


def subscriptions_of(work: Work, session: Json) -> list[Json]:
    """Those that have not ended, newest first."""
    return [
        found
        for found in work.newest_first("subscription")
        if found["customer"] == session["customer"] and found["status"] not in ENDED
    ]


def subscription_for(work: Work, session: Json, id: str | None) -> Json:
    """The one named, else the only one; it must be the customer's own."""
    if id is None:
        found = subscriptions_of(work, session)
        if len(found) != 1:
            raise invalid("Name the subscription.", param="subscription")
        id = found[0]["id"]
    made = work.require("subscription", id, "subscription")
    if made["customer"] != session["customer"]:
        raise invalid("The subscription belongs to another customer.", param="subscription")
    return made


def changeable(work: Work, session: Json, id: str | None) -> Json:
    made = subscription_for(work, session, id)
    if made["schedule"]:
        raise invalid("A subscription managed by a schedule cannot be changed in the portal.", param="subscription")
    return made


def cancel(
    work: Work, session: Json, id: str | None, *, feedback: str | None = None, comment: str | None = None
) -> Json:
    """Now, or at the end of the period, as configured."""
    feature = allowed(work, session, "subscription_cancel")
    made = changeable(work, session, id)
    details = {"comment": comment or "", "feedback": feedback or ""} if feedback or comment else {}
    if feature["mode"] == "immediately":
        prorates = feature["proration_behavior"] != "none"
        invoices = feature["proration_behavior"] == "always_invoice"
        return cancellations.cancel(
            work, made["id"], {"prorate": prorates, "invoice_now": invoices, "cancellation_details": details}
        )
    when: Json = {"cancel_at": "max_period_end"} if is_flexible(made) else {"cancel_at_period_end": True}
    return updates.update(work, made["id"], {**when, "cancellation_details": details} if details else when)


def keep(work: Work, session: Json, id: str | None) -> Json:
    """Takes a scheduled cancellation back; a paused subscription is resumed."""
    made = changeable(work, session, id)
    if made["status"] == "paused":
        allowed(work, session, "subscription_pause")
        return pauses.resume(work, made["id"], {})
    allowed(work, session, "subscription_cancel")
    if made["cancel_at"] is None:
        raise invalid("The subscription is not about to end.", param="subscription")
    return updates.update(work, made["id"], {"cancel_at": ""})


def pause(work: Work, session: Json, id: str | None) -> Json:
    allowed(work, session, "subscription_pause")
    return pauses.pause(work, changeable(work, session, id)["id"], {})


# Switching


def prices_offered(work: Work, session: Json) -> list[str] | None:
    """Price ids a customer may choose; None when the configuration names no products and any active recurring price will do."""
    products = features_of(work, session)["subscription_update"]["products"]
    return [price for product in products for price in product["prices"]] if products else None


def switch_wish(work: Work, session: Json, made: Json, price: str | None, quantity: int | None) -> Json:
    """The change as parameters of the subscription; also what the page previews."""
    feature = allowed(work, session, "subscription_update")
    item = made["items"]["data"][0]
    if len(made["items"]["data"]) > 1:
        raise invalid("A subscription of several items cannot be changed in the portal.", param="subscription")
    offered = prices_offered(work, session)
    if price is not None and offered is not None and price not in offered:
        raise invalid("This price is not offered in the portal.", param="price")
    for name, asked, present in (("price", price, item["price"]["id"]), ("quantity", quantity, item["quantity"])):
        if asked not in (None, present) and name not in feature["default_allowed_updates"]:
            raise invalid(f"The {name} cannot be changed in the portal.", param=name)
    chosen: Json = {"id": item["id"], "price": price or item["price"]["id"], "quantity": quantity or item["quantity"]}
    wish: Json = {"items": [chosen], "proration_behavior": feature["proration_behavior"]}
    if feature["billing_cycle_anchor"] == "now":
        wish["billing_cycle_anchor"] = {"type": "now"}
    if made["status"] == "trialing" and feature["trial_update_behavior"] == "end_trial":
        wish["trial_end"] = "now"
    return wish


def switch(work: Work, session: Json, id: str | None, *, price: str | None = None, quantity: int | None = None) -> Json:
    """402 when what is due now is declined; then nothing has changed. A change for less may wait for the period's end, as configured."""
    made = changeable(work, session, id)
    wish = switch_wish(work, session, made, price, quantity)
    if waits_for_period_end(work, session, made, wish["items"][0]):
        return switch_later(work, made, wish["items"][0])
    return updates.update(work, made["id"], {**wish, "payment_behavior": "error_if_incomplete"})


def waits_for_period_end(work: Work, session: Json, made: Json, chosen: Json) -> bool:
    conditions = features_of(work, session)["subscription_update"]["schedule_at_period_end"]["conditions"]
    kinds = {condition["type"] for condition in conditions}
    item = made["items"]["data"][0]
    price = work.require("price", chosen["price"], "price")
    wanted = {**item, "price": price, "quantity": chosen["quantity"]}
    costs_less = item_amount(work, made, wanted) < item_amount(work, made, item)
    shorter = length_of(price["recurring"]) < length_of(item["price"]["recurring"])
    return ("decreasing_item_amount" in kinds and costs_less) or ("shortening_interval" in kinds and shorter)


def length_of(recurring: Json) -> int:
    """Of one period, in seconds."""
    return added(0, recurring["interval"], recurring["interval_count"])


def switch_later(work: Work, made: Json, chosen: Json) -> Json:
    schedule = schedules.create(work, {"from_subscription": made["id"]})
    first = schedule["phases"][0]
    now_sold = [{"price": item["price"], "quantity": item["quantity"]} for item in first["items"]]
    phases = [
        {"items": now_sold, "start_date": first["start_date"], "end_date": first["end_date"]},
        {"items": [{"price": chosen["price"], "quantity": chosen["quantity"]}]},
    ]
    schedules.update(work, schedule["id"], {"phases": phases, "end_behavior": "release"})
    return work.require("subscription", made["id"])


# Cards and particulars


def add_card(work: Work, session: Json, method_id: str) -> Json:
    """The Setup Intent. Succeeded, the card is the default at once; with 3DS, after the buyer's answer."""
    allowed(work, session, "payment_method_update")
    method = payment_methods.resolve(work, method_id)
    intent = setup_intents.create(work, {"customer": session["customer"], "usage": "off_session"}, owner=session["id"])
    here = f"{work.origin}/p/session/{session['id']}"
    if setup_intents.attempt(work, intent, method, How(return_url=here)) == "payment_failed":
        raise setup_intents.refusal_of(intent)
    return intent


@hears_of_payments("billing_portal.session")
def heard(work: Work, session: Json, intent: Json, outcome: Outcome) -> None:
    if outcome == "succeeded" and intent["object"] == "setup_intent":
        make_default(work, session["customer"], intent["payment_method"])


def make_default(work: Work, customer_id: str, method_id: str) -> None:
    """Of the customer, and of subscriptions with a card of their own. U10: what is overdue is paid at once."""
    customer = work.require("customer", customer_id)
    before = copied(customer)
    customer["invoice_settings"]["default_payment_method"] = method_id
    work.save(customer)
    if customer != before:
        work.emit_updated("customer.updated", customer, before)
    running = [made["id"] for made in work.newest_first("subscription") if made["customer"] == customer_id]
    for id in running:
        made = work.require("subscription", id)
        if made["default_payment_method"] and made["status"] not in ENDED:
            change(work, made, default_payment_method=method_id)
    if work.variant("U10") == "a":
        pay_overdue(work, customer_id)


def pay_overdue(work: Work, customer_id: str) -> None:
    overdue = [
        bill["id"]
        for bill in work.newest_first("invoice")
        if bill["customer"] == customer_id
        and bill["status"] == "open"
        and bill["attempted"]
        and bill["collection_method"] == "charge_automatically"
        and bill["auto_advance"]
    ]
    for id in reversed(overdue):
        collect(work, work.require("invoice", id))


def update_customer(work: Work, session: Json, wish: Json) -> Json:
    feature = allowed(work, session, "customer_update")
    customer = work.require("customer", session["customer"])
    before = copied(customer)
    for name, value in wish.items():
        if name not in feature["allowed_updates"]:
            raise invalid(f"{name} cannot be changed in the portal.", param=name)
        customer[name] = address_of(value) if name == "address" else value or None
    work.save(customer)
    if customer != before:
        work.emit_updated("customer.updated", customer, before)
    return customer
