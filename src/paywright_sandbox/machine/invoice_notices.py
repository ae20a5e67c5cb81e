"""What becomes of an invoice the customer pays by hand: word some days before it is due and after."""

from ..account import Due
from ..errors import Json
from ..work import Work
from .due import due

DAY_S = 86_400


def plan(work: Work, bill: Json) -> None:
    """At finalisation, by the settings `will_be_due_days` and `overdue_days`; a notice whose time has gone by is not sent."""
    work.unschedule(bill["id"], "will_be_due", "payment_due", "overdue")
    if bill["due_date"] is None or bill["status"] != "open":
        return
    now, ahead = work.now_of(bill["customer"]), work.setting("will_be_due_days") * DAY_S
    for when, kind in (
        (bill["due_date"] - ahead, "will_be_due"),
        (bill["due_date"], "payment_due"),
        (bill["due_date"] + work.setting("overdue_days") * DAY_S, "overdue"),
    ):
        if when > now:
            work.schedule(when, kind, bill["id"], clock=bill["test_clock"])


@due("will_be_due")
def tell_before(work: Work, act: Due) -> None:
    tell(work, act.object_id, "invoice.will_be_due")


@due("overdue")
def tell_after(work: Work, act: Due) -> None:
    tell(work, act.object_id, "invoice.overdue")


def tell(work: Work, id: str, type: str) -> None:
    bill = work.get("invoice", id)
    if bill and bill["status"] == "open":
        work.emit(type, bill)
