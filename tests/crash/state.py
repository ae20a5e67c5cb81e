"""What a life leaves to the customer, and that nothing is left to do."""

from typing import Any

import sqlalchemy as sa

from paywright.engine.app import App
from paywright.ledger.verify import verify
from paywright.webhooks.tables import stripe_events
from tests.crash.deeds import USER
from tests.permutation.state import canonical

State = dict[str, list[Any]]


def state(app: App) -> State:
    assert list(verify(app, "test")) == []
    with app.database.read() as connection:
        columns = (stripe_events.c.type, stripe_events.c.status, stripe_events.c.reason)
        left = sa.select(*columns).where(stripe_events.c.status.not_in(("processed", "ignored")))
        assert connection.execute(left.order_by(stripe_events.c.id).limit(10)).all() == []
    return canonical(app, USER)
