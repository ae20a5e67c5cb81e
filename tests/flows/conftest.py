"""
| Fixture | Gives |
|---|---|
| `shop` | an environment of a server process, its own Stripe account, chaos on; on SQLite and on PostgreSQL; the books are checked at the end |
| `own_shop` | the same with a server and a database of its own, to stop and start |
| `sandbox_url` | the offline Stripe of this test run |
"""

import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import pytest

from tests.conftest import KINDS
from tests.flows import books, premises, sandbox
from tests.flows.premises import Premises
from tests.flows.shop import Shop, opened_shop
from tests.harness import needs
from tests.harness.databases import PostgresDatabases, SqliteDatabases

LOG_LINES = 60
FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def sandbox_url() -> Iterator[str]:
    with sandbox.running() as url:
        yield url


@pytest.fixture(scope="session")
def shared_premises(
    sqlite_databases: SqliteDatabases,
    started_postgres: PostgresDatabases | str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], Premises]]:
    """One server a kind of database, started when first asked for."""
    started: dict[str, Premises] = {}
    with ExitStack() as kept:

        def open_premises(kind: str) -> Premises:
            if kind not in started:
                folder = tmp_path_factory.mktemp(kind)
                if kind == "sqlite":
                    url = kept.enter_context(sqlite_databases.fresh(folder))
                elif isinstance(started_postgres, str):
                    needs.lacking("postgres", started_postgres)
                else:
                    url = kept.enter_context(started_postgres.fresh())
                started[kind] = kept.enter_context(premises.opened(url, folder))
            return started[kind]

        yield open_premises


@pytest.fixture(scope="session")
def environment_ids() -> Iterator[str]:
    return (f"story-{number}" for number in count(1))


@pytest.fixture
def chaos_seed(request: pytest.FixtureRequest) -> int:
    """From the test's name: another run is as unkind in the same way."""
    return zlib.crc32(request.node.name.encode())


@pytest.fixture(params=KINDS)
def shop(
    request: pytest.FixtureRequest,
    shared_premises: Callable[[str], Premises],
    sandbox_url: str,
    environment_ids: Iterator[str],
    chaos_seed: int,
) -> Iterator[Shop]:
    here = shared_premises(request.param)
    with opened_shop(here, sandbox_url, next(environment_ids), chaos_seed=chaos_seed) as stage, audited(stage, request):
        yield stage


@pytest.fixture
def own_shop(
    request: pytest.FixtureRequest, sandbox_url: str, database_url: str, tmp_path: Path, chaos_seed: int
) -> Iterator[Shop]:
    with (
        premises.opened(database_url, tmp_path) as here,
        opened_shop(here, sandbox_url, "test", chaos_seed=chaos_seed) as stage,
        audited(stage, request),
    ):
        yield stage


@pytest.fixture
def crash_database(
    request: pytest.FixtureRequest, sqlite_databases: SqliteDatabases, tmp_path: Path
) -> Iterator[Callable[[str], str]]:
    """A fresh database of that kind each time it is called."""
    with ExitStack() as kept:

        def fresh(kind: str) -> str:
            if kind == "sqlite":
                return kept.enter_context(sqlite_databases.fresh(tmp_path))
            server: PostgresDatabases = request.getfixturevalue("postgres_databases")
            return kept.enter_context(server.fresh())

        yield fresh


@contextmanager
def audited(stage: Shop, request: pytest.FixtureRequest) -> Iterator[None]:
    """The books must be right when a story is over. One that broke off is left alone: its own failure says more."""
    yield
    if not request.node.stash.get(FAILED, False):
        stage.settle()
        books.audit(stage)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.when == "call":
        item.stash[FAILED] = report.failed
    stages = [each for each in getattr(item, "funcargs", {}).values() if isinstance(each, Shop)]
    if report.failed:
        report.sections += [("Server log", log_of(stage)) for stage in stages]
    return report  # type: ignore[return-value]


def log_of(stage: Shop) -> str:
    """Its last lines, without the many questions whether it has settled."""
    lines = [line for line in stage.server.log.read_text().splitlines() if "/v1/environment/settled" not in line]
    return "\n".join(lines[-LOG_LINES:])
