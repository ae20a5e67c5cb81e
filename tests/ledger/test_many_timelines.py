"""
Ten thousand lives of a balance in memory, hundreds on each database: the rules against the unit-by-unit reference.

What may happen in them is what the machines of `test_model` do. Here a seed throws the dice, which is a hundred times as fast; a failure names the
seed, and `test_model` finds the shortest timeline with the same flaw.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from random import Random
from typing import Any, ClassVar

import pytest

from paywright.kernel.refusals import Refusal
from paywright.ledger import hot
from paywright.ledger.alone import apply_call
from paywright.ledger.calls import Call
from paywright.ledger.holding import HeldItem, capture_hold, open_hold
from paywright.ledger.opening import Opening
from paywright.storage.work import Work
from tests.ledger.conftest import ENVIRONMENT, ITEM, Ledger
from tests.ledger.test_model import InMemory, OnDatabase

TIMELINES = 10_000
STEPS = 20
AT_ONCE, ROUNDS = 100, 14
"""Lives on a database, and how often each of them does something."""


class Life:
    """One timeline: `step` does one of the things people do, at the machine's time."""

    def __init__(self, machine: Any, seed: int) -> None:
        self.machine, self.seed, self.chance = machine, seed, Random(seed)
        self.holds: list[str] = []
        self.owns: list[str] = []

    def step(self) -> None:
        acts: list[Callable[[], None]] = [self._grant, self._decrease, self._decrease, self._hold, self._start]
        if self.holds:
            acts.append(self._capture)
        if self.owns:
            acts += [self._schedule_end, self._end, self._take_back]
        self.chance.choice(acts)()

    def move(self) -> None:
        """One of the things that go through the batch."""
        self.chance.choice([self._grant, self._decrease, self._decrease])()

    def compare(self) -> None:
        try:
            self.machine.both_show_the_same()
        except AssertionError as error:
            raise AssertionError(f"seed {self.seed}") from error

    def _grant(self) -> None:
        self.machine.grant(quantity=self._few(), ticks=self.chance.randint(-1, 9))

    def _decrease(self) -> None:
        self.machine.decrease(quantity=self._few(), allow_negative=self.chance.random() < 0.3)

    def _hold(self) -> None:
        self.holds.append(self.machine.hold(quantity=self._few(), ticks=self._few()))

    def _capture(self) -> None:
        name = self.holds.pop(self.chance.randrange(len(self.holds)))
        self.machine.capture(name=name, quantity=self.chance.randint(0, 9))

    def _start(self) -> None:
        expires = self.chance.choice(["never", "when_purchase_expires", "when_repeated"])
        ticks, days = self.chance.randint(0, 12), self.chance.randint(0, 4)
        self.owns.append(self.machine.start(quantity=self._few(), days=days, expires=expires, ticks=ticks))

    def _schedule_end(self) -> None:
        self.machine.schedule_end(own=self.chance.choice(self.owns), ticks=self.chance.randint(0, 9))

    def _end(self) -> None:
        self.machine.end(own=self.chance.choice(self.owns))

    def _take_back(self) -> None:
        self.machine.take_back(own=self.chance.choice(self.owns))

    def _few(self) -> int:
        return self.chance.randint(1, 9)


@pytest.mark.timeout(300)
def test_ten_thousand_timelines_in_memory() -> None:
    for seed in range(TIMELINES):
        life = Life(InMemory(), seed)
        try:
            for _ in range(STEPS):
                life.step()
                life.compare()
                if life.chance.random() < 0.6:
                    life.machine.time_passes(ticks=life.chance.randint(1, 5))
            life.compare()
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error


class Together(OnDatabase):
    """Lives that share a clock, so that what they do in one round is one transaction, or one batch or two."""

    work: ClassVar[Work | None] = None

    def do(self, action: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        assert self.work is not None
        return action(self.work, self.customer, *arguments, **named)

    def move(self, call: Call) -> bool:
        if self.work is not None:
            return not isinstance(self.do(apply_call, call), Refusal)
        return not isinstance(hot.do(self.ledger.app, ENVIRONMENT, call).result, Refusal)

    def do_hold(self, name: str, quantity: int, until: int) -> bool:
        assert self.work is not None
        opening, seconds = self.ledger.app.resource(Opening), (until - self.now) // 1000
        outcome = open_hold(self.work, opening, self.customer, ITEM, quantity, expires_in_s=seconds)
        if isinstance(outcome, HeldItem):
            self.held[name] = outcome.hold.id
        return isinstance(outcome, HeldItem)

    def do_capture(self, name: str, quantity: int) -> bool:
        assert self.work is not None
        return isinstance(capture_hold(self.work, self.held.get(name, name), quantity), HeldItem)


@pytest.mark.timeout(300)
def test_hundreds_of_timelines_on_a_database(ledger: Ledger) -> None:
    """The fixture verifies every balance from its entries afterwards."""
    kind: Any = type("TogetherHere", (Together,), {"ledger": ledger, "customers": count(1)})
    lives, chance = [Life(kind(), seed) for seed in range(AT_ONCE)], Random(AT_ONCE)
    everybody = [life.machine.customer for life in lives]
    with ThreadPoolExecutor(32) as threads:
        for turn in range(ROUNDS):
            ledger.clock.now = lives[0].machine.now
            if turn % 2:
                list(threads.map(Life.move, lives))
            else:
                with ledger.work(*everybody) as kind.work:
                    for life in lives:
                        life.step()
                kind.work = None
            list(threads.map(Life.compare, lives))
            ticks = chance.randint(0, 3)
            for life in lives:
                life.machine.time_passes(ticks=ticks)
