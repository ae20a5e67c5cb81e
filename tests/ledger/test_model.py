"""
Random timelines, the rules against the unit-by-unit reference: on an account in memory thousands of them, on both databases as many as fit.

Both machines do the same things; only where the ledger lives differs.
"""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from paywright.kernel.model import Customer
from paywright.kernel.periods import Period
from paywright.kernel.refusals import Refusal
from paywright.ledger import actions, hot, rules
from paywright.ledger.alone import apply_call
from paywright.ledger.calls import Call
from paywright.ledger.holding import HeldItem, capture_hold, open_hold
from paywright.ledger.model import NEVER
from paywright.ledger.opening import Opening
from paywright.ledger.queries import breakdown
from paywright.ledger.tables import item_grants
from paywright.storage.work import Work
from tests.ledger.conftest import ENVIRONMENT, ITEM, Ledger
from tests.ledger.reference import FOREVER, TICK, UNKNOWN, Plan, Reference
from tests.ledger.timeline import Timeline

QUANTITIES = st.integers(1, 9)
TICKS = st.integers(1, 9)
EXPIRES = st.sampled_from(["never", "when_purchase_expires", "when_repeated"])


class Ledgers(RuleBasedStateMachine):
    """What people may do, told to the reference and to the ledger under test."""

    holds = Bundle("holds")
    owns = Bundle("owns")

    def __init__(self) -> None:
        super().__init__()
        self.reference = Reference()
        self.number = 0

    def name(self, kind: str) -> str:
        self.number += 1
        return f"{kind}_{self.number:03d}"

    @property
    def now(self) -> int:
        return self.reference.tick * TICK

    @rule(ticks=TICKS)
    def time_passes(self, ticks: int) -> None:
        self.reference.advance(ticks)

    @rule(quantity=QUANTITIES, ticks=st.integers(-1, 9))
    def grant(self, quantity: int, ticks: int) -> None:
        tick = FOREVER if ticks == 9 else self.reference.tick + ticks
        self.reference.grant(quantity, tick)
        self.do_grant(quantity, None if ticks == 9 else tick * TICK)

    @rule(quantity=QUANTITIES, allow_negative=st.booleans())
    def decrease(self, quantity: int, allow_negative: bool) -> None:
        accepted = self.reference.decrease(quantity, allow_negative=allow_negative)
        assert self.do_decrease(quantity, allow_negative) == accepted

    @rule(target=holds, quantity=QUANTITIES, ticks=TICKS)
    def hold(self, quantity: int, ticks: int) -> str:
        name = self.name("hold")
        accepted = self.reference.hold(name, quantity, self.reference.tick + ticks)
        assert self.do_hold(name, quantity, (self.reference.tick + ticks) * TICK) == accepted
        return name

    @rule(name=consumes(holds), quantity=st.integers(0, 9))
    def capture(self, name: str, quantity: int) -> None:
        accepted = self.reference.capture(name, quantity)
        assert self.do_capture(name, quantity) == accepted

    @rule(target=owns, quantity=QUANTITIES, days=st.integers(0, 4), expires=EXPIRES, ticks=st.integers(0, 12))
    def start(self, quantity: int, days: int, expires: str, ticks: int) -> str:
        own, end = self.name("own"), self.reference.tick + ticks if ticks else UNKNOWN
        plan = Plan(own, quantity, days * 2 if days else None, expires, self.reference.tick, end)
        self.reference.start(plan)
        self.do_start(own, quantity, days, expires, end * TICK if ticks else None)
        return own

    @rule(own=owns, ticks=st.integers(0, 9))
    def schedule_end(self, own: str, ticks: int) -> None:
        if self.reference.is_over(own):
            return  # Ownership ends what is over before it takes an end back.
        tick = self.reference.tick + ticks if ticks else UNKNOWN
        self.reference.set_end(own, tick)
        self.do_set_end(own, tick * TICK if ticks else None)

    @rule(own=owns)
    def end(self, own: str) -> None:
        self.reference.end(own)
        self.do_end(own)

    @invariant()
    def both_show_the_same(self) -> None:
        assert self.do_read() == self.reference.seen()

    def do_grant(self, quantity: int, expires_at: int | None) -> None:
        raise NotImplementedError  # abstract

    def do_decrease(self, quantity: int, allow_negative: bool) -> bool:
        raise NotImplementedError  # abstract

    def do_hold(self, name: str, quantity: int, until: int) -> bool:
        raise NotImplementedError  # abstract

    def do_capture(self, name: str, quantity: int) -> bool:
        raise NotImplementedError  # abstract

    def do_start(self, own: str, quantity: int, days: int, expires: Any, ends_at: int | None) -> None:
        raise NotImplementedError  # abstract

    def do_set_end(self, own: str, ends_at: int | None) -> None:
        raise NotImplementedError  # abstract

    def do_end(self, own: str) -> None:
        raise NotImplementedError  # abstract

    def do_read(self) -> tuple[int, int]:
        raise NotImplementedError  # abstract


