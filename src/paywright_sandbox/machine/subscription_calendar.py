"""When a subscription's next acts are due. `plan_ahead` writes the whole calendar anew, so no change can leave a stale act behind."""

from ..errors import Json
from ..work import Work

DAY_S = 86_400
INCOMPLETE_S = 23 * 3600
TRIAL_NOTICE_S = 3 * DAY_S
BILLED = ("active", "past_due", "unpaid")
ENDED = ("canceled", "incomplete_expired")
KINDS = (
    "cancel_at",
    "trial_will_end",
    "trial_end",
    "period_end",
    "invoice_upcoming",
    "incomplete_expire",
    "resume_collection",
    "pending_update_expire",
)


def now_for(work: Work, subscription: Json) -> int:
    return work.now_of(subscription["customer"])


def period_end(subscription: Json) -> int:
    """When the first of its items' periods ends."""
    return min(int(item["current_period_end"]) for item in subscription["items"]["data"])


def plan_ahead(work: Work, subscription: Json) -> None:
    """Acts that stand at the same second run in the order written here: an end comes before a renewal."""
    work.unschedule(subscription["id"], *KINDS)
    for when, kind in calendar(work, subscription, now_for(work, subscription)):
        work.schedule(when, kind, subscription["id"], clock=subscription["test_clock"])


def calendar(work: Work, subscription: Json, now: int) -> list[tuple[int, str]]:
    status = subscription["status"]
    if status in ENDED:
        return []
    found: list[tuple[int, str]] = []
    if subscription["cancel_at"] is not None:
        found.append((subscription["cancel_at"], "cancel_at"))
    if status == "incomplete":
        found.append((subscription["created"] + INCOMPLETE_S, "incomplete_expire"))
    if subscription["pending_update"]:
        found.append((subscription["pending_update"]["expires_at"], "pending_update_expire"))
    collection = subscription["pause_collection"]
    if collection and collection["resumes_at"]:
        found.append((collection["resumes_at"], "resume_collection"))
    if status == "trialing":
        found += (
            [(subscription["trial_end"] - TRIAL_NOTICE_S, "trial_will_end")]
            if is_notice_ahead(subscription, now)
            else []
        )
        found.append((subscription["trial_end"], "trial_end"))
    if status in BILLED:
        found.append((period_end(subscription), "period_end"))
    if status in (*BILLED, "trialing"):
        found += upcoming(work, subscription, now)
    return found


def is_notice_ahead(subscription: Json, now: int) -> bool:
    return bool(subscription["trial_end"] - TRIAL_NOTICE_S > now)


def upcoming(work: Work, subscription: Json, now: int) -> list[tuple[int, str]]:
    """`invoice.upcoming`, some days ahead; none when the subscription ends instead of renewing."""
    end = period_end(subscription)
    when = end - work.setting("upcoming_days") * DAY_S
    is_ending = subscription["cancel_at"] is not None and subscription["cancel_at"] <= end
    return [(when, "invoice_upcoming")] if when > now and not is_ending else []
