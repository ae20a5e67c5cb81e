"""
Subscription schedules: what a subscription will be, phase by phase.

    not_started ─▶ active ─▶ completed · released · canceled
"""

from ..account import Due, copied
from ..attributes import take_metadata
from ..errors import Json, invalid, missing_parameter, not_implemented
from ..objects.subscription_schedules import subscription_schedule
from ..work import Work
from .customers import BEFORE_DELETION
from .due import due
from .renewals import BEFORE_RENEWAL
from .schedule_phases import change_to, enter, items_towards, phase_of_subscription, read_phases, wish_of
from .subscription_building import billing_mode_of
from .subscription_calendar import ENDED, plan_ahead
from .subscription_status import ON_END, end
from .subscriptions import create as create_subscription

KIND = "subscription_schedule"
EXPIRY_NOTICE_S = 7 * 86_400
OVER = ("completed", "released", "canceled")


def create(work: Work, wish: Json) -> Json:
    if wish.get("from_subscription"):
        return create_from(work, wish)
    if not wish.get("customer"):
        raise missing_parameter("customer")
    customer = work.require("customer", wish["customer"], "customer")
    now = work.now_of(customer["id"])
    start = now if wish.get("start_date", "now") == "now" else wish["start_date"]
    if start < now:
        raise not_implemented("A start_date in the past", param="start_date")
    made = subscription_schedule(
        work.new_id(KIND),
        now,
        customer=customer["id"],
        billing_mode=billing_mode_of(work, wish, now),
        test_clock=customer["test_clock"],
    )
    apply(made, wish)
    made["phases"] = read_phases(work, wish.get("phases") or [], start, now)
    work.save(made)
    work.emit("subscription_schedule.created", made)
    if start == now:
        begin(work, made)
    plan(work, made)
    return made


def create_from(work: Work, wish: Json) -> Json:
    """Its first phase is the subscription as it is."""
    for name in ("phases", "customer", "start_date", "end_behavior", "default_settings"):
        if name in wish:
            raise invalid(
                f"You cannot set `{name}` if `from_subscription` is set; update the schedule afterwards.", param=name
            )
    held = work.require("subscription", wish["from_subscription"], "from_subscription")
    if held["schedule"]:
        raise invalid("This subscription is already attached to a schedule.", param="from_subscription")
    if held["status"] in ENDED:
        raise invalid("A subscription that has ended cannot be scheduled.", param="from_subscription")
    made = subscription_schedule(
        work.new_id(KIND),
        work.now_of(held["customer"]),
        customer=held["customer"],
        billing_mode=copied(held["billing_mode"]),
        test_clock=held["test_clock"],
    )
    take_metadata(made, wish)
    first = phase_of_subscription(held)
    made.update(status="active", subscription=held["id"], phases=[first], current_phase=span(first))
    held["schedule"] = made["id"]
    work.save(held)
    work.save(made)
    plan(work, made)
    work.emit("subscription_schedule.created", made)
    return made


def apply(made: Json, wish: Json) -> None:
    take_metadata(made, wish)
    if "end_behavior" in wish:
        if wish["end_behavior"] not in ("cancel", "release"):
            raise not_implemented(f"end_behavior {wish['end_behavior']}", param="end_behavior")
        made["end_behavior"] = wish["end_behavior"]
    settings = wish.get("default_settings") or {}
    for name in ("collection_method", "default_payment_method", "description", "billing_cycle_anchor"):
        if name in settings:
            made["default_settings"][name] = settings[name] or None


def span(phase: Json) -> Json:
    return {"end_date": phase["end_date"], "start_date": phase["start_date"]}


def begin(work: Work, made: Json) -> None:
    """The first phase makes the subscription."""
    first = made["phases"][0]
    settings = made["default_settings"]
    defaults = {name: settings[name] for name in ("collection_method", "default_payment_method") if settings[name]}
    wish = {
        **defaults,
        **wish_of(first),
        "customer": made["customer"],
        "billing_mode": {"type": made["billing_mode"]["type"]},
    }
    held = create_subscription(work, wish)
    held["schedule"] = made["id"]
    work.save(held)
    made.update(status="active", subscription=held["id"], current_phase=span(first))
    work.save(made)


def plan(work: Work, made: Json) -> None:
    """The next change of phase, and word of the end a week before it."""
    work.unschedule(made["id"])
    if made["status"] in OVER:
        return
    notice = made["phases"][-1]["end_date"] - EXPIRY_NOTICE_S
    if notice > work.now_of(made["customer"]):
        work.schedule(notice, "schedule_expiring", made["id"], clock=made["test_clock"])
    when = made["phases"][0]["start_date"] if made["status"] == "not_started" else made["current_phase"]["end_date"]
    work.schedule(when, "schedule_phase", made["id"], clock=made["test_clock"])


def update(work: Work, id: str, wish: Json) -> Json:
    """New phases must begin with the current one, whose own changes happen at once."""
    made = work.require(KIND, id, "schedule")
    if made["status"] in OVER:
        raise invalid(f"You cannot update a subscription schedule that is currently in the `{made['status']}` status.")
    before = copied(made)
    apply(made, wish)
    if "phases" in wish:
        replace_phases(work, made, wish)
    work.save(made)
    plan(work, made)
    if made != before:
        work.emit_updated("subscription_schedule.updated", made, before)
    return made


