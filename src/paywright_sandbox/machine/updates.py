"""The change made real: announced, invoiced, paid, and what `payment_behavior` says when the payment fails."""

from ..account import Due, copied
from ..errors import Json, invalid
from ..work import Work
from .changes import Prepared, prepare
from .collection import collect, finalize_with_intent
from .due import due
from .invoices import announce, void
from .subscription_calendar import INCOMPLETE_S, TRIAL_NOTICE_S, now_for, plan_ahead
from .subscription_status import FOLLOW_UPS, change, updated
from .subscriptions import refused

PENDING_FIELDS = (
    "items billing_cycle_anchor billing_cycle_anchor_config trial_end trial_start status cancel_at _debits discounts"
).split()
PENDABLE = frozenset(
    "items add_invoice_items billing_cycle_anchor payment_behavior proration_behavior proration_date trial_end off_session".split()
)


def update(work: Work, id: str, wish: Json) -> Json:
    made = work.require("subscription", id, "id")
    behavior = wish.get("payment_behavior", "allow_incomplete")
    if behavior == "pending_if_incomplete":
        refuse_unpendable(wish)
    if made["pending_update"] and wish.get("items"):
        drop_pending(work, made)
    before = copied(made)
    prepared = prepare(work, made, wish)
    if "pause_collection" in wish:
        made["pause_collection"] = pause_of(wish["pause_collection"])
    if behavior == "pending_if_incomplete" and prepared.bill is not None and prepared.bill["amount_due"] > 0:
        return try_first(work, made, before, prepared)
    updated(work, made, before)
    announce_waiting(work, prepared)
    if prepared.bill is not None:
        charge(work, made, prepared.bill, behavior, off_session=wish.get("off_session", False))
    warn_of_trial_end(work, made, before)
    return made


def announce_waiting(work: Work, prepared: Prepared) -> None:
    for waiting in prepared.waiting:
        work.emit("invoiceitem.created", waiting)


def charge(work: Work, made: Json, bill: Json, behavior: str, *, off_session: bool) -> None:
    announce(work, bill)
    intent = finalize_with_intent(work, bill)
    if intent is None or made["collection_method"] == "send_invoice":
        return
    if behavior == "default_incomplete":
        change(work, made, status="past_due")
        return
    outcome = collect(work, bill, off_session=off_session, automatic=True)
    if behavior == "error_if_incomplete" and outcome not in ("succeeded", "processing"):
        raise refused(work, bill, outcome)


def pause_of(wish: object) -> Json | None:
    if not isinstance(wish, dict):
        return None
    return {"behavior": wish["behavior"], "resumes_at": wish.get("resumes_at")}


def warn_of_trial_end(work: Work, made: Json, before: Json) -> None:
    """A trial made so short that its notice would lie in the past is noticed at once, as is one ended by hand."""
    at = now_for(work, made)
    was_trialing = before["status"] == "trialing"
    ended = was_trialing and made["status"] == "active" and made["trial_end"] == at
    short = (
        made["status"] == "trialing"
        and made["trial_end"] != before["trial_end"]
        and made["trial_end"] - TRIAL_NOTICE_S <= at
    )
    if ended or short:
        work.emit("customer.subscription.trial_will_end", made)


# pending_if_incomplete


def refuse_unpendable(wish: Json) -> None:
    wrong = sorted(set(wish) - PENDABLE)
    if wrong:
        raise invalid(
            f"When `payment_behavior` is set to `pending_if_incomplete`, these parameters cannot be used: {', '.join(wrong)}.",
            param=wrong[0],
        )


def try_first(work: Work, made: Json, before: Json, prepared: Prepared) -> Json:
    """The money first. Paid, the change is made; unpaid, it waits in `pending_update` for 23 hours."""
    bill = prepared.bill
    assert bill is not None
    wanted = {name: copied(made[name]) for name in PENDING_FIELDS}
    for name in PENDING_FIELDS:
        made[name] = copied(before[name])
    made["_pending"] = wanted
    bill["_pending_update"] = True
    work.save(made)
    announce_waiting(work, prepared)
    announce(work, bill)
    finalize_with_intent(work, bill)
    if bill["status"] == "open":
        collect(work, bill, off_session=False)
    if bill["status"] != "paid":
        change(work, made, pending_update=pending_update(work, made, before, wanted))
    return made


def pending_update(work: Work, made: Json, before: Json, wanted: Json) -> Json:
    return {
        "billing_cycle_anchor": wanted["billing_cycle_anchor"]
        if wanted["billing_cycle_anchor"] != before["billing_cycle_anchor"]
        else None,
        "expires_at": now_for(work, made) + INCOMPLETE_S,
        "subscription_items": wanted["items"]["data"],
        "trial_end": wanted["trial_end"] if wanted["trial_end"] != before["trial_end"] else None,
        "trial_from_plan": None,
    }


def apply_pending(work: Work, made: Json, bill: Json) -> None:
    """Its invoice was paid."""
    before = copied(made)
    waited = made["pending_update"] is not None
    wanted = made.pop("_pending")
    made.update(wanted, pending_update=None)
    updated(work, made, before)
    if waited:
        work.emit("customer.subscription.pending_update_applied", made)


FOLLOW_UPS["_pending_update"] = apply_pending


def drop_pending(work: Work, made: Json) -> None:
    """Forgotten, with its invoice."""
    made["pending_update"] = None
    made.pop("_pending", None)
    work.save(made)
    plan_ahead(work, made)
    for id in made["_invoices"]:
        bill = work.get("invoice", id)
        if bill and bill["status"] == "open" and bill.pop("_pending_update", None):
            void(work, id)


@due("pending_update_expire")
def pending_update_expire(work: Work, act: Due) -> None:
    made = work.get("subscription", act.object_id)
    if made and made["pending_update"]:
        drop_pending(work, made)
        work.emit("customer.subscription.pending_update_expired", made)
