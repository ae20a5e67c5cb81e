"""`paywright emails`, and what `status`, `serve` and `worker` say about mail."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from paywright.app import open_app
from paywright.cli import main
from paywright.kernel.settings import Settings
from paywright.outbox import letters
from paywright.outbox.letters import write_letter
from tests.harness.shop import SECRET


@pytest.fixture(autouse=True)
def configured(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAYWRIGHT_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("PAYWRIGHT_SECRET", SECRET)


def ran(*words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--json"])


def answered(*words: str) -> dict[str, Any]:
    result = ran(*words)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)  # type: ignore[no-any-return]


def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "mails").mkdir()
    (tmp_path / "mails" / "receipt.txt").write_text(text, encoding="utf-8")
    monkeypatch.setenv("PAYWRIGHT_TEMPLATES", "mails")


def test_preview_shows_and_writes_the_mail_with_the_operators_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    templates(tmp_path, monkeypatch, "Subject: Paid {{ money(amount) }}\n\n{{ payment_id }}")
    shown = answered("emails", "preview", "receipt", "--write", "out")
    assert (shown["subject"], shown["text"]) == ("Paid $49.99", "pay_sample\n")
    assert shown["facts"]["payment_id"] == "pay_sample"
    assert (tmp_path / "out" / "receipt.txt").read_text(encoding="utf-8") == "pay_sample\n"
    assert (tmp_path / "out" / "receipt.html").read_text(encoding="utf-8") == shown["html"]
    text = CliRunner().invoke(main, ["emails", "preview", "receipt"])
    assert text.stdout == "Subject: Paid $49.99\n\npay_sample\n\n"


def test_lint_names_what_is_wrong_and_servers_do_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answered("emails", "lint") == {"problems": []}
    templates(tmp_path, monkeypatch, "Subject: {{ amont }}")
    result = ran("emails", "lint")
    assert result.exit_code == 1
    (problem,) = {each["template"] for each in json.loads(result.stdout)["error"]["facts"]["problems"]}
    assert problem == "receipt.txt"
    assert ran("emails", "preview", "receipt").exit_code == 1
    for command in ("serve", "worker"):
        stopped = ran(command)
        assert stopped.exit_code == 1
        assert "receipt.txt: 'amont' is undefined" in json.loads(stopped.stdout)["error"]["message"]


def test_letters_are_listed_and_sent_again(sqlite_url: str) -> None:
    app = open_app(Settings(database_url=sqlite_url, secret=SECRET))
    with app.work("test") as work:
        write_letter(work, SECRET, "sign_in_code", "1", "b@x.example", {"code": "123456"})
    with app.database.read() as connection:
        (letter,) = letters.newest(connection, SECRET, "test")
    assert ran("emails", "resend", letter.id).exit_code == 1  # It is on its way.
    with app.work("test") as work:
        letters.end(work, letter.id, "uncertain", "lost")
    (line,) = answered("emails", "list", "--status", "uncertain")["data"]
    assert (line["id"], line["to"], line["last_error"]) == (letter.id, "b@x.example", "lost")
    assert "123456" not in str(line)
    assert answered("status")["letters"] == {"uncertain": 1}
    assert answered("emails", "resend", letter.id) == {"id": letter.id, "status": "pending"}
    assert answered("emails", "list", "--status", "dead") == {"data": []}
    app.close()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "nothing is sent: PAYWRIGHT_SMTP_URL is not set"),
        ({"SMTP_URL": "smtp://127.0.0.1"}, "nothing is sent: PAYWRIGHT_EMAIL_FROM is not set"),
        (
            {"SMTP_URL": "smtp://127.0.0.1", "EMAIL_FROM": "a@x.example"},
            "sent as a@x.example; no operator's address is set",
        ),
        (
            {"SMTP_URL": "smtp://127.0.0.1", "EMAIL_FROM": "a@x.example", "OPERATOR_EMAIL": "o@x.example"},
            "sent as a@x.example",
        ),
    ],
)
def test_status_says_whether_anything_leaves(
    settings: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"PAYWRIGHT_{name}", value)
    assert answered("status")["emails"] == said


def test_a_server_with_a_mail_address_that_is_none_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYWRIGHT_SMTP_URL", "mail.example")
    for command in ("serve", "worker"):
        stopped = ran(command)
        assert (stopped.exit_code, "PAYWRIGHT_SMTP_URL is smtp://" in stopped.output) == (1, True)
