"""What Stripe says is about to happen to a subscription, told once per instant however often it is heard."""

from typing import Any

from paywright.kernel.instants import rfc3339
from paywright.kernel.model import Customer
from paywright.outbox.actions import lock_customers, record
from paywright.storage.work import Work
from paywright.subscriptions import queries
from paywright.subscriptions.tables import subscriptions

GOES_ON = ("active", "trialing", "past_due")


def tell_trial_ending(work: Work, subscription_id: str) -> None:
    """`subscription.trial_ending`, unless the trial is over by now. The subscription was just applied."""
    row = queries.row_of(work.connection, work.environment_id, subscription_id)
    if row is None or row.status != "trialing" or row.trial_end in (None, row.trial_ending_told):
        return
    _tell(work, row, "subscription.trial_ending", trial_end=rfc3339(row.trial_end))
    _remember(work, subscription_id, trial_ending_told=row.trial_end)


def tell_renewal_upcoming(work: Work, subscription_id: str) -> None:
    """`subscription.renewal_upcoming`, unless it ends instead, or the invoice has come meanwhile."""
    row = queries.row_of(work.connection, work.environment_id, subscription_id)
    if row is None or row.status not in GOES_ON or row.ends_at is not None:
        return
    renews_at = row.current_period_end
    if renews_at is None or renews_at <= work.now or renews_at == row.renewal_upcoming_told:
        return
    _tell(work, row, "subscription.renewal_upcoming")
    _remember(work, subscription_id, renewal_upcoming_told=renews_at)


def _tell(work: Work, row: Any, event_type: str, **more: Any) -> None:
    customer = Customer.of_key(row.customer)
    lock_customers(work, [customer])
    record(work, event_type, {"subscription": queries.shown(row), **more}, customer=customer, change="products")


def _remember(work: Work, subscription_id: str, **told: int) -> None:
    here = (subscriptions.c.environment_id == work.environment_id) & (subscriptions.c.id == subscription_id)
    work.execute(subscriptions.update().where(here).values(**told))
