"""The door: verified, stored once, answered. On both databases."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import lz4.frame
import pytest
import sqlalchemy as sa

from paywright.engine.app import App
from paywright.environments import actions as environment_actions
from paywright.kernel.refusals import Refusal
from paywright.kernel.settings import Settings
from paywright.outbox.tables import events
from paywright.storage.database import DatabaseUnavailable
from paywright.webhooks import failures
from paywright.webhooks.door import Door, receive, receive_async
from paywright.webhooks.failures import Refused
from paywright.webhooks.model import Received
from paywright.webhooks.tables import stripe_events
from tests.webhooks.deliveries import NOW_S, SECRET, Wall, event

Sign = Callable[..., tuple[bytes, str]]
PAID = event("invoice.paid", {"id": "in_1", "object": "invoice", "customer": "cus_1"})
COLUMNS = (
    stripe_events.c.id,
    stripe_events.c.status,
    stripe_events.c.reason,
    stripe_events.c.root,
    stripe_events.c.next_attempt_at,
)


def rows(app: App) -> list[tuple[Any, ...]]:
    with app.database.read() as connection:
        return [tuple(row) for row in connection.execute(sa.select(*COLUMNS).order_by(stripe_events.c.id))]


def incidents(app: App) -> list[dict[str, Any]]:
    with app.database.read() as connection:
        found = sa.select(events.c.data).where(events.c.type == "incident.opened").order_by(events.c.id)
        return [json.loads(written) for written in connection.execute(found).scalars()]


def test_a_delivery_is_on_disk_before_it_is_answered(app: App, signed: Sign) -> None:
    body, header = signed(PAID)
    assert receive(app, "test", body, header) == Received()
    assert rows(app) == [("evt_1", "pending", None, "invoice in_1", NOW_S * 1000)]
    with app.database.read() as connection:
        payload = connection.execute(sa.select(stripe_events.c.payload)).scalar_one()
    assert lz4.frame.decompress(payload) == body


def test_a_delivery_wakes_the_worker(app: App, signed: Sign) -> None:
    app.news.clear()
    receive(app, "test", *signed(PAID))
    assert app.news.is_set()


def test_the_same_event_again_is_one_row(app: App, signed: Sign) -> None:
    for _ in range(3):
        assert receive(app, "test", *signed(PAID)) == Received()
    assert len(rows(app)) == 1


def test_deliveries_at_once_are_all_answered_and_each_stored_once(app: App, signed: Sign) -> None:
    async def deliver() -> list[Received | Refusal]:
        deliveries = [
            signed(event("invoice.paid", {"id": f"in_{n % 40}"}, event_id=f"evt_{n % 40:03}")) for n in range(120)
        ]
        return await asyncio.gather(*(receive_async(app, "test", *delivery) for delivery in deliveries))

    assert asyncio.run(deliver()) == [Received()] * 120
    assert [row[0] for row in rows(app)] == [f"evt_{n:03}" for n in range(40)]


REFUSED = {
    "missing": (None, "missing"),
    "malformed": ("t=1", "malformed"),
    "wrong": (f"t={NOW_S},v1={'0' * 64}", "wrong"),
}


@pytest.mark.parametrize(("header", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_signature_is_refused_and_nothing_is_stored(app: App, header: str | None, reason: str) -> None:
    assert receive(app, "test", b"{}", header) == Refusal("bad_signature", {"reason": reason})
    assert rows(app) == []


@pytest.mark.parametrize(("ahead", "reason"), [(-301, "stale"), (301, "future")])
def test_a_stamp_of_another_time_is_refused_both_ways(app: App, signed: Sign, ahead: int, reason: str) -> None:
    assert receive(app, "test", *signed(PAID, at=NOW_S + ahead)) == Refusal("bad_signature", {"reason": reason})
    assert rows(app) == []


def test_the_refusal_is_logged_without_header_secret_or_body(
    app: App, signed: Sign, caplog: pytest.LogCaptureFixture
) -> None:
    body, header = signed(PAID, secret="whsec_elsewhere")
    receive(app, "test", body, header)
    assert "test" in caplog.text
    assert "wrong" in caplog.text
    for private in (header, header[-20:], SECRET, "in_1"):
        assert private not in caplog.text


def test_a_body_written_again_on_the_way_is_refused(app: App, signed: Sign) -> None:
    body, header = signed(PAID)
    again = json.dumps(json.loads(body)).encode()
    assert receive(app, "test", again, header) == Refusal("bad_signature", {"reason": "wrong"})


def test_an_unknown_environment_is_404(app: App, signed: Sign) -> None:
    assert receive(app, "elsewhere", *signed(PAID)) == Refusal("environment_not_found")


def test_an_environment_without_a_secret_does_not_acknowledge(app: App, signed: Sign) -> None:
    with app.work("bare") as work:
        environment_actions.create(work, mode="test", provider="stripe")
    assert receive(app, "bare", *signed(PAID)) == Refusal("webhook_secret_missing")


def test_a_body_over_two_mebibytes_is_413(app: App, signed: Sign) -> None:
    body, header = signed(event("invoice.paid", {"id": "in_1", "filler": "x" * 2_100_000}))
    assert receive(app, "test", body, header) == Refusal("body_too_large", {"limit": 2_097_152})
    assert rows(app) == []


@pytest.mark.parametrize("body", ["[]", "not json", '{"object": "invoice", "id": "in_1"}', ""])
def test_a_signed_body_that_is_no_event_is_refused(app: App, signed: Sign, body: str) -> None:
    refused = receive(app, "test", *signed(body))
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.status) == ("invalid_request", 400)
    assert rows(app) == []


IGNORED: dict[str, tuple[str, dict[str, Any], str]] = {
    "live event in a test environment": ("invoice.paid", {"livemode": True}, "wrong_mode"),
    "event of a connected account": ("invoice.paid", {"account": "acct_1"}, "wrong_account"),
    "unknown type": ("issuing_card.created", {}, "unknown_type"),
    "type of the future": ("checkout.session.teleported", {}, "unknown_type"),
    "known and nothing to us": ("entitlements.active_entitlement_summary.updated", {}, "not_asked"),
    "about no object": ("subscription_schedule.created", {"data": {"object": {"subscription": None}}}, "not_ours"),
}


@pytest.mark.parametrize(("event_type", "fields", "reason"), IGNORED.values(), ids=IGNORED.keys())
def test_what_we_do_not_act_on_is_acknowledged_and_kept(
    app: App, signed: Sign, event_type: str, fields: dict[str, Any], reason: str
) -> None:
    assert receive(app, "test", *signed(event(event_type, {"id": "xx_1"}, **fields))) == Received()
    [(_, status, kept, _, due)] = rows(app)
    assert (status, kept, due) == ("ignored", reason, None)


def test_events_of_the_wrong_mode_open_one_incident_a_day(app: App, signed: Sign, wall: Wall) -> None:
    for number in range(3):
        receive(app, "test", *signed(event("invoice.paid", {"id": "in_1"}, event_id=f"evt_{number}", livemode=True)))
    assert [told["kind"] for told in incidents(app)] == ["wrong_mode"]
    wall.advance(2 * 86_400)
    receive(app, "test", *signed(event("invoice.paid", {"id": "in_1"}, event_id="evt_9", livemode=True)))
    assert [told["facts"]["stripe_event_id"] for told in incidents(app)] == ["evt_0", "evt_9"]


def test_a_redelivered_failed_event_is_due_now(app: App, signed: Sign, wall: Wall) -> None:
    receive(app, "test", *signed(PAID))
    with app.work("test") as work:
        work.execute(
            stripe_events.update().values(status="failed", reason="dead_letter", attempts=9, next_attempt_at=None)
        )
    wall.advance(60)
    receive(app, "test", *signed(PAID))
    assert rows(app) == [("evt_1", "pending", None, "invoice in_1", (NOW_S + 60) * 1000)]


def test_a_redelivered_processed_event_stays_done(app: App, signed: Sign) -> None:
    receive(app, "test", *signed(PAID))
    with app.work("test") as work:
        work.execute(stripe_events.update().values(status="processed", next_attempt_at=None))
    receive(app, "test", *signed(PAID))
    assert rows(app) == [("evt_1", "processed", None, "invoice in_1", None)]


def test_an_older_secret_is_good_while_it_is_rolled(app: App, signed: Sign) -> None:
    with app.work("test") as work:
        environment_actions.add_webhook_secret(work, app.settings, "whsec_test_second")
    assert receive(app, "test", *signed(PAID)) == Received()
    assert receive(app, "test", *signed({**PAID, "id": "evt_2"}, secret="whsec_test_second")) == Received()
    assert len(rows(app)) == 2


def test_two_environments_hold_the_same_event_apart(app: App, signed: Sign) -> None:
    with app.work("other") as work:
        environment_actions.create(work, mode="test", provider="stripe")
        environment_actions.add_webhook_secret(work, app.settings, SECRET)
    receive(app, "test", *signed(PAID))
    receive(app, "other", *signed(PAID))
    assert len(rows(app)) == 2


def test_what_could_not_be_stored_is_not_acknowledged(app: App, signed: Sign) -> None:
    receive(app, "test", *signed(PAID))  # The secrets are known now, so the fault is in the storing.
    with app.work("test") as work:
        work.execute(sa.text("ALTER TABLE stripe_events RENAME TO stripe_events_away"))
    with pytest.raises((DatabaseUnavailable, sa.exc.DBAPIError)):
        receive(app, "test", *signed({**PAID, "id": "evt_2"}))
    with app.work("test") as work:
        work.execute(sa.text("ALTER TABLE stripe_events_away RENAME TO stripe_events"))
    assert receive(app, "test", *signed({**PAID, "id": "evt_2"})) == Received()
    assert [row[0] for row in rows(app)] == ["evt_1", "evt_2"]


def test_the_setting_may_hold_several_secrets(database_url: str, app: App, wall: Wall, signed: Sign) -> None:
    given = "whsec_test_a, whsec_test_b"
    other = App(Settings(database_url=database_url, secret="s" * 32, stripe_webhook_secret=given), wall=wall)
    for number, secret in enumerate(("whsec_test_a", "whsec_test_b", SECRET)):
        assert receive(other, "test", *signed({**PAID, "id": f"evt_{number}"}, secret=secret)) == Received()
    other.close()


def since_last_good(app: App) -> Any:
    app.resource(Door).write_refused()
    app.resource(Door).close()  # Waits for what is being written.
    with app.database.read() as connection:
        return failures.since_last_good(connection, "test")


def test_refused_signatures_are_counted_until_a_good_event_comes(
    database_url: str, app: App, wall: Wall, signed: Sign
) -> None:
    assert failures.Counter().rest() == []
    body, header = signed(PAID)
    receive(app, "test", body, header)
    wall.advance(60)
    for _ in range(3):
        receive(app, "test", body, "t=1,v1=00")
        wall.advance(1)
    assert isinstance(receive(app, "test", body, header), Received)
    wall.advance(1)
    assert since_last_good(app) == Refused("test", 3, (NOW_S + 60) * 1000, (NOW_S + 62) * 1000, "wrong")
    later = App(app.settings, wall=wall)
    receive(later, "test", *signed({**PAID, "id": "evt_2"}))
    with later.database.read() as connection:
        assert failures.since_last_good(connection, "test") is None
        assert failures.last_good(connection, "test") == wall()
    wall.advance(5)
    receive(later, "test", body, None)
    assert since_last_good(later) == Refused("test", 1, wall(), wall(), "missing")
    later.close()
