"""The rules where one more or one less makes the difference: limits of a balance, ties, and what each fact says of itself."""

from paywright.kernel.model import QUANTITY_MAX
from paywright.kernel.periods import parse_period
from paywright.kernel.refusals import Refusal
from paywright.ledger import rules
from paywright.ledger.account import FOREVER, NEVER_KEY, Account, Fact, Included, ItemGrant, OpenHold
from paywright.ledger.model import NEVER
from paywright.ledger.rules import SPENT_MAX
from tests.ledger.timeline import Timeline


def a_grant(quantity: int, due: int = FOREVER, *, sequence: int = 0, grant_id: str = "") -> ItemGrant:
    key = NEVER_KEY if due == FOREVER else f"at:{due}"
    return ItemGrant(None, "grant", key, due, 0, quantity, 0, 0, sequence=sequence, id=grant_id)


def decreased(account: Account, quantity: int) -> bool:
    outcome = rules.decrease(account, quantity, allow_negative=True, source=None, effective_at=0)
    assert not isinstance(outcome, Refusal) or outcome.code == "balance_out_of_range"
    return not isinstance(outcome, Refusal)


def facts_of(outcome: list[Fact] | Refusal) -> list[Fact]:
    assert not isinstance(outcome, Refusal), outcome
    return outcome


def test_a_debt_reaches_the_limit_and_not_one_further() -> None:
    account = Account()
    assert decreased(account, QUANTITY_MAX)
    assert account.balance == -QUANTITY_MAX
    assert not decreased(account, 1)


def test_what_can_be_spent_reaches_the_limit_before_the_balance_when_units_are_held() -> None:
    account = Account(balance=5, forever=5, held=5)
    assert not decreased(account, QUANTITY_MAX + 1)
    assert decreased(account, QUANTITY_MAX)
    assert account.quantity == -QUANTITY_MAX


def test_a_balance_reaches_the_limit_and_not_one_further() -> None:
    account = Account()
    assert facts_of(rules.grant(account, a_grant(QUANTITY_MAX)))
    assert rules.grant(account, a_grant(1)) == Refusal("balance_out_of_range")
    account.check()


def test_units_and_their_spending_reach_their_limit_and_not_one_further() -> None:
    account = Account(balance=1, spent=SPENT_MAX - 2, forever=SPENT_MAX - 1)
    assert facts_of(rules.grant(account, a_grant(1)))
    assert rules.grant(account, a_grant(1)) == Refusal("balance_out_of_range")
    assert decreased(account, 2)
    assert account.spent == SPENT_MAX
    assert not decreased(account, 1)
    assert SPENT_MAX + QUANTITY_MAX < 2**63, "they are stored in 64 bits"


def test_a_repeat_gives_what_fits_below_the_limit_and_nothing_when_nothing_fits() -> None:
    timeline = Timeline()
    timeline.included("own_a", 10, repeat="1 day", expires="never")
    day = timeline.account.included[0].next_repeat_at
    timeline.grant(QUANTITY_MAX - 13)
    timeline.at(day + 1)
    assert timeline.account.balance == QUANTITY_MAX
    timeline.at(3 * day)
    assert timeline.account.balance == QUANTITY_MAX
    assert [fact.quantity for fact in timeline.facts if fact.kind == "repeat"] == [3]
    assert [grant.paid for grant in timeline.account.grants] == [0, 0, 0]


def test_a_start_gives_what_fits_below_the_limit() -> None:
    for left in (3, 0):
        timeline = Timeline()
        timeline.grant(QUANTITY_MAX - left)
        timeline.pack("own_a", 5)
        assert timeline.account.balance == QUANTITY_MAX
        assert [fact.quantity for fact in timeline.facts if fact.kind == "included"] == [left]


