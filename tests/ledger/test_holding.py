"""Holds and batches of decreases, on both databases."""

from typing import Any

import pytest

from paywright.kernel.model import QUANTITY_MAX, Customer
from paywright.kernel.refusals import Refusal
from paywright.ledger import actions
from paywright.ledger.holding import DecreaseLine, HeldItem, capture_hold, decrease_many, open_hold, release_hold
from paywright.ledger.model import ItemState
from paywright.ledger.opening import Opening
from paywright.ledger.warning import customers_expiring, warn_of_expiry
from tests.ledger.conftest import ENVIRONMENT, ITEM, U1, Ledger

U2 = Customer("user", "u_2")


def hold(ledger: Ledger, quantity: int, **options: Any) -> HeldItem | Refusal:
    with ledger.app.work(ENVIRONMENT) as work:
        return open_hold(work, ledger.app.resource(Opening), U1, ITEM, quantity, **options)


def held(ledger: Ledger, quantity: int, **options: Any) -> str:
    outcome = hold(ledger, quantity, **options)
    assert isinstance(outcome, HeldItem), outcome
    return outcome.hold.id


def capture(ledger: Ledger, hold_id: str, quantity: int | None = None) -> HeldItem | Refusal:
    with ledger.app.work(ENVIRONMENT) as work:
        return capture_hold(work, hold_id, quantity)


def release(ledger: Ledger, hold_id: str) -> HeldItem | Refusal:
    with ledger.app.work(ENVIRONMENT) as work:
        return release_hold(work, hold_id)


def test_L18_hold_and_capture(ledger: Ledger) -> None:
    ledger.grant(100)
    opened = hold(ledger, 20, expires_in_s=60)
    assert isinstance(opened, HeldItem)
    assert (opened.item, opened.hold.status, opened.hold.quantity) == (ItemState(ITEM, 80, 20, 2), "open", 20)
    assert opened.hold.expires_at == ledger.clock.now + 60_000
    captured = capture(ledger, opened.hold.id, 15)
    assert isinstance(captured, HeldItem)
    assert (captured.item, captured.hold.status, captured.hold.captured) == (ItemState(ITEM, 85, 0, 3), "captured", 15)
    assert ledger.entries() == [("grant", 100, 100), ("hold", 20, 0), ("capture", 15, -15), ("release", 5, 0)]


def test_hold_refusals(ledger: Ledger) -> None:
    ledger.grant(5)
    assert hold(ledger, 6) == Refusal("insufficient_quantity", {"requested": 6, "available": 5})
    assert capture(ledger, "hold_nowhere") == release(ledger, "hold_nowhere") == Refusal("hold_not_found")
    hold_id = held(ledger, 3)
    assert capture(ledger, hold_id, 4) == Refusal("capture_too_large", {"requested": 4, "held": 3})
    assert isinstance(capture(ledger, hold_id), HeldItem)
    assert capture(ledger, hold_id) == release(ledger, hold_id) == Refusal("hold_not_open", {"status": "captured"})
    assert ledger.shown() == (2, 0)


def test_releasing_again_has_no_effect(ledger: Ledger) -> None:
    ledger.grant(5)
    hold_id = held(ledger, 3)
    for _ in range(2):
        outcome = release(ledger, hold_id)
        assert isinstance(outcome, HeldItem)
        assert (outcome.hold.status, outcome.item.quantity) == ("released", 5)
    assert len(ledger.entries()) == 3


def test_a_hold_times_out_on_time_with_nobody_looking(ledger: Ledger) -> None:
    ledger.grant(5)
    hold_id = held(ledger, 3, expires_in_s=60)
    ledger.at(ledger.clock.now + 60_000)
    assert ledger.shown() == (5, 0)
    ledger.at(ledger.clock.now + 1)
    assert capture(ledger, hold_id) == Refusal("hold_not_open", {"status": "timed_out"})
    outcome = release(ledger, hold_id)
    assert isinstance(outcome, HeldItem)
    assert (outcome.hold.status, outcome.item.quantity) == ("timed_out", 5)
    assert [kind for _, kind in ledger.events()].count("hold.timed_out") == 1


