"""
The webhook door for `bench/webhooks.py`: `inbox_server.py URL SANDBOX_URL SANDBOX_KEY SECRET`; says `{"url"}` when it is ready, ends with its input.

A line on its standard input is an order: `sell NUMBER` buys that many subscriptions at the sandbox and tells the events they caused; `work` starts
the worker, `rest` ends it; `left` tells whether events are left to process, and what this process has used of the processor so far.
"""

import json
import sys
import time
from typing import Any

import httpx

from paywright import app as doors
from paywright.api.listening import Listening, keep_what_is_there
from paywright.api.server import build
from paywright.catalog.actions import apply
from paywright.checkout import actions as checkout
from paywright.checkout.model import CheckoutSession, StartCheckout
from paywright.engine.app import App
from paywright.environments.actions import StripeCredentials, connect_stripe
from paywright.kernel.model import Customer
from paywright.kernel.settings import Settings
from paywright.ownership.model import AskedLine
from paywright.webhooks.actions import settled
from paywright.worker import Worker

URL, SANDBOX, KEY, SECRET = sys.argv[1:5]
CATALOG: dict[str, Any] = {
    "items": {"credits": {}},
    "products": {
        "pro": {
            "prices": {"monthly": {"amounts": {"usd": 2000}, "interval": "1 month"}},
            "included_items": {"credits": {"quantity": 50, "repeat": "1 month"}},
        }
    },
}


class Inbox:
    def __init__(self, app: App) -> None:
        self._app = app
        self._worker: Worker | None = None
        self._sold = 0
        self._told: set[str] = set()
        self._http = httpx.Client(base_url=SANDBOX, headers={"Authorization": f"Bearer {KEY}"}, timeout=60)

    def sell(self, number: str) -> dict[str, Any]:
        environment = self._app.environment("test")
        assert environment is not None
        for _ in range(int(number)):
            self._sold += 1
            asked = StartCheckout(
                customer=Customer("user", f"u_{self._sold}"),
                lines=(AskedLine(product_id="pro"),),
                success_url="https://app.test/ok",
                cancel_url="https://app.test/no",
                with_secret_key=True,
            )
            session = checkout.start(self._app, environment, asked)
            assert isinstance(session, CheckoutSession), session
            path = f"/_sandbox/checkout/{session.stripe_checkout_session_id}/pay"
            assert self._http.post(path, json={"card": "4242424242424242"}).status_code == 200
        events = [event for event in self._events() if event["id"] not in self._told]
        self._told.update(event["id"] for event in events)
        return {"events": events}

    def _events(self) -> list[Any]:
        found: list[Any] = []
        after: dict[str, str] = {}
        while True:
            page = self._http.get("/v1/events", params={"limit": 100, **after}).json()
            found += page["data"]
            if not page["has_more"]:
                return found[::-1]
            after = {"starting_after": page["data"][-1]["id"]}

    def work(self) -> dict[str, Any]:
        self._worker = Worker(self._app).start()
        return {}

    def rest(self) -> dict[str, Any]:
        if self._worker is not None:
            self._worker.stop()
            self._worker = None
        return {}

    def left(self) -> dict[str, Any]:
        return {"left": not settled(self._app, "test"), "cpu_s": time.process_time()}


def main() -> None:
    settings = Settings(database_url=URL, secret="a secret of this measurement only", stripe_webhook_secret=SECRET)
    app = doors.open_app(settings, provider="sandbox")
    with app.work("test") as work:
        apply(work, CATALOG, is_in_use=doors.is_in_use)
        assert connect_stripe(work, settings, StripeCredentials(KEY, None, None, SANDBOX)) is None
    inbox = Inbox(app)
    with Listening(build(app)) as server:
        keep_what_is_there()
        say({"url": f"{server.url}/webhooks/stripe/test"})
        for line in sys.stdin:
            verb, *rest = line.split()
            say(getattr(inbox, verb)(*rest))
    inbox.rest()
    app.close()


def say(said: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


main()
