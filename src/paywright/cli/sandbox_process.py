"""The offline Stripe as a process of its own. It ends when its standard input closes, so it never outlives whoever started it."""

import subprocess
import sys
import threading
from pathlib import Path

import msgspec

START_S = 30.0
STOP_S = 5.0


class SandboxFailed(Exception):
    """The sandbox ended, or did not get ready in time."""


class Ready(msgspec.Struct, frozen=True):
    """The one line it prints."""

    url: str
    secret_key: str
    publishable_key: str


class SandboxProcess:
    def __init__(self, data_file: Path, *, port: int) -> None:
        self._command = [
            sys.executable,
            "-m",
            "paywright_sandbox",
            "--json",
            "--exit-with-stdin",
            "--data",
            str(data_file),
        ]
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns at once; `ready` waits."""
        # A session of its own: Ctrl-C in the terminal is for us, and we then close its standard input.
        self._process = subprocess.Popen(
            [*self._command, "--port", str(self._port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def ready(self) -> Ready:
        assert self._process is not None
        assert self._process.stdout is not None
        patience = threading.Timer(START_S, self._process.kill)
        patience.start()
        line = self._process.stdout.readline()
        patience.cancel()
        if not line:
            raise SandboxFailed(f"the sandbox did not start (port {self._port}); its reason stands above")
        found = msgspec.json.decode(line, type=Ready)
        self._port = int(found.url.rpartition(":")[2])
        return found

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Closes its standard input and waits until it is gone."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
