"""An account of its own, the official SDK on it, and the control API in the words tests use."""

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import httpx
import pytest
import stripe

VISA = "pm_card_visa"
OTHER_FORMS = {f"U{number}": "b" for number in range(1, 18)}
"""Every point of Stripe's behaviour that is uncertain, in its other form: a value for the setting `variant`."""


TLS = ssl.create_default_context()
"""One for all clients, none of which speaks TLS: httpx would read the certificates anew for each, 20 ms at a time."""


def web_client(url: str, **options: Any) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=60, verify=TLS, **options)


class Shop:
    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.http = web_client(url)
        made = self.http.post("/_sandbox/accounts", json={}, headers={"Authorization": f"Bearer {key}"}).json()
        self.account_id: str = made["id"]
        self.secret_key: str = made["secret_key"]
        self.publishable_key: str = made["publishable_key"]
        self.http.headers["Authorization"] = f"Bearer {self.secret_key}"
        self.client = self.client_with(self.secret_key)

    def client_with(self, key: str, **options: Any) -> stripe.StripeClient:
        addresses: Any = dict.fromkeys(("api", "connect", "files", "meter_events"), self.url)
        return stripe.StripeClient(key, base_addresses=addresses, **{"max_network_retries": 0, **options})

    def control(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        answer = self.http.request(method, f"/_sandbox/{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def advance(self, by: str, *, wait: bool = True) -> int:
        now: int = self.control("POST", "clock/advance", {"by": by, "wait": wait})["now"]
        return now

    def events(self, *, since: str | None = None) -> list[str]:
        """Types of the events in the order they were logged, after the event `since`."""
        return [event["type"] for event in self.event_objects(since=since)]

    def event_objects(self, *, since: str | None = None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control("GET", f"events?since={since}" if since else "events")["data"]
        return found

    def last_event(self) -> str | None:
        found = self.event_objects()
        return str(found[-1]["id"]) if found else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()


def error_of(refusal: pytest.ExceptionInfo[stripe.StripeError]) -> Any:
    """The error object, untyped: a test that reads it knows it is there."""
    return refusal.value.error


class Listener:
    """A webhook endpoint of our own. `answers` are the statuses to give in turn; then 200."""

    def __init__(self, answers: list[int] | None = None) -> None:
        self.answers = list(answers or [])
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.polls = 0
        self.more = threading.Condition()
        listener = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with listener.more:
                    listener.received.append((dict(self.headers), body))
                    status = listener.answers.pop(0) if listener.answers else 200
                    listener.more.notify_all()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                """A settle address: it answers what is left of `answers`, then 200."""
                with listener.more:
                    listener.polls += 1
                    status = listener.answers.pop(0) if listener.answers else 200
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Silence: pytest shows what matters."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.received]

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.shutdown()
        self.server.server_close()
