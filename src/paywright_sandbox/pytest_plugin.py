"""
Fixtures for anybody's tests of anybody's billing: `pytest_plugins = ["paywright_sandbox.pytest_plugin"]` in a conftest.

| Fixture | Gives |
|---|---|
| `stripe_sandbox` | an account of its own for each test: address, keys, the official SDK, webhooks, faults |
| `stripe_sandbox_env` | the same, and the environment variables an application reads |
| `stripe_client` | `stripe.StripeClient` on that account |
| `stripe_webhooks` | a recorder: an endpoint for every event that checks signatures and keeps what came |
| `stripe_clock` | the account's clock: `now`, `advance(days=31)`, `advance(months=1)`, `to(when)`, `freeze()` |
| `stripe_buyer` | `pay(session)`, `authenticate(intent)`; in the portal `change_card(url)`, `cancel(url)`, `resume(url)`, `switch(url, price)` |

One server runs in a thread of the test process. An account's ids come from the test's name, so they are the same in every run.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

import pytest
import uvicorn

from .errors import Json
from .periods import added
from .recorder import Recorder
from .server import AnnouncingServer, Sandbox, listening_socket, url_of

if TYPE_CHECKING:
    import stripe

TIMEOUT_S = 120
START_S = 10


class SandboxRefusal(AssertionError):
    """The sandbox said no; the message is its own."""

    def __init__(self, status: int, error: Json) -> None:
        super().__init__(f"{status}: {error.get('message')}")
        self.status = status
        self.error = error


class ServedApp:
    """An ASGI application on a port of its own, for webhooks to reach."""

    def __init__(self, app: Any) -> None:
        self.listener = listening_socket("127.0.0.1", 0)
        self.url = url_of(self.listener, "127.0.0.1")
        ready = threading.Event()
        self.server = AnnouncingServer(uvicorn.Config(app, log_level="warning", access_log=False), ready)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        if not ready.wait(START_S):
            raise TimeoutError("the application did not start")

    def run(self) -> None:
        asyncio.run(self.server.serve(sockets=[self.listener]))

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(START_S)
        self.listener.close()


class StripeSandbox:
    """An account of the sandbox, for one test."""

    def __init__(self, url: str, account: Json, set_env: Callable[[str, str], None] | None = None) -> None:
        self.url = url
        self.account_id: str = account["id"]
        self.secret_key: str = account["secret_key"]
        self.publishable_key: str = account["publishable_key"]
        self.set_env = set_env
        self.served: list[ServedApp] = []

    def client(self, **options: Any) -> "stripe.StripeClient":
        """The official SDK, ready. Needs the `stripe` package."""
        import stripe

        addresses: Any = dict.fromkeys(("api", "connect", "files", "meter_events"), self.url)
        return stripe.StripeClient(self.secret_key, base_addresses=addresses, **options)

    def webhook(self, target: Any, events: list[str] | None = None, *, path: str = "/webhooks/stripe") -> str:
        """Sends events to an address, or to an ASGI application served for this test; answers the signing secret."""
        if not isinstance(target, str):
            self.served.append(ServedApp(target))
            target = self.served[-1].url + path
        secret = str(self.form("/v1/webhook_endpoints", {"url": target, "enabled_events": events or ["*"]})["secret"])
        if self.set_env:
            self.set_env("STRIPE_WEBHOOK_SECRET", secret)
        return secret

    def events(self, type: str | None = None) -> list[Json]:
        """In the order they happened."""
        return list(self.control("GET", "events" if type is None else f"events?{urlencode({'type': type})}")["data"])

    def deliveries(self) -> list[Json]:
        """Newest first."""
        return list(self.control("GET", "deliveries")["data"])

    def requests(self) -> list[Json]:
        """Newest first: what the application asked."""
        return list(self.control("GET", "requests")["data"])

    def fail_next(
        self, fault: int | str | Json, *, method: str | None = None, path: str | None = None, times: int = 1
    ) -> None:
        """`fault`: an HTTP status, `timeout`, `refuse`, `drop_response`, `{"slow_ms": 300}`. The path may hold `*`."""
        self.control("POST", "fail-next", {"as": fault, "times": times, "match": match_of(method, path)})

    def fail_often(
        self,
        faults: list[int | str | Json],
        share: float,
        *,
        seed: int = 0,
        method: str | None = None,
        path: str | None = None,
    ) -> None:
        """Until `fail_never`, this share of the requests suffers one of the faults; the same seed, the same requests."""
        wish = {"as": faults, "share": share, "seed": seed, "match": match_of(method, path)}
        self.control("POST", "fail-next", wish)

    def fail_never(self) -> None:
        self.control("POST", "fail-next", {"clear": True})

    def chaos(self, **wish: Any) -> None:
        """`duplicate=0.3, shuffle_window=4, delay_ms=[0, 50], drop_first=1, drop=0.1, hold=True, wrong_secret=0.1 …`; nothing ends it."""
        self.control("PUT", "webhook-chaos", wish)

    def release(self, events: list[str] | None = None) -> list[str]:
        """Under `chaos(hold=True)`: sends these events in this order, or all that are held; answers the ids that were."""
        return list(
            self.control("POST", "deliveries/release", {} if events is None else {"events": events})["released"]
        )

    def resend(self, event: str) -> None:
        """Sends the event once more to every endpoint that listens for it, lost or not."""
        self.control("POST", f"events/{event}/resend", {})

    def settle(self, payment_intent: str, outcome: str = "succeed", code: str | None = None) -> Json:
        """The end of a delayed payment."""
        wish = {"outcome": outcome, "code": code} if code else {"outcome": outcome}
        return self.control("POST", f"payments/{payment_intent}/settle", wish)

    def dispute(self, payment_intent: str, **wish: Any) -> Json:
        """`reason="fraudulent", inquiry=True, amount=500`"""
        return self.control("POST", "disputes", {"payment_intent": payment_intent, **wish})

    def resolve(self, dispute: str, outcome: str) -> Json:
        """`won` or `lost`; for an inquiry also `warning_closed` or `escalated`."""
        return self.control("POST", f"disputes/{dispute}/resolve", {"outcome": outcome})

    def refund_settle(self, refund: str, outcome: str = "succeed") -> Json:
        return self.control("POST", f"refunds/{refund}/settle", {"outcome": outcome})

    def wait(self) -> None:
        """Until no webhook is in flight; waiting retries go at once."""
        self.control("POST", "deliveries/settle", {})

    def control(self, method: str, path: str, body: Any = None) -> Json:
        """A control route by its path under /_sandbox/."""
        text = None if body is None else json.dumps(body).encode()
        return self.ask(method, f"/_sandbox/{path}", text, "application/json")

    def form(self, path: str, parameters: Json) -> Json:
        pairs = [(f"{name}[]", item) for name, value in parameters.items() if isinstance(value, list) for item in value]
        pairs += [(name, value) for name, value in parameters.items() if not isinstance(value, list)]
        return self.ask("POST", path, urlencode(pairs).encode(), "application/x-www-form-urlencoded")

    def ask(self, method: str, path: str, body: bytes | None, kind: str) -> Json:
        headers = {"Authorization": f"Bearer {self.secret_key}", "Content-Type": kind}
        try:
            with urlopen(Request(self.url + path, body, headers, method=method), timeout=TIMEOUT_S) as answer:
                found: Json = json.load(answer)
                return found
        except HTTPError as refusal:
            raise SandboxRefusal(refusal.code, json.load(refusal)["error"]) from refusal

    def stop(self) -> None:
        for served in self.served:
            served.stop()


def match_of(method: str | None, path: str | None) -> Json:
    return {name: value for name, value in (("method", method), ("path", path)) if value}


class StripeClock:
    """The account's clock. Moving it waits until every webhook on the way was answered, unless told otherwise."""

    def __init__(self, sandbox: StripeSandbox) -> None:
        self.sandbox = sandbox

    @property
    def now(self) -> int:
        """Unix seconds."""
        return int(self.sandbox.control("GET", "clock")["now"])

    def advance(
        self, *, months: int = 0, days: int = 0, hours: int = 0, minutes: int = 0, seconds: int = 0, wait: bool = True
    ) -> int:
        """Months are calendar months: 31 January + 1 is the end of February."""
        start = self.now
        length = days * 86_400 + hours * 3600 + minutes * 60 + seconds
        return self.to(added(start, "month", months) + length, wait=wait)

    def to(self, when: int | datetime, *, wait: bool = True) -> int:
        at = int(when.timestamp()) if isinstance(when, datetime) else when
        return int(self.sandbox.control("POST", "clock/advance", {"to": at, "wait": wait})["now"])

    def freeze(self) -> int:
        return int(self.sandbox.control("POST", "clock/freeze", {})["now"])


