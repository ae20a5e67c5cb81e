"""Actions inside a work, on both databases. The rules themselves are in `test_rules.py`."""

import pytest
import sqlalchemy as sa

from paywright.kernel.model import QUANTITY_MAX, Customer
from paywright.kernel.periods import DAY_MS as DAY
from paywright.kernel.periods import Period
from paywright.kernel.refusals import Refusal
from paywright.ledger import actions, queries
from paywright.ledger.model import Expiring, ItemState, TakenBack
from paywright.storage.work import RolledBack, Work
from tests.ledger.conftest import ENVIRONMENT, ITEM, U1, Ledger

WEEK = Period(1, "week")


def test_a_take_back_reaches_repeats_that_nobody_had_looked_at(ledger: Ledger) -> None:
    """Two of them at least: they are found while the balance is opened, and have no entry before that."""
    start = ledger.clock.now
    ledger.do(
        actions.start_included, "own_a", ITEM, 3, repeat=Period(1, "day"), expires="when_purchase_expires", anchor=start
    )
    ledger.at(start + 2 * DAY + 1)
    assert ledger.do(actions.take_back, "own_a", "unspent", source="refund:re_1") == [TakenBack(ITEM, 9, "refund:re_1")]
    assert ledger.do(actions.take_back, "own_a", "unspent", source="refund:re_1") == []
    assert ledger.shown() == (0, 0)


def test_a_grant_is_entered_once_per_source(ledger: Ledger) -> None:
    first = ledger.grant(10, source="import:1", note="welcome", actor="ops")
    second = ledger.grant(10, source="import:1")
    assert first == ItemState(ITEM, 10, 0, 1)
    assert second == ItemState(ITEM, 10, 0, 1)
    assert ledger.entries() == [("grant", 10, 10)]
    assert ledger.events() == [(1, "item.balance_changed"), (2, "customer.state_changed")]


def test_note_and_actor_belong_to_the_action_not_to_what_settling_did(ledger: Ledger) -> None:
    ledger.grant(10, expires_at=ledger.clock.now + 5)
    ledger.at(ledger.clock.now + 10).grant(1, note="bonus", actor="ops")
    with ledger.app.database.read() as connection:
        found = queries.entries(connection, ENVIRONMENT, U1, ITEM)
    assert [(entry.kind, entry.note, entry.actor) for entry in found] == [
        ("grant", "bonus", "ops"),
        ("expiry", None, None),
        ("grant", None, None),
    ]


def test_a_refusal_changes_nothing_and_emits_nothing(ledger: Ledger) -> None:
    ledger.grant(3)
    before = ledger.events()
    refused = ledger.do(actions.decrease, ITEM, 4, source=None)
    assert refused == Refusal("insufficient_quantity", {"requested": 4, "available": 3})
    assert ledger.events() == before
    assert ledger.read() == ItemState(ITEM, 3, 0, 1)
    assert ledger.grant(QUANTITY_MAX) == Refusal("balance_out_of_range")


def test_depletion_is_told_when_it_happens(ledger: Ledger) -> None:
    ledger.grant(3)
    ledger.do(actions.decrease, ITEM, 3, source=None)
    ledger.do(actions.decrease, ITEM, 1, source=None, allow_negative=True)
    assert [kind for _, kind in ledger.events()].count("item.depleted") == 1


def test_a_read_is_right_with_no_job_having_run_and_writes_nothing(ledger: Ledger) -> None:
    ledger.at(0).do(actions.start_included, "own_a", ITEM, 10, repeat=WEEK, expires="when_repeated", anchor=0)
    ledger.at(50 * DAY)
    assert ledger.read() == ItemState(ITEM, 10, 0, 1, (Expiring(10, 56 * DAY),))
    assert ledger.entries() == [("included", 10, 10)]


def test_settling_on_time_writes_what_reads_showed(ledger: Ledger) -> None:
    ledger.at(0).do(actions.start_included, "own_a", ITEM, 10, repeat=WEEK, expires="when_repeated", anchor=0)
    ledger.at(8 * DAY)
    with ledger.app.database.read() as connection:
        assert queries.customers_due(connection, ENVIRONMENT, ledger.clock.now, limit=10) == [U1]
    ledger.do(actions.settle)
    assert ledger.entries() == [("included", 10, 10), ("repeat", 10, 10), ("expiry", 10, -10)]
    ledger.do(actions.settle)
    assert len(ledger.entries()) == 3
    with ledger.app.database.read() as connection:
        assert queries.customers_due(connection, ENVIRONMENT, ledger.clock.now, limit=10) == []


