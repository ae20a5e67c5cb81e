"""The group commit, called by threads, on both databases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from paywright.kernel.model import QUANTITY_MAX, Customer
from paywright.kernel.periods import Period
from paywright.kernel.refusals import Refusal
from paywright.ledger import actions, hot
from paywright.ledger.calls import Call
from paywright.ledger.model import Answer, Expiring, ItemState
from paywright.ledger.opening import Opening
from paywright.outbox.actions import lock_customers, mark_changed
from paywright.storage.idempotency import IdempotencyKey, idempotency_key
from paywright.storage.work import Work
from tests.ledger.conftest import ENVIRONMENT, ITEM, U1, Ledger


def key(name: str, body: bytes = b"{}", caller: str = "secret") -> IdempotencyKey:
    return idempotency_key(caller, name, method="POST", path="/v1/customers/user/u_1/items/credits/decrease", body=body)


def spend(ledger: Ledger, quantity: int, **options: Any) -> ItemState | Refusal:
    return hot.decrease(ledger.app, ENVIRONMENT, options.pop("customer", U1), ITEM, quantity, **options)


def give(ledger: Ledger, quantity: int, **options: Any) -> ItemState | Refusal:
    return hot.increase(ledger.app, ENVIRONMENT, options.pop("customer", U1), ITEM, quantity, **options)


def answer(ledger: Ledger, call: Call) -> Answer:
    return hot.do(ledger.app, ENVIRONMENT, call)


def all_at_once(ledger: Ledger, callers: int, act: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(callers) as pool:
        return list(pool.map(act, range(callers)))


def test_increase_then_decrease(ledger: Ledger) -> None:
    assert give(ledger, 10) == ItemState(ITEM, 10, 0, 1)
    assert give(ledger, 5, note="bonus", actor="ops") == ItemState(ITEM, 15, 0, 2)
    assert spend(ledger, 4) == ItemState(ITEM, 11, 0, 3)
    assert spend(ledger, 12) == Refusal("insufficient_quantity", {"requested": 12, "available": 11})
    assert spend(ledger, 12, allow_negative=True) == ItemState(ITEM, -1, 0, 4)
    assert give(ledger, 5) == ItemState(ITEM, 4, 0, 5)
    assert hot.read_item(ledger.app, ENVIRONMENT, U1, ITEM) == ItemState(ITEM, 4, 0, 5)
    kinds = [kind for _, kind in ledger.events()]
    assert kinds.count("item.depleted") == 1
    assert kinds.count("customer.state_changed") == 5
    assert [sequence for sequence, _ in ledger.events()] == list(range(1, len(kinds) + 1))


def test_units_that_expire_are_shown_as_expiring(ledger: Ledger) -> None:
    now = ledger.clock.now
    give(ledger, 1)
    assert give(ledger, 10, expires_at=now + 50) == ItemState(ITEM, 11, 0, 2, (Expiring(10, now + 50),))
    assert spend(ledger, 4) == ItemState(ITEM, 7, 0, 3, (Expiring(6, now + 50),))
    assert give(ledger, 10, expires_at=now + 20) == ItemState(
        ITEM, 17, 0, 4, (Expiring(6, now + 20), Expiring(10, now + 50))
    )
    assert ledger.at(now + 51).shown() == (1, 0)
    assert spend(ledger, 1) == ItemState(ITEM, 0, 0, 5)


def test_L10_an_expiry_in_the_past_has_no_effect(ledger: Ledger) -> None:
    give(ledger, 1)
    for expires_at in (ledger.clock.now, 5, -5):
        assert give(ledger, 10, expires_at=expires_at) == ItemState(ITEM, 1, 0, 1)
    assert len(ledger.entries()) == 1


@pytest.mark.parametrize("sign", [1, -1])
def test_the_range_of_a_balance(ledger: Ledger, sign: int) -> None:
    def move(quantity: int) -> ItemState | Refusal:
        return give(ledger, quantity) if sign > 0 else spend(ledger, quantity, allow_negative=True)

    move(1)
    assert move(QUANTITY_MAX) == Refusal("balance_out_of_range")
    assert move(QUANTITY_MAX - 1) == ItemState(ITEM, sign * QUANTITY_MAX, 0, 2)


def test_a_repeat_with_the_same_key_gets_the_first_answer(ledger: Ledger) -> None:
    now = ledger.clock.now
    give(ledger, 1)
    give(ledger, 10, expires_at=now + 50)
    first = answer(ledger, hot.decrease_call(U1, ITEM, 4, idempotency=key("k")))
    give(ledger, 100, expires_at=now + 10)
    again = answer(ledger, hot.decrease_call(U1, ITEM, 4, idempotency=key("k")))
    assert (first.replayed, again.replayed) == (False, True)
    assert first.result == again.result == ItemState(ITEM, 7, 0, 3, (Expiring(6, now + 50),))
    assert ledger.shown() == (107, 0)


def test_a_repeat_of_the_very_first_call_gets_its_answer(ledger: Ledger) -> None:
    first = answer(ledger, hot.increase_call(U1, ITEM, 4, idempotency=key("k")))
    assert answer(ledger, hot.increase_call(U1, ITEM, 4, idempotency=key("k"))) == Answer(first.result, replayed=True)
    assert ledger.shown() == (4, 0)


@pytest.mark.parametrize("has_balance", [True, False])
def test_a_stored_refusal_is_replayed_even_after_a_top_up(ledger: Ledger, has_balance: bool) -> None:
    if has_balance:
        give(ledger, 1)
    available = int(has_balance)
    refused = Refusal("insufficient_quantity", {"requested": 4, "available": available})
    assert answer(ledger, hot.decrease_call(U1, ITEM, 4, idempotency=key("k"))) == Answer(refused)
    give(ledger, 10)
    assert answer(ledger, hot.decrease_call(U1, ITEM, 4, idempotency=key("k"))) == Answer(refused, replayed=True)
    assert ledger.shown() == (10 + available, 0)


def test_a_key_means_one_request(ledger: Ledger) -> None:
    give(ledger, 10)
    spend(ledger, 1, idempotency=key("k"))
    other = Customer("user", "u_2")
    assert spend(ledger, 2, idempotency=key("k", b"other")) == Refusal("idempotency_key_reused")
    assert spend(ledger, 2, idempotency=key("k", b"other"), customer=other) == Refusal("idempotency_key_reused")
    assert isinstance(spend(ledger, 2, idempotency=key("k", b"other", caller="user:u_1")), ItemState)
    assert ledger.shown() == (7, 0)


def test_twins_in_flight_spend_once(ledger: Ledger) -> None:
    give(ledger, 100)
    states = all_at_once(ledger, 16, lambda _: spend(ledger, 5, idempotency=key("k")))
    assert states == [ItemState(ITEM, 95, 0, 2)] * 16
    assert ledger.shown() == (95, 0)


def test_T6_one_of_eight_wins(ledger: Ledger) -> None:
    give(ledger, 5)
    outcomes = all_at_once(ledger, 8, lambda _: spend(ledger, 5))
    assert sum(isinstance(outcome, ItemState) for outcome in outcomes) == 1
    assert ledger.shown() == (0, 0)


def test_two_hundred_racers_on_a_hundred_credits(ledger: Ledger) -> None:
    give(ledger, 100)

    def race(number: int) -> int:
        won = 0
        for turn in range(10):
            outcome = spend(ledger, 1, idempotency=key(f"{number}:{turn}"))
            won += isinstance(outcome, ItemState)
        return won

    assert sum(all_at_once(ledger, 20, race)) == 100
    assert ledger.shown() == (0, 0)


def test_mixed_operations_of_many_customers_add_up(ledger: Ledger) -> None:
    customers = [Customer("team", f"t_{number}") for number in range(5)]

    def work(number: int) -> None:
        for turn in range(30):
            customer = customers[(number + turn) % 5]
            if turn % 3 == 0:
                give(ledger, 7, customer=customer, expires_at=None if turn % 2 else ledger.clock.now + 1000)
            else:
                spend(ledger, 3, customer=customer, allow_negative=turn % 4 == 0)

    all_at_once(ledger, 12, work)
    assert ledger.problems() == []


def test_a_customer_is_opened_by_the_first_write_and_again_when_defaults_change(ledger: Ledger) -> None:
    from paywright.catalog.tables import catalogs

    opened = []

    def align(work: Work, customer: Customer) -> None:
        opened.append(customer)
        mark_changed(work, customer, "products")
        start = {"repeat": Period(1, "month"), "expires": "when_repeated", "anchor": work.now}
        actions.start_included(work, customer, f"own_{len(opened)}", ITEM, 5, **start)  # type: ignore[arg-type]

    ledger.app.resource(Opening).align = align
    with ledger.app.work(ENVIRONMENT) as work:
        work.execute(
            catalogs.insert().values(environment_id=ENVIRONMENT, version=1, applied_id="a", defaults_version=1)
        )
    assert spend(ledger, 1) == ItemState(ITEM, 4, 0, 1, (Expiring(4, ledger.read().expiring[0].expires_at),))
    spend(ledger, 1)
    assert opened == [U1]
    with ledger.app.work(ENVIRONMENT) as work:
        work.execute(catalogs.update().values(defaults_version=2))
    outcome = spend(ledger, 1)
    assert isinstance(outcome, ItemState)
    assert outcome.quantity == 7
    assert opened == [U1, U1]


def test_a_call_whose_customer_is_held_by_somebody_slow_runs_alone(ledger: Ledger) -> None:
    give(ledger, 10)
    other = Customer("user", "u_2")
    give(ledger, 10, customer=other)
    if ledger.app.database.dialect == "sqlite":
        return  # One writer: there is nobody else to hold a row.
    with ThreadPoolExecutor(1) as pool:
        with ledger.app.work(ENVIRONMENT) as work:
            lock_customers(work, [U1])
            waiting = pool.submit(spend, ledger, 1)
            assert spend(ledger, 1, customer=other) == ItemState(ITEM, 9, 0, 2)
            assert not waiting.done()
            actions.grant(work, U1, ITEM, 5, source=None)
        assert waiting.result(timeout=40) == ItemState(ITEM, 14, 0, 3)