def test_an_entry_says_when_its_units_are_lost_if_that_is_known() -> None:
    account = Account()
    assert [fact.expires_at for fact in facts_of(rules.grant(account, a_grant(1, 50)))] == [50]
    assert [fact.expires_at for fact in facts_of(rules.grant(account, a_grant(1)))] == [None]
    unknown = ItemGrant(None, "included", "end:own_a", NEVER, 0, 1, 0, 0, "own_a")
    assert [fact.expires_at for fact in facts_of(rules.grant(account, unknown))] == [None]


def test_of_grants_that_die_together_the_oldest_was_spent_first() -> None:
    account = Account()
    older, younger = a_grant(5, 50, sequence=1, grant_id="ent_b"), a_grant(5, 50, sequence=2, grant_id="ent_a")
    rules.grant(account, younger)
    rules.grant(account, older)
    assert decreased(account, 7)
    (lost,) = rules.settle(account, 51)
    assert (lost.quantity, lost.delta) == (10, -3)
    assert [(each.absorbed, each.expired, each.live) for each in (older, younger)] == [(5, 0, 0), (2, 3, 0)]


def test_of_holds_opened_at_one_instant_the_first_carries_first() -> None:
    account = Account()
    rules.grant(account, a_grant(4, 50))
    rules.grant(account, a_grant(10))
    first, second = (
        OpenHold("h_b", 3, NEVER, "app", "h_b", 0, sequence=1),
        OpenHold("h_a", 3, NEVER, "app", "h_a", 0, sequence=2),
    )
    for hold in (second, first):
        (fact,) = facts_of(rules.open_hold(account, hold))
        assert (fact.kind, fact.quantity, fact.delta) == ("hold", 3, 0)
    rules.settle(account, 51)
    assert (first.carried, second.carried) == (3, 1)
    rules.end_hold(account, first, "released", effective_at=51)
    assert (first.carried, account.carried, account.balance) == (0, 1, 11)


def test_a_hold_captured_whole_releases_nothing_and_one_captured_in_part_the_rest() -> None:
    for captured, expected in ((4, [("capture", 4)]), (3, [("capture", 3), ("release", 1)])):
        timeline = Timeline()
        timeline.grant(10)
        timeline.hold("h_a", 4)
        before = len(timeline.facts)
        timeline.capture("h_a", captured)
        assert [(fact.kind, fact.quantity) for fact in timeline.facts[before:]] == expected


def test_what_is_over_when_it_is_heard_of_gives_nothing() -> None:
    account = Account(at=100)
    over = Included("own_a", 5, None, "when_repeated", 0, 0, 100)
    assert rules.start(account, over, None) == []
    assert account.included == []
    (first,) = rules.start(account, Included("own_a", 5, None, "when_repeated", 0, 0, 101), None)
    assert first.source == "purchase:own_a::start"
    (named,) = rules.start(account, Included("own_b", 5, None, "never", 0, 0), "attach:own_b")
    assert named.source == "attach:own_b"


def test_a_purchase_has_ended_after_its_end_and_not_at_it() -> None:
    account = Account()
    rules.start(account, Included("own_a", 5, None, "never", 0, 0, 100), None)
    rules.settle(account, 100)
    assert not account.included[0].has_ended
    rules.settle(account, 101)
    assert account.included[0].has_ended


def test_what_repeats_or_has_not_begun_changes_from_its_next_turn_and_the_rest_at_once() -> None:
    period = parse_period("1 day")
    account = Account()
    rules.start(account, Included("own_a", 5, period, "never", 0, 0), None)
    rules.start(account, Included("own_b", 5, None, "never", 0, 0), None)
    rules.plan(account, Included("own_c", 5, None, "never", 0, 50))
    repeating, once, planned = account.included
    assert rules.change(account, repeating, 7, "switch:1") == []
    assert rules.change(account, planned, 7, "switch:1") == []
    (more,) = rules.change(account, once, 7, "switch:1")
    assert (more.quantity, more.delta) == (2, 2)
    assert rules.change(account, once, 7, "switch:2") == []
    assert [item.quantity for item in account.included] == [7, 7, 7]


