"""Many Stripe events due again, over HTTP and by the client."""

from datetime import UTC, datetime
from typing import Any

import pytest

from paywright.client import Client
from paywright.webhooks.door import Delivery, store
from paywright.webhooks.mirror import arrival
from paywright.webhooks.tables import stripe_events
from tests.harness.house import House

PATH = "/v1/stripe-events/replay"


@pytest.fixture
def inbox(house: House) -> House:
    """Three events: a dead letter, one whose type nobody knows, one that was acted on."""
    with house.app.work("test") as work:
        for event_id, received_at in (("evt_dead", 1_000), ("evt_odd", 2_000), ("evt_done", 3_000)):
            event_type = "hologram.appeared" if event_id == "evt_odd" else "invoice.paid"
            body = (
                f'{{"id": "{event_id}", "object": "event", "type": "{event_type}", "livemode": false,'
                f' "data": {{"object": {{"id": "in_1", "object": "invoice"}}}}}}'
            ).encode()
            arrived = arrival(body)
            assert arrived is not None
            ignored = "unknown_type" if event_id == "evt_odd" else None
            store(work, [Delivery("test", arrived, ignored, body, received_at)])
        settled: dict[str, Any] = {"next_attempt_at": None}
        dead = {"status": "failed", "reason": "dead_letter", **settled}
        work.execute(stripe_events.update().where(stripe_events.c.id == "evt_dead").values(**dead))
        done = {"status": "processed", **settled}
        work.execute(stripe_events.update().where(stripe_events.c.id == "evt_done").values(**done))
    return house


def statuses(house: House) -> dict[str, str]:
    return {row["id"]: row["status"] for row in house.get("/v1/stripe-events").json()["data"]}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"failed": True}, ["evt_dead"]),
        ({"ignored": "unknown_type"}, ["evt_odd"]),
        ({"ignored": "wrong_mode"}, []),
        ({"since": "1970-01-01T00:00:02Z"}, ["evt_odd", "evt_done"]),
        ({"failed": True, "since": "1970-01-01T00:00:02Z"}, []),
    ],
    ids=["failed", "ignored", "other reason", "since", "both"],
)
def test_those_that_were_meant_are_due_again(inbox: House, body: dict[str, Any], expected: list[str]) -> None:
    answer = inbox.post(PATH, body)
    assert (answer.status_code, answer.json()) == (200, {"replayed": expected, "has_more": False})
    after = {"evt_dead": "failed", "evt_odd": "ignored", "evt_done": "processed"}
    due = {event_id: "pending" for event_id in expected if event_id != "evt_odd"}  # Its type is still unknown.
    assert statuses(inbox) == after | due


@pytest.mark.parametrize(
    ("body", "param"),
    [({}, "failed"), ({"failed": False}, "failed"), ({"since": "yesterday"}, "since"), ({"ids": ["evt_1"]}, "ids")],
    ids=["nothing", "nothing said", "no instant", "unknown"],
)
def test_who_says_not_which_replays_nothing(inbox: House, body: dict[str, Any], param: str) -> None:
    answer = inbox.post(PATH, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    assert answer.json()["error"]["param"] == param
    assert "pending" not in statuses(inbox).values()


def test_the_client_says_it_too(inbox: House) -> None:
    with_client = Client(inbox.url, inbox.secret_key)
    replayed = with_client.replay_stripe_events(failed=True, since=datetime(1970, 1, 1, tzinfo=UTC))
    assert (replayed.replayed, replayed.has_more) == (["evt_dead"], False)
    with_client.close()
