"""
Where work is committed and time passes.

One account's clock is the wall clock plus an offset, or frozen. Whatever is due is a row in the queue; `catch_up` runs the rows that time has
reached, each as one unit at its own time, before anything else looks at the account. `advance` does the same up to a chosen time, and can wait
after each unit until the application has answered, and acted on, what it was told.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .account import Account, Delivery, Due
from .delivery import Deliveries
from .errors import ApiError, Json, invalid
from .machine import test_clocks
from .machine.due import ACTS
from .store import Store
from .work import Work

log = logging.getLogger("paywright_sandbox")

ANSWER_WAIT_S = 30.0
SETTLE_WAIT_S = 60.0
TICK_S = 0.25

Check = Callable[[str, Json], None]
"""Called with ("response" | "event", JSON); raises when the JSON is not what the SDK promises. Used by tests."""


class Engine:
    def __init__(self, store: Store, check: Check | None = None) -> None:
        self.store = store
        self.deliveries = Deliveries(store)
        self.check = check
        self.origin = "http://127.0.0.1"
        """`http://host:port` as the last client wrote it; addresses of pages begin with it."""
        self.advancing: set[str] = set()

    @contextmanager
    def work(
        self,
        account: Account,
        *,
        request_id: str | None = None,
        idempotency_key: str | None = None,
        meets_moving_clocks: bool = False,
    ) -> Iterator[Work]:
        """
        A unit of work, committed on leaving. An exception undoes it, except a card error that keeps it.

        Test clocks on their way arrive first, unless it `meets_moving_clocks`: then it may not change what stands on one.
        """
        with self.store.lock:
            self.catch_up(account, moves_test_clocks=not meets_moving_clocks)
            work = self.open(account, request_id, idempotency_key)
            if meets_moving_clocks:
                work.moving_clocks = frozenset(self.moving_clocks(account))
            try:
                yield work
            except ApiError as refusal:
                if refusal.keeps_work:
                    self.commit(work)
                raise
            self.commit(work)

    def open(self, account: Account, request_id: str | None = None, idempotency_key: str | None = None) -> Work:
        platform = self.store.accounts.get(account.parent or "")
        work = Work(
            account,
            account.clock.now(),
            request_id=request_id,
            idempotency_key=idempotency_key,
            platform=platform,
            origin=self.origin,
        )
        work.open_account = lambda name: self.store.create_account(name=name, parent=account.id)
        if self.check:
            check = self.check
            work.check_event = lambda event: check("event", event)
        return work

    def commit(self, work: Work) -> None:
        self.store.commit(work)
        self.deliveries.enqueue(work.account, work.deliveries)

    def catch_up(self, account: Account, *, moves_test_clocks: bool = True) -> None:
        """Runs what the account's clock has reached, and what lies on the way of its test clocks."""
        if account.id in self.advancing or account.clock.held_at is not None:
            return
        until = account.clock.now()
        try:
            while self.step(account, until) is not None:
                continue
        finally:
            account.clock.held_at = None
        for id in self.moving_clocks(account) if moves_test_clocks else ():
            self.move_test_clock(account, id)

    def moving_clocks(self, account: Account) -> list[str]:
        clocks = account.objects.get(test_clocks.KIND, {})
        return [id for id, clock in clocks.items() if clock.get("status") == "advancing"]

    def move_test_clock(self, account: Account, id: str) -> None:
        """Runs what is due on the way to the clock's target, then lets it arrive."""
        with self.store.lock:
            to = test_clocks.target_of(account.objects[test_clocks.KIND][id])
            while self.step(account, to, id) is not None:
                continue
            work = self.open(account)
            test_clocks.arrive(work, id)
            self.commit(work)

    def step(self, account: Account, to: int, clock: str | None = None) -> list[Delivery] | None:
        """
        Runs the earliest act due by `to`, with the clock held at the act's time; None when there is none.

        `clock` names a test clock instead of the account's own. The deliveries of the unit are answered. The caller releases the clock.
        """
        with self.store.lock:
            due = account.next_due(clock)
            if due is None or due.when > to:
                return None
            if clock is None:
                account.clock.held_at = due.when
            work = self.open(account)
            if clock is not None:
                test_clock = work.require(test_clocks.KIND, clock)
                test_clock["frozen_time"] = max(due.when, test_clock["frozen_time"])
                work.save(test_clock)
            return self.run_due(work, due)

    def run_due(self, work: Work, due: Due) -> list[Delivery]:
        work.due_taken.append(due.sequence)
        ACTS[due.kind](work, due)
        self.commit(work)
        return work.deliveries

    async def advance(self, account: Account, to: int, *, wait: bool) -> None:
        """Moves the account clock to `to`, forward only. With `wait` every unit's webhooks are answered, and acted on, before the next."""
        if account.id in self.advancing:
            raise ApiError(409, "The clock is being advanced already.", code="lock_timeout")
        with self.store.lock:
            self.catch_up(account)
        if to < account.clock.now():
            raise invalid("The clock moves forward only.", param="to")
        self.advancing.add(account.id)
        try:
            if wait:
                await self.settled(account)
            while (deliveries := self.step(account, to)) is not None:
                self.deliveries.hurry(account)
                await (self.acted_on(account, deliveries) if wait else asyncio.sleep(0))
        finally:
            account.clock.held_at = None
            self.advancing.discard(account.id)
        account.clock.set(max(to, account.clock.now()))
        self.store.save_account(account)
        self.deliveries.hurry(account)
        if wait:
            await self.settled(account)

    async def acted_on(self, account: Account, deliveries: list[Delivery]) -> None:
        if deliveries:
            await self.deliveries.answered(deliveries, ANSWER_WAIT_S)
            await self.settled(account)

    async def settled(self, account: Account) -> None:
        """Nothing in flight, and each endpoint's `sandbox_settle_url`, where it has one, answers 200."""
        await self.deliveries.settle(account, ANSWER_WAIT_S, retries=False)
        for endpoint in list(account.objects.get("webhook_endpoint", {}).values()):
            url = endpoint["metadata"].get("sandbox_settle_url")
            if url and endpoint["status"] == "enabled":
                await self.poll(url)

    async def poll(self, url: str) -> None:
        """Asks until the answer is 200, for a minute at most; a 409 raised then tells the caller who did not settle."""
        deadline, pause = time.monotonic() + SETTLE_WAIT_S, 0.002
        while time.monotonic() < deadline:
            try:
                answer = await self.deliveries.outgoing.send("GET", url, {})
                if answer.status == 200:
                    return
            except OSError:
                pass
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.1)
        raise ApiError(409, f"sandbox_settle_url {url} did not answer 200 within {SETTLE_WAIT_S:.0f} s.")

    async def tick(self) -> None:
        """Keeps clocks that follow the wall clock caught up, for as long as the server runs."""
        failed: set[int] = set()
        while True:
            await asyncio.sleep(TICK_S)
            for account in list(self.store.accounts.values()):
                due = account.next_due()
                is_due = due is not None and due.when <= account.clock.now() and id(due) not in failed
                if is_due or self.moving_clocks(account):
                    self.tick_account(account, due, failed)

    def tick_account(self, account: Account, due: Due | None, failed: set[int]) -> None:
        """An act that fails is our own bug: said once here, and in the answer to each request that meets it."""
        try:
            with self.store.lock:
                self.catch_up(account)
        except Exception:
            log.exception("what was due in %s failed", account.id)
            failed.add(id(due))