def test_a_disputes_hold_is_found_by_nobody(ledger: Ledger) -> None:
    ledger.do(actions.start_included, "own_a", ITEM, 5, repeat=None, expires="never", anchor=0)
    ledger.do(actions.freeze, "own_a", source="dispute:dp_1")
    assert release(ledger, "dispute:dp_1:own_a:credits") == Refusal("hold_not_found")


def many(ledger: Ledger, *lines: DecreaseLine) -> list[ItemState] | Refusal:
    with ledger.app.work(ENVIRONMENT) as work:
        return decrease_many(work, ledger.app.resource(Opening), lines)


def test_T5_one_short_line_changes_nothing(ledger: Ledger) -> None:
    ledger.grant(10)
    ledger.do(actions.grant, ITEM, 4, source=None, customer=U2)
    refused = many(ledger, DecreaseLine(U1, ITEM, 5), DecreaseLine(U2, ITEM, 5))
    assert isinstance(refused, Refusal)
    assert refused.facts["lines"] == [{"index": 1, "requested": 5, "available": 4}]
    assert (ledger.shown(), ledger.shown(customer=U2)) == ((10, 0), (4, 0))


def test_lines_on_one_balance_are_added_up(ledger: Ledger) -> None:
    ledger.grant(10)
    ledger.do(actions.grant, "seats", 2, source=None)
    refused = many(ledger, DecreaseLine(U1, ITEM, 6), DecreaseLine(U1, ITEM, 6), DecreaseLine(U1, "seats", 3))
    assert isinstance(refused, Refusal)
    assert refused.facts["lines"] == [
        {"index": 1, "requested": 6, "available": 4},
        {"index": 2, "requested": 3, "available": 2},
    ]
    done = many(ledger, DecreaseLine(U1, ITEM, 6), DecreaseLine(U1, "seats", 2), DecreaseLine(U1, ITEM, 4))
    assert done == [ItemState(ITEM, 0, 0, 3), ItemState("seats", 0, 0, 3), ItemState(ITEM, 0, 0, 3)]


def test_units_that_expire_soon_are_told_once(ledger: Ledger) -> None:
    now = ledger.clock.now
    ledger.grant(10, expires_at=now + 100)
    ledger.grant(5, expires_at=now + 100)
    ledger.grant(7, expires_at=now + 5000)
    ledger.do(actions.decrease, ITEM, 4, source=None)
    with ledger.app.database.read() as connection:
        assert customers_expiring(connection, ENVIRONMENT, now + 200, limit=10) == [U1]
    assert [ledger.do(warn_of_expiry, until=now + 200) for _ in range(2)] == [1, 0]
    ledger.grant(1, expires_at=now + 100)
    assert ledger.do(warn_of_expiry, until=now + 200) == 0
    assert [kind for _, kind in ledger.events()].count("item.expiring_soon") == 1


@pytest.mark.parametrize("repeat", [True, False])
def test_a_resetting_allowance_is_no_news(ledger: Ledger, repeat: bool) -> None:
    from paywright.kernel.periods import Period

    period = Period(1, "day") if repeat else None
    now = ledger.clock.now
    ends_at = None if repeat else now + 86_400_000
    start: dict[str, Any] = {"repeat": period, "expires": "when_repeated", "anchor": now, "ends_at": ends_at}
    ledger.do(actions.start_included, "own_a", ITEM, 5, **start)
    assert ledger.do(warn_of_expiry, until=now + 86_400_000) == (0 if repeat else 1)


def test_a_batch_beyond_the_range_is_refused(ledger: Ledger) -> None:
    ledger.do(actions.decrease, ITEM, QUANTITY_MAX, source=None, allow_negative=True)
    assert isinstance(many(ledger, DecreaseLine(U1, ITEM, 1)), Refusal)
