"""`reconcile`, `doctor`, `export`, `import` and `environments connect`, as they are typed."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from paywright.cli import main
from paywright.environments.tables import environments
from paywright.healing import reconcile
from paywright.healing.model import Wish
from paywright.kernel.refusals import Refusal
from paywright.payments.tables import payments
from paywright_sandbox import Sandbox
from tests.harness.shop import SECRET
from tests.healing.till import HealingShop


class Desk:
    """The command line, in a folder of its own, on the shop's database."""

    def __init__(self, database_url: str) -> None:
        self.environ = {
            **{name: "" for name in os.environ if name.startswith(("PAYWRIGHT_", "STRIPE_"))},
            "PAYWRIGHT_DATABASE_URL": database_url,
            "PAYWRIGHT_SECRET": SECRET,
        }

    def run(self, *words: str, **environ: str) -> Result:
        return CliRunner().invoke(main, words, env={**self.environ, **environ})

    def json(self, *words: str, exit_code: int = 0, **environ: str) -> Any:
        """The last line of what it answers."""
        result = self.run(*words, "--json", **environ)
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1) as running:
        yield running


@pytest.fixture
def till(sqlite_url: str, sandbox: Sandbox) -> Iterator[HealingShop]:
    made = HealingShop(sqlite_url, sandbox)
    yield made
    made.close()


@pytest.fixture
def desk(till: HealingShop, tmp_path: Path) -> Iterator[Desk]:
    before = Path.cwd()
    folder = tmp_path / "desk"
    folder.mkdir()
    os.chdir(folder)
    yield Desk(till.app.settings.database_url)
    os.chdir(before)


def test_reconcile_tells_differences_mends_them_and_keeps_reports(till: HealingShop, desk: Desk) -> None:
    till.buy("pro")
    till.corrupt(payments, sa.true(), amount=7)
    told = desk.json("reconcile", exit_code=1)
    [line] = told["data"]
    assert (line["noun"], line["field"], line["ours"], line["stripe"], line["fixed"]) == (
        "payment",
        "amount",
        7,
        2000,
        False,
    )
    shown = desk.run("reconcile")
    assert shown.exit_code == 1
    assert "2000" in shown.stdout
    assert "--fix" in shown.stderr
    steps = [json.loads(line) for line in shown.stderr.splitlines() if line.startswith("{")]
    assert [step["step"] for step in steps][:2] == ["events", "open sessions"]
    assert desk.json("reconcile", "--fix")["fixed"] == 1
    assert desk.json("reconcile", "--light", "--since", "2026-01-01T00:00:00Z")["lines"] == 0
    listed = desk.json("reconcile", "--list")["data"]
    assert [each["fix"] for each in listed] == [False, True, False, False]
    assert desk.run("reconcile", "--list").stdout.count("finished") == 4
    earlier = desk.json("reconcile", "--show", listed[1]["id"])
    assert [(each["field"], each["fixed"]) for each in earlier["data"]] == [("amount", True)]
    assert "amount" in desk.run("reconcile", "--show", listed[1]["id"]).stdout
    assert desk.json("reconcile", "--show", "rec_nope", exit_code=1)["error"]["code"] == "not_found"
    assert desk.run("reconcile", "--since", "yesterday").exit_code == 2


def test_another_one_under_way_is_brought_to_its_end_first(till: HealingShop, desk: Desk) -> None:
    till.buy("pro")
    till.corrupt(payments, sa.true(), amount=7)
    asked = reconcile.ask(till.app, till.environment, Wish(depth="light"), asked_by="worker")
    assert not isinstance(asked, Refusal)
    assert desk.json("reconcile", "--fix")["fixed"] == 1
    listed = desk.json("reconcile", "--list")["data"]
    assert sorted((each["id"] == asked.id, each["fix"], each["status"]) for each in listed) == [
        (False, True, "finished"),
        (True, False, "finished"),
    ]


def test_reconcile_where_there_is_no_stripe_is_refused(desk: Desk) -> None:
    desk.json("environments", "create", "shop", "--provider", "instant")
    refused = desk.json("reconcile", "--environment", "shop", exit_code=1)
    assert refused["error"]["code"] == "not_at_stripe"
    assert desk.json("import", "--environment", "shop", exit_code=1)["error"]["code"] == "not_at_stripe"


