"""What is known beforehand happens on time with nobody looking: a planned start, a planned quantity, a planned loss of access."""

import pytest

from paywright.kernel.periods import DAY_MS as DAY
from paywright.kernel.periods import parse_period
from paywright.ledger import rules
from paywright.ledger.account import Account, Included
from paywright.ledger.model import NEVER, Expires


def planned(quantity: int, repeat: str | None, expires: Expires, *, anchor: int, starts_at: int) -> Account:
    account = Account(item_id="credits")
    period = None if repeat is None else parse_period(repeat)
    rules.plan(account, Included("own_b", quantity, period, expires, anchor, starts_at))
    return account


def running(quantity: int, repeat: str | None, expires: Expires) -> Account:
    account = Account(item_id="credits")
    period = None if repeat is None else parse_period(repeat)
    rules.start(account, Included("own_a", quantity, period, expires, 0, 0), None)
    return account


def read(account: Account, t: int) -> int:
    rules.settle(account, t, is_read=True)
    account.check()
    return account.quantity


def test_a_planned_start_gives_its_first_units_on_time_and_repeats_from_the_old_anchor() -> None:
    account = planned(10, "1 week", "never", anchor=2 * DAY, starts_at=20 * DAY)
    assert account.next_due() == 20 * DAY
    assert read(account, 20 * DAY - 1) == 0
    assert read(account, 20 * DAY) == 10
    assert read(account, 23 * DAY - 1) == 10
    assert read(account, 23 * DAY) == 20


def test_a_planned_start_that_is_given_once_and_seen_late_is_given_once() -> None:
    account = planned(10, None, "never", anchor=5 * DAY, starts_at=5 * DAY)
    assert read(account, 400 * DAY) == 10
    assert account.next_due() == NEVER


def test_a_planned_start_that_was_called_off_gives_nothing() -> None:
    account = planned(10, "1 week", "when_repeated", anchor=0, starts_at=5 * DAY)
    rules.end(account, "own_b", DAY)
    assert read(account, 30 * DAY) == 0


@pytest.mark.parametrize(
    ("repeat", "spent", "later", "expected"),
    [
        (None, 0, 20, 20),
        (None, 25, 20, -5),
        (None, 5, 20, 15),
        (None, 0, 40, 40),
        ("1 week", 0, 20, 20),
    ],
    ids=["down", "down below what was spent", "down, unspent first", "up", "repeats give the new number"],
)
def test_a_planned_quantity_counts_on_time(repeat: str | None, spent: int, later: int, expected: int) -> None:
    account = running(30, repeat, "when_repeated")
    if spent:
        rules.decrease(account, spent, allow_negative=False, source=None, effective_at=0)
    account.included[0].later_quantity, account.included[0].later_at = later, 7 * DAY
    assert account.next_due() == 7 * DAY
    assert read(account, 7 * DAY - 1) == 30 - spent
    assert read(account, 7 * DAY) == expected


def test_no_repeat_comes_once_access_is_lost_as_planned_and_the_latest_missed_one_on_recovery() -> None:
    account = running(10, "1 week", "never")
    account.included[0].pauses_at = 10 * DAY
    assert read(account, 30 * DAY) == 20
    rules.resume(account, "own_a")
    assert account.quantity == 30
    assert read(account, 35 * DAY) == 40


def test_a_planned_loss_of_access_that_never_came_misses_nothing() -> None:
    account = running(10, "1 week", "never")
    account.included[0].pauses_at = 10 * DAY
    assert read(account, 8 * DAY) == 20
    rules.resume(account, "own_a")
    assert read(account, 30 * DAY) == 50
