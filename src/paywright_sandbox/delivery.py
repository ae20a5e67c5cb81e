"""
Events on their way to webhook endpoints.

One queue per endpoint, one post at a time, in the order the events were logged; so an endpoint sees causal order unless chaos is asked for.
A row per delivery is written with the event itself, so what was not answered before a restart is sent after it. A failed post waits 1 s, 10 s,
60 s (with `live_retries`: three days of account time) and goes at once when a clock moves or someone settles.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .account import Account, Delivery, LoggedEvent
from .chaos import Chaos
from .errors import Json
from .objects.webhook_endpoints import valid_secrets
from .outgoing import Outgoing, Unreachable
from .params.catalogue import API_VERSION
from .signing import signature_header
from .store import Store
from .thin import is_thin, thin
from .work import wants

log = logging.getLogger("paywright_sandbox")

RETRY_GAPS_S = (1, 10, 60)
LIVE_RETRY_GAPS_S = (60, 600, 3600, 10_800, 21_600, 43_200, 86_400, 86_400)
TIMEOUT_S = 10.0
GATHER_S = 0.02
ANSWER_KEPT = 1024


@dataclass
class Lane:
    """What waits for one endpoint."""

    account: Account
    endpoint: str
    queue: list[Delivery] = field(default_factory=list)
    flying: int = 0
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Deliveries:
    """Lives on the server's event loop; `enqueue` and `hurry` may be called from it only."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.outgoing = Outgoing()
        self.lanes: dict[tuple[str, str], Lane] = {}
        self.chaos: dict[str, Chaos] = {}
        self.changed = asyncio.Condition()
        self.waiting: dict[str, dict[str, Delivery]] = {}
        self.timers: dict[tuple[str, str], asyncio.TimerHandle] = {}
        self.side_tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Takes up what the last run left."""
        for account in self.store.accounts.values():
            left = ("queued", "waiting", "held")
            self.enqueue(account, [delivery for delivery in account.deliveries.values() if delivery.state in left])

    async def stop(self) -> None:
        tasks = [lane.task for lane in self.lanes.values() if lane.task] + list(self.side_tasks)
        for timer in self.timers.values():
            timer.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.outgoing.close()

    def enqueue(self, account: Account, deliveries: list[Delivery], *, is_released: bool = False) -> None:
        """What chaos holds and nobody tried yet stays where it is, unless it `is_released` by hand."""
        for delivery in deliveries:
            self.waiting.get(account.id, {}).pop(delivery.id, None)
            if not is_released and not delivery.attempts and self.chaos_of(account).holds(delivery.event_type):
                delivery.state = "held"
                continue
            lane = self.lane(account, delivery.endpoint)
            delivery.state = "queued"
            lane.queue.append(delivery)
            lane.wake.set()

    def release(self, account: Account, events: list[str] | None = None) -> list[Delivery]:
        """Sends what is held: of these events in this order, or everything as it was logged."""
        held = [delivery for delivery in account.deliveries.values() if delivery.state == "held"]
        if events is not None:
            order = {id: place for place, id in enumerate(events)}
            held = sorted((sent for sent in held if sent.event in order), key=lambda sent: order[sent.event])
        self.enqueue(account, held, is_released=True)
        return held

    def chaos_changed(self, account: Account) -> None:
        """What chaos does not hold any more goes out as it was logged."""
        self.enqueue(account, [delivery for delivery in account.deliveries.values() if delivery.state == "held"])

    def lane(self, account: Account, endpoint: str) -> Lane:
        key = (account.id, endpoint)
        if key not in self.lanes:
            lane = self.lanes[key] = Lane(account, endpoint)
            lane.task = asyncio.get_running_loop().create_task(self.run(lane), name=f"webhooks {endpoint}")
            lane.task.add_done_callback(say_why)
        return self.lanes[key]

    def forget(self, account: Account) -> None:
        """After a reset: nothing of the account is sent any more, and its chaos begins anew."""
        for key, lane in list(self.lanes.items()):
            if key[0] == account.id:
                lane.queue.clear()
                if lane.task:
                    lane.task.cancel()
                del self.lanes[key]
        for timer in [self.timers.pop(key) for key in list(self.timers) if key[0] == account.id]:
            timer.cancel()
        self.waiting.pop(account.id, None)
        self.chaos.pop(account.id, None)

    # Sending

    async def run(self, lane: Lane) -> None:
        while True:
            await lane.wake.wait()
            lane.wake.clear()
            while lane.queue:
                chaos = self.chaos_of(lane.account)
                if chaos.window > 1 and len(lane.queue) < chaos.window:
                    await asyncio.sleep(GATHER_S)
                if not lane.queue:
                    break
                delivery = lane.queue.pop(chaos.picked(lane.queue))
                lane.flying += 1
                delay_s = chaos.delay_s()
                if delay_s:
                    task = asyncio.create_task(self.deliver_later(lane, delivery, delay_s))
                    self.side_tasks.add(task)
                    task.add_done_callback(self.side_tasks.discard)
                else:
                    await self.deliver(lane, delivery)

    async def deliver_later(self, lane: Lane, delivery: Delivery, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await self.deliver(lane, delivery)

    async def deliver(self, lane: Lane, delivery: Delivery) -> None:
        """One attempt with its bookkeeping, and a second post of the same event where chaos doubles it."""
        account, chaos = lane.account, self.chaos_of(lane.account)
        try:
            event = account.events.get(delivery.event)
            endpoint = self.endpoint_of(account, delivery.endpoint)
            is_lost = not delivery.attempts and chaos.loses(delivery.event_type)
            if is_lost or event is None or endpoint is None or endpoint["status"] != "enabled":
                delivery.state = "dropped"
            elif len(delivery.attempts) < chaos.drop_first:
                self.judge(account, delivery, attempt_of(None, 0.0, "dropped by webhook-chaos"))
            else:
                attempt = await self.post(account, event, endpoint, chaos)
                self.judge(account, delivery, attempt)
                if attempt["ok"] and chaos.happens("duplicate"):
                    delivery.attempts.append(await self.post(account, event, endpoint, chaos))
            if delivery.event in account.events:
                self.store.save_delivery(account, delivery)
        finally:
            lane.flying -= 1
            async with self.changed:
                self.changed.notify_all()

    def endpoint_of(self, account: Account, id: str) -> Json | None:
        """The account's own endpoint, or its platform's, which hears of connected accounts."""
        homes = [account, *([self.store.accounts[account.parent]] if account.parent in self.store.accounts else [])]
        found = (home.objects.get("webhook_endpoint", {}).get(id) for home in homes)
        return next((endpoint for endpoint in found if endpoint), None)

    async def post(self, account: Account, event: LoggedEvent, endpoint: Json, chaos: Chaos) -> Json:
        content = rendered(event)
        body = json.dumps(thin(content) if is_thin(endpoint) else content, indent=2, ensure_ascii=False).encode()
        started, stamp = time.monotonic(), int(time.time())
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Accept": "*/*; q=0.5, application/xml",
            "Cache-Control": "no-cache",
            "Stripe-Signature": signature_header(
                body, chaos.secrets(valid_secrets(endpoint, account.clock.now())), chaos.stamp(stamp)
            ),
            **account.clock.headers(),
            "Sandbox-Api-Version": API_VERSION,
        }
        try:
            answer = await self.outgoing.send("POST", endpoint["url"], headers, body, timeout_s=TIMEOUT_S)
        except TimeoutError:
            return attempt_of(None, time.monotonic() - started, f"no answer within {TIMEOUT_S:.0f} s")
        except Unreachable as error:
            return attempt_of(None, time.monotonic() - started, str(error))
        text = answer.body[:ANSWER_KEPT].decode("utf-8", errors="replace")
        return attempt_of(answer.status, time.monotonic() - started, text)

    def judge(self, account: Account, delivery: Delivery, attempt: Json) -> None:
        """What the attempt means for the delivery: done, tried again later, or given up. One resent by hand stays done."""
        if delivery.event not in account.events:
            return  # The account was reset while the post was under way.
        was_delivered = any(tried["ok"] for tried in delivery.attempts)
        delivery.attempts.append(attempt)
        if attempt["ok"] or was_delivered:
            if not was_delivered:
                account.events[delivery.event].unsettled -= 1
            delivery.state, delivery.next_at = "delivered", None
            return
        gaps = LIVE_RETRY_GAPS_S if account.settings["live_retries"] else RETRY_GAPS_S
        failures = sum(not tried["ok"] for tried in delivery.attempts)
        if failures > len(gaps):
            delivery.state, delivery.next_at = "failed", None
            return
        delivery.state, delivery.next_at = "waiting", time.time() + gaps[failures - 1]
        self.waiting.setdefault(account.id, {})[delivery.id] = delivery
        if account.settings["live_retries"]:
            delivery.next_at = account.clock.now() + gaps[failures - 1]
            if account.clock.frozen_at is not None:
                return
        self.timers[(account.id, delivery.id)] = asyncio.get_running_loop().call_later(
            gaps[failures - 1], self.retry, account, delivery
        )

    def retry(self, account: Account, delivery: Delivery) -> None:
        self.timers.pop((account.id, delivery.id), None)
        if delivery.state == "waiting":
            self.enqueue(account, [delivery])

    def hurry(self, account: Account) -> None:
        """A clock moved: what waits for a retry goes now; under `live_retries` only what is due by the account clock."""
        for delivery in list(self.waiting.get(account.id, {}).values()):
            if account.settings["live_retries"] and (delivery.next_at or 0) > account.clock.now():
                continue
            timer = self.timers.pop((account.id, delivery.id), None)
            if timer:
                timer.cancel()
            self.enqueue(account, [delivery])

    def resend(self, account: Account, event: LoggedEvent) -> list[Delivery]:
        """Posts the event again to each enabled endpoint that listens for it now, whether it was delivered or not."""
        again = []
        for endpoint in account.objects.get("webhook_endpoint", {}).values():
            if not wants(endpoint, event.type, False):
                continue
            id = f"{event.id}.{endpoint['id']}"
            delivery = account.deliveries.get(id)
            if delivery is None:
                delivery = account.deliveries[id] = Delivery(id, event.id, event.type, endpoint["id"])
                event.unsettled += 1
            elif delivery.state == "queued":
                continue
            again.append(delivery)
        self.enqueue(account, again, is_released=True)
        return again

    def chaos_of(self, account: Account) -> Chaos:
        chaos = self.chaos.get(account.id)
        if chaos is None or chaos.wish is not account.chaos:
            chaos = self.chaos[account.id] = Chaos(account.chaos)
        return chaos

    # Waiting

    def busy(self, account: Account) -> bool:
        return any(lane.queue or lane.flying for lane in self.lanes.values() if lane.account is account)

    async def settle(self, account: Account, timeout_s: float, *, retries: bool = True) -> bool:
        """Waits until nothing is queued or in flight; with `retries` waiting ones are tried at once. False when time ran out."""
        return await self.until(lambda: self.quiet(account, retries), timeout_s)

    def quiet(self, account: Account, retries: bool) -> bool:
        if retries and not self.busy(account):
            self.hurry(account)
        return not self.busy(account)

    async def answered(self, deliveries: list[Delivery], timeout_s: float) -> bool:
        """Waits until every one of these was answered once, with whatever status. False when time ran out."""

        def all_tried() -> bool:
            return all(delivery.attempts or delivery.state in ("dropped", "held") for delivery in deliveries)

        return await self.until(all_tried, timeout_s)

    async def until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s), self.changed:
                await self.changed.wait_for(condition)
        except TimeoutError:
            return False
        return True


def say_why(task: asyncio.Task[None]) -> None:
    """A lane ends by being cancelled; anything else is our own bug and must be seen."""
    if not task.cancelled() and (error := task.exception()):
        log.error("%s ended", task.get_name(), exc_info=error)


def rendered(event: LoggedEvent) -> Json:
    return {**json.loads(event.rendered), "pending_webhooks": event.unsettled}


def attempt_of(status: int | None, duration_s: float, answer: str) -> Json:
    """Success is 2xx; a redirect is a failure, and so is silence."""
    return {
        "at": int(time.time()),
        "status": status,
        "ok": status is not None and 200 <= status < 300,
        "duration_ms": round(duration_s * 1000, 1),
        "answer": answer,
    }
