"""The harness itself: what it promises to the other tests."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from playwright.sync_api import Page

from tests.harness import postgres
from tests.harness.databases import PostgresDatabases, SqliteDatabases
from tests.harness.waiting import until


def test_every_postgres_test_has_a_database_of_its_own(postgres_databases: PostgresDatabases) -> None:
    with postgres_databases.fresh(migrated=False) as first, postgres_databases.fresh(migrated=False) as second:
        with psycopg.connect(first, autocommit=True) as connection:
            connection.execute("CREATE TABLE mine (id integer)")
        with psycopg.connect(second) as connection:
            found = connection.execute("SELECT to_regclass('mine')").fetchone()
    assert found == (None,)


def test_a_copy_of_a_template_has_its_tables(postgres_databases: PostgresDatabases) -> None:
    server = postgres_databases.server
    with postgres_databases.fresh(migrated=False) as original:
        with psycopg.connect(original, autocommit=True) as connection:
            connection.execute("CREATE TABLE theirs (id integer)")
        copy = server.create_database(template=original)
        with psycopg.connect(copy) as connection:
            assert connection.execute("SELECT count(*) FROM theirs").fetchone() == (0,)
        server.drop_database(copy)


def test_the_private_server_ends_with_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(postgres.VARIABLE, raising=False)
    binaries = postgres.find_binaries()
    assert binaries is not None
    server = postgres.start_private(binaries)
    server.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.admin_url, connect_timeout=2)


def test_the_embedded_postgres_starts_too() -> None:
    binaries = postgres.embedded_binaries()
    assert binaries is not None
    server = postgres.start_private(binaries)
    with psycopg.connect(server.admin_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    server.stop()


def test_a_fresh_database_is_migrated_on_both_kinds(database_url: str) -> None:
    assert tables(database_url) >= {"alembic_version", "environments"}


def test_an_empty_database_has_no_tables(empty_database_url: str) -> None:
    assert tables(empty_database_url) == set()


def test_databases_of_one_test_share_nothing(fresh_database: Callable[[], str]) -> None:
    assert fresh_database() != fresh_database()


def tables(url: str) -> set[str]:
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        return set(sqlalchemy.inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_two_sqlite_databases_of_one_test_differ(sqlite_databases: SqliteDatabases, tmp_path: Path) -> None:
    first = sqlite_databases.fresh(tmp_path, migrated=False)
    second = sqlite_databases.fresh(tmp_path, migrated=False)
    with first as one, second as other:
        assert one != other
    assert list(tmp_path.iterdir()) == []


def test_what_is_required_and_missing_fails_and_is_skipped_otherwise(tmp_path: Path) -> None:
    program = (
        "import pytest\nfrom tests.harness import needs\n"
        "try:\n    needs.lacking('browser', 'not there')\n"
        "except pytest.skip.Exception:\n    print('skipped')\n"
        "except pytest.fail.Exception:\n    print('failed')\n"
    )
    root = Path(__file__).resolve().parents[2]

    def outcome(required: str) -> str:
        environment = {"PAYWRIGHT_TEST_REQUIRE": required, "PATH": "/usr/bin:/bin"}
        command = [sys.executable, "-c", program]
        return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True).stdout

    assert outcome("") == "skipped\n"
    assert outcome("postgres,node") == "skipped\n"
    assert outcome("postgres,browser") == "failed\n"


def test_the_browser_shows_a_page_and_keeps_a_picture(page: Page, screenshot: Callable[[str], Path]) -> None:
    page.set_content("<h1>Paywright</h1>")
    assert page.inner_text("h1") == "Paywright"
    assert screenshot("heading").read_bytes().startswith(b"\x89PNG")


def test_waiting_ends_with_what_was_found_and_names_what_was_not() -> None:
    answers = iter([None, "", "ready"])
    assert until(lambda: next(answers), "an answer") == "ready"
    with pytest.raises(TimeoutError, match="for the moon"):
        until(lambda: False, "the moon", timeout_s=0)


def test_node_runs(node: Path) -> None:
    command = [str(node), "--eval", "console.log(typeof fetch)"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "function\n"
