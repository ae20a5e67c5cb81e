"""Several HTTP processes on one socket, and one worker process beside them."""

import socket
import subprocess
import sys
import time

from paywright.cli.stopping import Told

WATCH_S = 0.2
RESTART_S = 1.0
"""A process that ends is started again, at most once a second."""

STOP_S = 15.0


class Supervisor:
    """Runs until SIGINT or SIGTERM, then asks all processes to finish what is under way."""

    def __init__(
        self, listener: socket.socket, *, workers: int, with_worker: bool, log_level: str, environment: str | None
    ) -> None:
        self._listener = listener
        shared = ["--log-level", log_level, *(["--environment", environment] if environment else [])]
        serve = ["serve", "--fd", str(listener.fileno()), "--no-worker", *shared]
        self._commands = [serve] * workers + ([["worker", *shared]] if with_worker else [])
        self._running: dict[int, tuple[subprocess.Popen[bytes], float]] = {}

    def run(self) -> None:
        told = Told()
        self._listener.set_inheritable(True)
        while not told.wait(WATCH_S):
            for place in range(len(self._commands)):
                self._start_if_ended(place)
        self._stop()

    def _start_if_ended(self, place: int) -> None:
        process, started_at = self._running.get(place, (None, 0.0))
        if (process is not None and process.poll() is None) or time.monotonic() - started_at < RESTART_S:
            return
        command = [sys.executable, "-m", "paywright", *self._commands[place]]
        # A session of its own: Ctrl-C is for us, and we pass it on once.
        started = subprocess.Popen(command, pass_fds=[self._listener.fileno()], start_new_session=True)
        self._running[place] = started, time.monotonic()

    def _stop(self) -> None:
        for process, _ in self._running.values():
            process.terminate()
        deadline = time.monotonic() + STOP_S
        for process, _ in self._running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
