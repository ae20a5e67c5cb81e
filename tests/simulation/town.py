"""A shop that goes through a life: the people in it, and how they insist when something is down."""

import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx

from tests.flows.shop import Shop
from tests.harness.waiting import until

USERS = ("u_1", "u_2", "u_3")
ANSWER_S = 20.0
INSIST_S = 90.0
DAYS_EVENTS_ARE_KEPT = 30

CATALOG: dict[str, Any] = {
    "items": {"credits": {}, "tokens": {}, "seats": {}},
    "product_lines": {"plan": {}},
    "products": {
        "free": {
            "product_line": "plan",
            "include_by_default": True,
            "included_items": {"credits": {"quantity": 5, "repeat": "1 month"}},
        },
        "pro": {
            "product_line": "plan",
            "prices": {
                "monthly": {"amounts": {"usd": "19.00"}, "interval": "1 month"},
                "yearly": {"amounts": {"usd": "190.00"}, "interval": "1 year"},
            },
            "included_items": {"credits": {"quantity": 50, "repeat": "1 month"}},
        },
        "team": {
            "product_line": "plan",
            "trial": "7 day",
            "prices": {"monthly": {"amounts": {"usd": "49.00"}, "interval": "1 month"}},
            "included_items": {"credits": {"quantity": 500, "repeat": "1 month"}, "seats": {"quantity": 3}},
        },
        "support": {
            "add_on_to": ["pro", "team"],
            "prices": {"monthly": {"amounts": {"usd": "5.00"}, "interval": "1 month"}},
        },
        "pack": {
            "stackable": True,
            "prices": {"once": {"amounts": {"usd": "10.00"}}},
            "included_items": {"tokens": {"quantity": 100, "expires": "never"}},
        },
        "lifetime": {
            "prices": {"once": {"amounts": {"usd": "149.00"}}},
            "included_items": {"seats": {"quantity": 1, "expires": "never"}},
        },
    },
}


@dataclass
class Town:
    """`draw` decides everything that is decided here; what two threads do at once is decided by them."""

    shop: Shop
    draw: random.Random
    told: list[str] = field(default_factory=list)
    """What happened, for whom a failure is to be explained to."""
    spent: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Units whose decrease was answered with yes, by user and item."""
    revoked: set[str] = field(default_factory=set)
    """Owned products taken away by hand."""
    kept: set[str] = field(default_factory=set)
    """Payments refunded with the wish that the purchase stays."""
    dying: threading.Timer | None = None
    """The server is about to be killed by this one."""
    days: float = 2
    """How long the life has lasted, with the days of calm at its end."""
    _calls: int = 0
    _starting: threading.Lock = field(default_factory=threading.Lock)
    """One thread at a time starts the server, and counts."""

    def tell(self, what: str) -> None:
        self.told.append(what)

    def note_spent(self, user: str, item: str, quantity: int) -> None:
        with self._starting:
            self.spent[user, item] += quantity

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        """
        One wish, under a key of its own, until it is answered: outages are waited out, a server that died is started. A refusal is an answer; a
        500, or a request we got wrong, ends the life.
        """
        with self._starting:
            self._calls += 1
            key = f"call-{self._calls}"
        headers = {"Idempotency-Key": key} if method == "POST" else {}

        def answered() -> httpx.Response | None:
            self.revive()
            try:
                answer = self.shop.http.request(method, path, json=body, headers=headers, timeout=ANSWER_S)
            except httpx.TransportError:
                return None
            is_twin = answer.status_code == 409 and answer.json()["error"]["code"] == "idempotency_key_in_use"
            return None if is_twin or answer.status_code == 503 else answer

        answer = until(answered, f"{method} {path} to be answered", timeout_s=INSIST_S)
        assert answer is not None
        found = answer.json()
        code = found.get("error", {}).get("code", "") if answer.status_code >= 400 else ""
        self.tell(f"{method} {path} {body if body is not None else ''} -> {answer.status_code} {code}")
        assert answer.status_code in (200, 201, 202, 402, 404, 409, 422), (method, path, body, answer.text)
        return answer.status_code, found

    def elsewhere(self, method: str, path: str, form: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """Somebody at work in Stripe's dashboard, who tries again while Stripe is down. None: Stripe would not."""
        with self._starting:
            self._calls += 1
            base = f"dashboard-{self._calls}"
        tries = count()

        def answered() -> httpx.Response | None:
            # A key of its own each time: Stripe would repeat a 500 under the old one.
            headers = {"Idempotency-Key": f"{base}-{next(tries)}"} if method == "POST" else {}
            try:
                answer = self.shop.account.request(method, path, data=form, headers=headers)
            except httpx.TransportError:
                return None
            return None if answer.status_code == 429 or answer.status_code >= 500 else answer

        answer = until(answered, f"{method} {path} at Stripe", timeout_s=INSIST_S)
        assert answer is not None
        return dict(answer.json()) if answer.status_code == 200 else None

    def revive(self) -> None:
        with self._starting:
            if self.shop.server.has_ended() is not None:
                self.shop.server.ended()
                self.shop.server.start()

    def settle(self) -> None:
        """Everything that can be delivered is, and acted on. A death that was under way has happened."""
        if self.dying is not None:
            self.dying.join()
            self.dying = None
        waiting = "an answer"

        def is_quiet() -> bool:
            nonlocal waiting
            self.revive()
            try:
                answer = self.shop.http.get("/v1/environment/settled")
            except httpx.TransportError:
                return False
            waiting = answer.text
            return answer.status_code == 200

        for _ in range(2):
            self.shop.account.deliveries_settled()
            try:
                until(is_quiet, "the server to settle", timeout_s=INSIST_S)
            except TimeoutError as error:
                error.add_note(f"the server waits for {waiting}")
                raise

    def calm(self, *, by_reconcile: bool) -> None:
        """
        No more trouble, and time stands still. What never arrived is delivered again by Stripe, or found by ourselves: as all must be that Stripe has
        forgotten, after thirty days.
        """
        account = self.shop.account
        account.post("/_sandbox/clock/freeze")
        account.chaos()
        account.post("/_sandbox/fail-next", {"clear": True})
        self.settle()
        self.shop.advance("2d")
        if by_reconcile:
            self.reconcile(fix=True)
            self.settle()
            return

        def is_delivered() -> bool:
            self.settle()
            missing = account.every("/v1/events", delivery_success="false")
            for event in missing:
                account.post(f"/_sandbox/events/{event['id']}/resend")
            return not missing

        until(is_delivered, "everything to be delivered", timeout_s=INSIST_S)
        if self.days >= DAYS_EVENTS_ARE_KEPT:
            self.reconcile(fix=True)
        self.settle()

    def reconcile(self, *, fix: bool) -> list[dict[str, Any]]:
        """What differs from Stripe, field by field."""
        path = f"/v1/reconcile/{self.ask('POST', '/v1/reconcile', {'fix': fix})[1]['id']}"
        ended = until(lambda: self._ended(path), "the comparison with Stripe to end", timeout_s=INSIST_S)
        assert ended["status"] == "finished", ended
        return list(self.shop.http.get(f"{path}/lines?limit=100").json()["data"])

    def _ended(self, path: str) -> dict[str, Any] | None:
        found = dict(self.shop.http.get(path).json())
        return None if found["status"] in ("requested", "running") else found