def replace_phases(work: Work, made: Json, wish: Json) -> None:
    now = work.now_of(made["customer"])
    current = made["current_phase"]
    if current is None:
        asked = wish["phases"][0].get("start_date") if wish["phases"] else None
        start = now if asked == "now" else asked or made["phases"][0]["start_date"]
        made["phases"] = read_phases(work, wish["phases"], start, now)
        return
    asked = wish["phases"][0].get("start_date") if wish["phases"] else None
    if asked != current["start_date"]:
        raise invalid(
            "The first phase must be the current one: its start_date must be that of the current phase.",
            param="phases[0][start_date]",
        )
    old = current_phase(made)
    made["phases"] = read_phases(work, wish["phases"], current["start_date"], now)
    first = made["phases"][0]
    made["current_phase"] = span(first)
    held = work.require("subscription", made["subscription"])
    if what_is_sold(first) != what_is_sold(old):
        change = {"proration_behavior": wish.get("proration_behavior", "create_prorations")}
        wanted = {**wish_of(first), **change}
        change_to(work, held, first, {**wanted, "items": items_towards(held, wanted["items"])})


def what_is_sold(phase: Json) -> list[tuple[str, int]]:
    return [(item["price"], item["quantity"]) for item in phase["items"]]


def current_phase(made: Json) -> Json:
    return next(one for one in made["phases"] if one["start_date"] == made["current_phase"]["start_date"])


# Time


@due("schedule_expiring")
def expiring(work: Work, act: Due) -> None:
    made = work.get(KIND, act.object_id)
    if made and made["status"] not in OVER:
        work.emit("subscription_schedule.expiring", made)


@due("schedule_phase")
def phase_due(work: Work, act: Due) -> None:
    made = work.get(KIND, act.object_id)
    if made and made["status"] not in OVER:
        move_on(work, made)


def move_on(work: Work, made: Json) -> None:
    """Begins, or enters the next phase, or ends as `end_behavior` says."""
    if made["status"] == "not_started":
        begin(work, made)
        plan(work, made)
        return
    held = work.require("subscription", made["subscription"])
    position = made["phases"].index(current_phase(made)) + 1
    if position < len(made["phases"]):
        following = made["phases"][position]
        made["current_phase"] = span(following)
        work.save(made)
        plan(work, made)
        enter(work, held, following)
    else:
        finish(work, made, held)


def finish(work: Work, made: Json, held: Json) -> None:
    """U6: `completed`, then `released`; or `released` alone."""
    now = work.now_of(made["customer"])
    if made["end_behavior"] == "cancel":
        held["schedule"] = None
        made.update(status="completed", completed_at=now, current_phase=None)
        work.save(made)
        plan(work, made)
        work.emit("subscription_schedule.completed", made)
        end(work, held, reason="cancellation_requested")
        return
    if work.variant("U6") == "a":
        work.emit(
            "subscription_schedule.completed",
            {**made, "status": "completed", "completed_at": now, "current_phase": None},
        )
        made["completed_at"] = now
    let_go(work, made, held)


def let_go(work: Work, made: Json, held: Json | None) -> None:
    now = work.now_of(made["customer"])
    made.update(
        status="released",
        released_at=now,
        current_phase=None,
        released_subscription=made["subscription"],
        subscription=None,
    )
    if held is not None:
        held["schedule"] = None
        work.save(held)
    work.save(made)
    plan(work, made)
    work.emit("subscription_schedule.released", made)


def before_renewal(work: Work, held: Json) -> bool:
    """The end of a phase and of a period at the same second are one act; whichever is due first does both."""
    made = work.get(KIND, held["schedule"])
    if made is None or made["status"] != "active" or made["current_phase"]["end_date"] > work.now_of(made["customer"]):
        return False
    position = made["phases"].index(current_phase(made)) + 1
    move_on(work, made)
    return bool(position < len(made["phases"]) or held["status"] in ENDED)


BEFORE_RENEWAL.append(before_renewal)


# By hand


def release(work: Work, id: str, wish: Json) -> Json:
    made = work.require(KIND, id, "schedule")
    if made["status"] in OVER:
        raise invalid(f"You cannot release a subscription schedule that is in the `{made['status']}` status.")
    held = work.get("subscription", made["subscription"])
    let_go(work, made, held)
    if held is not None:
        plan_ahead(work, held)
    return made


def cancel(work: Work, id: str, wish: Json) -> Json:
    """The subscription ends with it."""
    from .cancellations import cancel as cancel_subscription

    made = work.require(KIND, id, "schedule")
    if made["status"] in OVER:
        raise invalid(f"You cannot cancel a subscription schedule that is in the `{made['status']}` status.")
    held = work.get("subscription", made["subscription"])
    close(work, made)
    if held is not None and held["status"] not in ENDED:
        held["schedule"] = None
        cancel_subscription(
            work, held["id"], {"prorate": wish.get("prorate", True), "invoice_now": wish.get("invoice_now", True)}
        )
    return made


def close(work: Work, made: Json) -> None:
    made.update(status="canceled", canceled_at=work.now_of(made["customer"]), current_phase=None)
    work.save(made)
    plan(work, made)
    work.emit("subscription_schedule.canceled", made)


def with_its_subscription(work: Work, held: Json) -> None:
    """A subscription that ends takes its schedule with it."""
    made = work.get(KIND, held["schedule"])
    if made is not None and made["status"] not in OVER:
        close(work, made)


ON_END.append(with_its_subscription)


def with_its_customer(work: Work, customer: Json) -> None:
    """What has not started yet has no subscription to end with."""
    ids = [
        made["id"]
        for made in work.newest_first(KIND)
        if made["customer"] == customer["id"] and made["status"] == "not_started"
    ]
    for id in ids:
        close(work, work.require(KIND, id))


BEFORE_DELETION.append(with_its_customer)
