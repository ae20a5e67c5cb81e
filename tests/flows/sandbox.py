"""The offline Stripe as a process of its own, and one account of it as a test sees it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

ANY_KEY = {"Authorization": "Bearer sk_test_any"}
CHAOS = {"duplicate": 0.3, "shuffle_window": 6, "delay_ms": [0, 20]}
"""What deliveries suffer in every story: some come twice, all may overtake each other."""

PAYS = "4242424242424242"
DECLINES = "4000000000000002"


class Account:
    """One Stripe account: its keys, its buyer, its clock, its trouble."""

    def __init__(self, url: str, secret_key: str, publishable_key: str) -> None:
        self.url, self.secret_key, self.publishable_key = url, secret_key, publishable_key
        # Nothing here speaks TLS, and reading the certificates for it takes longer than many a test.
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {secret_key}"}, timeout=120, verify=False
        )

    def webhook(self, url: str, *, settle_url: str) -> str:
        """An endpoint for every event; its signing secret."""
        form = {"url": url, "enabled_events[0]": "*", "metadata[sandbox_settle_url]": settle_url}
        return str(self.post("/v1/webhook_endpoints", form=form)["secret"])

    def pay(self, stripe_checkout_session_id: str, card: str | None = PAYS, **buyer: Any) -> dict[str, Any]:
        """The buyer without a browser; answers what the sandbox says, a decline too. `payment_method=…` pays by something else."""
        wish = buyer if "payment_method" in buyer else {"card": card, **buyer}
        return dict(self._http.post(f"/_sandbox/checkout/{stripe_checkout_session_id}/pay", json=wish).json())

    def set(self, **settings: Any) -> None:
        self._read(self._http.patch("/_sandbox/settings", json=settings))

    def chaos(self, **wish: Any) -> None:
        self._read(self._http.put("/_sandbox/webhook-chaos", json=wish))

    def fail_next(self, kind: int | str, *, method: str = "POST", path: str = "*", times: int = 1) -> None:
        self.post("/_sandbox/fail-next", {"match": {"method": method, "path": path}, "times": times, "as": kind})

    def deliveries_settled(self) -> None:
        self.post("/_sandbox/deliveries/settle", {"timeout_s": 60})

    def advance(self, by: str) -> None:
        """Lives through the time: each unit's webhooks are answered and acted on before the next."""
        self.post("/_sandbox/clock/advance", {"by": by})

    def every(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """Every object of a list, newest first."""
        found: list[dict[str, Any]] = []
        asked: dict[str, Any] = {"limit": 100, **query}
        while True:
            page = self.get(path, **asked)
            found += page["data"]
            if not page["has_more"]:
                return found
            asked["starting_after"] = found[-1]["id"]

    def requests(self, method: str, path: str) -> list[dict[str, Any]]:
        """What was asked of this account, newest first."""
        return [
            each for each in self.get("/_sandbox/requests")["data"] if each["method"] == method and each["path"] == path
        ]

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        return self._read(self._http.get(path, params=query))

    def post(
        self, path: str, body: dict[str, Any] | None = None, *, form: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        return self._read(
            self._http.post(path, data=form) if form is not None else self._http.post(path, json=body or {})
        )

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Whatever it answers."""
        return self._http.request(method, path, **options)

    def close(self) -> None:
        self._http.close()

    @staticmethod
    def _read(answer: httpx.Response) -> dict[str, Any]:
        assert answer.status_code == 200, (
            f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
        )
        return dict(answer.json())


@contextmanager
def running() -> Iterator[str]:
    """Its URL. It ends with this process, whatever happens, because its standard input closes then."""
    command = [sys.executable, "-m", "paywright_sandbox", "--json", "--port", "0", "--exit-with-stdin"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield str(json.loads(process.stdout.readline())["url"])
        finally:
            process.stdin.close()
            process.wait(60)


@contextmanager
def account(url: str) -> Iterator[Account]:
    """A fresh account, with its own objects, clock and deliveries."""
    made = httpx.post(f"{url}/_sandbox/accounts", json={}, headers=ANY_KEY, verify=False).json()
    fresh = Account(url, made["secret_key"], made["publishable_key"])
    try:
        yield fresh
    finally:
        fresh.chaos()
        fresh.close()
        httpx.delete(f"{url}/_sandbox/accounts/{made['id']}", headers=ANY_KEY, verify=False)
