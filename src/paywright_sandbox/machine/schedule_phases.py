"""Phases: read from a request, and entered when their time has come."""

from ..account import copied
from ..attributes import merged_metadata
from ..errors import Json, invalid, missing_parameter
from ..objects.subscription_schedules import phase, phase_discount, phase_item
from ..periods import added
from ..work import Work
from .changes import change_items, prepare
from .collection import finalize_and_collect
from .discounts import redeem
from .invoices import announce
from .renewals import renew
from .subscription_building import apply_settings
from .subscription_calendar import now_for, period_end
from .subscription_items import check_recurring, currency_among, price_for, quantity_of
from .subscription_status import updated

COPIED = ("collection_method", "default_payment_method", "description", "proration_behavior", "billing_cycle_anchor")
PHASES_MAX = 10


def read_phases(work: Work, wishes: list[Json], start: int, now: int) -> list[Json]:
    """Each begins where the one before ends; without an end a phase lasts one period of its first price."""
    if not wishes:
        raise missing_parameter("phases")
    if len(wishes) > PHASES_MAX:
        raise invalid(f"A schedule can have at most {PHASES_MAX} current and future phases.", param="phases")
    found: list[Json] = []
    for number, wish in enumerate(wishes):
        begins = found[-1]["end_date"] if found else start
        asked = wish.get("start_date")
        if asked not in (None, begins, "now"):
            raise invalid(
                "Phases must follow one another without a gap: start_date must equal the end of the phase before.",
                param=f"phases[{number}][start_date]",
            )
        found.append(read_phase(work, wish, begins, now, f"phases[{number}]"))
    return found


def read_phase(work: Work, wish: Json, start: int, now: int, param: str) -> Json:
    items = wish.get("items") or []
    if not items:
        raise missing_parameter(f"{param}[items]")
    prices = [price_for(work, each, f"{param}[items][{at}]") for at, each in enumerate(items)]
    for at, price in enumerate(prices):
        check_recurring(price, f"{param}[items][{at}]")
    currency = currency_among(prices, wish.get("currency"))
    made_items = []
    for price, each in zip(prices, items, strict=True):
        item = phase_item(price["id"], quantity_of(each, param))
        item["metadata"] = merged_metadata({}, each.get("metadata"))
        item["discounts"] = [phase_discount(one) for one in each.get("discounts") or []]
        made_items.append(item)
    made = phase(start, end_of(wish, prices[0], start, now, param), currency=currency, items=made_items)
    made.update({name: wish[name] for name in COPIED if name in wish})
    made["metadata"] = merged_metadata({}, wish.get("metadata"))
    made["discounts"] = [phase_discount(one) for one in wish.get("discounts") or []]
    if wish.get("trial"):
        made["trial_end"] = made["end_date"]
    elif wish.get("trial_end") is not None:
        made["trial_end"] = now if wish["trial_end"] == "now" else wish["trial_end"]
    return made


def end_of(wish: Json, price: Json, start: int, now: int, param: str) -> int:
    end, duration = wish.get("end_date"), wish.get("duration")
    if end is not None and duration:
        raise invalid("You may only specify one of these parameters: duration, end_date.", code="parameters_exclusive")
    if end == "now":
        end = now
    if end is None:
        length = duration or price["recurring"]
        end = added(start, length["interval"], length.get("interval_count", 1))
    if end < start or (end == start and wish.get("end_date") != "now"):
        raise invalid("A phase must end after it starts.", param=f"{param}[end_date]")
    return int(end)


def phase_of_subscription(made: Json) -> Json:
    """The subscription as it is, until the end of its period."""
    items = []
    for held in made["items"]["data"]:
        item = phase_item(held["price"]["id"], held["quantity"])
        item["discounts"] = [phase_discount({"discount": id}) for id in held["discounts"]]
        items.append(item)
    start = max(item["current_period_start"] for item in made["items"]["data"])
    found = phase(start, period_end(made), currency=made["currency"], items=items)
    found["discounts"] = [phase_discount({"discount": id}) for id in made["discounts"]]
    found["trial_end"] = made["trial_end"] if made["status"] == "trialing" else None
    return found


def wish_of(phase_: Json) -> Json:
    """The phase as parameters of a subscription, its items without ids."""
    wish: Json = {name: phase_[name] for name in ("collection_method", "default_payment_method") if phase_[name]}
    if phase_["description"] is not None:
        wish["description"] = phase_["description"]
    if phase_["metadata"]:
        wish["metadata"] = phase_["metadata"]
    if phase_["discounts"]:
        wish["discounts"] = [wished_discount(one) for one in phase_["discounts"]]
    if phase_["trial_end"]:
        wish["trial_end"] = phase_["trial_end"]
    wish["proration_behavior"] = phase_["proration_behavior"]
    wish["items"] = [
        {
            "price": item["price"],
            "quantity": item["quantity"],
            **({"discounts": [wished_discount(one) for one in item["discounts"]]} if item["discounts"] else {}),
        }
        for item in phase_["items"]
    ]
    return wish


def wished_discount(one: Json) -> Json:
    return {name: value for name, value in one.items() if value}


def items_towards(made: Json, wanted: list[Json]) -> list[Json]:
    """Changes that lead from the subscription's items to the phase's: same price keeps its item, others are reused in order."""
    held = list(made["items"]["data"])
    steps: list[Json] = []
    unmatched = []
    for wish in wanted:
        same = next((item for item in held if item["price"]["id"] == wish["price"]), None)
        if same is None:
            unmatched.append(wish)
            continue
        held.remove(same)
        steps.append({"id": same["id"], **wish})
    for wish in unmatched:
        steps.append({"id": held.pop(0)["id"], **wish} if held else dict(wish))
    return steps + [{"id": item["id"], "deleted": True} for item in held]


def enter(work: Work, made: Json, phase_: Json) -> None:
    """The subscription becomes what the phase says; at the end of its period that is one move with the renewal."""
    now = now_for(work, made)
    wish = wish_of(phase_)
    wish["items"] = items_towards(made, wish["items"])
    if period_end(made) <= now and not (phase_["trial_end"] and phase_["trial_end"] > now):
        enter_with_renewal(work, made, phase_, wish, now)
    else:
        change_to(work, made, phase_, wish)


def enter_with_renewal(work: Work, made: Json, phase_: Json, wish: Json, now: int) -> None:
    before = copied(made)
    apply_settings(work, made, wish)
    plan = change_items(work, made, wish, now)
    if "discounts" in wish:
        made["discounts"] = redeem(
            work, wish["discounts"], customer=made["customer"], at=now, amount=0, currency=made["currency"]
        )
    if plan.restarts or phase_["billing_cycle_anchor"] == "phase_start":
        made["billing_cycle_anchor"] = now
    for item in made["items"]["data"]:
        if item["id"] in plan.fresh and item["current_period_end"] > now:
            item["current_period_end"] = now
    renew(work, made, before)


def change_to(work: Work, made: Json, phase_: Json, wish: Json) -> None:
    before = copied(made)
    if phase_["billing_cycle_anchor"] == "phase_start":
        wish["billing_cycle_anchor"] = {"type": "now"}
    prepared = prepare(work, made, wish)
    updated(work, made, before)
    for waiting in prepared.waiting:
        work.emit("invoiceitem.created", waiting)
    if prepared.bill is not None:
        announce(work, prepared.bill)
        finalize_and_collect(work, prepared.bill, automatic=True)
