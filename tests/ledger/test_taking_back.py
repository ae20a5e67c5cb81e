"""A refunded purchase never gives units again: what a take-back finds spent is closed with its spending. Rules, and both databases."""

import pytest

from paywright.ledger import actions, rules
from paywright.ledger.model import TakeBackPolicy, TakenBack
from paywright.ledger.queries import breakdown
from tests.ledger.conftest import ENVIRONMENT, ITEM, U1, Ledger
from tests.ledger.timeline import Timeline


@pytest.mark.parametrize(
    ("spent", "policy", "refunded", "now", "after_the_expiry"),
    [
        # 100 for good are bought, `spent` of them used, the money goes back; then 100 more come that die at 10.
        (
            100,
            "unspent",
            100,
            100,
            0,
        ),  # Without closing, the expiry would absorb the spending and set the old 100 free.
        (60, "unspent", 100, 100, 0),
        (0, "unspent", 100, 100, 0),
        (130, "unspent", 100, 70, 0),  # In debt: 30 of the new ones pay it.
        (100, "all", 100, 0, 0),
        (100, "none", 100, 100, 100),
        (100, "unspent", 50, 100, 50),  # Half the money: half the units are paid for, and their spending moves as ever.
        (60, "unspent", 50, 100, 50),
        (60, "unspent", 20, 120, 80),
    ],
)
def test_units_of_a_refunded_purchase_never_come_back(
    spent: int, policy: TakeBackPolicy, refunded: int, now: int, after_the_expiry: int
) -> None:
    timeline = Timeline()
    timeline.at(0).pack("own_A", 100)
    timeline.at(1).decrease(spent)
    if policy != "none":
        timeline.at(2).take_back("own_A", policy, refunded=refunded, paid=100)
    timeline.at(3).grant(100, 10)
    assert timeline.read(3) == (now, 0)
    assert timeline.read(10) == (after_the_expiry, 0)


def test_what_only_closes_is_one_fact_of_no_units() -> None:
    timeline = Timeline()
    timeline.at(0).pack("own_A", 100)
    timeline.at(1).decrease(100)
    timeline.at(2).take_back("own_A", "unspent")
    (fact,) = timeline.facts[2:]
    assert (fact.kind, fact.quantity, fact.delta, fact.balance_after, fact.spent_after) == ("take_back", 0, 0, 0, 0)
    timeline.at(3).take_back("own_A", "unspent")
    assert len(timeline.facts) == 3


def test_parts_close_what_they_cover_and_together_all() -> None:
    timeline = Timeline()
    timeline.at(0).pack("own_A", 100)
    timeline.at(1).decrease(80)
    (grant,) = timeline.account.grants
    seen = []
    for refunded in (50, 60, 60, 100):
        timeline.at(2).take_back("own_A", "unspent", refunded=refunded, paid=100)
        seen.append((grant.taken, grant.absorbed, grant.live))
    assert seen == [(20, 30, 50), (20, 40, 40), (20, 40, 40), (20, 80, 0)]


def test_held_units_are_never_taken_but_spent_ones_are_closed() -> None:
    timeline = Timeline()
    timeline.at(0).pack("own_A", 100)
    timeline.at(1).decrease(20)
    timeline.hold("h", 70)
    timeline.at(2).take_back("own_A", "unspent")
    assert timeline.read(2) == (0, 70)
    timeline.capture("h", 70)
    timeline.at(3).take_back("own_A", "unspent")
    timeline.at(4).grant(100, 10)
    assert timeline.read(10) == (0, 0)


def test_an_end_heard_late_closes_what_was_spent_of_repeats_that_should_not_have_been() -> None:
    day = 86_400_000
    timeline = Timeline()
    timeline.at(0).included("own_A", 10, repeat="1 week", expires="never")
    timeline.at(8 * day).decrease(20)
    timeline.end("own_A", at=7 * day)
    timeline.grant(20, 9 * day)
    assert timeline.read(9 * day) == (10, 0), "the ten of day 0 are the customer's; those of day 7 are not"


def test_a_smaller_purchase_goes_on_and_closes_nothing() -> None:
    timeline = Timeline()
    timeline.included("own_A", 10, expires="when_purchase_expires")
    timeline.decrease(7)
    account = timeline.account
    assert sum(fact.quantity for fact in rules.change(account, account.included[0], 4, "switch:1")) == 6
    account.check()
    (grant,) = account.grants
    assert (account.balance, account.spent, grant.live, grant.absorbed) == (-3, 7, 4, 0)


def test_a_spent_purchase_refunded_and_the_refund_that_fails(ledger: Ledger) -> None:
    ledger.at(1_000_000)
    pack = {"repeat": None, "expires": "never", "anchor": 1_000_000}
    ledger.do(actions.start_included, "own_A", ITEM, 100, **pack)
    ledger.do(actions.decrease, ITEM, 100, source=None)
    assert ledger.do(actions.take_back, "own_A", "unspent", source="refund:re_1") == []
    assert ledger.do(actions.take_back, "own_A", "unspent", source="refund:re_1") == []
    assert ledger.entries()[2:] == [("take_back", 0, 0)]
    ledger.grant(30, expires_at=2_000_000)
    assert live_of(ledger, 1_500_000) == [30]
    assert ledger.at(2_000_001).shown() == (0, 0)
    given = {"source_taken": "refund:re_1", "source": "refund:re_1:reversal"}
    assert ledger.do(actions.give_back, **given) == []
    assert ledger.shown() == (0, 0), "what was settled stays settled"
    taken = ledger.do(actions.take_back, "own_A", "all", source="dispute:dp_1")
    assert taken == [TakenBack(ITEM, 100, "dispute:dp_1")]
    assert ledger.shown() == (-100, 0)


def live_of(ledger: Ledger, now: int) -> list[int]:
    with ledger.app.database.read() as connection:
        units = breakdown(connection, ENVIRONMENT, U1, ITEM, now)
    assert isinstance(units, list), units
    return [each.quantity for each in units]