def test_doctor_says_what_is_wrong_and_how_to_mend_it(till: HealingShop, desk: Desk, tmp_path: Path) -> None:
    found = desk.json("doctor", exit_code=1)
    checks = {check["name"]: check for check in found["data"]}
    assert found["ok"] is False
    assert checks["key"]["ok"] is True
    assert (checks["worker"]["ok"], "paywright serve" in checks["worker"]["mend"]) == (False, True)
    assert checks["smtp"]["ok"] is None
    text = desk.run("doctor").stdout
    assert "WRONG worker" in text
    assert till.key not in text
    closed = desk.json(
        "doctor", exit_code=1, PAYWRIGHT_SMTP_URL="smtp://127.0.0.1:9", PAYWRIGHT_EMAIL_FROM="a@example.com"
    )
    assert [check["ok"] for check in closed["data"] if check["name"] == "smtp"] == [False]
    new = Desk(f"sqlite:///{tmp_path}/none.db").json("doctor", exit_code=1)
    assert [(check["name"], check["ok"]) for check in new["data"]] == [("database", False)]


def test_what_is_exported_is_imported_elsewhere(till: HealingShop, desk: Desk, tmp_path: Path) -> None:
    till.buy("pro")
    told = desk.json("export", "all.jsonl")
    path = Path("all.jsonl")
    assert path.stat().st_mode & 0o777 == 0o600
    assert told["rows"] == len(path.read_bytes().splitlines()) - 2
    streamed = desk.run("export").stdout_bytes.splitlines()
    assert streamed[1:-1] == path.read_bytes().splitlines()[1:-1]
    other = Desk(f"sqlite:///{tmp_path}/other.db")
    brought = other.json("import", "all.jsonl")
    assert (brought["rows"], brought["environments"]) == (told["rows"], ["test"])
    assert other.json("ledger", "verify")["problems"] == []
    again = other.run("import", "all.jsonl")
    assert (again.exit_code, "not empty" in again.stderr) == (1, True)
    assert desk.json("export", "--environment", "nope", exit_code=1)["error"]["code"] == "environment_not_found"
    assert desk.run("import", "all.jsonl", "--apply").exit_code == 2


def test_a_stripe_account_is_told_then_brought_in(till: HealingShop, desk: Desk) -> None:
    made = till.post("/v1/customers", {"email": "x@example.com"})["id"]
    Path("names.csv").write_text(f"{made},user:ann\n", encoding="utf-8")
    unnamed = desk.run("import")
    assert unnamed.exit_code == 0
    assert "--customers" in unnamed.stdout
    told = desk.json("import", "--customers", "names.csv")
    assert (told["applied"], told["counts"]["customer"]) == (False, {"mappable": 1})
    assert desk.json("import", "--customers", "names.csv", "--apply")["counts"]["customer"] == {"mapped": 1}
    assert desk.json("import")["counts"]["customer"] == {"mapped": 1}
    Path("names.csv").write_text("nonsense\n", encoding="utf-8")
    assert desk.json("import", "--customers", "names.csv", exit_code=1)["error"]["code"] == "customers_unreadable"


def test_a_key_is_given_and_another_accounts_is_refused_until_it_is_said_to_be_over(
    till: HealingShop, desk: Desk
) -> None:
    same = desk.json("environments", "connect", "test", STRIPE_SECRET_KEY=till.key)
    assert same["stripe_account_id"] == till.get("/v1/account")["id"]
    other = till.control("accounts", {})
    refused = desk.json("environments", "connect", exit_code=1, STRIPE_SECRET_KEY=other["secret_key"])
    assert refused["error"]["code"] == "stripe_account_changed"
    detached = desk.json("environments", "connect", "--detach", STRIPE_SECRET_KEY=other["secret_key"])
    assert detached == {"environment": "test", "stripe_account_id": other["id"], "detached": True}
    with till.app.database.read() as connection:
        assert connection.execute(sa.select(environments.c.stripe_account_id)).scalar_one() == other["id"]
    live = desk.json("environments", "connect", exit_code=1, STRIPE_SECRET_KEY="sk_live_1")
    assert live["error"]["code"] == "wrong_key_mode"
