"""From a subscription's status to access, and from its items to what should be owned. Pure."""

from typing import Literal

import msgspec

from paywright.environments.model import AccessChoice, AccessPolicy
from paywright.kernel.periods import DAY_MS
from paywright.subscriptions.model import NOT_OWNED, SubscriptionFacts

ACCESS: dict[str, Literal["yes", "no", "policy"]] = {
    "trialing": "yes",
    "active": "yes",
    "past_due": "policy",
    "unpaid": "policy",
    "paused": "policy",
    "incomplete": "no",
    "incomplete_expired": "no",
    "canceled": "no",
}
"""Stripe's statuses, every one. A status we do not know is read as `past_due`."""


class Access(msgspec.Struct, frozen=True):
    """Whether, why, and until when if that is known."""

    allowed: bool
    reason: str
    until: int | None = None


def access(status: str, policy: AccessPolicy, *, past_due_since: int | None, now: int) -> Access:
    """Days of grace count from `past_due_since`, the first failed charge."""
    named = policy_for(status, policy)
    if named is None:
        return Access(ACCESS[status] == "yes", status)
    (choice,) = named.values()
    if choice == "keep":
        return Access(True, status)
    if choice == "none":
        return Access(False, status)
    assert isinstance(choice, int)
    until = (now if past_due_since is None else past_due_since) + choice * DAY_MS
    return Access(now < until, status, until)


def policy_for(status: str, policy: AccessPolicy) -> dict[str, AccessChoice] | None:
    """The part of the environment's policy that decides about a status, e.g. `{"past_due": "keep"}`; None where it has no say."""
    known = status if status in ACCESS else "past_due"
    return {known: getattr(policy, known)} if ACCESS[known] == "policy" else None


def may_begin(facts: SubscriptionFacts) -> bool:
    """Owning begins with proof of money, or with a trial; `active` is neither."""
    return facts.status not in NOT_OWNED and facts.is_paid_for


def begins_at(facts: SubscriptionFacts) -> int:
    """The anchor of repeats: the trial's start, or when the first money came in."""
    if facts.status == "trialing" or facts.first_invoice_paid_at is None:
        return facts.started_at
    return max(facts.started_at, facts.first_invoice_paid_at)
