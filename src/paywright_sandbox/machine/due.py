"""Future acts by kind. The queue holds rows, this table says what each does; nothing sleeps."""

from collections.abc import Callable

from ..account import Due
from ..work import Work

DueAct = Callable[[Work, Due], None]
ACTS: dict[str, DueAct] = {}

KINDS = frozenset(
    "invoice_upcoming trial_will_end trial_end period_end finalize retry incomplete_expire pending_update_expire "
    "cancel_at schedule_phase resume_collection session_expire capture_expire settle refund_settle dispute_open dispute_due "
    "payout funds_available schedule_expiring will_be_due payment_due overdue".split()
)


def due(kind: str) -> Callable[[DueAct], DueAct]:
    """The decorated function runs when a row of this kind is due, with `work.now` at the row's time. The row is already taken."""
    assert kind in KINDS, kind
    assert kind not in ACTS, kind

    def register(act: DueAct) -> DueAct:
        ACTS[kind] = act
        return act

    return register
