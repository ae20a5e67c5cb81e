"""
The server is killed, without notice, at one numbered point of a purchase; it starts again, and the customer has exactly what they paid for.

The points are each statement that writes, each commit, call to Stripe and reply, counted by `kernel/faults.py` from the moment the server is
ready. A first run writes them down; then each of them, or a sample of them spread evenly, is a run of its own with its own database.
`--crash-seed` draws another sample, `--crash-all` takes every one.
"""

import random
from collections.abc import Callable
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import KINDS
from tests.flows import books, premises
from tests.flows.shop import CANCEL_URL, SUCCESS_URL, Shop, opened_shop
from tests.harness.waiting import until

SAMPLE = {"sqlite": 2, "postgresql": 1}
"""How many points are tried for each purchase, unless all are. Most of the points are tried in `tests/crash`, where a life costs less."""

IMPATIENT = {"PAYWRIGHT_CLAIM_TIMEOUT_S": "0.5", "PAYWRIGHT_RECOVERY_AFTER_S": "0.5"}
"""Less than a start takes: what the dead one held is free as soon as the next one is up."""
ANSWER_S = 20.0
BOUGHT = {"pack": 100, "pro": 50}


class Purchase:
    """One user's whole purchase, by somebody who asks again until they are answered, whatever happens to the server."""

    def __init__(self, shop: Shop, product_id: str) -> None:
        self.shop, self.product_id, self.deaths = shop, product_id, 0

    def begins_with_a_server_that_dies(self, *, at: int) -> None:
        """Starting up reaches points too, so it may die of an early one before it is ready."""
        try:
            self.shop.server.start(PAYWRIGHT_CRASH_AT=str(at))
        except AssertionError:
            if not self.revived():
                raise

    def happens(self) -> None:
        session = self.opened()
        self.shop.account.pay(session["stripe"]["checkout_session_id"])
        self.arrives()
        synced = self.insist("POST", f"/v1/checkout-sessions/{session['id']}/sync", key="sync")
        assert synced.json()["payment_status"] == "paid"
        spent = self.insist("POST", "/v1/customers/user/u_1/items/credits/decrease", {"quantity": 1}, key="spend")
        assert spent.json()["quantity"] == BOUGHT[self.product_id] - 1

    def opened(self) -> dict[str, Any]:
        wish = {
            "customer": {"type": "user", "id": "u_1"},
            "line_items": [{"product_id": self.product_id}],
            "success_url": SUCCESS_URL,
            "cancel_url": CANCEL_URL,
        }
        return dict(self.insist("POST", "/v1/checkout-sessions", wish, key="buy").json())

    def state(self) -> dict[str, Any]:
        return dict(self.insist("GET", "/v1/customers/user/u_1").json())

    def arrives(self) -> None:
        """Stripe delivers, again and again if it must, until all of it was taken and acted on."""
        until(self._has_arrived, "the purchase to arrive", timeout_s=60)

    def _has_arrived(self) -> bool:
        if self.revived():
            for event in self.shop.account.every("/v1/events", delivery_success="false"):
                self.shop.account.post(f"/_sandbox/events/{event['id']}/resend")
        self.shop.account.deliveries_settled()
        undelivered = self.shop.account.every("/v1/events", delivery_success="false")
        return not self.died() and not undelivered and self._has_settled()

    def _has_settled(self) -> bool:
        try:
            return self.shop.http.get("/v1/environment/settled").status_code == 200
        except httpx.TransportError:
            return False

    def insist(self, method: str, path: str, body: object = None, *, key: str | None = None) -> httpx.Response:
        """The same request with the same key, until the answer is no outage."""
        headers = {} if key is None else {"Idempotency-Key": key}

        def answered() -> httpx.Response | None:
            self.revived()
            try:
                answer = self.shop.http.request(method, path, json=body, headers=headers, timeout=ANSWER_S)
            except httpx.TransportError:
                return None
            return None if answer.status_code in (409, 503) else answer

        answer = until(answered, f"{method} {path} to be answered", timeout_s=60)
        assert answer is not None
        assert answer.status_code in (200, 201), answer.text
        return answer

    def died(self) -> bool:
        return self.shop.server.has_ended() is not None

    def revived(self) -> bool:
        """Whether it had died; it lives again, and will not be killed a second time."""
        if not self.died():
            return False
        assert self.shop.server.ended() == -9
        self.deaths += 1
        self.shop.server.start()
        return True


