"""
Servers without their second of imports: a process that has imported everything of `paywright serve`, opened nothing and started no thread, forks one
for each line on its standard input. From the fork on everything is as in production: the command line reads the settings of the environment it was
given, in the folder it was given, and ends as a process ends. `tests/cli` starts the command itself.

A test process has one (`started`). It ends with its standard input, so with the test process.
"""

import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.harness.waiting import until

LATER = (
    "alembic.ddl.postgresql",
    "alembic.ddl.sqlite",
    "anyio._backends._asyncio",
    "httpx",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "stripe",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.auto",
)
"""What a server imports only when it needs it."""

LEFT_OUT = ("paywright.__main__", "paywright.integrations", "paywright.storage.migrations")


class Forked:
    """A server, with what `subprocess.Popen` has for it: `poll`, `wait`, `terminate`, `kill`."""

    def __init__(self, nursery: "Nursery", pid: int) -> None:
        self._nursery, self.pid = nursery, pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, or minus the signal that ended it; None while it runs."""
        if self._code is None:
            self._code = self._nursery.ask({"ended": self.pid})
        return self._code

    def wait(self, timeout: float) -> int:
        until(lambda: self.poll() is not None, f"process {self.pid} to end", timeout_s=timeout)
        assert self._code is not None
        return self._code

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


class Nursery:
    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.harness.forking"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, question: Mapping[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@cache
def nursery() -> Nursery:
    return Nursery()


def started(arguments: list[str], *, folder: Path, environment: Mapping[str, str], log: Path) -> Forked:
    """`paywright` with these arguments, in a process of its own. What it writes is appended to `log`."""
    here = nursery()
    asked = {"arguments": arguments, "folder": str(folder), "environment": dict(environment), "log": str(log)}
    return Forked(here, here.ask({"start": asked}))


def import_everything() -> None:
    import paywright

    for found in pkgutil.walk_packages(paywright.__path__, "paywright."):
        if not found.name.startswith(LEFT_OUT):
            importlib.import_module(found.name)
    for name in LATER:
        importlib.import_module(name)


def become(asked: dict[str, Any]) -> None:
    """In the fork. Returns when the command has ended; how, is raised."""
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(log)
    os.close(nothing)
    time.tzset()

    from paywright.cli import main
    from paywright.kernel import faults

    importlib.reload(faults)  # It reads the environment when it is imported.
    main(asked["arguments"], prog_name="paywright")


def ended(pid: int) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def serve_forks() -> None:
    answers = os.fdopen(os.dup(1), "w", closefd=True)
    for line in sys.stdin:
        question = json.loads(line)
        if "start" in question:
            child = os.fork()
            if child == 0:
                answers.close()
                become(question["start"])
                return
            print(json.dumps(child), file=answers, flush=True)
        else:
            print(json.dumps(ended(question["ended"])), file=answers, flush=True)


if __name__ == "__main__":
    import_everything()
    serve_forks()
