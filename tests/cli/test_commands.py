"""Commands that begin and end: what they answer, as text and as JSON, and their exit codes."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from paywright.cli import dev_data, main
from paywright.cli.dev_data import DevData
from paywright.cli.dev_setup import Refused, offline
from paywright.kernel.settings import Settings

SECRET = "a secret of tests only, long enough"


class Shell:
    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        self._environ = {
            "PAYWRIGHT_DATABASE_URL": database_url,
            "PAYWRIGHT_SECRET": SECRET,
            # Nothing of the developer's own may reach a test.
            **{name: "" for name in os.environ if name.startswith(("PAYWRIGHT_", "STRIPE_"))},
        }
        self._environ |= {"PAYWRIGHT_DATABASE_URL": database_url, "PAYWRIGHT_SECRET": SECRET}

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(main, words, env=self._environ)

    def json(self, *words: str) -> Any:
        """The one JSON line of a command that went well."""
        result = self.run(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture
def shell(tmp_path: Path, database_url: str) -> Iterator[Shell]:
    before = Path.cwd()
    folder = tmp_path / "app"
    folder.mkdir()
    os.chdir(folder)
    yield Shell(folder, database_url)
    os.chdir(before)


def test_a_first_start_from_nothing(shell: Shell) -> None:
    assert shell.json("init", "flask")["written"] == ["catalog.toml", "paywright_example.py", ".env"]
    assert (shell.folder / ".env").stat().st_mode & 0o777 == 0o600
    assert shell.json("init")["kept"] == ["catalog.toml", "paywright_example.py", ".env"]
    assert shell.json("migrate")["revision"] is not None
    status = shell.json("status")
    assert (status["environment"], status["mode"], status["is_up_to_date"]) == ("test", "test", True)
    assert (status["catalog_version"], status["api_keys"], status["waiting"]) == (0, 0, {})
    assert SECRET not in shell.run("status").output


def test_environments_are_made_and_listed(shell: Shell) -> None:
    assert shell.json("environments", "create", "shop", "--provider", "instant")["provider"] == "instant"
    assert [each["id"] for each in shell.json("environments", "list")["data"]] == ["shop", "test"]
    assert "shop" in shell.run("environments", "list").output
    live = shell.run("environments", "create", "real", "--mode", "live", "--provider", "instant")
    assert (live.exit_code, "instant" in live.stderr) == (1, True)
    assert shell.json("status", "--environment", "shop")["provider"] == "instant"
    unknown = shell.run("status", "--environment", "nope")
    assert (unknown.exit_code, "paywright environments create nope" in unknown.stderr) == (1, True)


def test_time_is_moved_where_there_is_a_clock(shell: Shell) -> None:
    shell.json("environments", "create", "shop", "--provider", "instant")
    first = shell.json("status", "--environment", "shop")["now"]
    assert shell.json("clock", "advance", "31d", "--environment", "shop")["now"] > first
    refused = shell.run("clock", "advance", "31d", "--json")
    assert (refused.exit_code, json.loads(refused.stdout)["error"]["code"]) == (1, "invalid_request")
    assert shell.run("clock", "advance", "a while", "--environment", "shop").exit_code == 1


def test_the_ledger_is_proven_and_a_lie_is_found(shell: Shell) -> None:
    import sqlalchemy as sa

    from paywright.app import open_app
    from paywright.kernel.model import Customer
    from paywright.kernel.settings import Settings
    from paywright.ledger.hot import increase
    from paywright.ledger.tables import balances

    shell.json("migrate")
    app = open_app(Settings(database_url=shell._environ["PAYWRIGHT_DATABASE_URL"], secret=SECRET))
    try:
        increase(app, "test", Customer("user", "anne"), "credits", 5)
        assert shell.json("ledger", "verify") == {"entries": 1, "problems": []}
        with app.work("test") as work:
            work.execute(sa.update(balances).values(balance=6, live=6))
        lied = shell.run("ledger", "verify", "--json")
        assert lied.exit_code == 1
        assert "user:anne credits" in json.loads(lied.stdout)["error"]["facts"]["problems"][0]
        assert shell.run("ledger", "verify").exit_code == 1
    finally:
        app.close()


@pytest.mark.parametrize("name", ["dashboard"])
def test_what_comes_later_says_so(shell: Shell, name: str) -> None:
    result = shell.run(name)
    assert (result.exit_code, result.stderr) == (1, f"paywright: `paywright {name}` is not implemented yet.\n")
    assert json.loads(shell.run(name, "--json").stdout)["error"]["code"] == "not_implemented"


@pytest.mark.parametrize(
    "words", [["nope"], ["serve", "--port", "x"], ["clock", "advance"], ["environments", "create"]]
)
def test_a_wrong_call_is_exit_code_2(shell: Shell, words: list[str]) -> None:
    assert shell.run(*words).exit_code == 2


def test_a_catalog_in_the_folder_is_applied_by_serve_and_pay_but_never_in_live(shell: Shell) -> None:
    from paywright.app import apply_catalog_file, create_environment, open_app
    from paywright.catalog import queries
    from paywright.kernel.settings import Settings

    (shell.folder / "catalog.toml").write_text("[items.credits]\n")
    shell.json("migrate")
    app = open_app(Settings(database_url=shell._environ["PAYWRIGHT_DATABASE_URL"], secret=SECRET))
    try:
        create_environment(app, "real", mode="live", provider="stripe")
        for environment_id, version in (("test", 1), ("real", 0), ("test", 1)):
            apply_catalog_file(app, environment_id, shell.folder)
            with app.database.read() as connection:
                assert queries.head(connection, environment_id).version == version, environment_id
    finally:
        app.close()


def test_a_database_that_is_behind_says_what_to_do(tmp_path: Path, postgres_databases: Any) -> None:
    with postgres_databases.fresh(migrated=False) as url:
        result = Shell(tmp_path, url).run("status")
    assert (result.exit_code, "paywright migrate" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    "words",
    [
        ("export", "nowhere/out.jsonl"),
        ("catalog", "pull", "nowhere/catalog.toml"),
        ("emails", "preview", "receipt", "--write", "/dev/null/here"),
    ],
    ids=lambda words: words[0],
)
def test_a_file_that_can_not_be_written_is_named_and_that_is_all(shell: Shell, words: tuple[str, ...]) -> None:
    shell.run("migrate")
    said = shell.run(*words)
    assert said.exit_code == 1
    assert said.stderr.startswith(f"paywright: {words[-1].partition('.')[0]}"), said.output
    assert shell.run(*words, "--json").stdout.startswith('{"error":{"code":"file_unusable"')


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://me:secret@db/shop", "mysql is no database"),
        ("secret", "is no URL"),
        ("sqlite://", "name a file"),
        ("postgresql://me:secret@127.0.0.1:1/shop", "Connection refused"),
    ],
)
def test_a_database_that_is_none_is_told_without_its_password(shell: Shell, url: str, told: str) -> None:
    said = CliRunner().invoke(main, ["migrate"], env={"PAYWRIGHT_DATABASE_URL": url})
    assert (said.exit_code, told in said.stderr, "secret" in said.stderr) == (1, True, False), said.output


def test_a_malformed_setting_is_named_as_it_is_set(shell: Shell) -> None:
    said = CliRunner().invoke(main, ["status"], env={"PAYWRIGHT_PORT": "many"})
    assert (said.exit_code, said.stderr) == (1, "paywright: PAYWRIGHT_PORT is malformed: Expected `int`, got `str`\n")


def test_an_environment_that_is_there_as_another_kind_is_not_passed_off_as_what_was_asked(shell: Shell) -> None:
    shell.run("migrate")
    shell.run("environments", "create", "shop", "--provider", "instant")
    assert shell.json("environments", "create", "shop")["provider"] == "instant"
    said = shell.run("environments", "create", "shop", "--mode", "live")
    assert (said.exit_code, "already: test, instant" in said.stderr) == (1, True)


def test_what_init_writes_goes_with_what_dev_keeps_whichever_was_first(tmp_path: Path) -> None:
    kept = dev_data.read_or_make(tmp_path / dev_data.FOLDER)
    assert dev_data.read_or_make(tmp_path / dev_data.FOLDER, "another").secret == kept.secret
    assert dev_data.read_or_make(tmp_path / "later", "of .env").secret == "of .env"
    with pytest.raises(Refused):
        offline(Settings(secret="another"), kept.secret)
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        assert CliRunner().invoke(main, ["init"], env={"PAYWRIGHT_DATABASE_URL": ""}).exit_code == 0
    finally:
        os.chdir(before)
    assert (tmp_path / ".env").read_text() == f"PAYWRIGHT_SECRET={kept.secret}\n"


def test_beside_dev_links_lead_to_dev(tmp_path: Path) -> None:
    dev_data.write(tmp_path, DevData(secret="kept", url="http://127.0.0.1:8787"))
    here = f"sqlite:///{tmp_path / 'paywright.db'}"
    beside = dev_data.as_dev_is(Settings(database_url=here))
    assert (beside.secret, beside.public_url) == ("kept", "http://127.0.0.1:8787")
    chosen = dev_data.as_dev_is(Settings(database_url=here, secret="mine", public_url="https://app.example"))
    assert (chosen.secret, chosen.public_url) == ("mine", "https://app.example")
