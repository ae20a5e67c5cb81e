"""Looking into the inbox, replaying, and what is kept. On both databases, with the sandbox to ask again."""

from paywright.webhooks import actions, queries
from tests.webhooks.deliveries import event
from tests.webhooks.mill import Mill


def test_replay_of_everything_changes_nothing(mill: Mill) -> None:
    paid = mill.pay(5000)
    mill.post("/v1/refunds", payment_intent=paid, amount=2000)
    mill.deliver(mill.happened())
    mill.work()
    payments, told = mill.payments(), mill.told()
    mill.wall.advance(3600)
    with mill.app.work("test") as work:
        replayed = actions.replay_many(work, mill.wall(), since=0)
    assert sorted(replayed) == sorted(mill.inbox())
    assert mill.work() > 0
    assert (mill.payments(), mill.told()) == (payments, told)
    assert mill.states() == {("processed", None)}


def test_replay_of_what_is_ignored_judges_anew(mill: Mill) -> None:
    mill.deliver(
        [
            event("issuing_card.created", {"id": "ic_1"}),
            event("test_helpers.test_clock.ready", {"id": "clock_1"}, event_id="evt_2"),
        ]
    )
    with mill.app.work("test") as work:
        assert actions.replay_many(work, mill.wall(), ignored="unknown_type") == ["evt_1"]
        assert actions.replay_many(work, mill.wall(), ignored="wrong_mode") == []
        assert not actions.replay(work, "evt_unheard_of", mill.wall())
    assert mill.states() == {("ignored", "unknown_type"), ("ignored", "not_asked")}
    mill.deliver([event("invoice.paid", {"id": "in_1"}, event_id="evt_3", livemode=True)])
    with mill.app.work("test") as work:
        actions.replay(work, "evt_3", mill.wall())
    assert mill.inbox()["evt_3"].reason == "wrong_mode"


def test_payloads_go_after_ninety_days_and_the_rest_stays(mill: Mill) -> None:
    mill.deliver(
        [event("issuing_card.created", {"id": "ic_1"}), event("invoice.paid", {"id": "in_1"}, event_id="evt_2")]
    )
    mill.wall.advance(89 * 86_400)
    with mill.app.work("test") as work:
        assert actions.forget_old_payloads(work, mill.wall()) == 0
    mill.wall.advance(2 * 86_400)
    with mill.app.work("test") as work:
        assert actions.forget_old_payloads(work, mill.wall()) == 2
        assert actions.forget_old_payloads(work, mill.wall()) == 0
        actions.replay_many(work, mill.wall(), since=0)
    with mill.app.database.read() as connection:
        row = queries.stripe_event(connection, "test", "evt_1")
    assert row is not None
    assert (row.reason, row.payload) == ("unknown_type", None)
    assert mill.inbox()["evt_2"].status == "pending"


def test_the_payload_is_shown_as_it_came(mill: Mill) -> None:
    sent = event("issuing_card.created", {"id": "ic_1", "name": "Zoë"})
    mill.deliver([sent])
    with mill.app.database.read() as connection:
        row = queries.stripe_event(connection, "test", "evt_1")
        missing = queries.stripe_event(connection, "test", "evt_2")
    assert row is not None
    assert (row.payload, missing) == (sent, None)


def test_the_inbox_is_read_newest_first_page_by_page(mill: Mill) -> None:
    for number in range(5):
        mill.wall.advance(1)
        mill.deliver([event("issuing_card.created", {"id": "ic_1"}, event_id=f"evt_{number}")])
    with mill.app.database.read() as connection:
        first = queries.page(connection, "test", limit=2)
        rest = queries.page(connection, "test", limit=9, after=(first[1].received_at, first[1].id))
        none = queries.page(connection, "test", type="invoice.paid")
        ignored = queries.page(connection, "test", status="ignored", reason="unknown_type", limit=9)
    assert [row.id for row in [*first[:2], *rest]] == [f"evt_{number}" for number in (4, 3, 2, 1, 0)]
    assert (len(first), none, len(ignored)) == (3, [], 5)
