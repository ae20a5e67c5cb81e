"""The harness itself: what it promises to the other tests."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy
from playwright.sync_api import Page
from psycopg import sql

from paywright.storage.schema import metadata
from tests.harness import postgres
from tests.harness.databases import PostgresDatabases, SqliteDatabases
from tests.harness.rooms import import_all_tables
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


def test_no_row_of_a_test_is_there_in_the_next(postgres_databases: PostgresDatabases) -> None:
    """Whatever table it is in: a database is used again, and each table had a row when it was given back."""
    with postgres_databases.fresh() as first:
        fill_every_table(first)
        filled = rows_of_tables(first)
    with postgres_databases.fresh() as second:
        assert second == first
        left = rows_of_tables(second)
    assert filled == dict.fromkeys(left, 1)
    assert left == {name: 1 if name == "alembic_version" else 0 for name in filled}


def test_a_large_table_is_emptied_like_a_small_one(postgres_databases: PostgresDatabases) -> None:
    for _ in range(2):
        with postgres_databases.fresh() as url:
            assert set(rows_of_tables(url).values()) == {0, 1}
            with psycopg.connect(url) as connection:
                connection.execute(
                    "INSERT INTO catalogs (environment_id, version) SELECT repeat('x', 500) || n, n FROM generate_series(1, 2000) n"
                )


CHANGES_OF_THE_SCHEMA = (
    "CREATE TABLE more (id integer)",
    "ALTER TABLE catalogs ADD COLUMN more text",
    "ALTER TABLE catalogs ALTER COLUMN version SET DEFAULT 7",
    "ALTER TABLE ledger_entries DISABLE TRIGGER ledger_entries_append_only",
    "CREATE INDEX more ON catalogs (version)",
    "ALTER TABLE catalogs DROP CONSTRAINT pk_catalogs",
    "CREATE FUNCTION more() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA more",
    "CREATE SEQUENCE more",
    "UPDATE alembic_version SET version_num = '0001'",
)


@pytest.mark.parametrize("change", CHANGES_OF_THE_SCHEMA)
def test_a_database_whose_schema_a_test_changed_is_not_used_again(
    change: str, postgres_databases: PostgresDatabases
) -> None:
    with postgres_databases.fresh() as first, psycopg.connect(first, autocommit=True) as connection:
        connection.execute(change)
    with postgres_databases.fresh() as second:
        assert second != first


def test_a_database_whose_connections_a_test_ended_is_emptied_all_the_same(
    postgres_databases: PostgresDatabases,
) -> None:
    with postgres_databases.fresh() as first:
        fill_every_table(first)
        postgres_databases.server.disconnect_all(first)
    with postgres_databases.fresh() as second:
        assert second == first
        assert set(rows_of_tables(second).values()) == {0, 1}


def test_nobody_stays_connected_from_one_test_to_the_next(postgres_databases: PostgresDatabases) -> None:
    with postgres_databases.fresh() as first:
        left = psycopg.connect(first)
        left.execute("SELECT * FROM catalogs")
    with postgres_databases.fresh() as second:
        assert second == first
        with pytest.raises(psycopg.OperationalError):
            left.execute("SELECT 1")


SESSION = (
    "SELECT pg_advisory_lock(7)",
    "SET lock_timeout = '7s'",
    "SET default_transaction_isolation = 'serializable'",
    "CREATE TEMP TABLE mine (id integer)",
    "PREPARE mine AS SELECT 1",
    "LISTEN mine",
)
"""What one may leave behind in a session."""

LEFT = """
SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), current_setting('lock_timeout'),
    current_setting('default_transaction_isolation'), to_regclass('mine'), (SELECT count(*) FROM pg_prepared_statements),
    (SELECT count(*) FROM pg_listening_channels())
"""


def test_a_connection_that_is_used_again_is_as_good_as_new(postgres_url: str) -> None:
    url = postgres_url.replace("postgresql://", "postgresql+psycopg://")
    left: list[tuple[object, ...]] = []
    for _ in range(2):
        engine = sqlalchemy.create_engine(url)
        with engine.connect() as connection:
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
            left.append((pid, *connection.exec_driver_sql(LEFT).one()))
            for statement in SESSION:
                connection.exec_driver_sql(statement)
            connection.commit()
        engine.dispose()
    assert left[0] == left[1]
    assert left[0][1:] == (0, "0", "read committed", None, 0, 0)


def test_a_connection_that_was_closed_does_nothing_more(postgres_url: str) -> None:
    engine = sqlalchemy.create_engine(postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    kept = engine.raw_connection().driver_connection
    assert isinstance(kept, psycopg.Connection)
    engine.dispose()
    kept.close()
    assert kept.closed
    with pytest.raises(psycopg.OperationalError):
        kept.execute("SELECT 1")


def test_a_connection_that_lost_its_server_is_not_used_again(postgres_databases: PostgresDatabases) -> None:
    with postgres_databases.fresh() as url:
        for _ in range(2):
            engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
            with engine.connect() as connection:
                assert connection.exec_driver_sql("SELECT 1").scalar() == 1
            engine.dispose()
            postgres_databases.server.disconnect_all(url)


WANTED: dict[tuple[str, str], str | int] = {
    ("api_keys", "kind"): "publishable",
    ("item_grants", "quantity"): 5,
    ("stripe_events", "status"): "processing",
}
"""What a row needs so that its table takes it, where the first allowed word and ones are not enough."""


def fill_every_table(url: str) -> None:
    import_all_tables()
    with psycopg.connect(url) as connection:
        for table in metadata.sorted_tables:
            row = {column.name: a_value(table, column) for column in table.columns}
            names = sql.SQL(", ").join(map(sql.Identifier, row))
            insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})")
            places = sql.SQL(", ").join(sql.Placeholder() * len(row))
            connection.execute(insert.format(sql.Identifier(table.name), names, places), list(row.values()))


def a_value(table: sqlalchemy.Table, column: sqlalchemy.Column[Any]) -> str | int | bytes:
    if (table.name, column.name) in WANTED:
        return WANTED[table.name, column.name]
    if isinstance(column.type, sqlalchemy.LargeBinary):
        return b"x"
    if isinstance(column.type, sqlalchemy.Integer):
        return 1
    checks = [str(each.sqltext) for each in table.constraints if isinstance(each, sqlalchemy.CheckConstraint)]
    words = re.findall(rf"\b{column.name} IN \('([a-z_]+)'", " ".join(checks))
    return str(words[0]) if words else "x"


def rows_of_tables(url: str) -> dict[str, int]:
    """As PostgreSQL knows them, not as we do."""
    with psycopg.connect(url) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        counting = sql.SQL("SELECT count(*) FROM {}")
        counts = [connection.execute(counting.format(sql.Identifier(name))).fetchone() for (name,) in names]
    return {name: count[0] for (name,), count in zip(names, counts, strict=True) if count is not None}


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
