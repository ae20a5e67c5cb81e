"""
Test clocks: the frozen time of the customers attached to them.

`advance` only says where to; the engine runs what is due on the way before it looks at the account again, and then `arrive` is called.
"""

from ..account import copied
from ..errors import ApiError, Json, invalid, not_implemented
from ..objects.customers import deleted
from ..objects.test_clocks import test_clock
from ..work import Work
from . import customers

KIND = "test_helpers.test_clock"
INTERVAL_S = {"day": 86_400, "week": 7 * 86_400, "month": 31 * 86_400, "year": 366 * 86_400}
INTERVALS_MAX = 2
IDLE_MAX_S = 2 * 366 * 86_400
CLOCKS_MAX = 100


def create(work: Work, parameters: Json) -> Json:
    if sum(1 for _ in work.newest_first(KIND)) >= CLOCKS_MAX:
        raise invalid(f"You can have at most {CLOCKS_MAX} test clocks.")
    if parameters["frozen_time"] < 0:
        raise invalid("Invalid timestamp.", param="frozen_time")
    made = test_clock(
        work.new_id(KIND), work.now, frozen_time=parameters["frozen_time"], name=parameters.get("name") or None
    )
    work.save(made)
    if parameters.get("customer"):
        attach(work, made["id"], parameters["customer"])
    work.emit("test_helpers.test_clock.created", made, created=work.now)
    return made


def attach(work: Work, clock: str, customer_id: str) -> None:
    """Before anything was billed: what waits on one clock cannot move to another."""
    customer = work.require("customer", customer_id, "customer")
    if customer["test_clock"]:
        raise invalid("The customer is attached to a test clock already.", param="customer")
    billed = ("subscription", "subscription_schedule", "invoice")
    if any(thing["customer"] == customer_id for kind in billed for thing in work.newest_first(kind)):
        raise not_implemented("A test clock for a customer who has been billed", param="customer")
    before = copied(customer)
    customer["test_clock"] = clock
    work.save(customer)
    work.emit_updated("customer.updated", customer, before)


def advance(work: Work, id: str, to: int) -> Json:
    """Answers `advancing`; forward only, and no further than two intervals of the shortest subscription at once."""
    found = work.require(KIND, id, "test_clock")
    if found["status"] != "ready":
        raise ApiError(400, "The test clock is advancing already.", code="resource_already_exists", param="test_clock")
    if to <= found["frozen_time"]:
        raise invalid("The new frozen time must be after the current one.", param="frozen_time")
    if to - found["frozen_time"] > furthest(work, id):
        raise invalid(
            "You cannot advance the clock by more than two intervals of the shortest subscription, or two years without one.",
            param="frozen_time",
        )
    found["status"] = "advancing"
    found["status_details"] = {"advancing": {"target_frozen_time": to}}
    work.save(found)
    work.emit("test_helpers.test_clock.advancing", found, created=found["frozen_time"])
    return found


def furthest(work: Work, id: str) -> int:
    """Seconds one step may take."""
    lengths = [
        INTERVAL_S[item["price"]["recurring"]["interval"]] * item["price"]["recurring"]["interval_count"]
        for subscription in work.newest_first("subscription")
        if subscription["test_clock"] == id and subscription["status"] not in ("canceled", "incomplete_expired")
        for item in subscription["items"]["data"]
    ]
    return INTERVALS_MAX * min(lengths) if lengths else IDLE_MAX_S


def target_of(clock: Json) -> int:
    return int(clock["status_details"]["advancing"]["target_frozen_time"])


def arrive(work: Work, id: str) -> None:
    """Everything due on the way was done."""
    found = work.require(KIND, id)
    found.update(frozen_time=target_of(found), status="ready", status_details={})
    work.save(found)
    work.emit("test_helpers.test_clock.ready", found, created=found["frozen_time"])


def delete(work: Work, id: str) -> Json:
    """Its customers go with it, and all that was due for them."""
    found = work.require(KIND, id, "test_clock")
    for customer in [c["id"] for c in work.newest_first("customer") if c.get("test_clock") == id]:
        customers.delete(work, customer)
    work.due_taken += [due.sequence for due in work.account.due.values() if due.clock == id]
    work.due_added = [due for due in work.due_added if due.clock != id]
    work.remove(KIND, id)
    work.emit("test_helpers.test_clock.deleted", found, created=work.now)
    return deleted(found)