class StripeBuyer:
    """What a person would do on Stripe's pages."""

    def __init__(self, sandbox: StripeSandbox) -> None:
        self.sandbox = sandbox

    def pay(self, session: Any, card: str = "4242424242424242", **wish: Any) -> str:
        """A Checkout Session, its id or its address; answers where the buyer is sent. `email=`, `promotion_code=`, `authenticate=`."""
        id = session if isinstance(session, str) else session.id
        if "/" in id:
            id = urlsplit(id).path.rpartition("/")[2]
        return str(self.sandbox.control("POST", f"checkout/{id}/pay", {"card": card, **wish})["redirect_url"])

    def authenticate(self, intent: str, ok: bool = True) -> Json:
        """3DS for a payment or setup intent."""
        outcome = "succeed" if ok else "fail"
        return self.sandbox.control("POST", f"payments/{intent}/authenticate", {"outcome": outcome})

    def change_card(self, customer: str, number: str = "4242424242424242") -> str:
        """
        A new default card; answers the payment method. `customer` is a customer's id, or the address of a portal session.

        In the portal an open invoice is paid at once and 3DS is passed; by the customer's id neither happens.
        """
        if "/" in customer:
            return str(self.in_portal(customer, "card", card=number, authenticate=True)["payment_method"])
        card = {"type": "card", "card[number]": number, "card[exp_month]": 12, "card[exp_year]": 2050}
        method = str(self.sandbox.form("/v1/payment_methods", card)["id"])
        self.sandbox.form(f"/v1/payment_methods/{method}/attach", {"customer": customer})
        self.sandbox.form(f"/v1/customers/{customer}", {"invoice_settings[default_payment_method]": method})
        return method

    def cancel(self, portal_url: str, subscription: str | None = None, **wish: Any) -> Json:
        """Cancels in the portal, now or at the period's end as configured; answers the subscription. `feedback=`, `comment=`."""
        return self.in_portal(portal_url, "cancel", subscription=subscription, **wish)

    def resume(self, portal_url: str, subscription: str | None = None) -> Json:
        """Takes a scheduled cancellation back, or ends a pause."""
        return self.in_portal(portal_url, "resume", subscription=subscription)

    def switch(self, portal_url: str, price: str, quantity: int | None = None, subscription: str | None = None) -> Json:
        """Another price, as the portal's configuration allows; answers the subscription. A decline changes nothing."""
        return self.in_portal(portal_url, "switch", price=price, quantity=quantity, subscription=subscription)

    def in_portal(self, portal_url: str, action: str, **wish: Any) -> Json:
        """A step in the customer portal; `portal_url` is the session's `url`, or its id."""
        session = urlsplit(portal_url).path.rpartition("/")[2]
        given = {name: value for name, value in wish.items() if value is not None}
        return self.sandbox.control("POST", f"portal/{session}", {"action": action, **given})


