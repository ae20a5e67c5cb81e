"""`paywright keys`, on both databases."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from paywright.access.identify import identify
from paywright.access.model import SCOPES, Caller
from paywright.cli import keys
from paywright.engine.app import App
from tests.access.conftest import SECRET


@pytest.fixture
def shell(app: App, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("PAYWRIGHT_DATABASE_URL", database_url)
    monkeypatch.setenv("PAYWRIGHT_SECRET", SECRET)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(keys.group, list(arguments), catch_exceptions=False)

    return run


def test_a_key_is_printed_once_works_and_can_be_revoked(shell: Any, app: App) -> None:
    plain = shell("create", "--name", "web", "--scope", "read").output.strip()
    found = identify(app, f"Bearer {plain}")
    assert isinstance(found, Caller)
    assert found.scopes == {"read"}
    listed = shell("list").output
    assert plain not in listed
    assert plain[-4:] in listed
    revoked = json.loads(shell("revoke", found.actor, "--json").stdout)
    assert revoked["revoked_at"] is not None
    assert plain not in json.dumps(revoked)


def test_a_publishable_key_is_shown_again(shell: Any) -> None:
    made = json.loads(shell("create", "--kind", "publishable", "--environment", "shop", "--json").stdout)
    assert made["key"].startswith("pw_pk_live_")
    assert json.loads(shell("list", "--environment", "shop", "--json").stdout)["data"][0]["key"] == made["key"]
    assert "No keys yet" in shell("list").output


def test_an_unknown_key_ends_with_1_and_an_unknown_scope_with_2(shell: Any) -> None:
    assert shell("revoke", "key_nothing").exit_code == 1
    assert shell("create", "--scope", "everything").exit_code == 2
    assert shell("create", "--name", "x" * 101).exit_code == 1
    assert shell("list", "--environment", "nowhere").exit_code == 1


def test_the_command_knows_every_scope() -> None:
    assert keys.SCOPES == SCOPES