def test_starting_the_same_included_item_twice_changes_nothing(ledger: Ledger) -> None:
    for _ in range(2):
        ledger.do(actions.start_included, "own_a", ITEM, 10, repeat=None, expires="never", anchor=0)
    assert ledger.shown() == (10, 0)


def test_the_end_of_a_purchase_ends_all_its_items(ledger: Ledger) -> None:
    for item_id in ("credits", "seats"):
        ledger.do(actions.start_included, "own_a", item_id, 5, repeat=None, expires="when_repeated", anchor=0)
    ledger.grant(1)
    ledger.do(actions.end_included, "own_a")
    assert (ledger.shown("credits"), ledger.shown("seats")) == ((1, 0), (0, 0))


def test_a_scheduled_end_comes_by_itself_and_can_be_taken_back(ledger: Ledger) -> None:
    ledger.at(0).do(actions.start_included, "own_a", ITEM, 5, repeat=None, expires="when_repeated", anchor=0)
    ledger.do(actions.set_end, "own_a", 10 * DAY)
    assert ledger.read().expiring == (Expiring(5, 10 * DAY),)
    assert ledger.at(10 * DAY).shown() == (0, 0)
    ledger.at(9 * DAY).do(actions.set_end, "own_a", None)
    assert ledger.at(11 * DAY).shown() == (5, 0)


def test_pausing_and_resuming_gives_the_latest_missed_repeat(ledger: Ledger) -> None:
    ledger.at(0).do(actions.start_included, "own_a", ITEM, 10, repeat=WEEK, expires="never", anchor=0)
    ledger.do(actions.pause_repeats, "own_a")
    ledger.do(actions.pause_repeats, "own_a")
    assert ledger.at(30 * DAY).shown() == (10, 0)
    ledger.do(actions.resume_repeats, "own_a")
    ledger.do(actions.resume_repeats, "own_a")
    assert ledger.shown() == (20, 0)


@pytest.mark.parametrize(("quantity", "expected"), [(5, 5), (1, 1), (3, 3)])
def test_a_changed_quantity_without_repeat_counts_now(ledger: Ledger, quantity: int, expected: int) -> None:
    ledger.do(actions.start_included, "own_a", ITEM, 3, repeat=None, expires="when_repeated", anchor=0)
    for _ in range(2):
        ledger.do(actions.change_included, "own_a", ITEM, quantity, source="change:1")
    assert ledger.shown() == (expected, 0)


def test_fewer_seats_than_are_taken_leave_debt(ledger: Ledger) -> None:
    ledger.do(actions.start_included, "own_a", ITEM, 3, repeat=None, expires="when_repeated", anchor=0)
    ledger.do(actions.decrease, ITEM, 3, source=None)
    ledger.do(actions.change_included, "own_a", ITEM, 1, source="change:1")
    assert ledger.shown() == (-2, 0)


def test_a_changed_quantity_with_repeat_counts_from_the_next_one(ledger: Ledger) -> None:
    ledger.at(0).do(actions.start_included, "own_a", ITEM, 10, repeat=WEEK, expires="never", anchor=0)
    ledger.do(actions.change_included, "own_a", ITEM, 20, source="change:1")
    assert (ledger.shown(), ledger.at(7 * DAY).shown()) == ((10, 0), (30, 0))


def pack(ledger: Ledger, own: str, quantity: int = 100) -> None:
    ledger.do(actions.start_included, own, ITEM, quantity, repeat=None, expires="never", anchor=0)


def test_T2_taking_back_is_done_once_per_source(ledger: Ledger) -> None:
    pack(ledger, "own_a")
    pack(ledger, "own_b")
    ledger.do(actions.decrease, ITEM, 60, source=None)
    assert ledger.do(actions.take_back, "own_a", "none", source="refund:re_1") == []
    assert ledger.do(actions.take_back, "own_a", "unspent", source="refund:re_1") == [
        TakenBack(ITEM, 40, "refund:re_1")
    ]
    assert ledger.do(actions.take_back, "own_a", "unspent", source="refund:re_1") == []
    assert ledger.shown() == (100, 0)