@pytest.fixture(scope="session")
def stripe_sandbox_server() -> Iterator[Sandbox]:
    """One for the test process; under pytest-xdist one for each worker."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def stripe_sandbox(stripe_sandbox_server: Sandbox, request: pytest.FixtureRequest) -> Iterator[StripeSandbox]:
    default = StripeSandbox(
        stripe_sandbox_server.url,
        {"id": "", "secret_key": stripe_sandbox_server.secret_key, "publishable_key": ""},
    )
    account = default.control("POST", "accounts", {"name": request.node.name, "seed": request.node.nodeid})
    opened = StripeSandbox(stripe_sandbox_server.url, account)
    yield opened
    opened.stop()
    default.control("DELETE", f"accounts/{opened.account_id}")


@pytest.fixture
def stripe_sandbox_env(stripe_sandbox: StripeSandbox, monkeypatch: pytest.MonkeyPatch) -> StripeSandbox:
    monkeypatch.setenv("STRIPE_API_BASE", stripe_sandbox.url)
    monkeypatch.setenv("STRIPE_SECRET_KEY", stripe_sandbox.secret_key)
    monkeypatch.setenv("STRIPE_PUBLISHABLE_KEY", stripe_sandbox.publishable_key)
    monkeypatch.setenv("STRIPE_JS_URL", f"{stripe_sandbox.url}/js/stripe.js")
    stripe_sandbox.set_env = monkeypatch.setenv
    return stripe_sandbox


@pytest.fixture
def stripe_clock(stripe_sandbox: StripeSandbox) -> StripeClock:
    return StripeClock(stripe_sandbox)


@pytest.fixture
def stripe_buyer(stripe_sandbox: StripeSandbox) -> StripeBuyer:
    return StripeBuyer(stripe_sandbox)


@pytest.fixture
def stripe_client(stripe_sandbox: StripeSandbox) -> "stripe.StripeClient":
    return stripe_sandbox.client()


@pytest.fixture
def stripe_webhooks(stripe_sandbox: StripeSandbox) -> Recorder:
    """`types()`, `events(type)`, `received` with headers and bodies; `answer(500, 503)` lets the next ones fail."""
    recorder = Recorder()
    recorder.secret = stripe_sandbox.webhook(recorder)
    return recorder
