"""What the calendar does to a subscription: notices, the end of a trial, a new period, the end."""

from collections.abc import Callable

from ..account import Due, copied
from ..errors import Json
from ..periods import Period, period_at
from ..work import Work, public
from .collection import default_method_of, finalize_and_collect
from .due import due
from .invoice_lines import period_line
from .invoices import announce, draft, finalize, mark_uncollectible, schedule_finalizing, void
from .prorations import forget_debits, remember_debits
from .subscription_building import waiting_lines
from .subscription_calendar import ENDED, now_for, period_end
from .subscription_status import end, paused, updated
from .subscriptions import branch, use_up_once

BEFORE_RENEWAL: list[Callable[[Work, Json], bool]] = []
"""Asked when a period has ended; whoever answers true has done what is due."""


def running(work: Work, act: Due) -> Json | None:
    found = work.get("subscription", act.object_id)
    return found if found and found["status"] not in ENDED else None


@due("trial_will_end")
def trial_will_end(work: Work, act: Due) -> None:
    made = running(work, act)
    if made and made["status"] == "trialing":
        work.emit("customer.subscription.trial_will_end", made)


@due("cancel_at")
def cancel_at(work: Work, act: Due) -> None:
    made = running(work, act)
    if made:
        end(work, made, reason=None if made["cancellation_details"]["reason"] else "cancellation_requested")


@due("resume_collection")
def resume_collection(work: Work, act: Due) -> None:
    made = running(work, act)
    if made and made["pause_collection"]:
        before = copied(made)
        made["pause_collection"] = None
        updated(work, made, before)


@due("trial_end")
def trial_end(work: Work, act: Due) -> None:
    """Active before any money moves; without a card as `trial_settings` says."""
    made = running(work, act)
    if made is None or made["status"] != "trialing":
        return
    missing = made["trial_settings"]["end_behavior"]["missing_payment_method"]
    has_card = made["collection_method"] == "send_invoice" or default_method_of(work, made) is not None
    if not has_card and missing == "cancel":
        end(work, made, reason=None)
    elif not has_card and missing == "pause":
        paused(work, made, "trial_end_without_payment_method", now_for(work, made))
    elif not any(step(work, made) for step in BEFORE_RENEWAL):
        renew(work, made)


@due("period_end")
def period_ended(work: Work, act: Due) -> None:
    made = running(work, act)
    if made and not any(step(work, made) for step in BEFORE_RENEWAL):
        renew(work, made)


def renew(work: Work, made: Json, before: Json | None = None) -> None:
    """
    New periods for the items whose old ones are over, and a draft for them: `customer.subscription.updated`, then `invoice.created`.

    The money moves an hour later. An unpaid subscription goes on making drafts that nobody collects. `before` is how it looked before
    changes that are told in the same breath.
    """
    at = now_for(work, made)
    before = before or copied(made)
    old = Period(min(item["current_period_start"] for item in made["items"]["data"]), period_end(made))
    moved = move_periods(made, at)
    if made["status"] == "trialing":
        made["status"] = "active"
    bill = cycle_invoice(work, made, moved, old)
    updated(work, made, before)
    behavior = held_by(made)
    if behavior is None:
        schedule_finalizing(work, bill)
    else:
        bill["auto_advance"] = False
    announce(work, bill)
    if behavior in ("void", "mark_uncollectible"):
        close_at_once(work, bill, behavior)


def move_periods(made: Json, at: int) -> list[Json]:
    """The items that begin a new period."""
    moved = [item for item in made["items"]["data"] if item["current_period_end"] <= at]
    for item in moved:
        found = period_at(made["billing_cycle_anchor"], item["price"]["recurring"], at)
        item["current_period_start"], item["current_period_end"] = found
    return moved


def span_of(item: Json) -> Period:
    return Period(item["current_period_start"], item["current_period_end"])


def cycle_invoice(work: Work, made: Json, moved: list[Json], old: Period) -> Json:
    """Drafted, not announced: a line for each moved item, then what waited."""
    lines = [period_line(work, made, item, span_of(item)) for item in moved]
    bill = draft(
        work,
        customer=made["customer"],
        currency=made["currency"],
        billing_reason="subscription_cycle",
        lines=lines + waiting_lines(work, made),
        subscription=made,
        discounts=running_discounts(work, made),
        period=old,
    )
    forget_debits(made, bill["created"])
    remember_debits(made, bill)
    made["latest_invoice"] = bill["id"]
    use_up_once(work, made)
    return bill


def running_discounts(work: Work, made: Json) -> list[str]:
    from .discounts import running

    at = now_for(work, made)
    made["discounts"] = running(work, made["discounts"], at)
    for item in made["items"]["data"]:
        item["discounts"] = running(work, item["discounts"], at)
    return list(made["discounts"])


def held_by(made: Json) -> str | None:
    """Why the draft is not collected: the paused collection's behavior, or `keep_as_draft` for an unpaid subscription."""
    if made["status"] == "unpaid":
        return "keep_as_draft"
    return str(made["pause_collection"]["behavior"]) if made["pause_collection"] else None


def close_at_once(work: Work, bill: Json, behavior: str) -> None:
    finalize(work, bill)
    if bill["status"] == "open":
        (void if behavior == "void" else mark_uncollectible)(work, bill["id"])


@due("invoice_upcoming")
def invoice_upcoming(work: Work, act: Due) -> None:
    """The invoice of the next period as it looks today; it does not exist, so it has no id."""
    made = running(work, act)
    if made is None:
        return
    twin = branch(work)
    bill = upcoming(twin, twin.require("subscription", made["id"]))
    shown = public(bill)
    del shown["id"]
    work.emit("invoice.upcoming", shown)


def upcoming(twin: Work, made: Json) -> Json:
    """Drafted in a work that is thrown away: the same function as the real renewal."""
    at = period_end(made)
    old = Period(min(item["current_period_start"] for item in made["items"]["data"]), at)
    bill = cycle_invoice(twin, made, move_periods(made, at), old)
    bill.update(billing_reason="upcoming", created=at, next_payment_attempt=at + twin.setting("finalize_delay_s"))
    for line in bill["_lines"]:
        line["invoice"] = None
    return bill


def renew_now(work: Work, made: Json, bill: Json) -> None:
    """Bills a new period at once, without the hour as a draft."""
    announce(work, bill)
    finalize_and_collect(work, bill, automatic=True)
