"""rules.md 3, case by case, on one balance in memory."""

from datetime import UTC, datetime

import pytest

from paywright.kernel.instants import of_datetime
from paywright.kernel.periods import DAY_MS as DAY
from paywright.kernel.periods import boundary, parse_period
from paywright.ledger import rules
from paywright.ledger.model import Expires
from tests.ledger.timeline import Timeline


def day(year: int, month: int, number: int) -> int:
    return of_datetime(datetime(year, month, number, tzinfo=UTC))


@pytest.mark.parametrize(
    ("anchor", "period", "expected"),
    [
        ((2025, 1, 31), "1 month", [(1, (2025, 2, 28)), (2, (2025, 3, 31)), (3, (2025, 4, 30))]),
        ((2024, 1, 31), "1 month", [(1, (2024, 2, 29))]),
        ((2024, 2, 29), "1 year", [(1, (2025, 2, 28)), (4, (2028, 2, 29))]),
        ((2025, 1, 1), "3 day", [(4, (2025, 1, 13))]),
    ],
)
def test_I1_calendar(
    anchor: tuple[int, int, int], period: str, expected: list[tuple[int, tuple[int, int, int]]]
) -> None:
    parsed = parse_period(period)
    assert parsed is not None
    assert [boundary(day(*anchor), parsed, n) for n, _ in expected] == [day(*when) for _, when in expected]


def test_I1_repeats_follow_the_calendar() -> None:
    timeline = Timeline()
    timeline.at(day(2025, 1, 31)).included("own_a", 10, repeat="1 month", expires="never")
    timeline.at(day(2025, 5, 1))
    assert [fact.effective_at for fact in timeline.facts[1:]] == [day(2025, 2, 28), day(2025, 3, 31), day(2025, 4, 30)]


def test_I2_a_year_of_months_adds_up() -> None:
    timeline = Timeline()
    timeline.at(day(2025, 1, 1)).included("own_a", 10, repeat="1 month", expires="never")
    assert timeline.read(day(2025, 12, 31)) == (120, 0)
    assert timeline.read(day(2026, 1, 1)) == (130, 0)


@pytest.mark.parametrize(("expires", "expected"), [("when_repeated", 10), ("when_purchase_expires", 30), ("never", 30)])
def test_I3_weekly_ten_on_day_fifteen(expires: Expires, expected: int) -> None:
    timeline = Timeline()
    timeline.at(0).included("own_a", 10, repeat="1 week", expires=expires)
    assert timeline.read(15 * DAY) == (expected, 0)


@pytest.mark.parametrize(
    ("repeat", "expires", "during", "after"),
    [
        (None, "never", 10, 10),
        (None, "when_purchase_expires", 10, 0),
        (None, "when_repeated", 10, 0),
        ("1 week", "never", 30, 30),
        ("1 week", "when_purchase_expires", 30, 0),
        ("1 week", "when_repeated", 10, 0),
    ],
)
@pytest.mark.parametrize("is_known", [True, False])
def test_table_of_repeats_and_expiries(
    repeat: str | None, expires: Expires, during: int, after: int, is_known: bool
) -> None:
    timeline = Timeline()
    end = 20 * DAY
    if is_known:
        timeline.at(0).included("own_a", 10, repeat=repeat, expires=expires, ends_at=end)
    else:
        timeline.at(0).included("own_a", 10, repeat=repeat, expires=expires)
    assert timeline.read(15 * DAY) == (during, 0)
    if not is_known:
        timeline.at(end).end("own_a")
    assert timeline.read(end) == (after, 0)
    assert timeline.read(400 * DAY) == (after, 0)


def test_I5_the_end_takes_the_place_of_the_repeat() -> None:
    timeline = Timeline()
    timeline.at(0).included("own_a", 100, repeat="1 week", ends_at=14 * DAY)
    assert [timeline.read(t)[0] for t in (7 * DAY, 14 * DAY - 1, 14 * DAY)] == [100, 100, 0]
    timeline.at(15 * DAY)
    assert [fact.kind for fact in timeline.facts] == ["included", "repeat", "expiry", "end"]


def test_I6_one_plan_after_the_other() -> None:
    timeline = Timeline()
    timeline.at(0).included("own_free", 100, repeat="1 month")
    timeline.at(10 * DAY).end("own_free")
    timeline.included("own_pro", 500, repeat="1 month")
    assert timeline.read(11 * DAY) == (500, 0)


def test_I7_what_never_expires_stays_after_a_switch() -> None:
    timeline = Timeline()
    timeline.at(0).included("own_a", 10, repeat="1 week", expires="never")
    at = 70 * DAY
    assert timeline.read(at) == (110, 0)
    timeline.at(at).end("own_a")
    timeline.included("own_b", 100, repeat="1 week", expires="never")
    assert timeline.read(at) == (210, 0)
    assert timeline.read(at + 7 * DAY) == (310, 0)


