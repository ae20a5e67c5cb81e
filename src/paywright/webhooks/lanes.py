"""
The lane of an environment: background calls to Stripe, which rest while Stripe is busy, down, or refuses the key.

A row, so that every process rests with the one that was told so, and doctor can say why nothing moves.
"""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.storage.statements import upsert
from paywright.storage.work import Work
from paywright.webhooks.rules import pause_ms
from paywright.webhooks.tables import stripe_lanes


class LanePaused(Exception):
    """Nothing is wrong with the Stripe event at hand. `reason`: busy, unknown, key_refused or not_connected."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def rests_until(connection: Connection, environment_id: str) -> int | None:
    """The wall clock's instant, past or future, of a lane that has not worked since; None: all is well."""
    found = sa.select(stripe_lanes.c.paused_until).where(stripe_lanes.c.environment_id == environment_id)
    return connection.execute(found).scalar_one_or_none()


def pause(work: Work, reason: str, now: int, spread: float) -> int:
    """Rests it, longer each time in a row; answers until when."""
    found = sa.select(stripe_lanes.c.pauses).where(stripe_lanes.c.environment_id == work.environment_id)
    pauses = (work.execute(found).scalar_one_or_none() or 0) + 1
    until = now + pause_ms(pauses, spread)
    row = {"environment_id": work.environment_id, "paused_until": until, "pauses": pauses, "reason": reason}
    upsert(work, stripe_lanes, row, key=("environment_id",))
    return until


def resume(work: Work) -> None:
    """Stripe answered."""
    work.execute(sa.delete(stripe_lanes).where(stripe_lanes.c.environment_id == work.environment_id))