def test_a_planned_change_happens_once() -> None:
    account = Account()
    rules.start(account, Included("own_a", 5, None, "never", 0, 0), None)
    account.included[0].later_quantity, account.included[0].later_at = 8, 50
    assert rules.settle(account, 49) == []
    (more,) = rules.settle(account, 50)
    assert (more.quantity, account.balance) == (3, 8)
    assert (account.included[0].later_quantity, account.included[0].later_at) == (0, NEVER)
    assert rules.settle(account, 60) == []


def test_a_smaller_purchase_gives_up_its_own_unspent_units_first_and_then_spent_ones() -> None:
    timeline = Timeline()
    timeline.grant(4)
    timeline.included("own_a", 10, expires="when_purchase_expires")
    timeline.decrease(7)
    account = timeline.account
    facts = rules.change(account, account.included[0], 2, "switch:1")
    assert sum(fact.quantity for fact in facts) == 8
    assert [fact.source for fact in facts] == [
        f"switch:1:{account.grants[1].id}",
        f"switch:1:{account.grants[1].id}:spent",
    ]
    assert account.balance == -1
    account.check()


def test_a_larger_purchase_gives_what_fits_below_the_limit() -> None:
    timeline = Timeline()
    timeline.pack("own_a", 5)
    timeline.grant(QUANTITY_MAX - 8)
    (more,) = rules.change(timeline.account, timeline.account.included[0], 50, "switch:1")
    assert (more.quantity, timeline.account.balance) == (3, QUANTITY_MAX)
    (none,) = rules.change(timeline.account, timeline.account.included[0], 60, "switch:2")
    assert none.quantity == 0


def test_an_end_moves_and_ends_the_purchase_it_names_and_no_other() -> None:
    timeline = Timeline()
    timeline.included("own_a", 5, expires="when_purchase_expires", ends_at=100)
    timeline.included("own_b", 5, expires="when_purchase_expires", ends_at=100)
    account = timeline.account
    rules.set_end(account, "own_a", 200)
    assert [(item.ends_at, grant.due) for item, grant in zip(account.included, account.grants, strict=True)] == [
        (200, 200),
        (100, 100),
    ]
    timeline.at(50).end("own_a")
    assert [(item.ends_at, item.has_ended) for item in account.included] == [(50, True), (100, False)]
    rules.set_end(account, "own_a", 300)
    assert (account.included[0].ends_at, account.balance) == (50, 5)


def test_a_pause_that_begins_at_this_instant_is_a_pause() -> None:
    day = 86_400_000
    timeline = Timeline()
    timeline.included("own_a", 5, repeat="1 day", expires="never")
    item = timeline.account.included[0]
    item.pauses_at = day
    timeline.at(3 * day)
    assert timeline.account.balance == 5
    assert [fact.kind for fact in rules.resume(timeline.account, "own_a")] == ["repeat"]
    assert (timeline.account.balance, item.next_repeat, item.pauses_at) == (10, 4, NEVER)
    item.pauses_at = timeline.account.at
    assert rules.resume(timeline.account, "own_a") == []
    assert (timeline.account.balance, item.next_repeat) == (10, 4)


DAY = 86_400_000
WEEK = 7 * DAY


def paused_weekly(ends_at: int = NEVER) -> Timeline:
    """Ten a week for good; paused on day 1."""
    timeline = Timeline()
    timeline.included("own_a", 10, repeat="1 week", expires="never", ends_at=ends_at)
    timeline.at(DAY).account.included[0].is_paused = True
    return timeline


def test_resumed_at_the_very_instant_of_a_repeat_that_one_is_given_and_no_other() -> None:
    for weeks, given in ((1, 1), (3, 3)):
        timeline = paused_weekly()
        timeline.at(weeks * WEEK)
        (fact,) = rules.resume(timeline.account, "own_a")
        assert (fact.kind, fact.source) == ("repeat", f"purchase:own_a:credits:repeat:{given}")
        item = timeline.account.included[0]
        assert (item.next_repeat, item.next_repeat_at, item.is_paused) == (given + 1, (given + 1) * WEEK, False)


