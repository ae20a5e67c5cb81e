"""Deliveries gathered into batches: each is answered after its own commit, whoever waits for it and whatever became of its neighbours."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from paywright.webhooks.gather import BATCH_MAX, Gatherer


class Disk:
    """Stores numbers; a batch with a negative one fails as a whole. The first batch waits until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.began = threading.Event()
        self.let_go = threading.Event()

    def begun(self) -> Gatherer[int]:
        """One whose first batch, of 0 alone, is being stored."""
        gatherer = Gatherer(self.store)
        gatherer.put(0)
        assert self.began.wait(60)
        return gatherer

    def store(self, numbers: Sequence[int]) -> None:
        self.began.set()
        assert self.let_go.wait(60)
        if min(numbers) < 0:
            raise ValueError(numbers)
        self.batches.append(list(numbers))


def test_while_one_batch_is_stored_the_next_collects_from_threads_and_loops_alike() -> None:
    disk = Disk()
    gatherer = disk.begun()

    async def deliver() -> list[None]:
        waiting = [gatherer.put_async(number) for number in range(1, BATCH_MAX + 10)]
        last = gatherer.put(1_000)
        assert not any(each.done() for each in waiting)
        disk.let_go.set()
        stored = await asyncio.gather(*waiting)
        last.result(60)
        return stored

    assert set(asyncio.run(deliver())) == {None}
    gatherer.close()
    everything = [*range(1, BATCH_MAX + 10), 1_000]
    assert disk.batches == [[0], everything[:BATCH_MAX], everything[BATCH_MAX:]]


def test_a_bad_delivery_harms_none_of_its_neighbours() -> None:
    disk = Disk()
    gatherer = disk.begun()

    async def deliver() -> list[BaseException | None]:
        waiting = [gatherer.put_async(number) for number in (1, -1, 2)]
        disk.let_go.set()
        return await asyncio.gather(*waiting, return_exceptions=True)

    good, bad, also_good = asyncio.run(deliver())
    assert (good, also_good) == (None, None)
    assert isinstance(bad, ValueError)
    with pytest.raises(ValueError, match="-2"):
        gatherer.put(-2).result(60)
    gatherer.close()
    assert disk.batches == [[0], [1], [2]]


def test_who_went_away_keeps_nobody_from_his_answer() -> None:
    disk = Disk()
    gatherer = disk.begun()

    async def gone() -> None:
        gatherer.put_async(1).cancel()
        gatherer.put_async(2)

    asyncio.run(gone())
    left = gatherer.put(3)
    disk.let_go.set()
    assert left.result(60) is None
    gatherer.close()
    assert disk.batches == [[0], [1, 2, 3]]
