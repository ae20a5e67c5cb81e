"""A Paywright server as a process, which lives and dies as in production, and the door through which the sandbox asks whether it has settled."""

import os
import signal
import socket
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from tests.harness.forking import Forked, started
from tests.harness.waiting import until

SECRET = "a-secret-for-tests-of-32-characters-or-more"
STOP_WITHIN_S = 0.02


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """`paywright serve` on a port that outlives restarts. What it logs is in `log`."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "server.log"
        self.settings = {"PAYWRIGHT_PORT": str(self.port), "PAYWRIGHT_PUBLIC_URL": self.url, **settings}
        self._process: Forked | None = None

    def start(self, **extra: str) -> None:
        """Runs until ready. `extra` are settings for this run only."""
        assert self._process is None
        # Its own settings and nothing of the developer's: no STRIPE_SECRET_KEY of theirs may reach it.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PAYWRIGHT_", "STRIPE_"))}
        environment = {**kept, **self.settings, **extra}
        self._process = started(["serve"], folder=self.folder, environment=environment, log=self.log)
        until(self._is_ready, f"the server to be ready; see {self.log}", timeout_s=60)

    def has_ended(self) -> int | None:
        """Its exit code, once it is over. Negative: the signal that ended it."""
        assert self._process is not None
        return self._process.poll()

    def ended(self, *, timeout_s: float = 30) -> int:
        """Waits for the end it finds by itself."""
        assert self._process is not None
        code = self._process.wait(timeout_s)
        self._process = None
        return code

    def stop(self) -> None:
        """Asked to, as an operator would."""
        if self._process is None:
            return
        self._process.terminate()
        code = self.ended()
        assert code in (0, -signal.SIGTERM), f"the server ended with {code}; see {self.log}"

    def kill(self) -> None:
        """No notice, no clean-up."""
        if self._process is not None:
            self._process.kill()
            self.ended()

    def strike(self) -> None:
        """Kills it and leaves it lying: `has_ended` and `ended` find it so."""
        if self._process is not None:
            self._process.kill()

    def _is_ready(self) -> bool:
        code = self.has_ended()
        assert code is None, f"the server ended with {code}: {self.log.read_text()[-2000:]}"
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5, verify=False).status_code == 200
        except httpx.TransportError:
            return False


class SettledDoor:
    """
    The sandbox polls an address while its clock moves; `GET /v1/environment/settled` wants a key. This passes the question on, with the key.

    A server that is down has not settled.
    """

    def __init__(self, server_url: str, secret_key: str) -> None:
        ask = httpx.Client(headers={"Authorization": f"Bearer {secret_key}"}, timeout=10, verify=False)

        class Door(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                try:
                    status = ask.get(f"{server_url}/v1/environment/settled").status_code
                except httpx.TransportError:
                    status = 503
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._ask = ask
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self._http.server_port}/settled"
        threading.Thread(target=self._http.serve_forever, args=(STOP_WITHIN_S,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._ask.close()
