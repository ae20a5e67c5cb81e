"""What callers hear when something breaks under a batch: the truth, each of them."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ledger import hot
from paywright.ledger.batcher import Batcher
from paywright.ledger.model import ItemState
from tests.ledger.conftest import ENVIRONMENT, ITEM, U1, Ledger
from tests.ledger.severed import Wire
from tests.ledger.test_hot import give, key, spend

U2 = Customer("user", "u_2")


@pytest.fixture
def severed(postgres_url: str) -> Iterator[tuple[Ledger, Wire]]:
    address = psycopg.conninfo.conninfo_to_dict(postgres_url)
    wire = Wire(str(address["host"]), int(str(address["port"])))
    ledger = Ledger(postgres_url.replace(f":{address['port']}/", f":{wire.port}/"))
    yield ledger, wire
    assert ledger.problems() == []
    ledger.app.close()
    wire.close()


@pytest.mark.parametrize("name", ["k", None])
def test_a_committed_batch_whose_answer_is_lost_is_done_once(severed: tuple[Ledger, Wire], name: str | None) -> None:
    ledger, wire = severed
    give(ledger, 10)
    spend(ledger, 1)
    wire.cut_after(b"paywright_call")
    assert spend(ledger, 2, idempotency=key(name) if name else None) == ItemState(ITEM, 7, 0, 3)
    assert wire.cuts == 1
    assert ledger.entries() == [("grant", 10, 10), ("decrease", 1, -1), ("decrease", 2, -2)]
    assert spend(ledger, 3) == ItemState(ITEM, 4, 0, 4)


def test_the_same_for_coroutines(severed: tuple[Ledger, Wire]) -> None:
    ledger, wire = severed
    give(ledger, 10)

    async def run() -> list[Any]:
        await hot.do_async(ledger.app, ENVIRONMENT, hot.decrease_call(U1, ITEM, 1))
        wire.cut_after(b"paywright_batch")
        calls = [hot.do_async(ledger.app, ENVIRONMENT, hot.decrease_call(U1, ITEM, 2)) for _ in range(5)]
        answers = await asyncio.gather(*calls)
        wire.cut_after(b"paywright_read")
        state = await hot.read_item_async(ledger.app, ENVIRONMENT, U1, ITEM)
        return [*(answer.result for answer in answers), state]

    *outcomes, state = asyncio.run(run())
    assert sum(isinstance(outcome, ItemState) for outcome in outcomes) == 4
    assert [outcome for outcome in outcomes if isinstance(outcome, Refusal)] == [
        Refusal("insufficient_quantity", {"requested": 2, "available": 1})
    ]
    assert state.quantity == 1
    assert wire.cuts >= 1


def test_a_batch_that_is_killed_before_its_commit_is_done_by_its_callers(postgres_url: str) -> None:
    ledger = Ledger(postgres_url)
    give(ledger, 10)
    with psycopg.connect(postgres_url) as other, ThreadPoolExecutor(4) as pool:
        # Somebody holds the same key uncommitted, so the batch waits in the middle of its transaction.
        held = key("k")
        other.execute(
            "INSERT INTO idempotency_keys (environment_id, caller, key_hash, fingerprint, created_at) VALUES (%s, %s, %s, %s, 0)",
            (ENVIRONMENT, held.caller, held.key_hash, held.fingerprint),
        )
        waiting = [pool.submit(spend, ledger, 1, idempotency=held)]
        with psycopg.connect(postgres_url, autocommit=True) as killer:
            killed = 0
            while not killed:
                killed = killer.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%ledger_call%'"
                ).fetchall()[0][0]
        other.rollback()
        assert [future.result(timeout=30) for future in waiting] == [ItemState(ITEM, 9, 0, 2)]
    assert ledger.problems() == []
    ledger.app.close()


@pytest.mark.parametrize("poison", ["\ud800"])
def test_a_poisoned_call_harms_nobody_else(ledger: Ledger, poison: str) -> None:
    give(ledger, 10)
    give(ledger, 10, customer=U2)

    async def run() -> list[Any]:
        calls = [
            hot.do_async(ledger.app, ENVIRONMENT, hot.decrease_call(U1, ITEM, 1)),
            hot.do_async(ledger.app, ENVIRONMENT, hot.decrease_call(U1, ITEM, 1, note=poison)),
            hot.do_async(ledger.app, ENVIRONMENT, hot.decrease_call(U1, ITEM, 1)),
            hot.do_async(ledger.app, ENVIRONMENT, hot.decrease_call(U2, ITEM, 1)),
        ]
        return await asyncio.gather(*calls, return_exceptions=True)

    answers = asyncio.run(run())
    assert isinstance(answers[1], Exception)
    assert (ledger.shown(), ledger.shown(customer=U2)) == ((8, 0), (9, 0))
    with pytest.raises(Exception, match="surrogate"):
        spend(ledger, 1, note=poison)
    assert spend(ledger, 1) == ItemState(ITEM, 7, 0, 4)


def test_a_bug_in_a_batch_reaches_everybody_who_waited_and_nobody_hangs(ledger: Ledger) -> None:
    give(ledger, 10)
    batcher = ledger.app.resource(Batcher)

    class Bug(Exception):
        pass

    def broken(_environment_id: str, _calls: list[Any]) -> list[Any]:
        raise Bug

    lanes, kept = batcher.lanes, [lane.run for lane in batcher.lanes]
    for lane in lanes:
        lane.run = broken
    with pytest.raises(Bug):
        spend(ledger, 1)
    for lane, run in zip(lanes, kept, strict=True):
        lane.run = run
    assert spend(ledger, 1) == ItemState(ITEM, 9, 0, 2)


RACER = """
import asyncio, sys
from paywright.engine.app import App
from paywright.kernel.model import Customer
from paywright.kernel.settings import Settings
from paywright.ledger import hot
from paywright.ledger.model import ItemState

async def race(app, number):
    calls = [hot.do_async(app, "test", hot.decrease_call(Customer("user", "u_1"), "credits", 1)) for _ in range(number)]
    return sum(isinstance(answer.result, ItemState) for answer in await asyncio.gather(*calls))

app = App(Settings(database_url=sys.argv[1]), wall=lambda: 1_000_000)
sys.stdin.readline()
print(asyncio.run(race(app, 50)))
app.close()
"""


def test_two_hundred_racers_in_four_processes(ledger: Ledger) -> None:
    give(ledger, 100)
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, ledger.database_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    won = [int(racer.communicate(timeout=60)[0]) for racer in racers]
    assert sum(won) == 100
    assert ledger.shown() == (0, 0)