def test_resumed_where_the_end_takes_the_place_of_the_latest_repeat_the_one_before_is_given() -> None:
    for ends_at, given in ((3 * WEEK, 2), (3 * WEEK + 1, 3)):
        timeline = paused_weekly(ends_at)
        timeline.at(3 * WEEK)
        assert [fact.source for fact in rules.resume(timeline.account, "own_a")] == [
            f"purchase:own_a:credits:repeat:{given}"
        ]


def test_what_is_planned_or_given_once_is_resumed_as_it_was_planned() -> None:
    account = Account(item_id="credits")
    rules.plan(account, Included("own_a", 10, parse_period("1 week"), "never", WEEK, 3 * DAY, is_paused=True))
    rules.start(account, Included("own_a", 5, None, "never", 0, 0), None)
    assert rules.resume(account, "own_a") == []
    assert [(item.next_repeat, item.next_repeat_at) for item in account.included] == [(0, 3 * DAY), (1, NEVER)]
    assert [fact.quantity for fact in rules.settle(account, 3 * DAY)] == [10]


def test_only_the_purchase_that_is_named_is_resumed() -> None:
    timeline = paused_weekly()
    timeline.included("own_b", 10, repeat="1 week", expires="never")
    timeline.account.included[1].is_paused = True
    timeline.at(WEEK + DAY)
    assert [fact.source for fact in rules.resume(timeline.account, "own_b")] == ["purchase:own_b:credits:repeat:1"]
    assert [item.is_paused for item in timeline.account.included] == [True, False]


def test_an_end_asked_for_now_leaves_the_repeat_of_this_instant_and_one_heard_late_takes_it() -> None:
    for heard_at, balance in ((WEEK, 20), (WEEK + 1, 10)):
        timeline = Timeline()
        timeline.included("own_a", 10, repeat="1 week", expires="never")
        timeline.at(heard_at).end("own_a", at=WEEK)
        assert timeline.account.balance == balance


def test_an_end_heard_late_takes_what_repeats_gave_and_not_what_came_otherwise() -> None:
    timeline = Timeline()
    timeline.included("own_a", 10, repeat="1 week", expires="never")
    timeline.included("own_b", 10, repeat="1 week", expires="never")
    timeline.at(WEEK + DAY)
    given = ItemGrant("refund:re_1:reversal", "give_back", NEVER_KEY, FOREVER, WEEK + DAY, 4, 0, 0, "own_a")
    timeline._take(rules.add_grant(timeline.account, given))
    timeline.end("own_a", at=DAY)
    assert [(fact.quantity, fact.source) for fact in timeline.facts if fact.kind == "take_back"] == [
        (10, "end:purchase:own_a:credits:repeat:1")
    ]
    assert timeline.account.balance == 10 + 10 + 10 + 4


def test_an_end_after_the_known_one_does_not_move_it() -> None:
    timeline = Timeline()
    timeline.included("own_a", 5, expires="when_purchase_expires", ends_at=100)
    timeline.at(150).end("own_a", at=120)
    assert (timeline.account.included[0].ends_at, timeline.account.included[0].has_ended) == (100, True)


def test_a_smaller_purchase_gives_up_its_youngest_units_first() -> None:
    for spent, taken in ((0, (0, 2)), (8, (0, 2)), (6, (0, 2)), (3, (1, 3))):
        timeline = Timeline()
        timeline.included("own_a", 5, expires="when_purchase_expires")
        account, item = timeline.account, timeline.account.included[0]
        timeline.at(10)._take(rules.change(account, item, 8, "switch:1"))
        if spent:
            timeline.decrease(spent)
        timeline.at(20)._take(rules.change(account, item, 8 - sum(taken), "switch:2"))
        assert tuple(grant.taken for grant in sorted(account.grants, key=lambda grant: grant.granted_at)) == taken
        assert account.balance == 8 - spent - sum(taken)