def test_a_switch_that_keeps_the_anchor_keeps_the_boundaries() -> None:
    timeline = Timeline()
    timeline.at(day(2025, 1, 10)).included("own_a", 10, repeat="1 month")
    timeline.at(day(2025, 3, 25)).end("own_a")
    timeline.included("own_b", 50, repeat="1 month", anchor=day(2025, 1, 10))
    timeline.decrease(20)
    assert [timeline.read(day(2025, 4, number))[0] for number in (9, 10)] == [30, 50]


def test_I8_units_that_never_expire_stay_after_a_revoke() -> None:
    timeline = Timeline()
    timeline.at(day(2025, 1, 1)).included("own_a", 5, repeat="1 month", expires="never")
    timeline.at(day(2025, 2, 10)).end("own_a")
    assert [timeline.read(day(2025, month, 1))[0] for month in (2, 3, 12)] == [10, 10, 10]


def test_I9_a_new_quantity_counts_from_the_next_repeat() -> None:
    timeline = Timeline()
    timeline.at(day(2025, 1, 1)).included("own_a", 10, repeat="1 month", expires="never")
    timeline.at(day(2025, 2, 15))
    timeline.account.included[0].quantity = 20
    assert [timeline.read(day(2025, month, number))[0] for month, number in ((2, 15), (2, 28), (3, 1))] == [20, 20, 40]


def test_I10_nobody_looks_for_fourteen_months() -> None:
    timeline = Timeline()
    timeline.at(day(2025, 1, 1)).included("own_a", 100, repeat="1 month")
    assert timeline.read(day(2026, 3, 1)) == (100, 0)


def test_repeats_missed_while_paused_are_given_once() -> None:
    timeline = Timeline()
    timeline.at(0).included("own_a", 10, repeat="1 week", expires="never")
    timeline.at(8 * DAY).account.included[0].is_paused = True
    assert timeline.read(30 * DAY) == (20, 0)
    timeline.at(30 * DAY)
    timeline._take(rules.resume(timeline.account, "own_a"))
    assert [timeline.read(t * DAY)[0] for t in (30, 34, 35)] == [30, 30, 40]
    assert timeline.facts[-1].source == "purchase:own_a:credits:repeat:4"


def test_a_resetting_grant_runs_out_on_time_while_paused() -> None:
    timeline = Timeline()
    timeline.at(0).included("own_a", 10, repeat="1 week")
    timeline.account.included[0].is_paused = True
    assert [timeline.read(t)[0] for t in (7 * DAY - 1, 7 * DAY)] == [10, 0]
    timeline.at(8 * DAY)
    timeline._take(rules.resume(timeline.account, "own_a"))
    assert [timeline.read(t)[0] for t in (8 * DAY, 14 * DAY)] == [10, 10]


def test_a_start_heard_late_is_as_if_heard_in_time() -> None:
    timeline = Timeline()
    timeline.at(30 * DAY).included("own_a", 10, repeat="1 week", expires="never", starts_at=5 * DAY)
    assert timeline.read(30 * DAY) == (40, 0)
    assert [fact.effective_at // DAY for fact in timeline.facts] == [5, 12, 19, 26]
    late = Timeline()
    late.at(30 * DAY).included("own_a", 10, repeat="1 week", starts_at=5 * DAY)
    assert [late.read(t * DAY)[0] for t in (30, 33)] == [10, 10]


def test_a_start_and_an_end_both_past_grant_nothing() -> None:
    timeline = Timeline()
    timeline.at(30 * DAY).included("own_a", 10, expires="never", starts_at=5 * DAY, ends_at=20 * DAY)
    assert timeline.facts == []


def test_an_end_heard_late_takes_back_what_repeated_since() -> None:
    timeline = Timeline()
    timeline.at(0).included("own_a", 10, repeat="1 week", expires="never")
    timeline.at(15 * DAY).decrease(12)
    timeline.end("own_a", at=7 * DAY)
    assert timeline.read(16 * DAY) == (0, 0), "the repeat of day 7 does not happen, of day 14 neither; 12 are spent"
    assert [fact.effective_at for fact in timeline.facts if fact.kind == "take_back"] == [7 * DAY] * 2


def test_an_end_that_moves_takes_its_units_along() -> None:
    timeline = Timeline()
    timeline.at(0).included("own_a", 10, repeat="1 week")
    timeline.included("own_a", 5, expires="when_purchase_expires")
    rules.set_end(timeline.account, "own_a", 10 * DAY)
    assert timeline.expiring(0) == [(7 * DAY, 10), (10 * DAY, 5)]
    rules.set_end(timeline.account, "own_a", 3 * DAY)
    assert timeline.expiring(0) == [(3 * DAY, 15)]
    assert timeline.read(3 * DAY) == (0, 0)
    rules.set_end(timeline.account, "own_a", 2**62)
    assert timeline.expiring(0) == [(7 * DAY, 10)]
    assert timeline.read(40 * DAY) == (15, 0)
