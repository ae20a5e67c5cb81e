"""
Many buyers at one shop, each living one lifecycle at the sandbox, and each with a manner of its own in which the news of it arrives.

The clock is everybody's, so all live through the same days together. In one step of a lifecycle its buyer does something at Stripe, or in our shop;
what Stripe then tells is theirs. After every step some of it arrives, and is acted on or not yet. In the end everything that was dropped is
recovered, as reconcile would, and then everything arrives once more.
"""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from paywright import worker
from paywright.checkout import actions as checkout
from paywright.checkout.model import CheckoutSession, StartCheckout
from paywright.claims.actions import new_claim_token, open_guest
from paywright.kernel.model import Customer
from paywright.ownership.model import AskedLine
from paywright.webhooks import actions as webhooks
from paywright.webhooks.door import Delivery, store
from paywright.webhooks.mirror import arrival
from paywright.webhooks.rules import why_ignored
from paywright_sandbox import Sandbox
from tests.harness.waiting import until
from tests.permutation.catalog import CATALOG
from tests.subscriptions.till import VISA, StripeShop

DAYS_PER_STEP = "8d"
STEPS = 7
Event = dict[str, Any]
Lifecycle = Callable[["Buyer"], Iterator[None]]


class World(StripeShop):
    def __init__(self, database_url: str, sandbox: Sandbox) -> None:
        super().__init__(database_url, sandbox, CATALOG)
        self.app.at_commit.append(webhooks.wake_newly_mapped)
        self.buyers: list[Buyer] = []
        self._whose: dict[str, Buyer] = {}
        self._last_heard: str | None = None

    def enter(self, name: str, lifecycle: Lifecycle, manner: "Manner") -> "Buyer":
        buyer = Buyer(self, f"{name}_{len(self.buyers)}", lifecycle, manner)
        self.buyers.append(buyer)
        return buyer

    def live(self) -> None:
        """Through all steps of all lifecycles, and then until nothing is left to hear."""
        for _ in range(STEPS):
            for buyer in self.buyers:
                if buyer.acts():
                    self._hear(buyer)
                buyer.receive()
            self.advance(DAYS_PER_STEP)
            self._hear(None)
            for buyer in self.buyers:
                buyer.receive()
            self.settle_all()
        for buyer in self.buyers:
            buyer.recover()
        self.settle_all()

    def repeat(self) -> None:
        """Everything once more: what was done is done."""
        for buyer in self.buyers:
            self.deliver(buyer.told)
        self.settle_all()

    def deliver(self, events: list[Event]) -> None:
        """Past the door, whose signatures have tests of their own."""
        deliveries = []
        for event in events:
            body = json.dumps(event).encode()
            arrived = arrival(body)
            assert arrived is not None
            deliveries.append(Delivery("test", arrived, why_ignored(arrived, self.environment), body, self.app.wall()))
        if deliveries:
            with self.app.work("test") as work:
                store(work, deliveries)

    def act(self) -> None:
        while webhooks.process_due(self.app, "test"):
            pass

    def settle_all(self) -> None:
        """As the worker does, until nothing is left to do; a call to Stripe that broke is waited for."""

        def is_settled() -> bool:
            while webhooks.process_due(self.app, "test") + worker.carry_out_commands(self.app, self.environment):
                pass
            return webhooks.settled(self.app, "test")

        until(is_settled, "the inbox to be worked through", timeout_s=60)
        while worker.settle_customers(self.app, self.environment):
            pass

    def _hear(self, acting: "Buyer | None") -> None:
        """What Stripe has told since the last time, to whom it is about: who acted, or whose objects it names."""
        for event in self._news():
            buyer = acting or self._named(event)
            if buyer is None:
                self.deliver([event])  # The account's own: payouts, and what was made for nobody.
                continue
            buyer.hear(event)
            for stripe_id in ids_of(event):
                self._whose.setdefault(stripe_id, buyer)

    def _news(self) -> Iterator[Event]:
        """Oldest first, from the last one we know on."""
        while True:
            after = {"ending_before": self._last_heard} if self._last_heard else {}
            page = self.get("/v1/events", {"limit": 100, **after})["data"]
            for event in reversed(page):
                self._last_heard = event["id"]
                yield event
            if not page or not after:
                return

    def _named(self, event: Event) -> "Buyer | None":
        return next((self._whose[each] for each in ids_of(event) if each in self._whose), None)