class InMemory(Ledgers):
    def __init__(self) -> None:
        super().__init__()
        self.timeline = Timeline()

    def do_grant(self, quantity: int, expires_at: int | None) -> None:
        self.timeline.at(self.now).grant(quantity, expires_at)

    def do_decrease(self, quantity: int, allow_negative: bool) -> bool:
        return self.timeline.at(self.now).decrease(quantity, allow_negative=allow_negative) is None

    def do_hold(self, name: str, quantity: int, until: int) -> bool:
        return self.timeline.at(self.now).hold(name, quantity, until) is None

    def do_capture(self, name: str, quantity: int) -> bool:
        self.timeline.at(self.now)
        if all(hold.id != name or hold.status != "open" for hold in self.timeline.account.holds):
            return False
        return self.timeline.capture(name, quantity) is None

    def do_start(self, own: str, quantity: int, days: int, expires: Any, ends_at: int | None) -> None:
        repeat = str(Period(days, "day")) if days else None
        self.timeline.at(self.now).included(own, quantity, repeat=repeat, expires=expires, ends_at=ends_at or NEVER)

    def do_set_end(self, own: str, ends_at: int | None) -> None:
        self.timeline.at(self.now)
        rules.set_end(self.timeline.account, own, NEVER if ends_at is None else ends_at)

    def do_end(self, own: str) -> None:
        self.timeline.at(self.now).end(own)

    def do_read(self) -> tuple[int, int]:
        return self.timeline.read(self.now)

    @rule(own=Ledgers.owns)
    def take_back(self, own: str) -> None:
        taken = self.reference.take_back(own)
        self.timeline.at(self.now)
        before = self.timeline.account.balance
        self.timeline.take_back_whole(own)
        assert before - self.timeline.account.balance == taken
        if not self.reference.held:
            assert not any(grant.live for grant in self.timeline.account.grants if grant.owned_product_id == own)


class OnDatabase(Ledgers):
    """Every timeline is another customer; calls go through the batch and through works in turn."""

    ledger: Ledger
    customers: "count[int]"

    def __init__(self) -> None:
        super().__init__()
        self.customer = Customer("user", f"u_{next(self.customers)}")
        self.held: dict[str, str] = {}
        self.turn = count()

    def do(self, action: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        self.ledger.clock.now = self.now
        return self.ledger.do(action, *arguments, customer=self.customer, **named)

    def move(self, call: Call) -> bool:
        """Every third call in a work, the others in the batch."""
        self.ledger.clock.now = self.now
        if next(self.turn) % 3 == 0:
            return not isinstance(self.do(apply_call, call), Refusal)
        return not isinstance(hot.do(self.ledger.app, ENVIRONMENT, call).result, Refusal)

    def do_grant(self, quantity: int, expires_at: int | None) -> None:
        self.move(hot.increase_call(self.customer, ITEM, quantity, expires_at=expires_at))

    def do_decrease(self, quantity: int, allow_negative: bool) -> bool:
        return self.move(hot.decrease_call(self.customer, ITEM, quantity, allow_negative=allow_negative))

    def do_hold(self, name: str, quantity: int, until: int) -> bool:
        self.ledger.clock.now = self.now
        with self.ledger.app.work(ENVIRONMENT) as work:
            seconds = (until - self.now) // 1000
            opening = self.ledger.app.resource(Opening)
            outcome = open_hold(work, opening, self.customer, ITEM, quantity, expires_in_s=seconds)
        if isinstance(outcome, HeldItem):
            self.held[name] = outcome.hold.id
        return isinstance(outcome, HeldItem)

    def do_capture(self, name: str, quantity: int) -> bool:
        self.ledger.clock.now = self.now
        with self.ledger.app.work(ENVIRONMENT) as work:
            return isinstance(capture_hold(work, self.held.get(name, name), quantity), HeldItem)

    def do_start(self, own: str, quantity: int, days: int, expires: Any, ends_at: int | None) -> None:
        repeat = Period(days, "day") if days else None
        options: dict[str, Any] = {"repeat": repeat, "expires": expires, "anchor": self.now, "ends_at": ends_at}
        self.do(actions.start_included, own, ITEM, quantity, **options)

    def do_set_end(self, own: str, ends_at: int | None) -> None:
        self.do(actions.set_end, own, ends_at)

    def do_end(self, own: str) -> None:
        self.do(actions.end_included, own)

    def do_read(self) -> tuple[int, int]:
        self.ledger.clock.now = self.now
        state = hot.read_item(self.ledger.app, ENVIRONMENT, self.customer, ITEM)
        shown = (state.quantity, state.held)
        with self.ledger.app.database.read() as connection:
            units = breakdown(connection, ENVIRONMENT, self.customer, ITEM, self.now)
        assert not isinstance(units, Refusal)
        # Units carried by holds lie in no grant any more.
        assert sum(grant.remaining for grant in units) <= max(0, state.quantity + state.held)
        return shown

    @rule(own=Ledgers.owns)
    def take_back(self, own: str) -> None:
        expected = self.reference.take_back(own)
        taken = self.do(actions.take_back, own, "unspent", source=self.name("refund"))
        assert sum(one.quantity for one in taken) == expected
        if not self.reference.held:
            assert self.do(live_units, own) == 0, "a refunded purchase gives units again"


def live_units(work: Work, customer: Customer, own: str) -> int:
    mine = item_grants.c.customer == customer.key, item_grants.c.owned_product_id == own
    live = sa.select(sa.func.coalesce(sa.func.sum(item_grants.c.live), 0)).where(*mine)
    return int(work.execute(live).scalar_one())


def on_database(ledger: Ledger) -> type[Ledgers]:
    return type("OnThisDatabase", (OnDatabase,), {"ledger": ledger, "customers": count(1)})


def run(machine: type[Ledgers], timelines: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=timelines,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


@pytest.mark.timeout(300)
def test_random_timelines_in_memory() -> None:
    run(InMemory, 150, 40)


@pytest.mark.timeout(300)
def test_random_timelines_on_a_database(ledger: Ledger) -> None:
    """The fixture verifies every balance from its entries afterwards."""
    run(on_database(ledger), 8, 20)
