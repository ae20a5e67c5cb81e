"""
| Fixture | Gives |
|---|---|
| `shop` | an environment of a server process, its own Stripe account, chaos on; on SQLite and on PostgreSQL; the books are checked at the end |
| `own_shop` | the same with a server and a database of its own, to stop and start |
| `sandbox_url` | the offline Stripe of this test run |
"""

import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
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
STORIES_PER_SERVER = 15
FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def sandbox_url() -> Iterator[str]:
    with sandbox.running() as url:
        yield url


class SharedPremises:
    """One server a kind of database, started when first asked for, and anew after some stories: its worker visits all that were ever told."""

    def __init__(self, fresh_database: Callable[[str], AbstractContextManager[str]], folders: Iterator[Path]) -> None:
        self._fresh_database, self._folders = fresh_database, folders
        self._open: dict[str, tuple[ExitStack, Premises, int]] = {}

    def of(self, kind: str) -> Premises:
        kept, here, stories = self._open.pop(kind, (ExitStack(), None, 0))
        if here is None or stories == STORIES_PER_SERVER:
            kept.close()
            kept, stories = ExitStack(), 0
            url = kept.enter_context(self._fresh_database(kind))
            here = kept.enter_context(premises.opened(url, next(self._folders)))
        self._open[kind] = kept, here, stories + 1
        return here

    def close(self) -> None:
        for kept, _, _ in self._open.values():
            kept.close()


@pytest.fixture(scope="session")
def shared_premises(
    sqlite_databases: SqliteDatabases,
    started_postgres: PostgresDatabases | str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[SharedPremises]:
    folders = (tmp_path_factory.mktemp("premises") for _ in count())

    def fresh(kind: str) -> AbstractContextManager[str]:
        if kind == "sqlite":
            return sqlite_databases.fresh(next(folders))
        if isinstance(started_postgres, str):
            needs.lacking("postgres", started_postgres)
        return started_postgres.fresh()

    shared = SharedPremises(fresh, folders)
    yield shared
    shared.close()


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
    shared_premises: SharedPremises,
    sandbox_url: str,
    environment_ids: Iterator[str],
    chaos_seed: int,
) -> Iterator[Shop]:
    here = shared_premises.of(request.param)
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
