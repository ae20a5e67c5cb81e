"""Where contestants meet: databases with ten thousand customers in them, and processes that wait for orders."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from bench.contestants.protocol import CUSTOMERS
from paywright.storage.migrate import upgrade
from tests.harness import postgres

ROOT = Path(__file__).parent.parent
ARTIFACTS = ROOT / ".artifacts" / "bench"
CONTESTANTS = Path(__file__).parent / "contestants"
NEVER = 2**62

# As a careful person runs it in production: every commit reaches the disk.
SERVER_SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "8GB",
    "max_connections": "400",
    "checkpoint_timeout": "30min",
}


class Sample(msgspec.Struct, frozen=True):
    """`rate` in calls per second, the others in milliseconds."""

    rate: float
    p50: float
    p99: float


@contextmanager
def postgres_server() -> Iterator[str | None]:
    """The URL of an empty database on a private server that keeps its promises; None where there is no PostgreSQL."""
    postgres.SERVER_SETTINGS.update(SERVER_SETTINGS)
    try:
        server = postgres.start()
    except postgres.Unavailable:
        yield None
        return
    try:
        yield server.create_database()
    finally:
        server.stop()


@contextmanager
def sqlite_file() -> Iterator[str]:
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    path = ARTIFACTS / f"ledger-{os.getpid()}.db"
    yield f"sqlite:///{path}"
    remove(path)


def remove(path: Path) -> None:
    """The file, what SQLite keeps beside it, and the rivals' own."""
    for found in path.parent.glob(f"{path.name}*"):
        found.unlink()


def fill(url: str) -> None:
    """Our tables, with a balance of a billion credits for everybody."""
    upgrade(url)
    everybody = [f"user:u_{number}" for number in range(CUSTOMERS)]
    customers = "INSERT INTO customers (environment_id, customer, version, next_sequence, opened_at) VALUES ('test', {0}, 1, 3, 1)"
    balances = (
        "INSERT INTO balances (environment_id, customer, item_id, balance, live, entries, at, next_due) "
        f"VALUES ('test', {{0}}, 'credits', 1000000000, 1000000000, 1, 1, {NEVER})"
    )
    for statement in (customers, balances):
        insert(url, statement, everybody)


def insert(url: str, statement: str, names: list[str]) -> None:
    if url.startswith("sqlite"):
        import sqlite3

        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.executemany(statement.format("?"), [(name,) for name in names])
        connection.commit()
        connection.close()
    else:
        with psycopg.connect(url) as connected, connected.cursor() as cursor:
            cursor.executemany(statement.format("%s"), [(name,) for name in names])


def rivals_python() -> Path | None:
    """A Python with the rivals in it, made once in `.artifacts`; None where they are not to be had."""
    given = os.environ.get("PAYWRIGHT_BENCH_RIVALS")
    if given:
        return Path(given)
    home = ARTIFACTS / "rivals"
    python = home / "bin" / "python"
    if not python.exists():
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        made = subprocess.run([sys.executable, "-m", "venv", home], check=False)
        requirements = Path(__file__).with_name("rivals.txt")
        if (
            made.returncode
            or subprocess.run([python, "-m", "pip", "-q", "install", "-r", requirements], check=False).returncode
        ):
            return None
    return python


class Talking:
    """A process that is told lines, and says lines of JSON."""

    def __init__(self, name: str, process: "subprocess.Popen[str]") -> None:
        self.name = name
        self._process = process
        self.said: Any = self._hear()
        """Its first word."""

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _hear(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with {self._process.wait()}")
        return json.loads(line)


class Answering(Talking):
    """One that answers each line with a line."""

    def order(self, line: str) -> Any:
        self._say(line)
        return self._hear()


class Contestant(Talking):
    """One that measures itself when told to."""

    def __init__(self, name: str, command: list[str | Path]) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "src", ROOT, CONTESTANTS)))}
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
        )
        super().__init__(name, process)

    def order(self, callers: int, is_hot: bool, seconds: float) -> None:
        self._say(json.dumps({"callers": callers, "hot": is_hot, "seconds": seconds}))

    def sample(self) -> Sample:
        said = self._hear()
        return Sample(said["calls"] / said["seconds"], said["p50_ms"], said["p99_ms"])

    def measure(self, callers: int, is_hot: bool, seconds: float) -> Sample:
        self.order(callers, is_hot, seconds)
        return self.sample()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