@pytest.mark.parametrize("product_id", ["pack", "pro"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.timeout(7_200)  # All of the points take most of an hour; a sample, a minute.
def test_killed_at_any_point_of_a_purchase_it_ends_with_what_was_paid_for(
    kind: str,
    product_id: str,
    sandbox_url: str,
    database_of: Callable[[str], str],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    everything = request.config.getoption("--crash-all")
    points = numbered_points(sandbox_url, database_of(kind), tmp_path, product_id)
    assert len(points) > 50, points
    seed = f"{request.config.getoption('--crash-seed')} {product_id}"
    lives = count(1)

    def dies(number: int) -> bool:
        folder = tmp_path / f"life-{next(lives)}"
        folder.mkdir()
        with (
            premises.opened(database_of(kind), folder, start=False, **IMPATIENT) as here,
            opened_shop(here, sandbox_url, "test", chaos_seed=number) as shop,
        ):
            purchase = Purchase(shop, product_id)
            purchase.begins_with_a_server_that_dies(at=number)
            try:
                purchase.happens()
                nothing_more_happens(purchase)
                books.audit(shop)
            except BaseException as error:
                name = f"killed at point {number} of {len(points)}, about `{points[number - 1]}`, drawn by {seed}"
                error.add_note(name)
                error.add_note(shop.server.log.read_text()[-3_000:])
                raise
            return purchase.deaths > 0

    if everything:
        # How much is done together differs from run to run, so the very last points may not be reached.
        assert sum(dies(number) for number in range(1, len(points) + 1)) > 0
        return
    for number in sample(points, SAMPLE[kind], seed):
        # The less a machine has to spare, the more is done together, and the fewer points there are: then an earlier one.
        while not dies(number):
            number = number * 2 // 3
            assert number > 0


def nothing_more_happens(purchase: Purchase) -> None:
    """Every event once more: what was done is done."""
    before = purchase.state()
    for event in purchase.shop.account.every("/v1/events"):
        purchase.shop.account.post(f"/_sandbox/events/{event['id']}/resend")
    purchase.arrives()
    after = purchase.state()
    for state in (before, after):
        assert [(each["product_id"], each["quantity"]) for each in state["products"]] == [(purchase.product_id, 1)]
        balances = {each["id"]: each["quantity"] for each in state["items"]}
        assert balances == {"credits": BOUGHT[purchase.product_id] - 1, "seats": 0}


def numbered_points(sandbox_url: str, database_url: str, folder: Path, product_id: str) -> list[str]:
    """What the points are, from a run in which nothing goes wrong."""
    trace = folder / "points.txt"
    with (
        premises.opened(database_url, folder, start=False, **IMPATIENT) as here,
        opened_shop(here, sandbox_url, "test", chaos_seed=0) as shop,
    ):
        shop.server.start(PAYWRIGHT_CRASH_TRACE=str(trace))
        Purchase(shop, product_id).happens()
    named = [line.split(" ", 1) for line in trace.read_text().splitlines()]
    # Starting up counts too until the server is ready, and then counting begins again.
    started = max(place for place, (number, _) in enumerate(named) if number == "1")
    return [name for _, name in named[started:]]


def sample(points: list[str], size: int, seed: str) -> list[int]:
    """Numbers of `size` points, the same in every run: one in three from before the purchase (the catalog goes to Stripe), the rest from it."""
    bought = next(place for place, name in enumerate(points, start=1) if "INSERT INTO idempotency_keys" in name)
    draw = random.Random(seed)
    early = size // 3
    return [*(spread(draw, 1, bought, early) if early else []), *spread(draw, bought, len(points) + 1, size - early)]


def spread(draw: random.Random, first: int, after: int, size: int) -> list[int]:
    """`size` numbers from `first` to before `after`, each anywhere in its own stretch."""
    edges = [first + (after - first) * place // size for place in range(size + 1)]
    return [draw.randrange(low, high) for low, high in pairwise(edges)]
