"""The group commit, awaited by coroutines, on both databases."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ledger import hot
from paywright.ledger.calls import WAITING_MAX
from paywright.ledger.gather import Groups
from paywright.ledger.model import Answer, Expiring, ItemState
from tests.ledger.conftest import ENVIRONMENT, ITEM, U1, Ledger
from tests.ledger.test_hot import give, key, spend


def together(*coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
    async def run() -> list[Any]:
        return await asyncio.gather(*coroutines, return_exceptions=True)

    return asyncio.run(run())


def spend_async(ledger: Ledger, quantity: int, customer: Customer = U1, **options: Any) -> Coroutine[Any, Any, Answer]:
    return hot.do_async(ledger.app, ENVIRONMENT, hot.decrease_call(customer, ITEM, quantity, **options))


def read_async(ledger: Ledger, customer: Customer = U1) -> Coroutine[Any, Any, ItemState]:
    return hot.read_item_async(ledger.app, ENVIRONMENT, customer, ITEM)


def test_one_after_the_other(ledger: Ledger) -> None:
    now = ledger.clock.now

    async def story() -> list[Any]:
        return [
            await hot.do_async(ledger.app, ENVIRONMENT, hot.increase_call(U1, ITEM, 10)),
            await hot.do_async(ledger.app, ENVIRONMENT, hot.increase_call(U1, ITEM, 5, expires_at=now + 60)),
            await spend_async(ledger, 3, note="a call", actor="app"),
            await spend_async(ledger, 13),
            await read_async(ledger),
            await read_async(ledger, Customer("user", "u_2")),
        ]

    assert asyncio.run(story()) == [
        Answer(ItemState(ITEM, 10, 0, 1)),
        Answer(ItemState(ITEM, 15, 0, 2, (Expiring(5, now + 60),))),
        Answer(ItemState(ITEM, 12, 0, 3, (Expiring(2, now + 60),))),
        Answer(Refusal("insufficient_quantity", {"requested": 13, "available": 12})),
        ItemState(ITEM, 12, 0, 3, (Expiring(2, now + 60),)),
        ItemState(ITEM, 0, 0, 0),
    ]


def test_two_hundred_racers_on_a_hundred_credits(ledger: Ledger) -> None:
    give(ledger, 100)
    answers = together(*(spend_async(ledger, 1, idempotency=key(f"{number}")) for number in range(200)))
    assert sum(isinstance(answer.result, ItemState) for answer in answers) == 100
    assert together(read_async(ledger))[0].quantity == 0
    replays = together(*(spend_async(ledger, 1, idempotency=key(f"{number}")) for number in range(200)))
    assert [answer.result for answer in replays] == [answer.result for answer in answers]
    assert all(answer.replayed for answer in replays)


def test_twins_in_one_batch_spend_once(ledger: Ledger) -> None:
    give(ledger, 10)
    answers = together(*(spend_async(ledger, 4, idempotency=key("k")) for _ in range(8)))
    assert {answer.result for answer in answers} == {ItemState(ITEM, 6, 0, 2)}
    assert sum(answer.replayed for answer in answers) == 7


def test_new_customers_in_one_batch(ledger: Ledger) -> None:
    customers = [Customer("user", f'strange "{number}\\, {{}} é') for number in range(20)]
    answers = together(
        *(hot.do_async(ledger.app, ENVIRONMENT, hot.increase_call(customer, ITEM, 2)) for customer in customers),
        *(spend_async(ledger, 1, customer, allow_negative=True) for customer in customers),
        *(spend_async(ledger, 1, customer, allow_negative=True) for customer in customers),
    )
    assert all(isinstance(answer.result, ItemState) for answer in answers)
    assert [state.quantity for state in together(*(read_async(ledger, customer) for customer in customers))] == [0] * 20


def test_threads_and_coroutines_share_the_ledger(ledger: Ledger) -> None:
    give(ledger, 1000)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        threads = [loop.run_in_executor(None, spend, ledger, 1) for _ in range(40)]
        await asyncio.gather(*(spend_async(ledger, 1) for _ in range(200)), *threads)

    asyncio.run(run())
    assert ledger.shown() == (760, 0)


def test_a_read_after_something_became_due_is_right(ledger: Ledger) -> None:
    give(ledger, 5, expires_at=ledger.clock.now + 10)
    give(ledger, 1)
    ledger.at(ledger.clock.now + 10)
    assert together(read_async(ledger)) == [ItemState(ITEM, 1, 0, 2)]


def test_too_many_waiting_calls_are_refused_at_once(ledger: Ledger) -> None:
    give(ledger, 1_000_000)

    async def flood() -> tuple[int, int]:
        calls = [hot.decrease_call(U1, ITEM, 1) for _ in range(WAITING_MAX + 100)]
        group = ledger.app.resource(Groups).of_this_loop()
        first = await group.submit(ENVIRONMENT, hot.decrease_call(U1, ITEM, 1))  # type: ignore[misc]
        assert first is not None
        futures = [group.submit(ENVIRONMENT, call) for call in calls]
        taken = [future for future in futures if future is not None]
        await asyncio.gather(*taken)
        return len(taken), len(futures) - len(taken)

    assert asyncio.run(flood()) == (WAITING_MAX, 100)


def test_a_caller_who_goes_away_harms_nobody(ledger: Ledger) -> None:
    give(ledger, 10)

    async def run() -> Any:
        leaving = asyncio.ensure_future(spend_async(ledger, 1))
        staying = asyncio.ensure_future(spend_async(ledger, 1))
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    assert isinstance(asyncio.run(run()).result, ItemState)
