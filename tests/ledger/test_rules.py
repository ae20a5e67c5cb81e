"""rules.md 2.2, case by case. `+20@3` grants 20 expiring at 3, `-8` spends with debt allowed, `?20` is a read that shows 20."""

import re

import pytest

from paywright.kernel.model import QUANTITY_MAX
from paywright.kernel.refusals import Refusal
from tests.ledger.timeline import Timeline

CASES = {
    "L1": "1000:+20@3000 1000:+10@5000 2000:-8 2000:?22 3100:?10 5100:?0",
    "L2": "1000:+10@10000 2000:-5 3000:+10@8000 4000:+10@6000 5000:?25 6001:?20 8001:?10 10001:?0",
    "L3": "0:+10 1:-5 2:+10@20 2:?15 20:?10",
    "L4": "1:+10 2:-25 2:?-15 3:+20 3:?5",
    "L5": "0:+50@1000 0:?50 1:+30 1:?80 2:-40 2:?40 3:-60 3:?-20 4:+25 4:?5 1001:?5",
    "L6": "1000:-10 2000:+10 2000:?0 3000:+10@5000 3000:?10 5001:?0",
    "L7": "1:-1 2:+10 2:?9 3:+10@50 3:?19 4:-10 5:?9 51:?9",
    "L8": "0:-5 0:?-5 1:+3@10 1:?-2 2:+4 2:?2 10:?2",
    "L9": (
        "5:-20 5:?-20 10:+100@50 10:?80 20:+40 20:?120 25:-30 25:?90 35:-70 35:?20 40:+60@45 40:?80 44:-50 44:?30 "
        "45:?30 46:+30 46:?60 47:-70 47:?-10 48:+50@60 48:?40 50:?40 60:?40 70:?40"
    ),
    "L10": "4000:+4@3000 4000:?0 9000:?0",
    "L11": "0:+10@10 9:?10 10:-4 10:?0",
    "L17": "0:-10 0:+5 0:?-5",
}


@pytest.mark.parametrize("case", CASES)
def test_timeline(case: str) -> None:
    timeline = Timeline()
    for step in CASES[case].split():
        match = re.fullmatch(r"(\d+):([+?-])(-?\d+)(?:@(\d+))?", step)
        assert match is not None, step
        t, quantity = int(match[1]), int(match[3])
        if match[2] == "?":
            assert timeline.read(t) == (quantity, 0), step
        elif match[2] == "+":
            assert timeline.at(t).grant(quantity, int(match[4]) if match[4] else None) is None
        else:
            assert timeline.at(t).decrease(quantity) is None


def test_L10_an_expired_grant_leaves_no_entry() -> None:
    timeline = Timeline()
    timeline.at(4000).grant(4, 3000)
    timeline.at(4000).grant(4, 4000)
    assert timeline.facts == []


def test_L11_a_spend_at_the_expiry_is_accepted_and_the_rest_is_lost() -> None:
    timeline = Timeline()
    timeline.at(0).grant(10, 10)
    assert timeline.at(10).decrease(4, allow_negative=False) is None
    timeline.at(11)
    assert [(fact.kind, fact.quantity, fact.delta) for fact in timeline.facts] == [
        ("grant", 10, 10),
        ("decrease", 4, -4),
        ("expiry", 10, -6),
    ]


def test_L12_units_of_a_plan_go_with_it_and_spending_goes_with_them() -> None:
    timeline = Timeline()
    timeline.at(0).included("own_plan", 100, expires="when_purchase_expires")
    timeline.decrease(40)
    timeline.grant(10)
    assert timeline.read(0) == (70, 0)
    timeline.at(5).end("own_plan")
    assert timeline.read(5) == (10, 0)


def test_L13_spending_lies_on_the_plan_not_on_what_stays() -> None:
    timeline = Timeline()
    timeline.at(0).grant(50)
    timeline.included("own_plan", 100, expires="when_purchase_expires")
    timeline.decrease(40)
    assert timeline.read(0) == (110, 0)
    timeline.end("own_plan")
    assert timeline.read(0) == (50, 0)


DAY = 86_400_000


def test_L14_the_allowance_pays_before_the_bonus() -> None:
    timeline = Timeline()
    timeline.at(0).included("own_plan", 100, repeat="1 month")
    timeline.grant(100, 90 * DAY)
    timeline.decrease(30)
    assert timeline.read(0) == (170, 0)
    assert timeline.read(31 * DAY) == (200, 0)


def test_L15_a_repeat_does_not_bring_debt_back() -> None:
    timeline = Timeline()
    timeline.at(0).decrease(20)
    assert timeline.read(0) == (-20, 0)
    timeline.included("own_plan", 100, repeat="1 week")
    assert timeline.read(0) == (80, 0)
    assert timeline.read(7 * DAY) == (100, 0)


def test_L16_two_plans_with_known_ends() -> None:
    timeline = Timeline()
    timeline.at(0).included("own_a", 100, expires="when_purchase_expires", ends_at=10 * DAY)
    timeline.included("own_b", 200, expires="when_purchase_expires", ends_at=30 * DAY)
    timeline.at(5 * DAY).decrease(40)
    assert [timeline.read(day * DAY)[0] for day in (5, 10, 30)] == [260, 200, 0]


def test_L18_a_capture_of_less_releases_the_rest() -> None:
    timeline = Timeline()
    timeline.at(0).grant(100)
    timeline.hold("h", 20)
    assert timeline.read(0) == (80, 20)
    timeline.capture("h", 15)
    assert timeline.read(0) == (85, 0)