class Buyer:
    """`name` is their user id; a guest is found out when they buy."""

    def __init__(self, world: World, name: str, lifecycle: Lifecycle, manner: "Manner") -> None:
        self.world, self.name, self.manner = world, name, manner
        self.customer = Customer("user", name)
        self.steps = lifecycle(self)
        self.told: list[Event] = []
        self.waiting: list[Event] = []

    def acts(self) -> bool:
        """Whether they did anything in this step."""
        return next(self.steps, self) is not self

    def hear(self, event: Event) -> None:
        self.told.append(event)
        self.waiting.append(event)

    def receive(self) -> None:
        for wave in self.manner.waves(self.waiting):
            self.world.deliver(wave)
            if self.manner.acts_now():
                self.world.act()

    def recover(self) -> None:
        for wave in self.manner.recovered(self.waiting):
            self.world.deliver(wave)
            self.world.act()
        self.waiting = []

    def buy(
        self, *product_ids: str, as_guest: bool = False, with_card: str = VISA, by_debit: str | None = None
    ) -> CheckoutSession:
        world = self.world
        if as_guest:
            with world.app.work("test") as work:
                guest = open_guest(work, new_claim_token())
            assert isinstance(guest, Customer), guest
            self.customer = guest
        asked = StartCheckout(
            customer=self.customer,
            lines=tuple(AskedLine(product_id=each) for each in product_ids),
            success_url="https://app.test/ok",
            cancel_url="https://app.test/no",
            with_secret_key=True,
        )
        session = checkout.start(world.app, world.environment, asked)
        assert isinstance(session, CheckoutSession), session
        paying = {"card": with_card} if by_debit is None else {"payment_method": by_debit}
        world.control(f"checkout/{session.stripe_checkout_session_id}/pay", paying)
        return session

    def subscription(self) -> dict[str, Any]:
        """The newest of theirs at Stripe."""
        ids = [each["data"]["object"]["id"] for each in self.told if each["type"] == "customer.subscription.created"]
        return self.world.get(f"/v1/subscriptions/{ids[-1]}")

    def intent(self) -> str:
        """Of their newest payment that succeeded."""
        paid = [each["data"]["object"]["id"] for each in self.told if each["type"] == "payment_intent.succeeded"]
        return str(paid[-1])


class Manner:
    """How the news reaches us. `seed` None: each event at once, in order, and acted on."""

    def __init__(self, seed: int | None) -> None:
        self.seed = seed
        self._chance = random.Random(seed)
        # The first seeds are the extremes: nothing arrives before the end, in order, backwards or anyhow.
        self.holds_all = seed in (0, 1, 2)
        self.keeps = 1.0 if self.holds_all else self._chance.choice((0.2, 0.5, 0.8))

    def waves(self, waiting: list[Event]) -> Iterator[list[Event]]:
        """What arrives now, wave by wave; it is taken out of `waiting`, unless it arrives twice."""
        if self.seed is None:
            yield from ([event] for event in waiting)
            waiting.clear()
            return
        now = [event for event in waiting if self._chance.random() >= self.keeps]
        waiting[:] = [event for event in waiting if event not in now or self._chance.random() < 0.2]
        self._chance.shuffle(now)
        yield from self._cut(now)

    def recovered(self, waiting: list[Event]) -> Iterator[list[Event]]:
        if self.seed == 1:
            waiting.reverse()
        elif self.seed != 0:
            waiting = waiting + waiting[::3]
            self._chance.shuffle(waiting)
        yield from self._cut(waiting)

    def acts_now(self) -> bool:
        return self.seed is None or self._chance.random() < 0.7

    def _cut(self, events: list[Event]) -> Iterator[list[Event]]:
        while events:
            size = self._chance.randint(1, 4)
            yield events[:size]
            events = events[size:]


def ids_of(event: Event) -> Iterator[str]:
    """The objects an event names, the more telling first."""
    about = event["data"]["object"]
    for key in ("id", "customer", "payment_intent", "charge", "invoice", "subscription"):
        if isinstance(about.get(key), str):
            yield about[key]