def test_T4_partial_refunds(ledger: Ledger) -> None:
    pack(ledger, "own_a")
    for refund, expected in ((250, 75), (500, 50)):
        ledger.do(actions.take_back, "own_a", "unspent", source=f"refund:{refund}", refunded=refund, paid=1000)
        assert ledger.shown() == (expected, 0)


def test_a_failed_refund_gives_back_what_it_took(ledger: Ledger) -> None:
    pack(ledger, "own_a")
    ledger.do(actions.decrease, ITEM, 60, source=None)
    ledger.do(actions.take_back, "own_a", "unspent", source="refund:re_1")
    for _ in range(2):
        ledger.do(actions.give_back, source_taken="refund:re_1", source="refund_failed:re_1")
    assert ledger.shown() == (40, 0)


def test_only_the_paid_period_is_taken_back(ledger: Ledger) -> None:
    ledger.at(0).do(actions.start_included, "own_a", ITEM, 10, repeat=WEEK, expires="never", anchor=0)
    ledger.at(20 * DAY)
    ledger.do(actions.take_back, "own_a", "unspent", source="r", granted_from=7 * DAY, granted_until=14 * DAY)
    assert ledger.shown() == (20, 0)


def test_P7_a_lost_dispute_takes_everything(ledger: Ledger) -> None:
    pack(ledger, "own_a")
    ledger.do(actions.decrease, ITEM, 80, source=None)
    for _ in range(2):
        ledger.do(actions.freeze, "own_a", source="dispute:dp_1")
    assert ledger.shown() == (0, 20)
    ledger.do(actions.unfreeze, "own_a")
    ledger.do(actions.take_back, "own_a", "all", source="dispute:dp_1")
    ledger.do(actions.end_included, "own_a")
    assert ledger.shown() == (-80, 0)


def test_P8_a_won_dispute_sets_the_units_free(ledger: Ledger) -> None:
    pack(ledger, "own_a")
    ledger.do(actions.decrease, ITEM, 80, source=None)
    ledger.do(actions.freeze, "own_a", source="dispute:dp_1")
    for _ in range(2):
        ledger.do(actions.unfreeze, "own_a")
    assert ledger.shown() == (20, 0)


def test_balances_move_from_a_guest_to_an_account(ledger: Ledger) -> None:
    guest = Customer("guest", "gst_1")
    ledger.at(0).do(actions.start_included, "own_a", ITEM, 10, repeat=WEEK, expires="never", anchor=0, customer=guest)
    ledger.do(actions.decrease, ITEM, 4, source=None, customer=guest)
    ledger.do(actions.decrease, "seats", 4, source=None, allow_negative=True, customer=guest)
    ledger.grant(1)
    for _ in range(2):
        with ledger.work(guest, U1) as work:
            actions.transfer(work, guest, U1, source="claim:c_1")
    assert [ledger.shown(ITEM, guest), ledger.shown(ITEM)] == [(0, 0), (7, 0)]
    assert [ledger.shown("seats", guest), ledger.shown("seats")] == [(0, 0), (-4, 0)]
    assert [ledger.at(7 * DAY).shown(ITEM, guest), ledger.shown(ITEM)] == [(0, 0), (17, 0)]


def test_a_work_that_is_undone_leaves_nothing(ledger: Ledger) -> None:
    def give_up(work: Work, customer: Customer) -> None:
        actions.grant(work, customer, ITEM, 5, source=None)
        raise RolledBack

    ledger.do(give_up)
    assert ledger.read() == ItemState(ITEM, 0, 0, 0)


def test_entries_can_be_neither_changed_nor_deleted(ledger: Ledger) -> None:
    ledger.grant(5)
    for statement in ("UPDATE ledger_entries SET delta = 6", "DELETE FROM ledger_entries"):
        with pytest.raises(sa.exc.IntegrityError, match="append-only"), ledger.work() as work:
            work.execute(sa.text(statement))
    assert ledger.shown() == (5, 0)


def test_a_balance_that_does_not_add_up_is_refused_by_the_database(ledger: Ledger) -> None:
    ledger.grant(5)
    with pytest.raises(sa.exc.IntegrityError), ledger.work() as work:
        work.execute(sa.text("UPDATE balances SET balance = 6"))