def test_L19_a_hold_carries_dying_units_until_it_is_captured() -> None:
    timeline = Timeline()
    timeline.at(0).grant(30, 10)
    timeline.grant(5)
    timeline.at(5).hold("h", 20)
    assert timeline.read(11) == (5, 20)
    timeline.at(12).capture("h", 12)
    assert timeline.read(12) == (5, 0)


def test_L20_the_oldest_hold_carries_first_and_a_release_loses_what_it_carried() -> None:
    timeline = Timeline()
    timeline.at(0).grant(10, 10)
    timeline.grant(10)
    timeline.hold("A", 5)
    timeline.hold("B", 5)
    assert timeline.read(11) == (10, 10)
    timeline.at(11).release("A")
    assert timeline.read(11) == (10, 5)
    timeline.capture("B", 5)
    assert timeline.read(11) == (10, 0)


def test_a_hold_times_out_by_itself_and_reads_show_it() -> None:
    timeline = Timeline()
    timeline.at(0).grant(10)
    timeline.hold("h", 4, due=60)
    assert [timeline.read(t) for t in (59, 60)] == [(6, 4), (10, 0)]
    assert timeline.at(60).capture("h", 4) is None, "a capture at the very instant still finds it open"


def test_a_decrease_that_is_too_large_is_refused_and_says_what_there_is() -> None:
    timeline = Timeline()
    timeline.at(0).grant(5)
    timeline.hold("h", 2)
    assert timeline.decrease(4, allow_negative=False) == Refusal(
        "insufficient_quantity", {"requested": 4, "available": 3}
    )
    assert timeline.hold("i", 4) == Refusal("insufficient_quantity", {"requested": 4, "available": 3})
    assert timeline.read(0) == (3, 2)


def test_hold_refusals() -> None:
    timeline = Timeline()
    timeline.at(0).grant(5)
    timeline.hold("h", 2)
    assert timeline.capture("h", 3) == Refusal("capture_too_large", {"requested": 3, "held": 2})
    timeline.capture("h", 0)
    assert timeline.capture("h", 1) == Refusal("hold_not_open", {"status": "released"})


@pytest.mark.parametrize("sign", [1, -1])
def test_a_balance_stays_within_its_range(sign: int) -> None:
    timeline = Timeline()
    move = timeline.grant if sign > 0 else timeline.decrease
    assert move(QUANTITY_MAX) is None
    assert move(1) == Refusal("balance_out_of_range")
    assert timeline.read(0) == (sign * QUANTITY_MAX, 0)


# Take-back, rules.md 2.5


def packs(*quantities: int) -> Timeline:
    timeline = Timeline()
    for number, quantity in enumerate(quantities):
        timeline.at(number).pack(f"own_{'AB'[number]}", quantity)
    return timeline


def test_T1_the_younger_pack_was_untouched() -> None:
    timeline = packs(100, 100)
    timeline.decrease(60)
    timeline.take_back("own_B", "unspent")
    assert timeline.read(2) == (40, 0)


def test_T2_of_the_older_pack_only_what_is_left_is_taken() -> None:
    timeline = packs(100, 100)
    timeline.decrease(60)
    timeline.take_back("own_A", "unspent")
    assert timeline.read(2) == (100, 0)
    assert timeline.remaining(2) == [100], "the spending went with the pack it lay on"


def test_T3_taking_all_may_leave_debt() -> None:
    timeline = packs(100)
    timeline.decrease(60)
    timeline.take_back("own_A", "all")
    assert timeline.read(2) == (-60, 0)
    timeline.grant(100)
    assert timeline.read(2) == (40, 0)


def test_T4_partial_refunds_take_their_part() -> None:
    timeline = packs(100)
    timeline.take_back("own_A", "unspent", refunded=250, paid=1000)
    assert timeline.read(2) == (75, 0)
    timeline.take_back("own_A", "unspent", refunded=500, paid=1000)
    assert timeline.read(2) == (50, 0)


def test_held_units_are_never_taken_as_unspent() -> None:
    timeline = packs(100)
    timeline.hold("h", 70)
    timeline.take_back("own_A", "unspent")
    assert timeline.read(2) == (0, 70)


def test_taking_all_after_an_expiry_takes_what_had_been_spent() -> None:
    timeline = Timeline()
    timeline.at(0).included("own_A", 100, expires="when_purchase_expires", ends_at=10)
    timeline.decrease(30)
    timeline.at(11).take_back("own_A", "all")
    assert timeline.read(11) == (-30, 0)


# The breakdown, rules.md 2.3


def test_spending_is_laid_over_the_soonest_expiring_first() -> None:
    timeline = Timeline()
    timeline.at(0).grant(10)
    timeline.grant(10, 500)
    timeline.included("own_plan", 10, expires="when_purchase_expires")
    timeline.decrease(14)
    assert timeline.remaining(1) == [0, 6, 10]
    timeline.grant(10, 300)
    assert timeline.remaining(1) == [0, 6, 10, 10]
    assert timeline.expiring(1) == [(500, 6)]


def test_held_units_count_as_spent_in_expiring() -> None:
    timeline = Timeline()
    timeline.at(0).grant(10, 100)
    timeline.grant(10, 200)
    timeline.hold("h", 4)
    assert timeline.expiring(1) == [(100, 6), (200, 10)]
